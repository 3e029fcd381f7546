"""Finds the statements of a bucket policy that can deny the indexer's requests. Does not call AWS."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

READS = ("s3:getobject", "s3:getobjectversion", "s3:listbucket")
"""Actions of the indexer on a bucket, in lower case."""
ONLY_HTTP = ({"Bool": {"aws:SecureTransport": "false"}}, {"Bool": {"aws:SecureTransport": False}})
"""Conditions of a statement that applies only to plain HTTP, which the indexer does not use."""


def statements(policy: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the statements of a policy. A policy with one statement can have the statement in place of a list."""
    found: Any = policy.get("Statement", [])
    return [found] if isinstance(found, Mapping) else found


def denials(policy: Mapping[str, Any]) -> Iterator[str]:
    """Yield a description of each statement that can deny a request of the indexer.

    Statements that only deny plain HTTP are omitted. The principals are not evaluated.
    """
    for number, statement in enumerate(statements(policy), start=1):
        if statement.get("Effect") == "Deny" and _has_reads(statement) and statement.get("Condition") not in ONLY_HTTP:
            element = "Action" if "Action" in statement else "NotAction"
            name = statement.get("Sid", f"statement {number}")
            condition = json.dumps(statement.get("Condition", {}), sort_keys=True)
            yield f"{name}, {element} {', '.join(_listed(statement.get(element, [])))}, Condition {condition}"


def _has_reads(statement: Mapping[str, Any]) -> bool:
    """Return whether the actions of a statement include an action of the indexer."""
    if "Action" in statement:
        return any(_matches(statement["Action"], action) for action in READS)
    return not all(_matches(statement.get("NotAction", []), action) for action in READS)


def _matches(patterns: object, action: str) -> bool:
    return any(fnmatchcase(action, pattern.lower()) for pattern in _listed(patterns))


def _listed(value: object) -> list[str]:
    return [value] if isinstance(value, str) else list(value) if isinstance(value, Iterable) else []
