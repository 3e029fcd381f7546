"""Tests of `adopt` with real boto3 clients of S3 and KMS that are connected to a fake bucket."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from operations.adopt import WAITS_SECONDS, Adoption, configuration_commands
from operations.bucket_notifications import EMPTY, has_event_bridge
from operations.errors import OperatorError
from tests.support.existing_bucket import (
    ACCOUNT,
    ENCRYPTION,
    KEY_ARN,
    LOCATION,
    NAMESPACE,
    OWNERSHIP,
    VERSIONING,
    AdoptingAws,
    Connection,
    ExistingBucket,
    stored,
)
from tests.support.operations_fakes import BUCKET, TARGET

if TYPE_CHECKING:
    from operations.adopt import BucketReport

DOCUMENT = (
    f'<NotificationConfiguration xmlns="{NAMESPACE}"><QueueConfiguration><Id>theirs</Id><Queue>arn:q</Queue>'
    "<Event>s3:ObjectCreated:*</Event></QueueConfiguration><NewConfiguration/></NotificationConfiguration>"
).encode()
OTHER = DOCUMENT.replace(b"theirs", b"another")
KMS = "<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>%s</KMSMasterKeyID>"


class Adopted:
    """An `Adoption` of a fake bucket, and the seconds that it waited."""

    def __init__(self, connection: Connection, bucket: ExistingBucket, name: str = "reports") -> None:
        connection.bucket = self.bucket = bucket
        self.waits: list[float] = []
        self.adoption = Adoption(AdoptingAws(connection), TARGET, name, sleep=self.waits.append)

    def examine(self) -> BucketReport:
        self.adoption.examine()
        return self.adoption.report

    def run(self) -> BucketReport:
        self.adoption.examine()
        self.adoption.apply()
        return self.adoption.report


def with_settings(**settings: str) -> ExistingBucket:
    """Return a fake bucket whose settings have the given XML or JSON documents."""
    bucket = ExistingBucket()
    bucket.settings |= settings
    return bucket


def denying(name: str) -> Callable[[int, str], int | None]:
    """Return a function that denies all requests with a name, such as `GET policy`."""
    return lambda _number, request: 403 if request == name else None


def test_adopt_examination_reads_all_bucket_settings_and_changes_nothing(connection: Connection) -> None:
    policy = {"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}]}
    bucket = with_settings(
        encryption=ENCRYPTION % KMS % KEY_ARN, ownershipControls=OWNERSHIP % "ObjectWriter", policy=json.dumps(policy)
    )
    bucket.document = DOCUMENT
    report = Adopted(connection, bucket).examine()
    assert (report.region, report.versioning, report.encryption) == ("eu-west-1", "Enabled", "aws:kms")
    assert (report.kms_key, report.ownership, report.policy_statements) == (KEY_ARN, "ObjectWriter", 1)
    assert [(each.kind, each.id) for each in report.notifications] == [("NewConfiguration", ""), ("queue", "theirs")]
    assert (report.event_bridge, report.obstacles, report.sent) == (False, [], False)
    assert report.denials == ["statement 1, Action s3:*, Condition {}"]
    assert [note.partition(":")[0] for note in report.notes] == [
        "object ownership is ObjectWriter",
        "check whether this statement of the bucket policy denies the requests of the indexer",
    ]
    assert {name.partition(" ")[0] for name in bucket.requests} == {"GET"}


def test_adopt_reports_the_s3_defaults_of_a_bucket_without_optional_settings(connection: Connection) -> None:
    report = Adopted(connection, with_settings(versioning=VERSIONING.replace("<Status>%s</Status>", ""))).examine()
    assert (report.versioning, report.encryption, report.kms_key) == ("Disabled", "none", "")
    assert (report.ownership, report.policy_statements, report.denials) == ("ObjectWriter", 0, [])
    enforced = with_settings(ownershipControls=OWNERSHIP % "BucketOwnerEnforced")
    assert Adopted(connection, enforced).examine().notes == []


def test_adopt_prints_a_note_about_suspended_versioning(connection: Connection) -> None:
    report = Adopted(connection, with_settings(versioning=VERSIONING % "Suspended")).examine()
    assert report.notes[0].startswith("versioning is suspended")


@pytest.mark.parametrize(
    ("request_name", "permission"),
    [
        ("GET encryption", "s3:GetEncryptionConfiguration"),
        ("GET ownershipControls", "s3:GetBucketOwnershipControls"),
        ("GET policy", "s3:GetBucketPolicy"),
    ],
)
def test_adopt_prints_a_note_about_a_missing_permission_for_an_optional_setting(
    connection: Connection, request_name: str, permission: str
) -> None:
    adopted = Adopted(connection, ExistingBucket(before=denying(request_name)))
    report = adopted.run()
    assert report.changed
    assert f"The permission {permission} is missing." in report.notes[0]
    assert None in (report.policy_statements, report.encryption or None, report.ownership or None)


@pytest.mark.parametrize(
    ("request_name", "permission"),
    [
        ("GET location", "s3:GetBucketLocation"),
        ("GET notification", "s3:GetBucketNotification"),
        ("GET versioning", "s3:GetBucketVersioning"),
        ("PUT notification", "s3:PutBucketNotification"),
    ],
)
def test_adopt_without_permission_for_a_required_setting_fails_and_names_the_permission(
    connection: Connection, request_name: str, permission: str
) -> None:
    adopted = Adopted(connection, ExistingBucket(document=DOCUMENT, before=denying(request_name)))
    with pytest.raises(OperatorError, match=f"The permission {permission} is missing"):
        adopted.run()
    assert adopted.bucket.document == DOCUMENT
    assert not adopted.adoption.report.changed


def test_adopt_does_not_change_a_bucket_in_another_region(connection: Connection) -> None:
    adopted = Adopted(connection, with_settings(location=LOCATION % ""))
    report = adopted.run()
    assert [(each.obstacle, each.prevents) for each in report.obstacles] == [("region", True)]
    assert report.obstacles[0].problem.startswith("the bucket is in us-east-1, and the stack is in eu-west-1")
    assert (report.sent, adopted.bucket.document) == (False, EMPTY)


def test_adopt_does_not_change_a_bucket_of_another_account(connection: Connection) -> None:
    adopted = Adopted(connection, ExistingBucket(owner="210987654321"))
    report = adopted.run()
    assert [each.obstacle for each in report.obstacles] == ["account"]
    assert adopted.bucket.requests == ["GET location", "GET location"]


@pytest.mark.parametrize("name", [BUCKET, *(f"indexer-{each}-{ACCOUNT}-eu-west-1" for each in ("logs", "exports"))])
def test_adopt_does_not_change_a_bucket_that_the_stack_owns(connection: Connection, name: str) -> None:
    adopted = Adopted(connection, ExistingBucket(), name=name)
    assert [each.obstacle for each in adopted.run().obstacles] == ["bucket"]
    assert adopted.bucket.document == EMPTY


OTHER_PLACES = (KEY_ARN.replace(ACCOUNT, "210987654321"), KEY_ARN.replace("eu-west-1", "us-east-1"))
KEYS: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "customer managed key": (KEY_ARN, {}, KEY_ARN, ""),
    "alias": ("alias/reports", {}, KEY_ARN, ""),
    "key of AWS": ("alias/aws/s3", {"KeyManager": "AWS"}, "", ""),
    "disabled key": (KEY_ARN, {"KeyState": "Disabled"}, KEY_ARN, "has the state Disabled, so no object with it"),
    "key of another account": (OTHER_PLACES[0], {}, OTHER_PLACES[0], "belongs to another account or region"),
    "key of another region": (OTHER_PLACES[1], {}, OTHER_PLACES[1], "belongs to another account or region"),
}


@pytest.mark.parametrize("case", KEYS)
def test_adopt_of_a_bucket_with_an_unusable_kms_key_reports_an_obstacle_but_makes_the_change(
    connection: Connection, case: str
) -> None:
    key, changes, kms_key, problem = KEYS[case]
    bucket = with_settings(encryption=ENCRYPTION % KMS % key)
    bucket.key = {**bucket.key, **changes}
    report = Adopted(connection, bucket).run()
    assert (report.kms_key, report.changed) == (kms_key, True)
    assert [each.obstacle for each in report.obstacles] == ["key"] * (problem != "")
    assert problem in "".join(each.problem for each in report.obstacles)


def test_adopt_prints_a_note_if_kms_denied_the_description_of_the_key(connection: Connection) -> None:
    bucket = with_settings(encryption=ENCRYPTION % KMS % "alias/reports")
    bucket.before = denying("GET key")
    report = Adopted(connection, bucket).examine()
    assert "kms:DescribeKey" in "".join(report.notes)
    assert report.kms_key == "alias/reports"


def test_adopt_changes_the_notifications_with_one_request_that_contains_the_expected_owner(
    connection: Connection,
) -> None:
    adopted = Adopted(connection, ExistingBucket(document=DOCUMENT))
    report = adopted.run()
    assert adopted.bucket.requests[-3:] == ["GET notification", "PUT notification", "GET notification"]
    assert adopted.bucket.headers["x-amz-skip-destination-validation"] == "true"
    assert adopted.bucket.owners == [ACCOUNT] * 4
    assert (report.sent, report.accepted, report.changed, report.event_bridge) == (True, True, True, True)
    assert (report.conflicts, adopted.waits) == ([], [0.0])
    assert b"<NewConfiguration" in adopted.bucket.document


def test_adopt_sends_no_write_request_for_a_bucket_with_eventbridge(connection: Connection) -> None:
    bucket = ExistingBucket(document=DOCUMENT.replace(b"<New", b"<EventBridgeConfiguration/><New"))
    report = Adopted(connection, bucket).run()
    assert (report.event_bridge, report.sent, report.changed) == (True, False, False)
    assert "PUT notification" not in bucket.requests


@pytest.mark.parametrize("status", [500, 503, 429])
def test_adopt_does_not_retry_a_failed_write(connection: Connection, status: int) -> None:
    """A second attempt could overwrite a change that another program has made since the first attempt."""
    bucket = ExistingBucket(document=DOCUMENT)
    bucket.before = lambda _number, name: status if name == "PUT notification" else None
    adopted = Adopted(connection, bucket)
    with pytest.raises(OperatorError, match="cannot change the notifications of the bucket 'reports'"):
        adopted.run()
    assert bucket.requests.count("PUT notification") == 1
    assert (adopted.adoption.report.sent, adopted.adoption.report.accepted) == (True, False)


def test_botocore_handlers_of_an_adopt_write_do_not_affect_later_requests(connection: Connection) -> None:
    Adopted(connection, ExistingBucket(document=DOCUMENT)).run()
    connection.bucket = ExistingBucket(document=DOCUMENT)
    connection.s3.put_bucket_notification_configuration(Bucket="reports", NotificationConfiguration={})
    assert not has_event_bridge(connection.bucket.document)
    assert b"theirs" not in connection.bucket.document


@pytest.mark.parametrize("stale", [1, len(WAITS_SECONDS) - 1])
def test_adopt_reads_the_notifications_again_until_s3_returns_the_change(connection: Connection, stale: int) -> None:
    adopted = Adopted(connection, ExistingBucket(document=DOCUMENT, stale=stale))
    report = adopted.run()
    assert (report.changed, report.conflicts) == (True, [])
    assert adopted.waits == list(WAITS_SECONDS[: stale + 1])


def test_adopt_does_not_report_a_change_that_s3_never_returns(connection: Connection) -> None:
    adopted = Adopted(connection, ExistingBucket(document=DOCUMENT, stale=len(WAITS_SECONDS)))
    report = adopted.run()
    assert (report.accepted, report.changed, report.event_bridge, report.conflicts) == (True, False, False, [])


def writing(bucket: ExistingBucket, at: int) -> ExistingBucket:
    """Simulate another program that replaces the notification configuration before a request of `adopt`.

    Args:
        bucket: the fake bucket.
        at: number of the request among the requests for the notification configuration, from 1.
    """

    def write(_number: int, name: str) -> None:
        if "notification" in name and sum("notification" in each for each in bucket.requests) == at:
            bucket.document = stored(OTHER)

    bucket.before = write
    return bucket


def test_adopt_keeps_and_reports_a_change_by_another_writer_before_the_last_read(connection: Connection) -> None:
    report = Adopted(connection, writing(ExistingBucket(document=DOCUMENT), at=2)).run()
    assert (report.changed, [each.id for each in report.notifications]) == (True, ["", "another"])
    assert report.conflicts == [
        "removed: queue arn:q  s3:ObjectCreated:*  ID 'theirs'",
        "added: queue arn:q  s3:ObjectCreated:*  ID 'another'",
    ]


def test_adopt_reports_a_change_by_another_writer_after_its_write(connection: Connection) -> None:
    report = Adopted(connection, writing(ExistingBucket(document=DOCUMENT), at=4)).run()
    assert (report.accepted, report.changed, report.event_bridge) == (True, False, False)
    assert "removed: EventBridgeConfiguration" in report.conflicts


def test_change_by_another_writer_between_the_last_read_and_the_write_of_adopt_is_lost(connection: Connection) -> None:
    """S3 has no conditional write, so no client can prevent the loss. The runbook describes this limit."""
    report = Adopted(connection, writing(ExistingBucket(document=DOCUMENT), at=3)).run()
    assert (report.changed, report.conflicts) == (True, [])
    assert [each.id for each in report.notifications] == ["", "theirs"]


def test_pulumi_commands_of_adopt_add_one_bucket_to_the_configuration() -> None:
    number, *commands = configuration_commands("reports", versioning="Enabled", kms_key=KEY_ARN)
    assert number.startswith("N=$(pulumi config get existingBuckets")
    assert commands == [
        'pulumi config set --path "existingBuckets[$N].name" reports',
        'pulumi config set --path "existingBuckets[$N].versioned" true',
        f'pulumi config set --path "existingBuckets[$N].kmsKeyArn" {KEY_ARN}',
    ]
    # Without the option --type string, Pulumi would store the name "2026" as a number.
    assert configuration_commands("2026", versioning="Disabled", kms_key="")[1:] == [
        'pulumi config set --path "existingBuckets[$N].name" 2026 --type string',
        'pulumi config set --path "existingBuckets[$N].versioned" false',
    ]
    _, _, versioned, key = configuration_commands("reports", versioning="Suspended", kms_key="alias/reports")
    assert versioned == 'pulumi config set --path "existingBuckets[$N].versioned" true'
    arn = "$(aws kms describe-key --key-id alias/reports --query KeyMetadata.Arn --output text)"
    assert key == f'pulumi config set --path "existingBuckets[$N].kmsKeyArn" "{arn}"'


@pytest.mark.parametrize(
    ("script", "number"),
    [
        ("exit 255", 0),  # The Pulumi CLI exits with 255 if a configuration key is not set.
        ("echo '[]'", 0),
        ("""echo '[{"name":"logs","versioned":true}]'""", 1),
        (r"""echo '[{"name":"logs","prefixes":["x\"name\":"]},{"name":"2026","prefixes":["name"]}]'""", 2),
    ],
)
def test_pulumi_commands_of_adopt_count_the_configured_buckets_first(script: str, number: int, tmp_path: Path) -> None:
    pulumi = tmp_path / "pulumi"
    pulumi.write_text(f"#!/bin/sh\n[ $1 = config ] || exit 1\n[ $2 = get ] || echo $4\n[ $2 = set ] || {script}\n")
    pulumi.chmod(0o755)
    commands = "\n".join(configuration_commands("reports", versioning="Enabled", kms_key=""))
    printed = subprocess.run(  # noqa: S603  the commands that `adopt` prints
        ["/bin/sh", "-c", commands],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert printed.stdout.split() == [f"existingBuckets[{number}].{field}" for field in ("name", "versioned")]
