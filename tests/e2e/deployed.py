"""The deployed stack that tests compare with Pulumi.localstack.yaml, and its policies as data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.index import Clients

PREFIX = "tapstack-local"
"""The start of every name: project and environment."""


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """The stack's outputs and location, and clients to describe it."""

    aws: Clients
    out: Mapping[str, str]
    account: str
    region: str

    @property
    def log_bucket(self) -> str:
        return f"{PREFIX}-logs-{self.account}-{self.region}"

    def queue(self) -> dict[str, str]:
        """The attributes of the failure queue."""
        url = self.out["failure_queue_url"]
        attributes: dict[str, str] = self.aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])[
            "Attributes"
        ]
        return attributes


def deny_without_tls(action: str, resources: list[str]) -> dict[str, Any]:
    """The statement, without its Sid, that every resource policy of the stack has."""
    return {
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Resource": resources,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def statements(policy: str | dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The statements of a policy without their Sid, by their Sid."""
    document = json.loads(policy) if isinstance(policy, str) else policy
    assert document["Version"] == "2012-10-17"
    return {
        each.get("Sid", ""): {name: value for name, value in each.items() if name != "Sid"}
        for each in document["Statement"]
    }
