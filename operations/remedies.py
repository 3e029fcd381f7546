"""Remedies for findings of the audit about settings, and the chapters of the runbook that describe them."""

from __future__ import annotations

from collections.abc import Mapping

RUNBOOK = "docs/runbook.md"
CHAPTERS: Mapping[str, str] = {
    **dict.fromkeys(("notification", "notification events", "notification prefix"), "notification-changed"),
    **dict.fromkeys(("notification suffix", "permission"), "notification-changed"),
    "versioning": "versioning-suspended",
    "function": "function-deleted",
    "bucket": "bucket-deleted",
    "table": "table-lost",
    "failure queue": "queue-lost",
    "code": "function-broken",
    "bucket of the function": "failed-foreign",
    "table of the function": "table-lost",
    "retries": "events-dropped",
    "maximum event age in seconds": "events-dropped",
    "on-failure destination": "events-dropped",
    "reserved concurrency": "reserved-concurrency-0",
    "settings document": "settings-document",
    "compared keys": "audit",
}
"""Maps each setting to the heading of its chapter in the runbook, as GitHub writes it in links."""

REFRESH = "run: pulumi up --refresh"
REASON_FIRST = "find the reason first"
THEN_REPAIR = (
    f"{REFRESH}; then run redrive with --replay, so that deletions keep their times, and then audit with --repair, "
    "because events since the change are lost"
)
THEN_REDRIVE = f"{REFRESH}; then run redrive with --replay, because events since the change may have failed"
THEN_REPAIR_LATER = (
    f"{REFRESH}; 15 minutes later, run audit with --repair: until then, S3 may return 404 for new versions"
)
