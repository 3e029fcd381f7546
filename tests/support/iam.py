"""Evaluation of one request by one IAM policy, for the policy elements that this stack uses.

An unsupported policy element raises NotImplementedError, and never counts as a denial.
Source: IAM User Guide, "Policy evaluation logic" and "IAM JSON policy elements: Condition operators".
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any

Document = Mapping[str, Any]


class Decision(Enum):
    """Decision of one IAM policy about a request."""

    ALLOW = "allowed"
    DENY = "refused"
    NO_MATCH = "not mentioned"


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request to AWS that a policy allows or denies.

    Attributes:
        action: such as ``s3:GetObject``.
        resource: ARN of the resource.
        principal: service name or ARN of the caller; "anybody" is an anonymous caller.
        context: values of condition keys. The keys are case-insensitive.
    """

    action: str
    resource: str
    principal: str = "anybody"
    context: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def value(self, key: str) -> str | None:
        """Return the value of a condition key, or None if the request does not have the key."""
        return {name.lower(): value for name, value in self.context.items()}.get(key.lower())


def decide(policy: Document, request: Request) -> Decision:
    """Return the decision of a policy about a request.

    A deny overrides an allow. The decision is NO_MATCH if no statement applies to the request.
    """
    effects = {statement["Effect"] for statement in policy["Statement"] if _applies(statement, request)}
    if "Deny" in effects:
        return Decision.DENY
    return Decision.ALLOW if "Allow" in effects else Decision.NO_MATCH


def _applies(statement: Document, request: Request) -> bool:
    known = {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
    if strange := statement.keys() - known:
        raise NotImplementedError(f"a statement with {', '.join(sorted(strange))}")
    return (
        _matches_principal(statement.get("Principal", "*"), request.principal)
        and any(_like(action, request.action, re.IGNORECASE) for action in _list(statement["Action"]))
        # The trust policy of a role has no element Resource.
        and any(_like(resource, request.resource) for resource in _list(statement.get("Resource", "*")))
        and all(
            _condition_holds(operator, _list(wanted), request.value(key))
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def _matches_principal(principal: str | Mapping[str, str | list[str]], requester: str) -> bool:
    if principal == "*":
        return True
    if isinstance(principal, str) or not principal.keys() <= {"Service", "AWS"}:
        raise NotImplementedError(f"the principal {principal}")
    return requester in _list(principal.get("Service", [])) or any(
        _is_in_account(root, requester) for root in _list(principal.get("AWS", []))
    )


def _is_in_account(root: str, requester: str) -> bool:
    """Return whether the requester belongs to the account of a root ARN."""
    if not re.fullmatch(r"arn:aws:iam::[0-9]{12}:root", root):
        raise NotImplementedError(f"the principal {root}")
    return requester.startswith(root.removesuffix("root"))


def _condition_holds(operator: str, wanted: list[str], value: str | None) -> bool:
    match operator:
        case "Null":
            return wanted == [str(value is None).lower()]
        case "Bool":
            return value is not None and value.lower() in [each.lower() for each in wanted]
        case "StringEquals":
            return value in wanted
        case "StringNotEquals":
            return value not in wanted  # StringNotEquals is also true if the request lacks the key.
        case "StringLike":
            return value is not None and any(_like(pattern, value) for pattern in wanted)
        case "ArnLike":
            return value is not None and any(_arn_like(pattern, value) for pattern in wanted)
    raise NotImplementedError(f"the operator {operator}")


def _arn_like(pattern: str, arn: str) -> bool:
    """Match each of the six parts of an ARN separately: a wildcard matches no colon, except in the last part."""
    patterns, parts = pattern.split(":", 5), arn.split(":", 5)
    return len(patterns) == len(parts) and all(map(_like, patterns, parts))


def _like(pattern: str, text: str, flags: re.RegexFlag = re.NOFLAG) -> bool:
    return _expression(pattern, flags).fullmatch(text) is not None


@functools.cache
def _expression(pattern: str, flags: re.RegexFlag) -> re.Pattern[str]:
    # ${*}, ${?} and ${$} are the characters themselves (IAM User Guide, "Variables and tags").
    tokens = re.findall(r"\$\{[*?$]\}|.", pattern, re.DOTALL)
    wildcards = {"*": ".*", "?": "."}
    expression = "".join(wildcards.get(each, re.escape(each[2] if len(each) > 1 else each)) for each in tokens)
    return re.compile(expression, flags | re.DOTALL)


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
