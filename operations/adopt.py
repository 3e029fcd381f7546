"""Examines an existing bucket, and switches EventBridge on, so that a stack can index the objects of the bucket."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from operations.bucket_notifications import (
    BucketNotification,
    differences,
    has_event_bridge,
    notifications,
    with_event_bridge,
)
from operations.bucket_policy import denials, statements
from operations.errors import OperatorError

if TYPE_CHECKING:
    from operations.aws import Aws
    from operations.target import Target

Value = TypeVar("Value")

WAITS_SECONDS = (0.0, 1.0, 2.0, 4.0, 8.0)
"""Waits before the reads of a changed configuration: S3's bucket configurations are eventually consistent."""
USABLE_KEY = "Enabled"  # state of a key that KMS can use (source: KMS API Reference, KeyMetadata)
INVERSE_QUERY = (
    "{TopicConfigurations: TopicConfigurations || `[]`, QueueConfigurations: QueueConfigurations || `[]`, "
    "LambdaFunctionConfigurations: LambdaFunctionConfigurations || `[]`}"
)
"""JMESPath expression that removes EventBridge from the output of `aws s3api get-bucket-notification-configuration`."""

COUNT_ENTRIES = """N=$(pulumi config get existingBuckets 2>/dev/null | grep -o '"name":' | wc -l | tr -d ' ')"""
"""Command that counts the entries of `existingBuckets` in the selected stack file. Pulumi prints them as JSON."""


@dataclass(frozen=True, kw_only=True)
class Obstacle:
    """A reason for which the stack cannot index the bucket, or some of its objects.

    Attributes:
        obstacle: `bucket`, `region`, `account` or `key`.
        problem: the problem as a sentence without a period.
        remedy: the remedy as a sentence without a period.
        prevents: whether the stack can index no object of the bucket, so that EventBridge is not switched on.
    """

    obstacle: str
    problem: str
    remedy: str
    prevents: bool = True


@dataclass(kw_only=True)
class BucketReport:
    """The settings of a bucket, and the results of a run. A setting that could not be read is empty.

    Attributes:
        region: region of the bucket.
        versioning: `Enabled`, `Suspended` or `Disabled`.
        encryption: algorithm of the default encryption, such as `AES256`, `aws:kms` or `none`.
        kms_key: the customer managed key of the default encryption: its ARN, or its ID or alias if KMS denied access.
        ownership: object ownership, such as `BucketOwnerEnforced`.
        policy_statements: number of statements in the bucket policy; None if it could not be read.
        denials: descriptions of the statements that can deny the indexer's requests.
        notifications: the notifications of all owners, except EventBridge.
        event_bridge: whether the bucket sends its events to EventBridge.
        obstacles: the obstacles that were found.
        notes: further facts about the bucket.
        sent: whether a request to switch EventBridge on was sent.
        accepted: whether S3 accepted this request.
        changed: whether this run switched EventBridge on, and S3 returned the new configuration.
        conflicts: changes by another writer during this run.
    """

    region: str = ""
    versioning: str = ""
    encryption: str = ""
    kms_key: str = ""
    ownership: str = ""
    policy_statements: int | None = None
    denials: list[str] = field(default_factory=list)
    notifications: list[BucketNotification] = field(default_factory=list)
    event_bridge: bool = False
    obstacles: list[Obstacle] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    sent: bool = False
    accepted: bool = False
    changed: bool = False
    conflicts: list[str] = field(default_factory=list)

    @property
    def prevented(self) -> bool:
        """Whether an obstacle prevents the change of the bucket."""
        return any(each.prevents for each in self.obstacles)


class Adoption:
    """Examination and change of one bucket.

    Args:
        aws: the AWS calls, for the region of the stack.
        target: the deployed stack.
        bucket: name of the existing bucket.
        sleep: waits for a number of seconds.

    Attributes:
        report: the results so far.
    """

    def __init__(self, aws: Aws, target: Target, bucket: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.report = BucketReport()
        self._aws = aws
        self._target = target
        self._bucket = bucket
        self._sleep = sleep
        self._document = b""

    def examine(self) -> None:
        """Read the settings of the bucket. If an optional setting cannot be read, the error is a note.

        Raises:
            OperatorError: the bucket does not exist, or its region, notifications or versioning cannot be read.
        """
        aws, report, bucket = self._aws, self.report, (self._bucket, self._target.account)
        report.region, owned = aws.bucket_location(*bucket)
        report.obstacles += obstacles_of_place(self._bucket, self._target, region=report.region, owned=owned)
        if not owned:
            return
        self._document = aws.notification_document(*bucket)
        self._read_notifications(self._document)
        report.versioning = aws.bucket_versioning(*bucket)
        report.ownership = self._optional(lambda: aws.bucket_ownership(*bucket), "")
        policy = self._optional(lambda: aws.bucket_policy(*bucket), None)
        if policy is not None:
            report.policy_statements, report.denials = len(statements(policy)), list(denials(policy))
        encryption: Mapping[str, Any] = self._optional(lambda: aws.bucket_encryption(*bucket), {"SSEAlgorithm": ""})
        report.encryption = encryption.get("SSEAlgorithm", "none")
        if key := encryption.get("KMSMasterKeyID"):
            self._examine_key(key)
        report.notes += notes(report)

    def apply(self) -> None:
        """Switch EventBridge on, and leave all other notifications unchanged.

        S3 has no conditional write. Therefore the configuration is read immediately before the one request that writes
        it, and it is read again and compared afterwards.

        Raises:
            OperatorError: an AWS call failed. `report.sent` is true if the change may have been made.
        """
        if self.report.prevented:
            return
        before = self._aws.notification_document(self._bucket, self._target.account)
        self._record_conflicts(self._document, before)
        changed = with_event_bridge(before)
        if changed != before:
            self.report.sent = True
            self._aws.put_notification_document(self._bucket, self._target.account, changed)
            self.report.accepted = True
            self._read_back(before, changed)
        else:
            self._read_notifications(before)

    def _read_back(self, before: bytes, changed: bytes) -> None:
        actual = before
        for seconds in WAITS_SECONDS:
            self._sleep(seconds)
            actual = self._aws.notification_document(self._bucket, self._target.account)
            if differences(before, actual):
                break
        self._read_notifications(actual)
        if differences(before, actual):
            self._record_conflicts(changed, actual)
        self.report.changed = self.report.event_bridge

    def _record_conflicts(self, expected: bytes, actual: bytes) -> None:
        self.report.conflicts += differences(expected, actual).lines()

    def _read_notifications(self, document: bytes) -> None:
        self.report.notifications = notifications(document)
        self.report.event_bridge = has_event_bridge(document)

    def _optional(self, read: Callable[[], Value], default: Value) -> Value:
        try:
            return read()
        except OperatorError as error:
            self.report.notes.append(str(error))
            return default

    def _examine_key(self, key: str) -> None:
        report = self.report
        place = key.split(":")[3:5] if key.startswith("arn:") else [self._target.region, self._target.account]
        report.kms_key = key
        if place != [self._target.region, self._target.account]:
            report.obstacles.append(
                Obstacle(
                    obstacle="key",
                    problem=f"the default key {key} belongs to another account or region",
                    remedy=f"the policy of the key must allow kms:Decrypt to the role of {self._target.function}",
                    prevents=False,
                )
            )
            return
        metadata: Mapping[str, Any] = self._optional(lambda: self._aws.key_metadata(key), {})
        if metadata.get("KeyManager") == "AWS":
            report.kms_key = ""  # All roles of the account may use the AWS managed key aws/s3.
            return
        report.kms_key = metadata.get("Arn", key)
        if (state := metadata.get("KeyState", USABLE_KEY)) != USABLE_KEY:
            report.obstacles.append(
                Obstacle(
                    obstacle="key",
                    problem=f"the default key {report.kms_key} has the state {state}, so no object with it can be read",
                    remedy=f"enable the key: aws kms enable-key --key-id {report.kms_key}",
                    prevents=False,
                )
            )


def obstacles_of_place(bucket: str, target: Target, *, region: str, owned: bool) -> Iterator[Obstacle]:
    """Yield the obstacles that result from the region and the account of a bucket.

    Args:
        bucket: name of the bucket.
        target: the deployed stack.
        region: region of the bucket.
        owned: whether the bucket belongs to the account of the stack.
    """
    prefix, place = target.function.removesuffix("-indexer"), f"{target.account}-{target.region}"
    if bucket in (target.bucket, f"{prefix}-logs-{place}", f"{prefix}-exports-{place}"):
        yield Obstacle(
            obstacle="bucket",
            problem=f"{bucket!r} belongs to the stack, which manages the notifications of its own buckets itself",
            remedy="give the name of another bucket",
        )
    if region != target.region:
        yield Obstacle(
            obstacle="region",
            problem=f"the bucket is in {region}, and the stack is in {target.region}: EventBridge delivers the events "
            "of a bucket only in its region",
            remedy=f"deploy another stack in {region}",
        )
    if not owned:
        yield Obstacle(
            obstacle="account",
            problem=f"the bucket does not belong to the account {target.account} of the stack: "
            "EventBridge delivers the bucket's events only in its account",
            remedy="deploy another stack in the account of the bucket",
        )


def notes(report: BucketReport) -> Iterator[str]:
    """Yield notes about settings that affect the rows of a bucket."""
    if report.versioning == "Suspended":
        yield (
            "versioning is suspended: a new object replaces the version 'null', and older versions stay. Set "
            "`versioned` to true"
        )
    if report.ownership in ("ObjectWriter", "BucketOwnerPreferred"):
        yield (
            f"object ownership is {report.ownership}: the indexer cannot read objects that another account has "
            "uploaded and owns"
        )
    for denial in report.denials:
        yield f"check whether this statement of the bucket policy denies the requests of the indexer: {denial}"


def inverse_command(bucket: str, account: str) -> str:
    """Return the command of the AWS CLI that switches EventBridge off, and leaves the other notifications unchanged.

    Args:
        bucket: name of the bucket.
        account: ID of the account of the bucket.
    """
    options = f"--bucket {bucket} --expected-bucket-owner {account}"
    read = f"aws s3api get-bucket-notification-configuration {options} --output json --query '{INVERSE_QUERY}'"
    write = f"aws s3api put-bucket-notification-configuration {options} --skip-destination-validation"
    return f'{write} --notification-configuration "$({read})"'


def configuration_commands(bucket: str, *, versioning: str, kms_key: str) -> list[str]:
    """Return the commands that add a bucket to the configuration of a stack.

    The first command sets `N` to the number of entries in the configuration, which may differ from the deployed stack.

    Args:
        bucket: name of the bucket.
        versioning: versioning status of the bucket.
        kms_key: the customer managed key of the bucket's objects; empty if there is none.
    """
    # With --path, Pulumi would store a name of digits as a number.
    values = [("name", bucket + " --type string" * bucket.isdigit())]
    values += [("versioned", "false" if versioning == "Disabled" else "true")]
    if kms_key:
        arn = f"aws kms describe-key --key-id {shlex.quote(kms_key)} --query KeyMetadata.Arn --output text"
        values += [("kmsKeyArn", shlex.quote(kms_key) if ":key/" in kms_key else f'"$({arn})"')]
    return [COUNT_ENTRIES, *(f'pulumi config set --path "existingBuckets[$N].{key}" {value}' for key, value in values)]
