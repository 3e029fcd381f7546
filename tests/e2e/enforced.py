"""A stack on an emulator that enforces IAM, and the same policy with one permission taken away.

The embedded emulator checks what a function sends over the wire, as its role. It does not check what Lambda does on the
role's behalf (the message to the on-failure destination), it knows nothing of X-Ray, and it takes the ARN of a log
group for that of a log stream. For these there are two more ways to ask: a second function with the same role that
makes any call it is told to, and IAM's own simulation of the role's policies.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from localstack.emulators.emulator import Emulator
    from tests.support.index import Index

Document: TypeAlias = dict[str, Any]

POLICY_NAME = "index-uploads"
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "403"})
"""What the services call it; HEAD has no body, so botocore makes the status its code."""

STAND_IN = "stand-in"
STAND_IN_CODE = """
import boto3, botocore
from botocore.config import Config

def handler(event, context):
    return [outcome(**call) for call in event]

def outcome(service, operation, arguments):
    client = boto3.client(service, config=Config(retries={"total_max_attempts": 1}))
    try:
        getattr(client, operation)(**arguments)
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    return "allowed"
"""


@dataclass(frozen=True, order=True)
class Permission:
    """One action of one statement of the role's policy."""

    sid: str
    action: str

    def __str__(self) -> str:
        return f"{self.sid} {self.action}"


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call of an AWS service, as boto3 names it."""

    service: str
    operation: str
    arguments: Mapping[str, Any]


def permissions(policy: Document) -> list[Permission]:
    """Every permission of a policy."""
    return [Permission(each["Sid"], action) for each in policy["Statement"] for action in each["Action"]]


def without(policy: Document, *taken: Permission) -> Document:
    """The same policy without some permissions; a statement that has none left goes."""
    left = deepcopy(policy)
    for each in left["Statement"]:
        each["Action"] = [action for action in each["Action"] if Permission(each["Sid"], action) not in taken]
    left["Statement"] = [each for each in left["Statement"] if each["Action"]]
    return left


class Role:
    """The function's role on an emulator that enforces it."""

    def __init__(self, emulator: Emulator, arn: str) -> None:
        self.arn = arn
        self._name = arn.rpartition("/")[2]
        self._iam = emulator.client("iam")
        self._lambda = emulator.client("lambda")

    def policy(self) -> Document:
        """What the role may do, as IAM has it."""
        answer = self._iam.get_role_policy(RoleName=self._name, PolicyName=POLICY_NAME)
        document: Document = answer["PolicyDocument"]
        return document

    @contextmanager
    def lacking(self, *taken: Permission) -> Iterator[None]:
        """Take permissions away until the block is left."""
        whole = self.policy()
        self._put(without(whole, *taken))
        try:
            yield
        finally:
            self._put(whole)

    @contextmanager
    def stand_in(self) -> Iterator[None]:
        """Have a second function with this role, which makes the calls of `denied`."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("stand_in.py", STAND_IN_CODE)
        self._lambda.create_function(
            FunctionName=STAND_IN,
            Runtime="python3.13",
            Handler="stand_in.handler",
            Role=self.arn,
            Code={"ZipFile": archive.getvalue()},
            Timeout=30,
        )
        try:
            yield
        finally:
            self._lambda.delete_function(FunctionName=STAND_IN)

    def denied(self, calls: Mapping[str, Call]) -> set[str]:
        """The names of those calls that this role is refused; all others succeed."""
        payload = [vars(call) for call in calls.values()]
        answer = self._lambda.invoke(FunctionName=STAND_IN, Payload=json.dumps(payload))
        outcomes = json.loads(answer["Payload"].read())
        assert isinstance(outcomes, list), outcomes
        by_name = dict(zip(calls, outcomes, strict=True))
        strange = {name: outcome for name, outcome in by_name.items() if outcome not in {"allowed", *DENIED}}
        assert strange == {}, "neither allowed nor denied"
        return {name for name, outcome in by_name.items() if outcome in DENIED}

    def simulated_denied(self, questions: Mapping[str, tuple[str, str]]) -> set[str]:
        """The names of those questions, each an action and the ARN of a resource, to which IAM's simulation says no."""
        return {name for name, (action, resource) in questions.items() if not self._simulated(action, resource)}

    def _simulated(self, action: str, resource: str) -> bool:
        answer = self._iam.simulate_principal_policy(
            PolicySourceArn=self.arn, ActionNames=[action], ResourceArns=[resource]
        )
        [result] = answer["EvaluationResults"]
        return bool(result["EvalDecision"] == "allowed")

    def _put(self, policy: Document) -> None:
        self._iam.put_role_policy(RoleName=self._name, PolicyName=POLICY_NAME, PolicyDocument=json.dumps(policy))


def failures_to_index(index: Index, events: Mapping[str, Document]) -> set[str]:
    """The names of those events that the function could not index because something was denied."""
    failed = set()
    for name, event in events.items():
        error = index.invoke(event).error
        assert error is None or "denied: " in error, error
        if error is not None:
            failed.add(name)
    return failed
