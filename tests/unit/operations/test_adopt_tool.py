"""Tests of the command `tapstack adopt`: its arguments, output and exit codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from operations.adopt import WAITS_SECONDS, inverse_command
from tests.support.existing_bucket import (
    ACCOUNT,
    ENCRYPTION,
    KEY_ARN,
    LOCATION,
    AdoptingAws,
    Connection,
    ExistingBucket,
)
from tests.support.operations_fakes import SETTINGS
from tests.support.shell_commands import problems
from tests.unit.operations.test_adopt import DOCUMENT, KMS, denying, with_settings

if TYPE_CHECKING:
    from tests.unit.operations.conftest import Command

ENTRY = {"name": "reports", "versioned": True, "prefixes": [], "rule": "r"}
SETTING_LINES = [
    "region        eu-west-1",
    "versioning    Enabled",
    "encryption    none",
    "ownership     ObjectWriter",
    "policy        0 statements",
    "notification  NewConfiguration",
    "notification  queue arn:q  s3:ObjectCreated:*  ID 'theirs'",
    f"account       {ACCOUNT}",
]
STEPS = [
    """N=$(pulumi config get existingBuckets 2>/dev/null | grep -o '"name":' | wc -l | tr -d ' ')""",
    'pulumi config set --path "existingBuckets[$N].name" reports',
    'pulumi config set --path "existingBuckets[$N].versioned" true',
    "pulumi up",
    "tapstack backfill --function indexer --bucket reports --invoke",
]


@pytest.fixture
def adopt(run: Command, connection: Connection) -> Command:
    run.aws = AdoptingAws(connection)
    connection.bucket = ExistingBucket(document=DOCUMENT)
    return run


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("operations.adopt.WAITS_SECONDS", [0.0] * len(WAITS_SECONDS))


def test_adopt_without_apply_prints_settings_and_cost_and_changes_nothing(
    adopt: Command, connection: Connection
) -> None:
    assert adopt("adopt", "reports") == 1
    assert adopt.lines[:8] == SETTING_LINES
    assert adopt.lines[8] == "EventBridge   off"
    assert "EventBridge charges $1.00 per million events" in adopt.lines[-2]
    assert adopt.lines[-1] == (
        "adopt: one change of 'reports' is necessary: switch EventBridge on; unchanged: 2 notifications; "
        "dry run: --apply makes the change"
    )
    assert connection.bucket.document == DOCUMENT
    assert "next steps:" not in adopt.lines


def test_adopt_with_apply_prints_the_inverse_command_and_the_next_steps(adopt: Command, connection: Connection) -> None:
    assert adopt("adopt", "reports", "--apply") == 0
    assert adopt.lines[8] == "EventBridge   on"
    inverse = f"to switch EventBridge off again: {inverse_command('reports', ACCOUNT)}"
    assert [*problems(inverse.partition(": ")[2]), *problems(STEPS[-1])] == []
    place = adopt.lines.index(inverse)
    assert "check that your AWS CLI supports NewConfiguration: otherwise, the command deletes" in adopt.lines[place + 1]
    assert adopt.lines[place + 2 : -2] == ["next steps:", *(f"  {step}" for step in STEPS)]
    assert adopt.lines[-2].startswith("note: the first events arrive about five minutes after")
    assert adopt.lines[-1] == ("adopt: EventBridge was switched on for 'reports'; unchanged: 2 notifications")
    assert adopt("adopt", "reports", "--apply") == 0
    assert adopt.lines[-1] == "adopt: EventBridge is on for 'reports', so no change of the bucket is necessary"
    assert connection.bucket.requests.count("PUT notification") == 1
    assert not any(line.startswith("to switch") for line in adopt.lines)
    assert f"  {STEPS[0]}" in adopt.lines


def test_adopt_prints_configuration_steps_unless_the_stack_already_indexes_the_bucket(adopt: Command) -> None:
    adopt.aws.settings = {**SETTINGS, "existing_buckets": [{**ENTRY, "name": "other"}]}
    assert adopt("adopt", "reports", "--apply") == 0
    assert adopt.lines[adopt.lines.index("next steps:") + 1 : -2] == [f"  {step}" for step in STEPS]
    adopt.aws.settings = {**SETTINGS, "existing_buckets": [ENTRY]}
    assert adopt("adopt", "reports") == 0
    assert adopt.lines[adopt.lines.index("next steps:") + 1 : -2] == [f"  {STEPS[-1]}"]
    adopt.aws.settings = None
    assert (adopt("adopt", "reports", "--json"), adopt.document["next_steps"]) == (0, STEPS)


def test_adopt_does_not_change_a_bucket_that_the_stack_cannot_index(adopt: Command, connection: Connection) -> None:
    connection.bucket = with_settings(location=LOCATION % "us-west-2")
    assert adopt("adopt", "reports", "--apply") == 1
    assert adopt.lines[-1] == "adopt: the stack cannot index 'reports'; nothing was changed"
    assert adopt.lines[-3].startswith("obstacle: the bucket is in us-west-2, and the stack is in eu-west-1:")
    assert adopt.lines[-3].endswith("; deploy another stack in us-west-2")
    connection.bucket = ExistingBucket(owner="210987654321")
    assert adopt("adopt", "reports", "--apply") == 1
    assert adopt.lines[1] == "versioning  unknown"
    assert not any(line.startswith(("account", "EventBridge")) for line in adopt.lines)


def test_adopt_prints_a_minor_obstacle_after_the_change(adopt: Command, connection: Connection) -> None:
    connection.bucket = with_settings(encryption=ENCRYPTION % KMS % KEY_ARN)
    connection.bucket.key = {**connection.bucket.key, "KeyState": "PendingDeletion"}
    assert adopt("adopt", "reports", "--apply") == 1
    assert f"encryption   aws:kms {KEY_ARN}" in adopt.lines
    assert any(line.startswith("obstacle: the default key") for line in adopt.lines)
    assert f'  pulumi config set --path "existingBuckets[$N].kmsKeyArn" {KEY_ARN}' in adopt.lines
    assert adopt.lines[-1].startswith("adopt: EventBridge was switched on")


def test_adopt_prints_a_conflict_if_s3_does_not_return_the_change(adopt: Command, connection: Connection) -> None:
    connection.bucket.stale = len(WAITS_SECONDS)
    assert adopt("adopt", "reports", "--apply") == 1
    assert any(line.startswith("conflict: S3 accepted the change, but does not return it") for line in adopt.lines)
    assert adopt.lines[-1] == (
        "adopt: EventBridge is off for 'reports', but another writer may have changed the notifications"
    )


def test_adopt_prints_the_change_of_another_writer(adopt: Command, connection: Connection) -> None:
    bucket = connection.bucket

    def write(_number: int, name: str) -> None:
        if bucket.requests.count("GET notification") == 2 and name == "GET notification":
            bucket.document = DOCUMENT.replace(b"theirs", b"another")

    bucket.before = write
    assert adopt("adopt", "reports", "--apply") == 1
    prefix = "conflict: another writer changed the notifications of the bucket during this run"
    assert [line for line in adopt.lines if line.startswith("conflict")] == [
        f"{prefix}: removed: queue arn:q  s3:ObjectCreated:*  ID 'theirs'",
        f"{prefix}: added: queue arn:q  s3:ObjectCreated:*  ID 'another'",
    ]
    assert adopt.lines[-1].startswith("adopt: EventBridge is on for 'reports', but another writer")


STOPPED: dict[str, tuple[str, Any, int, str]] = {
    "denied write": ("PUT notification", 403, 2, "EventBridge may have been switched on; the other notifications did"),
    "interrupted write": ("PUT notification", KeyboardInterrupt(), 130, "EventBridge may have been switched on"),
    "denied read": ("GET location", 403, 2, "nothing was changed; start adopt again"),
    "interrupted read": ("GET versioning", KeyboardInterrupt(), 130, "nothing was changed; start adopt again"),
}


@pytest.mark.parametrize("case", STOPPED)
def test_stopped_adopt_prints_whether_the_bucket_may_have_changed(
    adopt: Command, connection: Connection, case: str
) -> None:
    request, fault, code, hint = STOPPED[case]

    def fail(_number: int, name: str) -> int | None:
        if name == request and isinstance(fault, BaseException):
            raise fault
        return denying(request)(0, name)

    connection.bucket.before = fail
    assert adopt("adopt", "reports", "--apply") == code
    assert adopt.errors[-1].startswith(f"adopt: {hint}")
    assert any(line.startswith("to switch EventBridge off") for line in adopt.lines) == (request == "PUT notification")
    assert connection.bucket.document == DOCUMENT


def test_json_document_of_adopt_contains_the_settings_and_the_commands(adopt: Command) -> None:
    assert adopt("adopt", "reports", "--apply", "--json") == 0
    document = adopt.document
    assert document["next_steps"] == STEPS
    assert document["inverse_command"] == inverse_command("reports", ACCOUNT)
    assert document["notifications"][1] == {
        "kind": "queue",
        "destination": "arn:q",
        "id": "theirs",
        "events": ["s3:ObjectCreated:*"],
        "prefix": "",
        "suffix": "",
    }
    expected = {"bucket": "reports", "account": ACCOUNT, "apply": True, "price_per_million_events": 1.0}
    assert expected.items() <= document.items()


@pytest.mark.parametrize(
    "name", ["Reports", "a", "reports/in", "arn:aws:s3:::reports", "x--euw1-az1--x-s3", "reports-"]
)
def test_adopt_with_an_invalid_bucket_name_is_an_error_with_the_limits(
    adopt: Command, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        adopt("adopt", name)
    assert ended.value.code == 2
    assert f"{name!r} is not the name of a general purpose bucket: give 3 to 63" in capsys.readouterr().err
