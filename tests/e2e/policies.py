"""Resource policies, as data to compare with."""

from __future__ import annotations

from typing import Any


def deny_without_tls(action: str, resources: list[str]) -> dict[str, Any]:
    """The statement, without its Sid, that every resource policy of the stack has."""
    return {
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Resource": resources,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def statements_by_sid(policy: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The statements of a policy without their Sid, by their Sid."""
    return {
        statement.get("Sid", ""): {name: value for name, value in statement.items() if name != "Sid"}
        for statement in policy["Statement"]
    }
