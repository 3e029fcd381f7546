"""Findings of the audit about settings, their remedies, and the chapters of the runbook that describe them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

RUNBOOK = "docs/runbook.md"
INSPECTOR_CHAPTER = "inspector-changed"
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
    "existing buckets of the function": "failed-foreign",
    "retries": "events-dropped",
    "maximum event age in seconds": "events-dropped",
    "on-failure destination": "events-dropped",
    "reserved concurrency": "reserved-concurrency-0",
    "settings document": "settings-document",
    "compared keys": "audit",
    **dict.fromkeys(("existing bucket", "existing bucket versioning"), "existing-bucket-changed"),
    **dict.fromkeys(("existing bucket EventBridge", "existing bucket permission"), "existing-bucket-changed"),
    **dict.fromkeys(("rule", "rule state", "rule pattern", "rule target"), "existing-bucket-changed"),
    "rule dead-letter queue": "existing-bucket-changed",
    **dict.fromkeys(
        ("inspector", "table of the inspector", "reserved concurrency of the inspector"), INSPECTOR_CHAPTER
    ),
    **dict.fromkeys(("stream", "inspector mapping", "inspector mapping state"), INSPECTOR_CHAPTER),
    **dict.fromkeys(("inspector mapping function", "inspector mapping stream"), INSPECTOR_CHAPTER),
    **dict.fromkeys(("inspector mapping settings", "inspector mapping destination"), INSPECTOR_CHAPTER),
    "inspector mapping filter": INSPECTOR_CHAPTER,
    "inspector mapping result": INSPECTOR_CHAPTER,
    "inventory": "inventory-changed",
}
"""Maps each setting to the heading of its chapter in the runbook, as GitHub writes it in links."""

REFRESH = "run: pulumi up --refresh"
REASON_FIRST = "find the reason first"
THEN_REPAIR = (
    f"{REFRESH}; then run redrive with --replay, so that deletions keep their times, and then audit with --repair, "
    "because events since the change are lost"
)
THEN_INSPECT = (
    f"{REFRESH}; then run backfill with --inspect --invoke, because the inspector missed rows since the change"
)
THEN_REDRIVE = f"{REFRESH}; then run redrive with --replay, because events since the change may have failed"
THEN_REPAIR_LATER = (
    f"{REFRESH}; 15 minutes later, run audit with --repair: until then, S3 may return 404 for new versions"
)


@dataclass(frozen=True, kw_only=True)
class SettingFinding:
    """A setting that differs from the settings document, or that prevents the comparison.

    Attributes:
        setting: name of the setting.
        problem: one sentence with the value in AWS and the expected value.
        remedy: the command that corrects the setting.
    """

    setting: str
    problem: str
    remedy: str

    @property
    def runbook(self) -> str:
        """Path of the runbook's chapter about the finding."""
        return f"{RUNBOOK}#{CHAPTERS[self.setting]}"


@dataclass(kw_only=True)
class SettingsReport:
    """The result of the comparison.

    Attributes:
        findings: differences from the settings document.
        without_trigger: names of buckets whose events do not invoke the indexer.
        deleted_buckets: names of buckets that do not exist.
        table_usable: whether the table exists and can be read.
    """

    findings: list[SettingFinding] = field(default_factory=list)
    without_trigger: set[str] = field(default_factory=set)
    deleted_buckets: set[str] = field(default_factory=set)
    table_usable: bool = True

    def comparable(self, bucket: str) -> bool:
        """Return whether a bucket and the table exist, so that their contents can be compared."""
        return self.table_usable and bucket not in self.deleted_buckets

    def add(self, setting: str, problem: str, remedy: str = REFRESH) -> None:
        """Add a finding.

        Args:
            setting: name of the setting.
            problem: one sentence with the value in AWS and the expected value.
            remedy: the command that corrects the setting.
        """
        self.findings.append(SettingFinding(setting=setting, problem=problem, remedy=remedy))


def invoke_conditions(statement: Mapping[str, Any], *, service: str) -> Mapping[str, Any] | None:
    """Return the conditions under which a service may invoke the indexer, by name in lower case.

    Args:
        statement: statement of the function's resource policy.
        service: principal of the service, such as `s3.amazonaws.com`.

    Returns:
        The conditions; None if the statement does not allow the service to invoke the indexer.
    """
    subject = (statement["Effect"], statement["Action"], statement["Principal"])
    if subject != ("Allow", "lambda:InvokeFunction", {"Service": service}):
        return None
    return {key.lower(): value for keys in statement.get("Condition", {}).values() for key, value in keys.items()}


def differ(actual: object, wanted: object) -> str:
    """Return the sentence of a finding about a value in AWS that differs from the value of the stack.

    Args:
        actual: the value in AWS; None if it is not set.
        wanted: the value in the settings document; None if the setting must not be set.
    """
    return f"the value is {_shown(actual)}, but the stack's value is {_shown(wanted)}"


def _shown(value: object) -> str:
    if value is None:
        return "not set"
    return repr(value) if isinstance(value, str) else str(value)
