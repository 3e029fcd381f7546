"""Pulumi program of TapStack: a Lambda function writes a DynamoDB row for each object version in an S3 bucket.

The program deploys a versioned upload bucket, a bucket for its access logs, a DynamoDB table with an index by upload
day, a Lambda function that S3 invokes ("the indexer"), a Lambda function that reads the table's stream and adds facts
about the content of the objects ("the inspector"), a failure queue for events that these functions could not process,
CloudWatch alarms with an SNS topic, a dashboard, saved queries for the logs of the functions, and an SSM parameter with
the settings that the operators' tool `audit` compares with AWS. With the key `analytics`, it also deploys a bucket for
table exports, a Glue table over these exports, and an Athena workgroup.

Configuration keys, which ``pulumi config set KEY VALUE`` sets and docs/configuration.md describes:
env, bucketName, tableName, billing, readCapacity, writeCapacity, maxCapacity, maxOnDemandReads, maxOnDemandWrites,
tableClass, indexProjection, corsAllowedOrigins, notificationPrefix, notificationSuffix, eventBridge, existingBuckets,
noncurrentDays, deletedRetentionDays, inspectContent, alarmOnMismatch, inspectorFilter, logLevel, logRetentionDays,
architecture, memoryMb, timeoutSeconds, reservedConcurrency, alarmEmail, expectUploadEveryHours, expectAuditEveryHours,
maxDelaySeconds, runbookUrl, kmsKeyArn, permissionsBoundary, owner, costCenter, savedQueries, protectData, inventory,
analytics, exportRetentionDays, queryScanLimitGb.

Outputs: bucket_name, bucket_arn, table_name, table_arn, lambda_function_name, lambda_function_arn, lambda_role_arn,
log_group_name, inspector_function_name, inspector_log_group_name, failure_queue_url, alarm_topic_arn,
settings_parameter, dashboard_url, test_command, export_bucket_name, glue_database_name, athena_workgroup_name.

Importing this module has no side effects; ``main`` runs the program.
"""

from __future__ import annotations

import ast
import base64
import csv
import hashlib
import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote_plus

import pulumi
import pulumi_aws as aws
from pulumi.runtime.config import CONFIG, get_config_env

# == Limits and defaults ==============================================================================================

BUCKET_NAME_LENGTH = range(3, 64)  # characters (source: S3 User Guide, "General purpose bucket naming rules")
BUCKET_NAME_PATTERN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
BUCKET_NAME_RESERVED_STARTS = ("xn--", "sthree-", "amzn-s3-demo-")
BUCKET_NAME_RESERVED_ENDS = ("-s3alias", "--ol-s3", "--x-s3", "--table-s3", "-an")
EXISTING_BUCKET_PATTERN = re.compile(r"[a-z0-9]([a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]")
TABLE_NAME_LENGTH = range(3, 256)  # length in characters (source: DynamoDB Developer Guide, "Naming rules")
TABLE_NAME_PATTERN = re.compile(r"[A-Za-z0-9_.-]+")
TABLE_CAPACITY_UNITS = range(1, 40_001)  # capacity units of a table (default quota, which AWS can increase)
ON_DEMAND_UNITS = range(1, 40_001)  # request units per second (default quota: DynamoDB Developer Guide, "Quotas")
PROVISIONED, ON_DEMAND = "provisioned", "on-demand"
# Maps the values of three configuration keys to the values of the DynamoDB API.
BILLING_MODES: Mapping[str, str] = {PROVISIONED: "PROVISIONED", ON_DEMAND: "PAY_PER_REQUEST"}
TABLE_CLASSES: Mapping[str, str] = {"standard": "STANDARD", "infrequent-access": "STANDARD_INFREQUENT_ACCESS"}
INDEX_PROJECTIONS: Mapping[str, str] = {"all": "ALL", "keys-only": "KEYS_ONLY"}
ARCHITECTURES = frozenset({"arm64", "x86_64"})  # instruction set architectures of Lambda
NONCURRENT_DAYS = range(1, 2**31)  # days until expiration (source: S3 API Reference, NoncurrentVersionExpiration)
# The minimum is 15 days because the failure queue keeps events for 14 days, and a redriven event must not restore an
# expired row. The maximum is ten years. The value 0, which is not in this range, keeps rows forever.
DELETED_RETENTION_DAYS = range(15, 3651)
OBJECT_KEY_BYTES = 1024  # maximum length of an object key (source: S3 User Guide, "Object keys")
FILTER_CHARACTERS = 1024  # maximum length of an encoded prefix or suffix (source: S3 API Reference, FilterRule)
CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f\ufffe\uffff]")  # not allowed in XML 1.0, S3's format of filters
MEMORY_MIB = range(128, 10_241)  # allowed memory in MiB (source: Lambda Developer Guide, "Lambda quotas")
# The minimum allows a HEAD request and a write, which can take 4 seconds each, and 1 second for reporting the result.
TIMEOUT_SECONDS = range(10, 901)  # allowed seconds (source of the maximum: Lambda Developer Guide, "Lambda quotas")
RESERVED_CONCURRENCY = range(1, 10**18)  # concurrent executions (AWS checks the upper limit, the account's quota)
TAG_VALUE_LENGTH = range(1, 257)  # characters (source: Tagging AWS Resources User Guide, "Tag naming limits")
TAG_VALUE_PATTERN = re.compile(r"[\w .:/=+\-@]*")
# The ID of a multi-Region key begins with mrk- (KMS Developer Guide, "Key identifiers (KeyId)").
KEY_ARN_PATTERN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):kms:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):"
    r"key/(mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})"
)
# Source: IAM API Reference, CreatePolicy. AWS managed policies have `aws` in place of the account ID.
BOUNDARY_ARN_PATTERN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):iam::(?P<account>[0-9]{12}|aws):policy/([!-~]{1,510}/)?[A-Za-z0-9_+=,.@-]{1,128}"
)
AWS_ACCOUNT = "aws"  # account in the ARN of a policy that AWS manages
EMAIL_PATTERN = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
# The alarm descriptions append the anchor of a chapter, so the URL must have no fragment.
RUNBOOK_URL_PATTERN = re.compile(
    r"https://[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*(:[0-9]{1,5})?(/[A-Za-z0-9._~:/?@!$&'()*+,;=%-]*)?"
)
# CloudWatch limits an alarm description to 1,024 characters, and the longest description without a URL has about 800.
RUNBOOK_URL_LENGTH = range(9, 201)
ENVIRONMENT_PATTERN = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
# S3 allows one * in the host of a CORS origin (S3 User Guide, "Elements of a CORS configuration").
ORIGIN_PATTERN = re.compile(r"https?://(?!\*(:[0-9]+)?$)[A-Za-z0-9.*-]+(:[0-9]{1,5})?")
ORIGIN_FORMAT = "http(s)://host[:port] with at most one * as a part of the host, and no path"
# Retention periods in days that CloudWatch Logs supports (API Reference, PutRetentionPolicy).
LOG_RETENTION_DAYS = frozenset(
    {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}
)
LOG_LEVELS = frozenset({"DEBUG", "INFO", "WARNING", "ERROR"})  # without CRITICAL: failures have the level ERROR
EXPORT_RETENTION_DAYS = range(1, 3651)
QUERY_SCAN_LIMIT_GB = range(1, 1_000_001)  # Athena allows 10 MB or more (API Reference, WorkGroupConfiguration)
DEFAULT_CAPACITY = 100  # read and write capacity units with provisioned billing
ABORT_MULTIPART_DAYS = 7
ACCESS_LOG_DAYS = 90
INVENTORY_DAYS = 14  # expiry of inventories in days; the tool `audit` reads only the newest
INVENTORY_PREFIX = "inventory"  # prefix of inventories in the log bucket
# Optional fields of an inventory whose values are also in rows (S3 API Reference, InventoryConfiguration,
# "OptionalFields"). Each inventory of versions has bucket, key, version ID, IsLatest and IsDeleteMarker.
INVENTORY_FIELDS = ("Size", "LastModifiedDate", "StorageClass", "ETag", "EncryptionStatus", "ChecksumAlgorithm")
ANALYTICS_DEFAULTS: Mapping[str, int] = {"export_retention_days": 30, "query_scan_limit_gb": 100}
EXPORTED_ROWS = "exported_rows"  # name of the Glue table
NO_EXPORT_PREFIX = "exports/none/"  # prefix without objects, the location of the Glue table before the first export
# Types in Glue of the values in an exported row, by DynamoDB type. Glue has names in lower case, and JsonSerDe ignores
# case. DynamoDB exports numbers as text. A map contains texts, or the attributes in MAP_ATTRIBUTES.
GLUE_TYPES = {"S": "s:string", "N": "n:string", "BOOL": "bool:boolean", "M": "m:map<string,struct<s:string>>"}
# Names of the attributes of a row, and of the values in its maps, by DynamoDB type (docs/row.md).
ROW_ATTRIBUTES: Mapping[str, str] = {
    "S": "object_id version_id bucket key filename extension etag content_type storage_class encryption uploaded_at "
    "upload_day deleted_at deleted_by content_of event_name event_time sequencer request_id processed_at",
    "N": "size_bytes expires_at schema_version",
    "BOOL": "delete_marker mismatch",
    "M": "user_metadata",
}
MAP_ATTRIBUTES: Mapping[str, Mapping[str, str]] = {
    "checksum": {"S": "algorithm value type"},
    "content": {
        "S": "type encoding error",
        "N": "width height orientation pages sheets slides entries duration_ms rows columns",
        "BOOL": "encrypted",
    },
}
CORS_METHODS = ("GET", "PUT", "POST", "HEAD")
CORS_MAX_AGE_SECONDS = 3000  # time in seconds for which a browser may cache a preflight response
FAILURE_RETENTION_SECONDS = 14 * 24 * 3600  # maximum message retention period of SQS, in seconds
ASYNC_RETRIES = 2  # maximum number of Lambda's retries of an asynchronous invocation
ASYNC_EVENT_AGE_SECONDS = 6 * 3600  # maximum event age of asynchronous Lambda invocations, in seconds
INSPECTOR_MEMORY_MIB, INSPECTOR_TIMEOUT_SECONDS = 512, 300
STREAM_VIEW = "NEW_IMAGE"  # content of the table's stream: the new row
STREAM_BATCH_ROWS = 10  # maximum number of rows in an invocation of the inspector
STREAM_PARALLEL_BATCHES = 10  # maximum per shard (source: Lambda API Reference, ParallelizationFactor)
STREAM_RETRIES, STREAM_AGE_SECONDS = 2, 6 * 3600  # without these limits, Lambda retries until the stream drops the row
# Rows that reach the inspector: rows without content, and rows of the version `null`, whose object can be replaced.
# Lambda filters records of DynamoDB only by the key `dynamodb`, and its operator `exists` only supports leaf attributes
# (Lambda Developer Guide, "Using event filtering with a DynamoDB event source").
STREAM_FILTERS: Sequence[Mapping[str, Any]] = (
    {"dynamodb": {"NewImage": {"content_of": {"S": [{"exists": False}]}}}},
    {"dynamodb": {"Keys": {"version_id": {"S": ["null"]}}}},
)
DELAY_SECONDS = range(1, ASYNC_EVENT_AGE_SECONDS + 1)  # Lambda discards older events.
AUTOSCALING_TARGET_PERCENT = 70  # target utilization of auto scaling (default of the DynamoDB console)
CAPACITY_ALARM_FRACTION = 0.8
DURATION_ALARM_FRACTION = 0.8
LONG_ALARM_MINUTES = 5  # minutes for which duration or capacity must exceed the threshold
DELAY_ALARM_MINUTES = 5  # minutes over which CloudWatch calculates the percentile of the indexing delay
EVENT_AGE_ALARM_MINUTES = 5
ITERATOR_AGE_ALARM_HOURS = 1
HOUR_SECONDS = 3600
# The evaluation periods of an alarm may have a total of one day, or of seven days if a period is an hour or longer
# (CloudWatch API Reference, PutMetricAlarm, "Period").
SHORT_PERIOD_SECONDS = 300
SHORT_PERIODS_MAX_HOURS = 24
EXPECTED_EVERY_HOURS = range(1, 7 * 24 + 1)
DEV = "dev"  # a developer's environment, in which data is not protected against deletion
DEV_ORIGINS = ("http://localhost:3000",)

EXPIRY_ATTRIBUTE = "expires_at"  # TTL attribute of rows of deleted object versions (Unix time in seconds)
TABLE_NAME_VARIABLE = "TAP_TABLE_NAME"  # environment variable of this program and of the indexer
DAY_INDEX = "uploads_by_day"
METRICS_NAMESPACE = "TapStack"
RECORD_RESULTS = ("Indexed", "Duplicate", "Deleted", "Gone", "Ignored", "Unreadable")  # of the metrics `Objects…`
# Cause of a failure, for each value of the metric dimension `reason` of ObjectsFailed and InspectFailed.
FAILURE_REASONS: Mapping[str, str] = {
    "denied": "AWS denied a request of the indexer. In most cases, a permission is missing. Retries do not succeed.",
    "malformed": "The indexer received an event that is not an S3 event, or an S3 event with a new major version.",
    "throttled": "S3 or DynamoDB throttled the indexer until its time for retries was used up.",
    "unavailable": "S3 or DynamoDB returned server errors or no response until the indexer's time for retries was used "
    "up.",
    "unparsable": "AWS, or a proxy between the indexer and AWS, sent a complete response that the indexer cannot "
    "parse. The indexer does not retry.",
    "foreign": "The indexer received an event about a bucket that it does not index: another sender uses the indexer, "
    "or the indexer's own bucket name is wrong.",
    "internal": "AWS rejected a request of the indexer as invalid, the table does not exist, or the indexer has a "
    "defect.",
}
RUNBOOK = "docs/runbook.md"  # The runbook has a chapter for each alarm, with the last part of the alarm's name.
# Callers of each DynamoDB operation that the role of the indexer allows.
OPERATION_CALLERS: Mapping[str, str] = {
    "GetItem": "The indexer does not call GetItem, but your applications may. No upload or deletion is affected.",
    "Query": "The indexer does not call Query, but the tool audit does, and your applications may. No upload or "
    "deletion is affected.",
    "UpdateItem": "The indexer writes rows with UpdateItem, and retries.",
}
# Domains of the AWS Management Console, by partition (AWS General Reference, "AWS Management Console endpoints").
# AWS does not publish the domains of the isolated partitions (aws-iso and others), whose stacks have no dashboard_url.
CONSOLE_DOMAINS: Mapping[str, str] = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-eusc": "console.amazonaws-eusc.eu",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}
VERSIONING = "Enabled"  # versioning status of the upload bucket
RUNTIME = "python3.13"
# Folders of code: each deployment package contains the folder of one function, and the common folder.
INDEXER_CODE, INSPECTOR_CODE, COMMON_CODE = "lambda_code", "inspector", "lambda_common"
HANDLER = "main.lambda_handler"  # module and function in the folder of each function
EVENTS = ("s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*")
# Events of existing buckets that EventBridge delivers (S3 User Guide, "EventBridge event types").
DETAIL_TYPES = ("Object Created", "Object Deleted")
RULE_NAME_LENGTH = 64  # maximum length of a rule name (source: EventBridge API Reference, PutRule)
EVENT_PATTERN_LENGTH = 2048  # maximum length of an event pattern (source: EventBridge User Guide, "Quotas")
DELIVERY_RETRIES = 185  # maximum number of EventBridge's retries (source: EventBridge API Reference, RetryPolicy)
ENVIRONMENT_BYTES = 4096  # maximum size of all environment variables (Lambda Developer Guide, "Lambda quotas")
PARAMETER_BYTES = 4096  # maximum size of a standard parameter (Systems Manager User Guide, "Managing parameter tiers")
ROLE_POLICY_BYTES = 10_240  # maximum size of a role's inline policies (IAM User Guide, "IAM and AWS STS quotas")
INSPECTOR_POLICY = "inspect-content"  # name of the inline policy of the inspector's role
SETTINGS_SCHEMA = 1  # schema of the settings document; a change that older tools cannot read increases the number
# SSM rejects parameter names with these prefixes (Systems Manager API Reference, PutParameter, "Name").
PARAMETER_NAME_RESERVED_STARTS = ("aws", "ssm")


# == Configuration ====================================================================================================


class ConfigurationError(ValueError):
    """Error for an invalid configuration value. Its message contains the key, the value, the limit and a remedy."""

    def __init__(self, key: str, value: object, limit: str, remedy: str) -> None:
        super().__init__(f"{key}: {value!r} is not valid: {limit}. {remedy}")
        self.key = key


@dataclass(frozen=True)
class ConfigField:
    """Allowed values and description of a configuration key, whose type and default are in ``TapStackArgs``."""

    key: str
    description: str
    # Allowed numbers, allowed values, or a regular expression that must match the whole value.
    limit: range | frozenset[Any] | re.Pattern[str] | None = None
    unit: str = ""  # unit of the allowed numbers, or description of the regular expression in `limit`
    _: KW_ONLY
    length: range | None = None  # characters
    exempt: int | None = None  # one more allowed number, which is outside the range in `limit`
    error: str = "allowed are {}"
    remedy: str = ""  # remedy in the error message; if empty, it depends on the type of `limit`
    rule: Callable[[TapStackArgs], None] | None = None  # additional check, which may compare several settings
    default: str = ""  # description of a default value that is not a constant
    allowed: str = ""  # description of the allowed values; if empty, it is derived from `limit` and `unit`

    def check(self, value: Any, *, key: str = "") -> None:  # noqa: ANN401 - the type depends on the limit
        """Check the length and the limit of a configuration value.

        Args:
            value: the parsed value.
            key: the key or variable that the error reports; if empty, the key of this field.

        Raises:
            ConfigurationError: the value is not allowed.
        """
        key, length = key or self.key, self.length
        if length is not None and len(value) not in length:
            error = f"the value has {len(value)} characters, but {length.start} to {length.stop - 1} are allowed"
            remedy = "Choose a longer value." if len(value) < length.start else "Choose a shorter value."
            raise ConfigurationError(key, value, error, remedy)
        match self.limit:
            case range() as numbers if value not in numbers and value != self.exempt:
                nearest = numbers.start if value < numbers.start else numbers.stop - 1
                remedy = f"Try: pulumi config set {self.key} {nearest}"
            case frozenset() as choices if value not in choices:
                remedy = "Choose one of the allowed values."
            case re.Pattern() as pattern if not pattern.fullmatch(value):
                remedy = "Change or remove the value."
            case _:
                return
        remedy = self.remedy or remedy
        if isinstance(value, str) and value != value.strip(" "):
            remedy = "Remove the spaces at the beginning or the end of the value."
        raise ConfigurationError(key, value, self.error.format(self.allowed_values), remedy)

    @property
    def allowed_values(self) -> str:
        """Text that describes the allowed values of the configuration key, with their unit."""
        match self.limit:
            case range() as numbers if not self.allowed:
                return f"{numbers.start} to {numbers.stop - 1} {self.unit}"
            case frozenset() as choices:
                return ", ".join(str(choice) for choice in sorted(choices))
        return self.allowed or self.unit


def check_bucket_name(key: str, name: str) -> None:
    """Check a bucket name against the naming rules of S3.

    Names with dots are rejected although S3 allows them (docs/decisions.md#bucket-names-without-dots).

    Args:
        key: the configuration key that the error reports.
        name: the bucket name.

    Raises:
        ConfigurationError: the name violates a rule.
    """
    CONFIG_FIELDS["bucket_name"].check(name, key=key)
    if name.startswith(BUCKET_NAME_RESERVED_STARTS) or name.endswith(BUCKET_NAME_RESERVED_ENDS):
        reserved = [*(f"{s}…" for s in BUCKET_NAME_RESERVED_STARTS), *(f"…{e}" for e in BUCKET_NAME_RESERVED_ENDS)]
        raise ConfigurationError(key, name, f"S3 reserves these names: {', '.join(reserved)}", "Choose another name.")


def _check_configured_bucket_name(args: TapStackArgs) -> None:
    if args.bucket_name is not None:
        check_bucket_name("bucketName", args.bucket_name)


def _only_with(wanted: str, name: str, other: str = "billing") -> Callable[[TapStackArgs], None]:
    """Return a rule that rejects the setting ``name`` unless the setting ``other`` has the value ``wanted``."""

    def check(args: TapStackArgs) -> None:
        value, found = getattr(args, name), str(getattr(args, other)).lower()
        if value is not None and found != wanted:
            key = CONFIG_FIELDS[name].key
            limit = f"the key is allowed only with {other} {wanted}, and {other} is {found}"
            raise ConfigurationError(key, value, limit, f"Try: pulumi config rm {key}")

    return check


def _check_max_capacity(args: TapStackArgs) -> None:
    _only_with(PROVISIONED, "max_capacity")(args)
    if args.max_capacity is not None:
        numbers = range(max(args.read_capacity or 1, args.write_capacity or 1), TABLE_CAPACITY_UNITS.stop)
        unit = "units, readCapacity and writeCapacity included"
        ConfigField("maxCapacity", "", numbers, unit).check(args.max_capacity)


def _check_origins(args: TapStackArgs) -> None:
    key, remedy = "corsAllowedOrigins", "Try: pulumi config set corsAllowedOrigins https://app.example.com"
    if not args.cors_allowed_origins:
        error = "give at least one origin: only the environment dev has a default, if the key is not set"
        raise ConfigurationError(key, args.cors_allowed_origins, error, remedy)
    for origin in args.cors_allowed_origins:
        if not ORIGIN_PATTERN.fullmatch(origin) or origin.count("*") > 1:
            raise ConfigurationError(key, origin, f"an origin is {ORIGIN_FORMAT}", remedy)


def _check_filters(args: TapStackArgs) -> None:
    prefix, suffix = args.notification_prefix, args.notification_suffix
    for key, value in (("notificationPrefix", prefix), ("notificationSuffix", suffix)):
        encoded = len(encode_filter(value))
        if CONTROL_CHARACTERS.search(value):
            raise ConfigurationError(key, value, "control characters are not allowed", "Remove the characters.")
        if "*" in value:
            remedy = "Set a literal prefix or suffix, such as images/ or .pdf"
            raise ConfigurationError(key, value, "S3 filters support no wildcards", remedy)
        if encoded > FILTER_CHARACTERS:
            error = f"the value has {encoded} characters when encoded for S3, but {FILTER_CHARACTERS} are allowed"
            raise ConfigurationError(key, value, error, "Choose a shorter value.")
    size = len(prefix.encode()) + len(suffix.encode())
    if size > OBJECT_KEY_BYTES:
        key = "notificationPrefix" if len(prefix) >= len(suffix) else "notificationSuffix"
        error = f"prefix and suffix together have {size} bytes, but an object key has at most {OBJECT_KEY_BYTES}"
        raise ConfigurationError(key, max(prefix, suffix, key=len), error, "Choose shorter values.")


def encode_filter(text: str) -> str:
    """Return the URL-encoded form of a key prefix or suffix, which S3 event notifications require.

    Without the encoding, a filter with special characters matches no object, and S3 reports no error. Source: S3 User
    Guide, "Configuring event notifications using object key name filtering".
    """
    return quote_plus(text, safe="/!-_.'()")


@dataclass(frozen=True, kw_only=True)
class ExistingBucket:
    """Bucket that the stack indexes but does not own, and never changes. EventBridge delivers its events."""

    name: str
    versioned: bool  # whether versioning is enabled; if false, versioning must never have been enabled
    prefixes: tuple[str, ...] = ()  # prefixes of the indexed object keys; empty for all object keys
    kms_key_arn: str | None = None  # ARN of the customer managed KMS key that encrypts the objects, if there is one

    @property
    def document(self) -> Document:
        """The part of the configuration that the indexer and the operators' tools read."""
        return {"name": self.name, "versioned": self.versioned, "prefixes": list(self.prefixes)}


def _check_existing_buckets(args: TapStackArgs) -> None:
    key, names = "existingBuckets", [bucket.name for bucket in args.existing_buckets]
    for bucket in args.existing_buckets:
        if not EXISTING_BUCKET_PATTERN.fullmatch(bucket.name):
            error = "a bucket name has 3 to 63 lower-case letters, digits, dots and hyphens"
            raise ConfigurationError(key, bucket.name, error, "List the names with: aws s3 ls")
        if names.count(bucket.name) > 1:
            remedy = "Write one entry for each bucket, with all of its prefixes."
            raise ConfigurationError(key, bucket.name, "the bucket occurs more than once", remedy)
        for prefix in bucket.prefixes:
            if not 0 < len(prefix.encode()) <= OBJECT_KEY_BYTES:
                error = f"a prefix in the bucket {bucket.name} has 1 to {OBJECT_KEY_BYTES} bytes"
                raise ConfigurationError(key, prefix, error, "Remove `prefixes` to index all objects.")
            if sum(prefix.startswith(other) for other in bucket.prefixes) > 1:
                error = f"another prefix in the bucket {bucket.name} includes this prefix"
                raise ConfigurationError(key, prefix, error, "Remove one of the two prefixes.")
        if bucket.kms_key_arn is not None:
            CONFIG_FIELDS["kms_key_arn"].check(bucket.kms_key_arn, key=key)


def _check_mismatch_alarm(args: TapStackArgs) -> None:
    if args.alarm_on_mismatch and not args.inspect_content:
        error, key = "the alarm needs the inspector, but inspectContent is false", "alarmOnMismatch"
        raise ConfigurationError(key, args.alarm_on_mismatch, error, f"Try: pulumi config rm {key}")


_FILTER = f"no wildcards or control characters; prefix and suffix together have at most {OBJECT_KEY_BYTES} bytes"
T = TypeVar("T")


def _field(*args: Any, default: T, key: str = "", default_text: str = "", **options: Any) -> T:
    """Return a dataclass field whose metadata contain a ConfigField with these arguments.

    If ``key`` is empty, the key of the field is its name in camel case.
    """
    config_field = ConfigField(key, *args, default=default_text, **options)
    return field(default=default, metadata={"config": config_field})


def _tag_field(name: str, default: str) -> str:
    words = "letters, digits, spaces and the characters _ . : / = + - @"
    return _field(f"value of the tag {name}", TAG_VALUE_PATTERN, words, default=default, length=TAG_VALUE_LENGTH)


def _capacity_field(access: str) -> int | None:
    text = f"{access} capacity units of the table; the index has the same number; only with `provisioned` billing"
    rule, default = _only_with(PROVISIONED, f"{access}_capacity"), f"`{DEFAULT_CAPACITY}`"
    return _field(text, TABLE_CAPACITY_UNITS, "units", default=None, rule=rule, default_text=default)


def _analytics_field(name: str, text: str, limit: range, unit: str) -> int | None:
    text, rule = f"{text}; only with `analytics`", _only_with("true", name, "analytics")
    return _field(text, limit, unit, default=None, rule=rule, default_text=f"`{ANALYTICS_DEFAULTS[name]}`")


def _hours_field(description: str) -> int | None:
    return _field(description, EXPECTED_EVERY_HOURS, "hours", default=None, default_text="no alarm")


def _maximum_field(access: str) -> int | None:
    text = f"maximum {access} request units per second of the table, and of the index; only with `on-demand` billing"
    rule, default = _only_with(ON_DEMAND, f"max_on_demand_{access}s"), "none: the account's quota"
    return _field(text, ON_DEMAND_UNITS, "units per second", default=None, rule=rule, default_text=default)


@dataclass(frozen=True, kw_only=True)
class TapStackArgs:
    """Configuration of one deployment. Each field is checked when an instance is created.

    Raises:
        ConfigurationError: a value exceeds a limit of AWS or contradicts another value.
    """

    environment_suffix: str = _field(
        "environment name, which is part of resource names; required unless the Pulumi stack is `dev`",
        ENVIRONMENT_PATTERN,
        "lower-case letters, digits and hyphens, beginning with a letter",
        default=DEV,
        key="env",
    )
    bucket_name: str | None = _field(
        "name of the upload bucket",
        BUCKET_NAME_PATTERN,
        "lower-case letters, digits and hyphens, without a hyphen at the beginning or end",
        default=None,
        length=BUCKET_NAME_LENGTH,
        rule=_check_configured_bucket_name,
        default_text="`{project}-{env}-uploads-{account}-{region}`",
    )
    table_name: str | None = _field(
        "name of the DynamoDB table; the environment variable `TAP_TABLE_NAME` overrides this key",
        TABLE_NAME_PATTERN,
        "letters, digits, '_', '-' and '.'",
        default=None,
        length=TABLE_NAME_LENGTH,
        default_text="`{project}-{env}-objects`",
    )
    billing: str = _field(
        "capacity mode of table and index: `provisioned` (a fixed price per hour) or `on-demand` (a price per request)",
        frozenset(BILLING_MODES),
        default=PROVISIONED,
    )
    read_capacity: int | None = _capacity_field("read")
    write_capacity: int | None = _capacity_field("write")
    max_capacity: int | None = _field(
        "upper limit of auto scaling for read and write capacity; only with `provisioned` billing",
        default=None,
        rule=_check_max_capacity,
        allowed=f"not less than readCapacity or writeCapacity, and at most {TABLE_CAPACITY_UNITS.stop - 1} units",
    )
    max_on_demand_reads: int | None = _maximum_field("read")
    max_on_demand_writes: int | None = _maximum_field("write")
    table_class: str = _field(
        "table class: with `infrequent-access`, storage costs less, and reads and writes cost more",
        frozenset(TABLE_CLASSES),
        default="standard",
    )
    index_projection: str = _field(
        "attributes in the index of a new table: `all`, or `keys-only`; cannot be changed in an existing table",
        frozenset(INDEX_PROJECTIONS),
        default="all",
    )
    cors_allowed_origins: Sequence[str] | None = _field(
        "web origins that may upload files (CORS), as a list or separated by commas",
        default=None,
        rule=_check_origins,
        default_text=f"`{DEV_ORIGINS[0]}` in `dev`, otherwise required",
        allowed=f"each {ORIGIN_FORMAT}",
    )
    notification_prefix: str = _field("index only objects whose key has this prefix", default="", allowed=_FILTER)
    notification_suffix: str = _field(
        "index only objects whose key has this suffix", default="", allowed=_FILTER, rule=_check_filters
    )
    event_bridge: bool = _field(
        "send the events of the upload bucket to EventBridge too, so that other applications can use them",
        default=False,
    )
    existing_buckets: tuple[ExistingBucket, ...] = _field(
        "existing buckets that are also indexed, through EventBridge; the stack does not change them",
        default=(),
        rule=_check_existing_buckets,
        default_text="none",
        allowed="each has `name` and `versioned` (true or false), and may have `prefixes` (a list) and `kmsKeyArn`",
    )
    noncurrent_days: int = _field(
        "days after which S3 deletes a noncurrent object version", NONCURRENT_DAYS, "days", default=90
    )
    deleted_retention_days: int = _field(
        "days until the row of a deleted object version expires; 0 keeps rows forever",
        DELETED_RETENTION_DAYS,
        "days, or 0",
        default=90,
        exempt=0,
    )
    inspect_content: bool = _field(
        "deploy the inspector, which adds facts about the content of each object to its row (docs/row.md)", default=True
    )
    alarm_on_mismatch: bool = _field(
        "an alarm fires if the content of an object does not match its declared type or its extension",
        default=False,
        rule=_check_mismatch_alarm,
    )
    inspector_filter: bool = _field(
        "filter the rows that invoke the inspector; `false` only for emulators without such a filter", default=True
    )
    log_level: str = _field("minimum log level of indexer and inspector", LOG_LEVELS, default="INFO")
    log_retention_days: int = _field("retention of log events, in days", LOG_RETENTION_DAYS, default=30)
    architecture: str = _field("processor architecture of indexer and inspector", ARCHITECTURES, default="arm64")
    memory_mb: int = _field("memory of the indexer", MEMORY_MIB, "MiB", default=512)
    # With a lower timeout, part of a large burst goes to the failure queue (docs/capacity.md).
    timeout_seconds: int = _field("timeout of the indexer", TIMEOUT_SECONDS, "seconds", default=600)
    reserved_concurrency: int | None = _field(
        "reserved concurrency of the indexer, which is also its maximum number of concurrent executions",
        RESERVED_CONCURRENCY,
        default=None,
        error="the value must be {}",
        remedy="Remove the key, so that the indexer uses the account's unreserved concurrency.",
        allowed="at least 1 (0 would stop the indexer)",
    )
    alarm_email: str | None = _field(
        "email address that receives alarms", EMAIL_PATTERN, "one address such as ops@example.com", default=None
    )
    expect_upload_every_hours: int | None = _hours_field(
        "hours without an indexed upload after which an alarm fires; uploads of the smoke test, and events that the "
        "operators' tools send, do not count"
    )
    expect_audit_every_hours: int | None = _hours_field(
        "hours without a scan of the table after which an alarm fires; `audit` scans the table, so choose some hours "
        "more than the interval of the scheduled audit"
    )
    max_delay_seconds: int = _field(
        f"an alarm fires if over 1% of the uploads within {DELAY_ALARM_MINUTES} minutes are indexed later than this",
        DELAY_SECONDS,
        "seconds",
        default=60,
    )
    runbook_url: str | None = _field(
        f"URL of your copy of {RUNBOOK}, to which the alarm descriptions link",
        RUNBOOK_URL_PATTERN,
        f"an https URL without a fragment, such as https://github.com/OWNER/REPO/blob/main/{RUNBOOK}",
        default=None,
        length=RUNBOOK_URL_LENGTH,
        error="the value must be {}",
        default_text=f"none: the descriptions contain the path `{RUNBOOK}`",
    )
    kms_key_arn: str | None = _field(
        "ARN of a customer managed KMS key that encrypts upload bucket, table, failure queue, logs and alarm topic",
        KEY_ARN_PATTERN,
        "the ARN of a key, arn:aws:kms:REGION:ACCOUNT:key/ID, not a key ID or alias",
        default=None,
        error="the value must be {}",
        remedy="Find the ARN with: aws kms describe-key --key-id ID_OR_ALIAS --query KeyMetadata.Arn",
        default_text="encryption keys that AWS owns or manages",
    )
    permissions_boundary: str | None = _field(
        "ARN of an IAM policy that is the permissions boundary of each role",
        BOUNDARY_ARN_PATTERN,
        "the ARN of a managed policy, arn:aws:iam::ACCOUNT:policy/NAME",
        default=None,
        error="the value must be {}",
        remedy="Find the ARN with: aws iam list-policies --query 'Policies[].Arn'",
    )
    owner: str = _tag_field("Owner", "platform")
    cost_center: str = _tag_field("CostCenter", "shared")
    saved_queries: bool = _field("create saved queries for CloudWatch Logs Insights (docs/runbook.md)", default=True)
    protect_data: bool | None = _field(
        "protect buckets and table against deletion", default=None, default_text="`true`, or `false` in `dev`"
    )
    inventory: bool = _field(
        "S3 lists all versions daily, for `audit --from-inventory` (docs/architecture.md#inventories)", default=False
    )
    analytics: bool = _field(
        "deploy a bucket for table exports, a Glue table, and an Athena workgroup (docs/sql.md)", default=False
    )
    export_retention_days: int | None = _analytics_field(
        "export_retention_days", "days until S3 deletes an export or a result of Athena", EXPORT_RETENTION_DAYS, "days"
    )
    query_scan_limit_gb: int | None = _analytics_field(
        "query_scan_limit_gb", "Athena cancels a query that scans more than this", QUERY_SCAN_LIMIT_GB, "GB"
    )
    lambda_package: pulumi.Archive | None = None
    """Deployment package of the indexer. If ``None``, the program builds the package from ``lambda_code``."""
    inspector_package: pulumi.Archive | None = None
    """Deployment package of the inspector. If ``None``, the program builds the package from ``inspector``."""

    def __post_init__(self) -> None:
        """Set the defaults that depend on the environment, then check every field."""
        defaults: dict[str, object] = {"protect_data": not self.is_dev}
        if self.is_dev:
            defaults["cors_allowed_origins"] = DEV_ORIGINS
        if self.billing == PROVISIONED:
            defaults |= {"read_capacity": DEFAULT_CAPACITY, "write_capacity": DEFAULT_CAPACITY}
        if self.analytics:
            defaults |= ANALYTICS_DEFAULTS
        for name, default in defaults.items():
            if getattr(self, name) is None:
                # Fields of a frozen dataclass can be set only with object.__setattr__.
                object.__setattr__(self, name, default)
        for name, config_field in CONFIG_FIELDS.items():
            value = getattr(self, name)
            # The class attribute of a dataclass field is the field's default.
            if value is not None or getattr(TapStackArgs, name) is not None:
                config_field.check(value)
            if config_field.rule is not None:
                config_field.rule(self)

    @property
    def is_dev(self) -> bool:
        """Whether the environment is ``dev``, in which data is not protected against deletion by default."""
        return self.environment_suffix == DEV

    @classmethod
    def from_config(cls, config: pulumi.Config, environ: Mapping[str, str]) -> TapStackArgs:
        """Read the configuration of the current Pulumi stack.

        Args:
            config: the configuration in the project's namespace.
            environ: the environment variables; ``TAP_TABLE_NAME`` overrides the key ``tableName``.

        Raises:
            ConfigurationError: a key is unknown, or a value has the wrong type or exceeds a limit.
        """
        _reject_unknown_keys(config.name)
        stack = pulumi.get_stack()
        if config.get("env") is None and stack != DEV:
            error = f"without this key, the stack {stack!r} would use the environment {DEV!r}, which protects no data"
            raise ConfigurationError("env", None, error, f"Try: pulumi config set env {stack}")
        values: dict[str, Any] = {}
        types = {each.name: str(each.type).removesuffix(" | None") for each in fields(cls)}
        for name, config_field in CONFIG_FIELDS.items():
            raw = config.get(config_field.key)
            if raw is not None:
                parse = _PARSERS.get(types[name])
                values[name] = parse(config_field.key, raw) if parse else raw
        if TABLE_NAME_VARIABLE in environ:
            values["table_name"] = environ[TABLE_NAME_VARIABLE]
            CONFIG_FIELDS["table_name"].check(values["table_name"], key=TABLE_NAME_VARIABLE)
        return cls(**values)


def _parse_integer(key: str, raw: str) -> int:
    digits = raw.strip()
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", digits):
        raise ConfigurationError(key, raw, "the value must be a whole number", f"Try: pulumi config set {key} NUMBER")
    return int(digits)


def _parse_boolean(key: str, raw: str) -> bool:
    value = raw.strip().lower()
    if value not in {"true", "false"}:
        raise ConfigurationError(key, raw, "the value must be true or false", f"Try: pulumi config set {key} true")
    return value == "true"


def _parse_list(key: str, raw: str) -> tuple[str, ...]:
    """Parse a list of strings: either separated by commas, or in JSON, which is Pulumi's format of a YAML list."""
    if not raw.lstrip().startswith(("[", "{", '"')):
        return tuple(part.strip() for part in raw.split(",") if part.strip())
    values = _load_json(raw)
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        remedy = f"Try: pulumi config set --path '{key}[0]' https://app.example.com"
        raise ConfigurationError(key, raw, "the value must be a list of strings", remedy)
    return tuple(values)


def _load_json(raw: str) -> Any:  # noqa: ANN401 - JSON values have any type
    try:
        return json.loads(raw)
    except ValueError:
        return None


def _parse_existing_buckets(key: str, raw: str) -> tuple[ExistingBucket, ...]:
    """Parse a JSON list of objects, which is Pulumi's format of a YAML list of mappings."""
    entries, buckets = _load_json(raw), []
    remedy = "Try: pulumi config set --path '{0}.name' NAME; pulumi config set --path '{0}.versioned' true".format
    if not isinstance(entries, list):
        raise ConfigurationError(key, raw, "the value must be a list of objects", remedy(f"{key}[0]"))
    for number, entry in enumerate(entries):
        types = {name: type(value) for name, value in entry.items()} if isinstance(entry, dict) else {}
        valid = types.keys() >= {"name", "versioned"} and types.items() <= _EXISTING_BUCKET_TYPES.items()
        prefixes = entry.get("prefixes", [""]) if valid else []
        if not prefixes or not all(isinstance(prefix, str) for prefix in prefixes):
            error = "it needs `name` and `versioned` (true or false), and may have `prefixes` (a list) and `kmsKeyArn`"
            raise ConfigurationError(key, entry, error, remedy(f"{key}[{number}]"))
        optional = {"prefixes": tuple(entry.get("prefixes", ())), "kms_key_arn": entry.get("kmsKeyArn")}
        buckets.append(ExistingBucket(name=entry["name"], versioned=entry["versioned"], **optional))
    return tuple(buckets)


_EXISTING_BUCKET_TYPES = {"name": str, "versioned": bool, "prefixes": list, "kmsKeyArn": str}
# Maps the type of a configuration field, without ``| None``, to its parser. Strings need no parser.
_PARSERS: Mapping[str, Callable[[str, str], object]] = {
    "int": _parse_integer,
    "bool": _parse_boolean,
    "Sequence[str]": _parse_list,
    "tuple[ExistingBucket, ...]": _parse_existing_buckets,
}
# Maps each attribute of TapStackArgs to its ConfigField.
CONFIG_FIELDS: Mapping[str, ConfigField] = {
    name: replace(each, key=each.key or re.sub("_(.)", lambda letter: letter[1].upper(), name))
    for name, each in ((each.name, each.metadata.get("config")) for each in fields(TapStackArgs))
    if each is not None
}


def _reject_unknown_keys(namespace: str) -> None:
    """Raise ConfigurationError for an unknown key. A misspelled key would otherwise be ignored silently."""
    known = sorted(config_field.key for config_field in CONFIG_FIELDS.values())
    for full_key in sorted({*CONFIG.get(), *get_config_env()}):
        owner, _, key = full_key.rpartition(":")
        if owner == namespace and key not in known:
            raise ConfigurationError(key, key, f"the keys are {', '.join(known)}", f"Try: pulumi config rm {key}")


_KEY_REMEDIES = {
    "region": ", or replicate a multi-Region key to the region",
    # Source: DynamoDB Developer Guide, "DynamoDB encryption at rest usage notes", DescribeKey. S3 supports such keys.
    "account": ", because DynamoDB supports no keys of other accounts",
}


def _check_locations(args: TapStackArgs, **place: str) -> None:
    """Raise ConfigurationError if a KMS key or an IAM policy is in another partition, region or account."""
    key, policy = ("key", KEY_ARN_PATTERN, _KEY_REMEDIES), ("policy", BOUNDARY_ARN_PATTERN, dict[str, str]())
    for config_key, arn, (what, pattern, remedies), parts in (
        ("kmsKeyArn", args.kms_key_arn, key, ("partition", "region", "account")),
        ("permissionsBoundary", args.permissions_boundary, policy, ("partition", "account")),
        *(("existingBuckets", each.kms_key_arn, key, ("partition", "region")) for each in args.existing_buckets),
    ):
        found = pattern.fullmatch(arn) if arn is not None else None
        for part in parts if found else ():
            # The ARN of a policy that AWS manages has no account ID.
            if found and found[part] != place[part] and (part, found[part]) != ("account", AWS_ACCOUNT):
                error = f"the {what} must be in the stack's {part}, which is {place[part]}"
                remedy = f"Choose a {what} in this {part}{remedies.get(part, '')}."
                raise ConfigurationError(config_key, arn, error, remedy)


def check_table_change(old: Mapping[str, Any], new: Mapping[str, Any], *, max_capacity: int | None) -> None:
    """Reject a change of an existing table that Pulumi's AWS provider would make incorrectly, or not at all.

    The provider is built from Terraform's AWS provider, whose resource ``aws_dynamodb_table`` has this behavior.
    ``pulumi up --refresh`` writes the values of AWS into the state: 0 for a capacity, -1 for a maximum that is not set.
    This function treats such values as missing.

    Args:
        old: the inputs of the table in the Pulumi state, by their names in Pulumi.
        new: the inputs of the table in this deployment. Inputs in ``ignore_changes`` have their values from the state.
        max_capacity: the upper limit of auto scaling in this deployment; None if auto scaling is off.

    Raises:
        ConfigurationError: the change is not supported.
    """
    before, after = (
        {index["name"]: index["projectionType"] for index in inputs.get("globalSecondaryIndexes") or ()}.get(DAY_INDEX)
        for inputs in (old, new)
    )
    if before not in (None, after):
        names = {value: name for name, value in INDEX_PROJECTIONS.items()}
        kept = names.get(str(before), before)
        error = (
            f"the index {DAY_INDEX} of the existing table has the projection {kept}. To change it, DynamoDB deletes "
            "the index and builds it again, which takes days for a large table"
        )
        remedy = "Restore the previous value of the key. Only a new stack can have another projection."
        raise ConfigurationError("indexProjection", names.get(str(after)), error, remedy)
    on_demand = BILLING_MODES[ON_DEMAND]
    if old.get("billingMode") != on_demand:
        return
    # With auto scaling, Pulumi ignores changes of the capacities, and the state has none. The provider would set the
    # capacity of the table to 1 unit, and fail at the index.
    if new["billingMode"] != on_demand:
        if not new.get("readCapacity"):
            error = "auto scaling cannot be enabled in the update that switches the table to provisioned billing"
            remedy = "Try: pulumi config rm maxCapacity && pulumi up. Then set the key again, and run pulumi up."
            raise ConfigurationError("maxCapacity", max_capacity, error, remedy)
        return
    # The provider would keep a removed maximum without an error, or send an empty update, which DynamoDB rejects.
    for key, unit in (("maxOnDemandReads", "maxReadRequestUnits"), ("maxOnDemandWrites", "maxWriteRequestUnits")):
        had, has = (((inputs.get("onDemandThroughput") or {}).get(unit) or 0) > 0 for inputs in (old, new))
        if had and not has:
            highest = ON_DEMAND_UNITS.stop - 1
            error = f"an existing maximum can be changed to 1 to {highest} units per second, but not removed"
            remedy = f"Try: pulumi config set {key} {highest}, which is the default quota of a table."
            raise ConfigurationError(key, None, error, remedy)


# == Names and tags ===================================================================================================


def _pattern(pattern: str) -> str:
    """Return a dataclass field for a name that `make_names` derives from a pattern."""
    name: str = field(metadata={"pattern": pattern})
    return name


@dataclass(frozen=True, kw_only=True)
class Names:
    """Names of the AWS resources. Bucket names are unique in AWS, and role names in an account."""

    prefix: str = _pattern("{prefix}")
    upload_bucket: str = _pattern("{prefix}-uploads-{account}-{region}")
    log_bucket: str = _pattern("{prefix}-logs-{account}-{region}")
    table: str = _pattern("{prefix}-objects")
    function: str = _pattern("{prefix}-indexer")
    role: str = _pattern("{prefix}-indexer-{region}")
    log_group: str = _pattern("/aws/lambda/{prefix}-indexer")
    inspector: str = _pattern("{prefix}-inspector")
    inspector_role: str = _pattern("{prefix}-inspector-{region}")
    inspector_log_group: str = _pattern("/aws/lambda/{prefix}-inspector")
    failure_queue: str = _pattern("{prefix}-failures")
    alarm_topic: str = _pattern("{prefix}-alarms")
    dashboard: str = _pattern("{prefix}")
    settings: str = _pattern("{prefix}-settings")
    export_bucket: str = _pattern("{prefix}-exports-{account}-{region}")
    glue_database: str = _pattern("{words}")  # some statements of Athena do not allow hyphens
    athena_workgroup: str = _pattern("{prefix}-analytics")

    def alarm(self, purpose: str) -> str:
        """Return the name of the CloudWatch alarm for a purpose such as ``function-errors``."""
        return f"{self.prefix}-{purpose}"

    def rule(self, bucket: ExistingBucket) -> str:
        """Return the name of the EventBridge rule for an existing bucket. A hash replaces the end of a long name."""
        name = f"{self.prefix}_{bucket.name}"  # Neither part contains "_", so the names of two stacks differ.
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        return name if len(name) <= RULE_NAME_LENGTH else f"{name[: RULE_NAME_LENGTH - 9]}-{digest}"


def make_names(args: TapStackArgs, *, project: str, account: str, region: str) -> Names:
    """Derive the names of all resources, and check them against the naming rules of AWS.

    Args:
        args: the configuration, which may contain names of bucket and table.
        project: the name of the Pulumi project, with which the other names begin.
        account: the AWS account ID, part of bucket names.
        region: the AWS region, part of the names of buckets and roles.

    Raises:
        ConfigurationError: a name is too long or contains a character that AWS does not allow.
    """
    prefix = f"{project}-{args.environment_suffix}"
    parts = {"prefix": prefix, "words": prefix.replace("-", "_"), "account": account, "region": region}
    values = {each.name: each.metadata["pattern"].format(**parts) for each in fields(Names)}
    configured = {"upload_bucket": args.bucket_name, "table": args.table_name}
    names = Names(**values | {name: value for name, value in configured.items() if value})
    key = "resource name from project name and env"
    check_bucket_name("bucketName" if args.bucket_name else key, names.upload_bucket)
    # With a valid name of this bucket, all other derived names are short enough for their services.
    check_bucket_name(key, names.log_bucket)
    others = {names.log_bucket: "the bucket for access logs"}
    if args.analytics:
        check_bucket_name(key, names.export_bucket)
        others[names.export_bucket] = "the bucket for table exports"
    for bucket in args.existing_buckets:
        if bucket.name in (names.upload_bucket, *others):
            error = "the bucket belongs to the stack, which manages its notifications itself"
            raise ConfigurationError("existingBuckets", bucket.name, error, "Remove the entry.")
    if names.upload_bucket in others:
        error = f"the upload bucket and {others[names.upload_bucket]} have the same name"
        raise ConfigurationError("bucketName", args.bucket_name, error, "Choose another name.")
    if names.settings.startswith(PARAMETER_NAME_RESERVED_STARTS):
        error = f"SSM reserves parameter names that begin with {' or '.join(PARAMETER_NAME_RESERVED_STARTS)}"
        raise ConfigurationError(key, names.settings, error, "Choose another project name in Pulumi.yaml.")
    return names


def make_tags(args: TapStackArgs, *, project: str) -> dict[str, str]:
    """Return the tags of all resources that support tags.

    Args:
        args: the configuration, which contains the values of Owner and CostCenter.
        project: the name of the Pulumi project.
    """
    return {
        "Project": project,
        "Environment": args.environment_suffix,
        "ManagedBy": "pulumi",
        "Owner": args.owner,
        "CostCenter": args.cost_center,
    }


# == Policy documents =================================================================================================

Document = dict[str, Any]
"""A JSON document as a dictionary, such as an IAM policy: ``{"Version": …, "Statement": […]}``."""
Texts = str | Sequence[str]
"""One or several values of an element in a policy, such as ``Action`` or ``Resource``."""


def _policy(*statements: Document | None) -> Document:
    """Return a policy document. Statements that are None are omitted."""
    return {"Version": "2012-10-17", "Statement": [each for each in statements if each]}


def _statement(sid: str, effect: str, **elements: Any) -> Document:
    """Return an IAM policy statement. Elements whose value is None are omitted."""
    return {"Sid": sid, "Effect": effect} | {name: value for name, value in elements.items() if value is not None}


def _deny_without_tls(action: str, *arns: str) -> Document:
    condition = {"Bool": {"aws:SecureTransport": "false"}}
    return _statement("DenyWithoutTls", "Deny", Principal="*", Action=action, Resource=list(arns), Condition=condition)


def _allow_service(
    sid: str, service: str, action: str, resource: str | None, *, account: str | None, source: Texts, **equal: str
) -> Document:
    """Return a policy statement that allows an AWS service one action, for one account and for source ARN patterns.

    With ``account`` None, only the source ARN patterns are a condition. ``equal`` are further condition keys with the
    values that they must have.
    """
    condition: Document = {"ArnLike": {"aws:SourceArn": source}} if source else {}
    if account:
        condition["StringEquals"] = {"aws:SourceAccount": account, **equal}
    principal = {"Service": f"{service}.amazonaws.com"}
    return _statement(sid, "Allow", Principal=principal, Action=action, Resource=resource, Condition=condition)


def _data_bucket_policy(*, bucket_arn: str, key_arn: str | None = None) -> Document:
    """Return the policy of the upload and export buckets, which denies plain HTTP and uploads with other encryption.

    The indexer could not read a differently encrypted object with HEAD. ``key_arn`` is the ARN of the bucket's KMS key;
    None means encryption with S3 managed keys (AES-256).
    """

    def deny_put(sid: str, **condition: Document) -> Document:
        target = {"Action": "s3:PutObject", "Resource": f"{bucket_arn}/*"}
        return _statement(sid, "Deny", Principal="*", **target, Condition=condition)

    # An upload without an encryption header uses the bucket's default encryption and must be allowed. StringNotEquals
    # alone would deny such an upload, because an absent condition key counts as not equal (even with IfExists).
    header = "s3:x-amz-server-side-encryption"
    requested, algorithm = {header: "false"}, {header: "aws:kms" if key_arn else "AES256"}
    key = {f"{header}-aws-kms-key-id": key_arn}
    return _policy(
        _deny_without_tls("s3:*", bucket_arn, f"{bucket_arn}/*"),
        deny_put("DenyOtherEncryption", Null=requested, StringNotEquals=algorithm),
        deny_put("DenyCustomerKeys", Null={f"{header}-customer-algorithm": "false"}),
        # A request for aws:kms without a key ID uses the AWS managed key aws/s3, and is denied too.
        deny_put("DenyOtherKeys", Null=requested, StringNotEquals=key) if key_arn else None,
    )


def _log_bucket_policy(
    *, bucket_arn: str, account: str, logged: Sequence[str], inventoried: Sequence[str] = ()
) -> Document:
    """Return the policy of the log bucket, which lets S3 write access logs and inventories, and denies plain HTTP.

    ``logged`` and ``inventoried`` are the names of the buckets whose access logs and inventories S3 may write.
    """
    objects, partition = f"{bucket_arn}/*", bucket_arn.rpartition(":")[0]
    logged_arns, source_arns = ([f"{partition}:{name}" for name in names] for names in (logged, inventoried))
    # Source: S3 User Guide, "Grant permissions for S3 Inventory and S3 analytics".
    acl = {"account": account, "s3:x-amz-acl": "bucket-owner-full-control"}
    target = ("s3:PutObject", f"{bucket_arn}/{INVENTORY_PREFIX}/*")
    return _policy(
        _deny_without_tls("s3:*", bucket_arn, objects),
        _allow_service("AllowAccessLogs", "logging.s3", "s3:PutObject", objects, account=account, source=logged_arns),
        _allow_service("AllowInventories", "s3", *target, source=source_arns, **acl) if source_arns else None,
    )


def _queue_policy(*, queue_arn: str, rule_arns: Sequence[str]) -> Document:
    """Return the policy of the failure queue, which lets EventBridge rules send events, and denies plain HTTP."""
    allowed = _allow_service("AllowRules", "events", "sqs:SendMessage", queue_arn, account=None, source=rule_arns)
    return _policy(allowed if rule_arns else None, _deny_without_tls("sqs:*", queue_arn))


def _topic_policy(*, topic_arn: str, partition: str, region: str, account: str) -> Document:
    """Return the policy of the alarm topic, which lets CloudWatch alarms publish, and denies plain HTTP."""
    alarms = f"arn:{partition}:cloudwatch:{region}:{account}:alarm:*"
    return _policy(
        _allow_service("AllowAlarms", "cloudwatch", "sns:Publish", topic_arn, account=account, source=alarms),
        _deny_without_tls("sns:Publish", topic_arn),
    )


def _trust_policy(*, account: str) -> Document:
    """Return the trust policy of a function's role, which lets Lambda assume the role for this account only."""
    return _policy(_allow_service("AllowLambda", "lambda", "sts:AssumeRole", None, account=account, source=()))


def indexer_policy(*, table_arn: str, **resources: Any) -> Document:
    """Return the permissions of the indexer's role. ``resources`` are the other arguments of `_function_policy`."""
    return _function_policy(
        _allow("UseTable", ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"], table_arn),
        _allow("UseDayIndex", ["dynamodb:Query"], f"{table_arn}/index/{DAY_INDEX}"),
        read=["s3:GetObject", "s3:GetObjectVersion"],
        decryption="ReadChecksums",
        table_arn=table_arn,
        **resources,
    )


def inspector_policy(*, stream_arn: str, **resources: Any) -> Document:
    """Return the permissions of the inspector's role. ``resources`` are the other arguments of `_function_policy`."""
    read = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
    return _function_policy(
        _allow("AddContent", ["dynamodb:UpdateItem"], resources["table_arn"]),
        _allow("ReadStream", read, stream_arn),
        # The wildcard is necessary because this action supports no resource-level permissions.
        _allow("ListStreams", ["dynamodb:ListStreams"], "*"),
        read=["s3:GetObjectVersion"],  # each request has a version ID, so that s3:GetObject is not necessary
        decryption="ReadContent",
        **resources,
    )


def _allow(sid: str, actions: Sequence[str], *resources: str) -> Document:
    return _statement(sid, "Allow", Action=actions, Resource=list(resources))


def _function_policy(
    *table: Document,
    read: Sequence[str],
    decryption: str,
    bucket_arn: str,
    table_arn: str,
    log_group_arn: str,
    queue_arn: str,
    key_arn: str | None = None,
    existing_buckets: Sequence[ExistingBucket] = (),
) -> Document:
    """Return the permissions of a function that reads objects, uses the table, and reports failures.

    ``table`` contains the statements about the table, and ``read`` the actions on objects. The IDs of the statements
    that allow the decryption of objects begin with ``decryption``. ``key_arn`` is the ARN of the stack's KMS key.
    """
    arns = {each: f"{bucket_arn.rpartition(':')[0]}:{each.name}" for each in existing_buckets}
    objects = {each: _object_arns(arn, each.prefixes) for each, arn in arns.items()}
    versioned = [arn for each, found in objects.items() if each.versioned for arn in found]
    # In a bucket without versioning, the functions read only the version `null` of each object.
    null_versions = [arn for each, found in objects.items() if not each.versioned for arn in found]
    return _policy(
        _allow("ReadObjects", read, f"{bucket_arn}/*", *versioned),
        _allow("ReadNullVersions", ["s3:GetObjectVersion"], *null_versions) if null_versions else None,
        # Without s3:ListBucket, a request for a missing object returns 403 instead of 404.
        _allow("TellGoneFromDenied", ["s3:ListBucket"], bucket_arn, *arns.values()),
        *table,
        # The wildcard is necessary because Lambda chooses the names of the log streams.
        _allow("WriteLogs", ["logs:CreateLogStream", "logs:PutLogEvents"], f"{log_group_arn}:*"),
        _allow("ReportFailures", ["sqs:SendMessage"], queue_arn),
        # The wildcard is necessary because these X-Ray actions support no resource-level permissions.
        _allow("WriteTraces", ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "*"),
        *(_key_permissions(decryption, key_arn, bucket_arn=bucket_arn, table_arn=table_arn) if key_arn else ()),
        *(
            _decrypt_objects(f"{decryption}{number}", each.kms_key_arn, arns[each], objects[each])
            for number, each in enumerate(existing_buckets)
            if each.kms_key_arn
        ),
    )


def _object_arns(bucket_arn: str, prefixes: Sequence[str]) -> list[str]:
    # IAM reads ${*}, ${?} and ${$} as the characters (IAM User Guide, "IAM policy elements: Variables and tags").
    return [bucket_arn + "/" + re.sub(r"[*?$]", r"${\g<0>}", prefix) + "*" for prefix in prefixes or ("",)]


def _allow_through(
    service: str, sid: str, key_arn: str, *actions: str, equals: Document | None = None, like: Document | None = None
) -> Document:
    """Return a policy statement that allows an AWS service to use a KMS key for a request of the caller."""
    _, partition, _, region, *_ = key_arn.split(":")
    # AWS does not document which of the two domains kms:ViaService contains in the China regions.
    domains = ("amazonaws.com", "amazonaws.com.cn") if partition == "aws-cn" else ("amazonaws.com",)
    via = {"kms:ViaService": [f"{service}.{region}.{domain}" for domain in domains]}
    condition = {"StringEquals": via | (equals or {}), **({"ArnLike": like} if like else {})}
    return _statement(sid, "Allow", Action=list(actions), Resource=[key_arn], Condition=condition)


def _decrypt_objects(sid: str, key_arn: str, bucket_arn: str, object_arns: Sequence[str]) -> Document:
    # GET, and HEAD for checksums, require kms:Decrypt (S3 API Reference, HeadObject, ChecksumMode). With an S3 Bucket
    # Key, the encryption context is the bucket's ARN, otherwise the object's ARN (S3 User Guide, "S3 Bucket Keys").
    like = {"kms:EncryptionContext:aws:s3:arn": [bucket_arn, *object_arns]}
    return _allow_through("s3", sid, key_arn, "kms:Decrypt", like=like)


def _key_permissions(decryption: str, key_arn: str, *, bucket_arn: str, table_arn: str) -> list[Document]:
    """Return a function's permissions for the stack's KMS key, each limited to the requests of one AWS service.

    The permissions for S3 and DynamoDB are also limited to the upload bucket and the table. The function needs no key
    permission for its logs, because the key policy allows CloudWatch Logs to use the key.
    """
    table = {"kms:EncryptionContext:aws:dynamodb:tableName": table_arn.rpartition("/")[2]}
    return [
        _decrypt_objects(decryption, key_arn, bucket_arn, _object_arns(bucket_arn, ())),
        # DynamoDB decrypts the table key on behalf of each caller that reads or writes the table or its stream
        # (DynamoDB Developer Guide, "DynamoDB encryption at rest usage notes", Decrypt).
        _allow_through("dynamodb", "OpenTable", key_arn, "kms:Decrypt", equals=table),
        # Sending to an encrypted queue requires both actions (SQS Developer Guide, "Amazon SQS key management").
        _allow_through("sqs", "EncryptFailures", key_arn, "kms:GenerateDataKey", "kms:Decrypt"),
    ]


def _event_pattern(bucket: ExistingBucket) -> str:
    """Return the pattern of an EventBridge rule. Object keys in EventBridge's events are not URL-encoded."""
    keys = {"object": {"key": [{"prefix": prefix} for prefix in bucket.prefixes]}} if bucket.prefixes else {}
    detail = {"bucket": {"name": [bucket.name]}, **keys}
    return _compact({"source": ["aws.s3"], "detail-type": list(DETAIL_TYPES), "detail": detail})


def _compact(document: object) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _json(build: Callable[..., Document], **values: pulumi.Input[str | None]) -> pulumi.Output[str]:
    """Return a policy as JSON. ``build`` creates the policy document when all values are known."""
    return pulumi.Output.all(**values).apply(lambda known: json.dumps(build(**known)))


# == Settings document ================================================================================================


def settings_document(
    args: TapStackArgs,
    names: Names,
    *,
    function_arn: str,
    code_sha256: str,
    failure_queue_arn: str,
    inspector: Document | None,
) -> Document:
    """Return the settings on which the consistency of table and bucket depends.

    The operators' tool `audit` compares these settings with AWS. docs/runbook.md describes the document.

    Args:
        args: the configuration.
        names: the resource names.
        function_arn: the ARN of the indexer.
        code_sha256: Lambda's hash of the deployment package, in Base64.
        failure_queue_arn: the ARN of the failure queue.
        inspector: ``function``, the ARN of the inspector, and ``event_source_mapping``, the ID of the event source
            mapping that invokes it; None if the stack has no inspector.
    """
    return {
        "schema": SETTINGS_SCHEMA,
        "function_arn": function_arn,
        "code_sha256": code_sha256,
        "bucket": names.upload_bucket,
        "table": names.table,
        "events": list(EVENTS),
        "prefix": encode_filter(args.notification_prefix),
        "suffix": encode_filter(args.notification_suffix),
        "versioning": VERSIONING,
        "retries": ASYNC_RETRIES,
        "event_age_seconds": ASYNC_EVENT_AGE_SECONDS,
        "failure_destination": failure_queue_arn,
        "reserved_concurrency": args.reserved_concurrency,
        "existing_buckets": [bucket.document | {"rule": names.rule(bucket)} for bucket in args.existing_buckets],
        "inspector": inspector,
        "inventory_location": f"s3://{names.log_bucket}/{INVENTORY_PREFIX}" if args.inventory else "",
        "export_bucket": names.export_bucket if args.analytics else "",
        "export_key": (args.analytics and args.kms_key_arn) or "",
        "glue_database": names.glue_database if args.analytics else "",
        "athena_workgroup": names.athena_workgroup if args.analytics else "",
    }


def item_type() -> str:
    """Return the Glue type of the column `item` in the table `exported_rows`: a structure with all row attributes."""

    def struct(names: Mapping[str, str], *more: str) -> str:
        values = (f"{name}:struct<{GLUE_TYPES[kind]}>" for kind in names for name in names[kind].split())
        return f"struct<{','.join((*values, *more))}>"

    maps = (f"{name}:struct<m:{struct(names)}>" for name, names in MAP_ATTRIBUTES.items())
    return struct(ROW_ATTRIBUTES, *maps)


def _environment(args: TapStackArgs, names: Names) -> dict[str, str]:
    """Return the environment variables of both functions, which `lambda_common.settings` reads."""
    return {
        "TAP_BUCKET_NAME": names.upload_bucket,
        TABLE_NAME_VARIABLE: names.table,
        "POWERTOOLS_SERVICE_NAME": names.prefix,
        "POWERTOOLS_METRICS_NAMESPACE": METRICS_NAMESPACE,
        "POWERTOOLS_LOG_LEVEL": args.log_level,
    }


def _indexer_environment(args: TapStackArgs, names: Names) -> dict[str, str]:
    """Return the environment variables of the indexer, which `lambda_code.settings` reads."""
    buckets = [bucket.document for bucket in args.existing_buckets]
    return {
        **_environment(args, names),
        "TAP_DELETED_RETENTION_DAYS": str(args.deleted_retention_days),
        **({"EXISTING_BUCKETS": _compact(buckets)} if buckets else {}),
    }


def _check_sizes(args: TapStackArgs, names: Names, *, partition: str, region: str, account: str) -> None:
    """Raise ConfigurationError if a document about existing buckets is longer than AWS allows."""
    arn = f"arn:{partition}:{{}}:{region}:{account}:{{}}".format
    function, queue = arn("lambda", f"function:{names.function}"), arn("sqs", names.failure_queue)
    inspector = {"function": arn("lambda", f"function:{names.inspector}"), "event_source_mapping": "0" * 36}
    values: dict[str, Any] = {"function_arn": function, "failure_queue_arn": queue, "inspector": inspector}
    table, bucket = arn("dynamodb", f"table/{names.table}"), f"arn:{partition}:s3:::{names.upload_bucket}"

    def policy(build: Callable[..., Document], log_group: str, **more: str) -> str:
        arns = {"bucket_arn": bucket, "table_arn": table, "queue_arn": queue, **more}
        arns["log_group_arn"] = arn("logs", f"log-group:{log_group}")
        document = build(key_arn=args.kms_key_arn, existing_buckets=args.existing_buckets, **arns)
        return json.dumps(document, separators=(",", ":"))

    roles = {"indexer": policy(indexer_policy, names.log_group)}
    if args.inspect_content:
        stream = f"{table}/stream/2026-01-01T00:00:00.000"
        roles["inspector"] = policy(inspector_policy, names.inspector_log_group, stream_arn=stream)
    for what, document, limit in (
        ("environment variables of the indexer", _indexer_environment(args, names), ENVIRONMENT_BYTES),
        ("settings document", settings_document(args, names, code_sha256="A" * 44, **values), PARAMETER_BYTES),
        *((f"policy of the {role}'s role", document, ROLE_POLICY_BYTES) for role, document in roles.items()),
        *((f"event pattern of {b.name}", _event_pattern(b), EVENT_PATTERN_LENGTH) for b in args.existing_buckets),
    ):
        size = len((document if isinstance(document, str) else _compact(document)).encode())
        if args.existing_buckets and size > limit:
            error = f"the {what} would have {size} bytes, but AWS allows {limit}"
            remedy = "Configure fewer or shorter prefixes, or index some of the buckets with another stack."
            raise ConfigurationError("existingBuckets", [each.name for each in args.existing_buckets], error, remedy)


# == Deployment packages of the functions =============================================================================

PIP_TARGET_OPTIONS = (
    *("--no-deps", "--require-hashes", "--only-binary=:all:", "--no-compile"),
    # Only pure-Python wheels are allowed, because the build may run on another processor type than the function.
    *("--platform=any", "--abi=none", "--implementation=py", "--python-version=3.13"),
)
# Options that pip may read from PIP_* variables and configuration files, because they change only how pip downloads
# packages: index, proxy, certificates, time-outs and cache. The features include the sources of CA certificates.
PIP_DOWNLOAD_OPTIONS = frozenset(
    {
        *("index-url", "pypi-url", "extra-index-url", "no-index", "find-links", "keyring-provider"),
        *("proxy", "no-proxy-env", "cert", "client-cert", "trusted-host", "use-feature", "use-deprecated"),
        *("timeout", "default-timeout", "retries", "resume-retries", "cache-dir", "no-cache-dir"),
    }
)
# Options that would change the output of `pip config list`: the listed files, the log level, and the isolated mode.
_PIP_LISTING_OPTIONS = ("USER", "GLOBAL", "SITE", "QUIET", "VERBOSE", "ISOLATED")
# Recorded folder of scripts, relative to the folder of modules. pip then moves the scripts, which are not packaged.
_SCRIPTS = "../"
# Files that pip creates with different contents in each installation. The deployment package does not contain them.
DROPPED_FROM_PACKAGE = (
    *("bin", "**/__pycache__"),
    *(f"*.dist-info/{name}" for name in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")),
)


class PackagingError(RuntimeError):
    """Error for a failed build of a deployment package. Its message contains the cause and a remedy."""


def pip_install(requirements: Path, target: Path) -> None:
    """Install the packages of a requirements file for the platform of Lambda.

    Args:
        requirements: the requirements file, with versions and hashes.
        target: the folder that receives the packages.

    Raises:
        PackagingError: pip is missing or failed.
    """
    options = ("--quiet", "--disable-pip-version-check", "--no-input", *PIP_TARGET_OPTIONS, "--target", str(target))
    command = (sys.executable, "-m", "pip", "install", *options, "--requirement", str(requirements))
    _run_pip(command, pip_environment(os.environ), f"install {requirements} for Lambda")


def pip_environment(environ: Mapping[str, str], *, python: str = sys.executable) -> dict[str, str]:
    """Return environment variables with which pip reads no options but ``PIP_DOWNLOAD_OPTIONS``.

    Other options, such as ``user`` or ``constraint``, would change which packages pip installs, or where.

    Args:
        environ: the environment variables of the caller.
        python: the Python interpreter that runs pip.

    Raises:
        PackagingError: pip is missing, or cannot read its configuration files.
    """
    listing = {**environ, **{f"PIP_{name}": "0" for name in _PIP_LISTING_OPTIONS}}
    # The empty option overrides a configured interpreter, with which pip would run instead.
    listed = _run_pip((python, "-m", "pip", "--python=", "config", "list"), listing, "read its configuration")
    kept: dict[str, str] = {}
    for section in ("global", "install", ":env:"):  # The last section has the highest precedence.
        for name, value in re.findall(rf"^{section}\.([\w-]+)=(.+)$", listed, re.MULTILINE):
            if name in PIP_DOWNLOAD_OPTIONS:
                kept[f"PIP_{name.upper().replace('-', '_')}"] = ast.literal_eval(value)
    others = {name: value for name, value in environ.items() if not name.startswith("PIP_")}
    return {**others, **kept, "PIP_CONFIG_FILE": os.devnull}


def _run_pip(command: Sequence[str], environ: Mapping[str, str], action: str) -> str:
    """Run a pip command and return its output."""
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)  # noqa: S603 - constant arguments
    if done.returncode != 0:
        raise PackagingError(
            f"pip could not {action} (exit code {done.returncode}):\n"
            f"{done.stderr.strip()[-2000:]}\n"
            "The first build needs a package index: check the network, or set PIP_INDEX_URL to a mirror. "
            "Each package must have a pure-Python wheel. If a configuration file of pip is invalid, correct it, or set "
            f"PIP_CONFIG_FILE={os.devnull}. If pip is missing, run: pip install -r requirements.txt"
        )
    return done.stdout


def build_lambda_package(
    root: Path, cache: Path, function: str = INDEXER_CODE, *, install: Callable[[Path, Path], None] = pip_install
) -> Path:
    """Build the folder of a deployment package: the code of a function, the common code, and the required packages.

    The same inputs produce the same file names, modes and contents. Installed packages are cached by the hash of the
    requirements, so that only the first build needs a package index.

    Args:
        root: the folder that contains the folders of code.
        cache: the folder for finished builds, created if it does not exist.
        function: the folder with the code and the requirements of the function.
        install: function that installs a requirements file into a folder.

    Returns:
        The folder of the package, which later builds do not change.

    Raises:
        PackagingError: the requirements could not be installed, or a file could not be read or written.
    """
    sources = [root / function, root / COMMON_CODE]
    requirements = sources[0] / "requirements.txt"
    modules = sorted(module for source in sources for module in source.rglob("*.py"))
    packaged = {path for module in modules for path in (module, *module.parents)}

    def vendor(folder: Path) -> None:
        installed = folder / "installed"
        install(requirements, installed)
        check_installed(requirements, installed)
        dropped = frozenset(path for pattern in DROPPED_FROM_PACKAGE for path in installed.glob(pattern))
        _copy_folder(installed, folder, without=dropped)
        shutil.rmtree(installed)

    def assemble(folder: Path) -> None:
        _copy_folder(vendored, folder)
        for source in sources:
            others = frozenset(source.rglob("*")) - packaged
            _copy_folder(source, folder / source.name, without=others)

    try:
        vendored_key = _digest([requirements.read_bytes(), repr((PIP_TARGET_OPTIONS, DROPPED_FROM_PACKAGE)).encode()])
        vendored = build_once(cache, f"vendored-{vendored_key}", vendor)
        content = [part for module in modules for part in (os.fsencode(module.relative_to(root)), module.read_bytes())]
        package_key = _digest([vendored_key.encode(), *content])
        return build_once(cache, f"package-{package_key}", assemble)
    except OSError as error:
        raise PackagingError(
            f"the deployment package of {function} could not be built in {cache}: {error}. "
            "The folder must be writable, and its disk must have about 20 MB of free space"
        ) from error


def check_installed(requirements: Path, installed: Path) -> None:
    """Check that a folder contains exactly the pinned distributions, with all files that pip has recorded for them.

    Args:
        requirements: the requirements file, with versions.
        installed: the folder that contains the modules.

    Raises:
        PackagingError: a distribution or a file is missing, or a distribution is not pinned.
    """

    def normalized(name: str, version: str) -> str:
        return f"{re.sub('[-_.]+', '-', name).lower()} {version}"

    pins = re.findall(r"^([\w.-]+)==([^\s;\\]+)", requirements.read_text(encoding="utf-8"), re.MULTILINE)
    pinned = {normalized(name, version) for name, version in pins}
    found, files = set(), set()
    for folder in installed.glob("*.dist-info"):
        name, _, version = folder.name.removesuffix(".dist-info").partition("-")
        found.add(normalized(name, version))
        record = folder / "RECORD"
        lines = record.read_text(encoding="utf-8").splitlines() if record.exists() else ()
        files |= {record, *(installed / row[0] for row in csv.reader(lines) if not row[0].startswith(_SCRIPTS))}
    problems = [
        *(f"{name} is missing" for name in sorted(pinned - found)),
        *(f"{name} is not required" for name in sorted(found - pinned)),
        *(f"{file.relative_to(installed)} is missing" for file in sorted(files) if not file.is_file()),
    ]
    if problems:
        raise PackagingError(
            f"the installed packages differ from {requirements}: {', '.join(problems[:5])}. "
            "Check the package index and the configuration of pip (pip config list), or update pip"
        )


def build_lambda_archive(root: Path, cache: Path, function: str = INDEXER_CODE) -> tuple[Path, str]:
    """Build the zip file of a function's deployment package.

    The bytes of the file depend only on the files of the package, so the file is not compressed (docs/decisions.md).

    Args:
        root: the folder that contains the folders of code.
        cache: the folder for finished builds, created if it does not exist.
        function: the folder with the code and the requirements of the function.

    Returns:
        The path of the zip file, and its hash as Lambda's attribute `CodeSha256` contains it.

    Raises:
        PackagingError: the requirements could not be installed.
    """
    package = build_lambda_package(root, cache, function)

    def pack(unfinished: Path) -> None:
        with zipfile.ZipFile(unfinished / "function.zip", "w", zipfile.ZIP_STORED) as archive:
            for path in sorted(path for path in package.rglob("*") if path.is_file()):
                entry = zipfile.ZipInfo(path.relative_to(package).as_posix())  # its date is 1980-01-01
                entry.create_system = 3  # Unix; the default depends on the operating system
                entry.external_attr = (stat.S_IFREG | 0o644) << 16
                archive.writestr(entry, path.read_bytes())

    archive = build_once(cache, f"archive-{package.name}", pack) / "function.zip"
    return archive, base64.b64encode(hashlib.sha256(archive.read_bytes()).digest()).decode()


def _digest(parts: Sequence[bytes]) -> str:
    """Return a hash of the parts. Each part is hashed first, so that the boundaries between parts affect the result."""
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[:16]


def build_once(cache: Path, name: str, build: Callable[[Path], None]) -> Path:
    """Return a folder of a cache, and create it unless it exists with its complete, unchanged content.

    The name of the folder ends with a hash of its content. The folder is created atomically, so that concurrent
    processes never read an unfinished folder.

    Args:
        cache: the folder for finished builds, created if it does not exist.
        name: the name of the folder, without the hash.
        build: function that creates the content in an empty folder.
    """
    for folder in cache.glob(f"{name}-*"):
        if _is_unchanged(folder):
            return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".building-") as scratch:
        unfinished = Path(scratch) / "unfinished"
        unfinished.mkdir()
        unfinished.chmod(0o755)  # the mode that mkdir sets depends on the umask
        build(unfinished)
        folder = cache / f"{name}-{_content_hash(unfinished)}"
        if folder.exists() and not _is_unchanged(folder):
            folder.rename(Path(scratch) / "changed")
        try:
            unfinished.rename(folder)
        except OSError:
            # If the folder is complete now, another process has built the same package.
            if not _is_unchanged(folder):
                raise
    return folder


def _is_unchanged(folder: Path) -> bool:
    """Return whether the content of a folder in the cache has the hash with which the folder's name ends."""
    try:
        return folder.name.endswith(f"-{_content_hash(folder)}")
    except OSError:  # A file was deleted or cannot be read.
        return False


def _content_hash(folder: Path) -> str:
    """Return a hash of the names, modes and contents of all files and folders below a folder."""
    parts = []
    for path in sorted(folder.rglob("*")):
        mode, content = f"{path.stat().st_mode:o}", path.read_bytes() if path.is_file() else b""
        parts += [os.fsencode(path.relative_to(folder)), mode.encode(), content]
    return _digest(parts)


def _copy_folder(source: Path, target: Path, *, without: frozenset[Path] = frozenset()) -> None:
    """Copy a folder except for the paths in ``without``, and set fixed modes, which do not depend on the umask."""
    target.mkdir(exist_ok=True)
    target.chmod(0o755)
    for entry in sorted(set(source.iterdir()) - without):
        if entry.is_dir():
            _copy_folder(entry, target / entry.name, without=without)
        else:
            shutil.copyfile(entry, target / entry.name)
            (target / entry.name).chmod(0o644)


# == The stack ========================================================================================================


class DeployedFunction(NamedTuple):
    """A Lambda function with its role and its log group."""

    function: aws.lambda_.Function
    role: aws.iam.Role
    permissions: aws.iam.RolePolicy
    log_group: aws.cloudwatch.LogGroup


class Analytics(NamedTuple):
    """Resources of the configuration key `analytics`."""

    bucket: aws.s3.Bucket
    table: aws.glue.CatalogTable
    workgroup: aws.athena.Workgroup


class TapStack(pulumi.ComponentResource):
    """Pulumi component with all resources of TapStack.

    Each output of the stack is an attribute of type ``pulumi.Output[str]``; ``outputs`` contains all of them by name.
    """

    # Nested inputs that can be None use an Args class: Pulumi sends a None in a dictionary as null, and then each
    # deployment would show an update.

    def __init__(self, name: str, args: TapStackArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tap:index:TapStack", name, None, opts)
        self._name = name
        self._args = args
        invoke_options = pulumi.InvokeOptions(parent=self)
        self._account = aws.get_caller_identity(opts=invoke_options).account_id
        self._region = aws.get_region(opts=invoke_options).region
        self._partition = aws.get_partition(opts=invoke_options).partition
        self._names = make_names(args, project=pulumi.get_project(), account=self._account, region=self._region)
        self._tags = make_tags(args, project=pulumi.get_project())
        self._key = args.kms_key_arn
        self._place = {"partition": self._partition, "region": self._region, "account": self._account}
        _check_locations(args, **self._place)
        _check_sizes(args, self._names, **self._place)

        bucket, versioning = self._upload_bucket()
        analytics = self._analytics() if args.analytics else None
        inventory = self._access_logs({"uploads": bucket, **({"exports": analytics.bucket} if analytics else {})})
        table = self._table()
        self._autoscaling(table)
        queue, queue_permissions = self._failure_queue()
        arns = {"bucket_arn": bucket.arn, "table_arn": table.arn, "queue_arn": queue.arn}
        indexer, retries = self._indexer(arns, queue)
        notification = self._trigger(bucket, indexer.function, versioning, retries)
        targets = self._existing_buckets(indexer.function, queue, queue_permissions, retries)
        inspector, inspecting = self._inspector(arns, table, queue) if args.inspect_content else (None, None)
        others = (*targets, *inventory, *(analytics or ()))
        settings = self._settings(indexer.function, queue, inspecting, notification, *others)
        topic = self._alarms()
        self._dashboard()

        inherited = set(vars(self))
        self.bucket_name, self.bucket_arn = bucket.bucket, bucket.arn
        self.table_name, self.table_arn = table.name, table.arn
        self.lambda_function_name, self.lambda_function_arn = indexer.function.name, indexer.function.arn
        self.lambda_role_arn, self.log_group_name = indexer.role.arn, indexer.log_group.name
        if inspector:
            self.inspector_function_name = inspector.function.name
            self.inspector_log_group_name = inspector.log_group.name
        self.failure_queue_url = queue.url
        self.alarm_topic_arn = topic.arn
        self.settings_parameter = settings.name
        if self._partition in CONSOLE_DOMAINS:
            self.dashboard_url = pulumi.Output.from_input(self._dashboard_url())
        self.test_command = pulumi.Output.from_input(self._test_command())
        if analytics:
            self.export_bucket_name, self.glue_database_name = analytics.bucket.bucket, analytics.table.database_name
            self.athena_workgroup_name = analytics.workgroup.name
        self.outputs: dict[str, pulumi.Output[str]] = {n: v for n, v in vars(self).items() if n not in inherited}
        self.register_outputs(dict(self.outputs))

    def _child(
        self, purpose: str, *depends_on: pulumi.Resource, protect: bool | None = False, **options: Any
    ) -> dict[str, Any]:
        """Return the arguments that all children of this component have in common: the resource name and options."""
        opts = pulumi.ResourceOptions(parent=self, depends_on=list(depends_on), protect=protect, **options)
        return {"resource_name": f"{self._name}-{purpose}", "opts": opts}

    def _tagged(self, purpose: str, *depends_on: pulumi.Resource, **options: Any) -> dict[str, Any]:
        """Return the arguments that all children with tags have in common."""
        return {**self._child(purpose, *depends_on, **options), "tags": self._tags}

    def _bucket_part(self, bucket: aws.s3.Bucket, purpose: str, *depends_on: pulumi.Resource) -> dict[str, Any]:
        """Return the arguments that all resources with a setting of a bucket have in common."""
        return {**self._child(purpose, *depends_on), "bucket": bucket.bucket}

    # -- buckets ------------------------------------------------------------------------------------------------------

    def _upload_bucket(self) -> tuple[aws.s3.Bucket, aws.s3.BucketVersioning]:
        """Create the versioned upload bucket. Web pages of the configured origins may upload and read ETags."""
        days = {"noncurrent_days": self._args.noncurrent_days}
        expiry = _lifecycle_rule("expire-noncurrent-versions", noncurrent_version_expiration=days)
        bucket, _ = self._hardened_bucket("uploads", self._names.upload_bucket, expiry)
        aws.s3.BucketCorsConfiguration(
            **self._bucket_part(bucket, "uploads-cors"),
            cors_rules=[
                {
                    "allowed_headers": ["*"],  # the request headers of an upload depend on its signing method
                    "allowed_methods": list(CORS_METHODS),
                    "allowed_origins": list(self._args.cors_allowed_origins or ()),
                    "expose_headers": ["ETag"],
                    "max_age_seconds": CORS_MAX_AGE_SECONDS,
                }
            ],
        )
        part = self._bucket_part(bucket, "uploads-versioning")
        return bucket, aws.s3.BucketVersioning(**part, versioning_configuration={"status": VERSIONING})

    def _hardened_bucket(
        self,
        purpose: str,
        bucket_name: str,
        *expiry: aws.s3.BucketLifecycleConfigurationRuleArgs,
        log_policy: Callable[..., Document] | None = None,
    ) -> tuple[aws.s3.Bucket, aws.s3.BucketPolicy]:
        """Create a private, encrypted bucket without ACLs, with a policy and with lifecycle rules for expiry.

        ``log_policy`` returns the policy document of a bucket for logs, from the ARN of the bucket. The stack's KMS key
        encrypts other buckets, if there is one.
        """
        key_arn = None if log_policy else self._key
        policy = log_policy or partial(_data_bucket_policy, key_arn=key_arn)
        bucket = aws.s3.Bucket(
            **self._tagged(purpose, protect=self._args.protect_data),
            bucket=bucket_name,
            force_destroy=not self._args.protect_data,
        )
        part = partial(self._bucket_part, bucket)
        privacy = aws.s3.BucketPublicAccessBlock(
            **part(f"{purpose}-public-access"),
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
        )
        aws.s3.BucketOwnershipControls(**part(f"{purpose}-ownership"), rule={"object_ownership": "BucketOwnerEnforced"})
        default = aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
            sse_algorithm="aws:kms" if key_arn else "AES256", kms_master_key_id=key_arn
        )
        encryption = aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
            apply_server_side_encryption_by_default=default,
            bucket_key_enabled=True if key_arn else None,  # an S3 Bucket Key reduces the number of KMS requests
        )
        aws.s3.BucketServerSideEncryptionConfiguration(**part(f"{purpose}-encryption"), rules=[encryption])
        days = {"days_after_initiation": ABORT_MULTIPART_DAYS}
        rules = [_lifecycle_rule("abort-incomplete-uploads", abort_incomplete_multipart_upload=days), *expiry]
        aws.s3.BucketLifecycleConfiguration(**part(f"{purpose}-lifecycle"), rules=rules)
        document = _json(policy, bucket_arn=bucket.arn)
        # S3 rejects simultaneous changes of policy and public access settings with status 409.
        return bucket, aws.s3.BucketPolicy(**part(f"{purpose}-policy", privacy), policy=document)

    def _access_logs(self, buckets: Mapping[str, aws.s3.Bucket]) -> list[pulumi.Resource]:
        """Log every request to the buckets in a separate bucket, which also contains the inventories.

        The keys of ``buckets`` are the prefixes of the access logs. The method returns the resource that configures the
        inventory of the upload bucket, if there is one.
        """
        args, names = self._args, self._names
        expiry = [_lifecycle_rule("expire-access-logs", expiration={"days": ACCESS_LOG_DAYS})]
        if args.inventory:
            days = {"days": INVENTORY_DAYS}
            expiry.append(_lifecycle_rule("expire-inventories", prefix=f"{INVENTORY_PREFIX}/", expiration=days))
        logged = [names.upload_bucket, *([names.export_bucket] if args.analytics else [])]
        inventoried = [names.upload_bucket, *(each.name for each in args.existing_buckets)] if args.inventory else ()
        policy = partial(_log_bucket_policy, account=self._account, logged=logged, inventoried=inventoried)
        log_bucket, log_policy = self._hardened_bucket("logs", names.log_bucket, *expiry, log_policy=policy)
        for purpose, bucket in buckets.items():
            aws.s3.BucketLogging(
                **self._bucket_part(bucket, f"{purpose}-logging", log_policy),
                target_bucket=log_bucket.bucket,
                target_prefix=f"{purpose}/",
            )
        if not args.inventory:
            return []
        inventory = aws.s3.Inventory(
            **self._bucket_part(buckets["uploads"], "uploads-inventory", log_policy),
            name=names.prefix,
            destination={
                "bucket": {
                    "bucket_arn": log_bucket.arn,
                    "account_id": self._account,
                    "prefix": INVENTORY_PREFIX,
                    "format": "Parquet",
                    "encryption": {"sse_s3": {}},
                }
            },
            included_object_versions="All",
            optional_fields=list(INVENTORY_FIELDS),
            schedule={"frequency": "Daily"},
        )
        return [inventory]

    # -- analytics ----------------------------------------------------------------------------------------------------

    def _analytics(self) -> Analytics:
        """Create the bucket for table exports and Athena's results, the Glue table over an export, and the workgroup.

        The bucket has no versioning: DynamoDB and Athena overwrite no objects, and each export can be repeated.
        """
        names, args = self._names, self._args
        expiry = _lifecycle_rule("expire-exports-and-results", expiration={"days": args.export_retention_days})
        bucket, bucket_policy = self._hardened_bucket("exports", names.export_bucket, expiry)
        database = aws.glue.CatalogDatabase(
            **self._tagged("analytics-database"),
            name=names.glue_database,
            description=f"Exports of the table {names.table}",
        )
        table = aws.glue.CatalogTable(
            **self._child("exported-rows", ignore_changes=_EXPORT_PROPERTIES),
            name=EXPORTED_ROWS,
            database_name=database.name,
            description="Rows of the newest export, which the operators' tool export selects",
            table_type="EXTERNAL_TABLE",
            parameters={"EXTERNAL": "TRUE", "classification": "json"},
            storage_descriptor={
                "columns": [{"name": "item", "type": item_type()}],
                "location": pulumi.Output.format("s3://{0}/{1}", bucket.bucket, NO_EXPORT_PREFIX),
                "input_format": "org.apache.hadoop.mapred.TextInputFormat",
                "output_format": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
                "ser_de_info": {"serialization_library": "org.openx.data.jsonserde.JsonSerDe"},
            },
        )
        workgroup = aws.athena.Workgroup(
            **self._tagged("analytics", bucket_policy),
            name=names.athena_workgroup,
            description=f"SQL queries over exports of the table {names.table}",
            force_destroy=True,  # otherwise, AWS would not delete a workgroup with saved queries or a query history
            configuration={
                "enforce_workgroup_configuration": True,
                "publish_cloudwatch_metrics_enabled": True,
                "bytes_scanned_cutoff_per_query": (args.query_scan_limit_gb or 0) * 1024**3,
                "result_configuration": {
                    "output_location": pulumi.Output.format("s3://{0}/results/", bucket.bucket),
                    "expected_bucket_owner": self._account,
                    "encryption_configuration": {"encryption_option": "SSE_KMS", "kms_key_arn": self._key}
                    if self._key
                    else {"encryption_option": "SSE_S3"},
                },
            },
        )
        return Analytics(bucket, table, workgroup)

    # -- table --------------------------------------------------------------------------------------------------------

    def _table(self) -> aws.dynamodb.Table:
        args = self._args
        reads, writes = args.max_on_demand_reads, args.max_on_demand_writes
        maximum = {"max_read_request_units": reads, "max_write_request_units": writes}
        has_maximum = any(maximum.values())
        index_maximum = aws.dynamodb.TableGlobalSecondaryIndexOnDemandThroughputArgs(**maximum)
        index = aws.dynamodb.TableGlobalSecondaryIndexArgs(
            name=DAY_INDEX,
            key_schemas=[
                aws.dynamodb.TableGlobalSecondaryIndexKeySchemaArgs(attribute_name=name, key_type=key_type)
                for name, key_type in (("upload_day", "HASH"), ("uploaded_at", "RANGE"))
            ],
            projection_type=INDEX_PROJECTIONS[args.index_projection],
            read_capacity=args.read_capacity,
            write_capacity=args.write_capacity,
            on_demand_throughput=index_maximum if has_maximum else None,
        )
        return aws.dynamodb.Table(
            **self._tagged(
                "objects",
                protect=args.protect_data,
                # With auto scaling, a deployment must not reset the capacities that auto scaling has set.
                ignore_changes=_CAPACITY_PROPERTIES if args.max_capacity is not None else [],
                hooks=self._table_hooks(),
            ),
            name=self._names.table,
            billing_mode=BILLING_MODES[args.billing],
            table_class=TABLE_CLASSES[args.table_class],
            hash_key="object_id",
            range_key="version_id",
            read_capacity=args.read_capacity,
            write_capacity=args.write_capacity,
            on_demand_throughput=aws.dynamodb.TableOnDemandThroughputArgs(**maximum) if has_maximum else None,
            attributes=[
                {"name": name, "type": "S"} for name in ("object_id", "version_id", "upload_day", "uploaded_at")
            ],
            global_secondary_indexes=[index],
            server_side_encryption=aws.dynamodb.TableServerSideEncryptionArgs(enabled=True, kms_key_arn=self._key),
            point_in_time_recovery={"enabled": True},
            ttl={"attribute_name": EXPIRY_ATTRIBUTE, "enabled": True},
            stream_enabled=args.inspect_content or None,
            stream_view_type=STREAM_VIEW if args.inspect_content else None,
            deletion_protection_enabled=args.protect_data,
        )

    def _table_hooks(self) -> pulumi.ResourceHookBinding:
        """Return a hook that makes preview and update fail before a change that `check_table_change` rejects."""

        def check(change: pulumi.ResourceHookArgs) -> None:
            check_table_change(change.old_inputs or {}, change.new_inputs or {}, max_capacity=self._args.max_capacity)

        name, options = f"{self._name}-table-change", pulumi.ResourceHookOptions(on_dry_run=True)
        return pulumi.ResourceHookBinding(before_update=[pulumi.ResourceHook(name, check, options)])

    def _autoscaling(self, table: aws.dynamodb.Table) -> None:
        """Configure auto scaling of the read and write capacity of the table and of its index."""
        if self._args.max_capacity is None:
            return
        parts = (("table", ""), ("index", f"/index/{DAY_INDEX}"))
        minimums = (("Read", self._args.read_capacity), ("Write", self._args.write_capacity))
        for (kind, path), (units, minimum) in product(parts, minimums):
            purpose, metric = f"{kind}-{units.lower()}-scaling", f"DynamoDB{units}CapacityUtilization"
            target = aws.appautoscaling.Target(
                **self._tagged(purpose),
                service_namespace="dynamodb",
                resource_id=pulumi.Output.concat("table/", table.name, path),
                scalable_dimension=f"dynamodb:{kind}:{units}CapacityUnits",
                min_capacity=minimum,
                max_capacity=self._args.max_capacity,
            )
            aws.appautoscaling.Policy(
                **self._child(f"{purpose}-policy"),
                name=f"{self._names.prefix}-{purpose}",
                policy_type="TargetTrackingScaling",
                service_namespace=target.service_namespace,
                resource_id=target.resource_id,
                scalable_dimension=target.scalable_dimension,
                target_tracking_scaling_policy_configuration={
                    "predefined_metric_specification": {"predefined_metric_type": metric},
                    "target_value": AUTOSCALING_TARGET_PERCENT,
                },
            )

    # -- functions ----------------------------------------------------------------------------------------------------

    def _failure_queue(self) -> tuple[aws.sqs.Queue, aws.sqs.QueuePolicy]:
        queue = aws.sqs.Queue(
            **self._tagged("failures"),
            name=self._names.failure_queue,
            message_retention_seconds=FAILURE_RETENTION_SECONDS,
            # SQS allows either encryption with its own keys or a KMS key, not both.
            sqs_managed_sse_enabled=True if self._key is None else None,
            kms_master_key_id=self._key,
        )
        rules = [self._names.rule(bucket) for bucket in self._args.existing_buckets]
        rule_arns = [f"arn:{self._partition}:events:{self._region}:{self._account}:rule/{rule}" for rule in rules]
        document = _json(partial(_queue_policy, rule_arns=rule_arns), queue_arn=queue.arn)
        return queue, aws.sqs.QueuePolicy(**self._child("failures-policy"), queue_url=queue.url, policy=document)

    def _indexer(
        self, arns: Mapping[str, pulumi.Input[str]], queue: aws.sqs.Queue
    ) -> tuple[DeployedFunction, aws.lambda_.FunctionEventInvokeConfig]:
        """Create the indexer, and configure its retries. ``arns`` are keyword arguments of `indexer_policy`."""
        args, names = self._args, self._names
        indexer = self._function(
            "indexer",
            code=INDEXER_CODE,
            package=args.lambda_package,
            role=(names.role, "Permissions of the Lambda function that indexes uploads"),
            policy=("index-uploads", indexer_policy, arns),
            log_group_name=names.log_group,
            queries=SAVED_QUERIES,
            name=names.function,
            description="Writes a metadata row for each object version in the upload bucket",
            environment={"variables": _indexer_environment(args, names)},
            memory_size=args.memory_mb,
            timeout=args.timeout_seconds,
            reserved_concurrent_executions=args.reserved_concurrency,
        )
        return indexer, aws.lambda_.FunctionEventInvokeConfig(
            **self._child("indexer-retries", indexer.permissions),
            function_name=indexer.function.name,
            maximum_retry_attempts=ASYNC_RETRIES,
            maximum_event_age_in_seconds=ASYNC_EVENT_AGE_SECONDS,
            destination_config={"on_failure": {"destination": queue.arn}},
        )

    def _inspector(
        self, arns: Mapping[str, pulumi.Input[str]], table: aws.dynamodb.Table, queue: aws.sqs.Queue
    ) -> tuple[DeployedFunction, dict[str, pulumi.Output[str]]]:
        """Create the inspector, which Lambda invokes with new rows. ``arns`` are keyword arguments of its policy.

        The second result is the part of the settings document about the inspector.
        """
        names = self._names
        inspector = self._function(
            "inspector",
            code=INSPECTOR_CODE,
            package=self._args.inspector_package,
            role=(names.inspector_role, "Permissions of the Lambda function that inspects the content of objects"),
            policy=(INSPECTOR_POLICY, inspector_policy, {**arns, "stream_arn": table.stream_arn}),
            log_group_name=names.inspector_log_group,
            queries=INSPECTOR_QUERIES,
            name=names.inspector,
            description="Adds facts about the content of each object to its row",
            environment={"variables": _environment(self._args, names)},
            memory_size=INSPECTOR_MEMORY_MIB,
            timeout=INSPECTOR_TIMEOUT_SECONDS,
        )
        mapping = aws.lambda_.EventSourceMapping(
            **self._tagged("inspector-stream", inspector.permissions),
            event_source_arn=table.stream_arn,
            function_name=inspector.function.arn,
            starting_position="TRIM_HORIZON",
            batch_size=STREAM_BATCH_ROWS,
            parallelization_factor=STREAM_PARALLEL_BATCHES,
            maximum_retry_attempts=STREAM_RETRIES,
            maximum_record_age_in_seconds=STREAM_AGE_SECONDS,
            bisect_batch_on_function_error=True,
            function_response_types=["ReportBatchItemFailures"],
            destination_config={"on_failure": {"destination_arn": queue.arn}},
            filter_criteria={"filters": [{"pattern": _compact(each)} for each in STREAM_FILTERS]}
            if self._args.inspector_filter
            else None,
        )
        return inspector, {"function": inspector.function.arn, "event_source_mapping": mapping.uuid}

    def _function(
        self,
        purpose: str,
        *,
        code: str,
        package: pulumi.Archive | None,
        role: tuple[str, str],
        policy: tuple[str, Callable[..., Document], Mapping[str, pulumi.Input[str]]],
        log_group_name: str,
        queries: Mapping[str, str],
        **settings: Any,
    ) -> DeployedFunction:
        """Create a Lambda function, its log group with saved queries, and its role with an inline policy.

        ``code`` is the folder from which the package is built unless ``package`` is given. ``role`` has a name and a
        description. ``policy`` has a name, the function that returns the policy, and arguments of this function.
        ``settings`` are the inputs of the Lambda function that the functions of the stack do not have in common.
        """
        log_group = aws.cloudwatch.LogGroup(
            **self._tagged(f"{purpose}-logs"),
            name=log_group_name,
            retention_in_days=self._args.log_retention_days,
            kms_key_id=self._key,
        )
        role_name, role_description = role
        lambda_role = aws.iam.Role(
            **self._tagged(f"{purpose}-role"),
            name=role_name,
            description=role_description,
            assume_role_policy=json.dumps(_trust_policy(account=self._account)),
            permissions_boundary=self._args.permissions_boundary,
        )
        policy_name, build, arns = policy
        build = partial(build, existing_buckets=self._args.existing_buckets)
        permissions = aws.iam.RolePolicy(
            **self._child(f"{purpose}-policy"),
            name=policy_name,
            role=lambda_role.name,
            policy=_json(build, log_group_arn=log_group.arn, key_arn=self._key, **arns),
        )
        code_sha256 = None
        if package is None:
            path, code_sha256 = build_lambda_archive(_ROOT, _ROOT / ".cache" / "lambda", code)
            package = pulumi.FileArchive(str(path))
        function = aws.lambda_.Function(
            **self._tagged(purpose, permissions, log_group),
            runtime=RUNTIME,
            architectures=[self._args.architecture],
            handler=f"{code}.{HANDLER}",
            code=package,
            # With this hash, `pulumi up --refresh` detects and replaces code that was deployed without Pulumi.
            code_sha256=code_sha256,
            role=lambda_role.arn,
            tracing_config={"mode": "Active"},
            logging_config={
                "log_format": "JSON",
                "log_group": log_group.name,
                # Metrics are log lines without a level, which Lambda treats as INFO. With a level above INFO, Lambda
                # would drop the metrics, so the function applies logLevel itself.
                "application_log_level": "DEBUG" if self._args.log_level == "DEBUG" else "INFO",
            },
            **settings,
        )
        for query_name, query in queries.items() if self._args.saved_queries else ():
            aws.cloudwatch.QueryDefinition(
                **self._child(f"query-{query_name}"),
                # The CloudWatch console shows the part of a query name before the slash as a folder.
                name=f"{self._names.prefix}/{query_name}",
                query_string=query,
                log_group_names=[log_group.name],
            )
        return DeployedFunction(function=function, role=lambda_role, permissions=permissions, log_group=log_group)

    def _trigger(
        self, bucket: aws.s3.Bucket, function: aws.lambda_.Function, *depends_on: pulumi.Resource
    ) -> aws.s3.BucketNotification:
        """Let S3 invoke the indexer."""
        permission = aws.lambda_.Permission(
            **self._child("s3-permission"),
            statement_id="AllowUploadBucket",
            action="lambda:InvokeFunction",
            function=function.name,
            principal="s3.amazonaws.com",
            source_arn=bucket.arn,
            source_account=self._account,  # another account could reuse the name of a deleted bucket
        )
        return aws.s3.BucketNotification(
            # Three resources must exist before the notification. S3 rejects a notification without the permission to
            # invoke the indexer. Without versioning, the first events would have no version ID. Without the on-failure
            # destination, failed events would be lost.
            **self._bucket_part(bucket, "uploads-notification", permission, *depends_on),
            lambda_functions=[
                aws.s3.BucketNotificationLambdaFunctionArgs(
                    id="index-uploads",
                    lambda_function_arn=function.arn,
                    events=list(EVENTS),
                    filter_prefix=encode_filter(self._args.notification_prefix) or None,
                    filter_suffix=encode_filter(self._args.notification_suffix) or None,
                )
            ],
            eventbridge=self._args.event_bridge or None,
        )

    def _existing_buckets(
        self, function: aws.lambda_.Function, queue: aws.sqs.Queue, *depends_on: pulumi.Resource
    ) -> list[aws.cloudwatch.EventTarget]:
        """Let EventBridge invoke the indexer for events of existing buckets, without a change of these buckets."""
        targets = []
        for bucket in self._args.existing_buckets:
            purpose = f"existing-{bucket.name}"
            rule = aws.cloudwatch.EventRule(
                **self._tagged(f"{purpose}-rule"),
                name=self._names.rule(bucket),
                description=f"Events of the bucket {bucket.name} for {self._names.function}",
                event_pattern=_event_pattern(bucket),
            )
            permission = aws.lambda_.Permission(
                **self._child(f"{purpose}-permission"),
                # A statement ID must not contain dots.
                statement_id=f"AllowRuleFor_{bucket.name.replace('.', '_')}",
                action="lambda:InvokeFunction",
                function=function.name,
                principal="events.amazonaws.com",
                source_arn=rule.arn,
            )
            target = aws.cloudwatch.EventTarget(
                # Without the permissions and the indexer's retries, the first events could be lost.
                **self._child(f"{purpose}-target", permission, *depends_on),
                rule=rule.name,
                target_id="indexer",
                arn=function.arn,
                retry_policy={
                    "maximum_event_age_in_seconds": ASYNC_EVENT_AGE_SECONDS,
                    "maximum_retry_attempts": DELIVERY_RETRIES,
                },
                dead_letter_config={"arn": queue.arn},
            )
            targets.append(target)
        return targets

    def _settings(
        self,
        function: aws.lambda_.Function,
        queue: aws.sqs.Queue,
        inspector: dict[str, pulumi.Output[str]] | None,
        *triggers: pulumi.Resource,
    ) -> aws.ssm.Parameter:
        """Write the settings document for the operators' tool `audit`, after the settings that it contains."""
        values = pulumi.Output.all(
            function_arn=function.arn,
            code_sha256=function.code_sha256,
            failure_queue_arn=queue.arn,
            inspector=inspector,
        )
        document = values.apply(lambda known: _compact(settings_document(self._args, self._names, **known)))
        return aws.ssm.Parameter(
            **self._tagged("settings", *triggers),
            name=self._names.settings,
            description="Settings that the operators' tool audit compares with AWS",
            type="String",
            tier="Standard",  # parameters of other tiers cost money
            insecure_value=document,  # the document contains no secret, so a preview may show it
        )

    # -- alarms -------------------------------------------------------------------------------------------------------

    def _alarms(self) -> aws.sns.Topic:
        """Create the alarms and the topic that they notify."""
        topic = aws.sns.Topic(
            **self._tagged("alarms"),
            name=self._names.alarm_topic,
            # The AWS managed key alias/aws/sns must not be used: its key policy does not allow CloudWatch to publish,
            # and alarms would be lost without an error.
            kms_master_key_id=self._key,
        )
        document = _json(partial(_topic_policy, **self._place), topic_arn=topic.arn)
        aws.sns.TopicPolicy(**self._child("alarms-policy"), arn=topic.arn, policy=document)
        if self._args.alarm_email is not None:
            # The email address is personal data, so it is always encrypted in the Pulumi state.
            endpoint = pulumi.Output.secret(self._args.alarm_email)
            aws.sns.TopicSubscription(
                **self._child("alarms-email"), topic=topic.arn, protocol="email", endpoint=endpoint
            )
        for alarm in make_alarms(self._names, self._args, region=self._region):
            is_percentile = alarm.statistic.startswith("p")
            aws.cloudwatch.MetricAlarm(
                **self._tagged(alarm.purpose),
                name=self._names.alarm(alarm.purpose),
                alarm_description=alarm.description,
                namespace=alarm.namespace,
                metric_name=alarm.metric,
                dimensions=dict(alarm.dimensions),
                statistic=None if is_percentile else alarm.statistic,
                extended_statistic=alarm.statistic if is_percentile else None,
                comparison_operator="LessThanThreshold" if alarm.expects_data else "GreaterThanThreshold",
                threshold=alarm.threshold,
                period=alarm.period_seconds,
                evaluation_periods=alarm.periods,
                # Without uploads, most metrics have no data.
                treat_missing_data="breaching" if alarm.expects_data else "notBreaching",
                alarm_actions=[topic.arn],
                ok_actions=[topic.arn],
            )
        return topic

    def _dashboard(self) -> None:
        body = json.dumps(_dashboard_body(self._names, self._args, region=self._region))
        aws.cloudwatch.Dashboard(**self._child("dashboard"), dashboard_name=self._names.dashboard, dashboard_body=body)

    # -- outputs ------------------------------------------------------------------------------------------------------

    def _dashboard_url(self) -> str:
        return (
            f"https://{self._region}.{CONSOLE_DOMAINS[self._partition]}/cloudwatch/home?region={self._region}"
            f"#dashboards/dashboard/{self._names.dashboard}"
        )

    def _test_command(self) -> str:
        """Return a shell command that uploads a file and queries its row."""
        key = f"{self._args.notification_prefix}hello{self._args.notification_suffix or '.txt'}"
        object_id = json.dumps({":id": {"S": f"{self._names.upload_bucket}/{key}"}})
        upload = f"s3://{self._names.upload_bucket}/{key}"
        return (
            f"echo hello | aws s3 cp - {shlex.quote(upload)} --region {self._region} && sleep 5 && "
            f"aws dynamodb query --table-name {self._names.table} --region {self._region} "
            f"--key-condition-expression 'object_id = :id' --expression-attribute-values {shlex.quote(object_id)}"
        )


def _lifecycle_rule(rule_id: str, *, prefix: str = "", **action: Any) -> aws.s3.BucketLifecycleConfigurationRuleArgs:
    """Return a lifecycle rule for the objects with a prefix; ``action`` is one expiration or abort argument."""
    objects = aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=prefix)
    return aws.s3.BucketLifecycleConfigurationRuleArgs(id=rule_id, status="Enabled", filter=objects, **action)


_ROOT = Path(__file__).resolve().parent
_UNITS = ("readCapacity", "writeCapacity")
_CAPACITY_PROPERTIES = (*_UNITS, *(f"globalSecondaryIndexes[0].{name}" for name in _UNITS))
# The operators' tool `export` changes these properties of the Glue table, so the program ignores their changes.
_EXPORT_PROPERTIES = ("storageDescriptor.location", "parameters.export_arn", "parameters.export_time")


# == Alarms, dashboard and saved queries ==============================================================================


@dataclass(frozen=True)
class Alarm:
    """CloudWatch alarm that fires if a metric statistic exceeds the threshold in each of ``periods`` periods.

    If ``expects_data`` is true, the alarm fires if the statistic is below the threshold, or if there is no data.
    """

    purpose: str  # last part of the alarm name, such as function-errors
    namespace: str
    metric: str
    dimensions: Mapping[str, str]
    # Valid statistics are Sum, Maximum, SampleCount, and percentiles such as p90. By default, CloudWatch also evaluates
    # a percentile of few values. With less than 100 values, p99 is close to the maximum.
    statistic: str = "Sum"
    threshold: float = 0  # threshold in the unit of the metric: a count or milliseconds
    periods: int = 1
    period_seconds: int = 60
    expects_data: bool = False
    description: str = ""

    @property
    def chapter(self) -> str:
        """Heading of the runbook's chapter about the alarm."""
        return "undelivered" if self.purpose.startswith("undelivered-") else self.purpose


_FAILED_RECORDS = """\
fields @timestamp, reason, key, version_id, error, request_id, xray_trace_id
| filter outcome = "failed"
| sort @timestamp desc
| limit 1000"""
# Maps the last part of a query name to a CloudWatch Logs Insights query of the indexer's log. The time range of a query
# is selected in the console. docs/runbook.md explains when to use each query.
SAVED_QUERIES: Mapping[str, str] = {
    "what-failed": _FAILED_RECORDS,
    "one-object": """\
fields @timestamp, outcome, event_name, version_id, reason, error, request_id
| filter key = "the/key/of/the/object"
| sort @timestamp asc
| limit 1000""",
    "slowest-records": """\
fields @timestamp, duration_ms, head_ms, write_ms, attempts, outcome, key, request_id, xray_trace_id
| filter ispresent(outcome)
| sort duration_ms desc
| limit 50""",
    "failures-by-reason": """\
filter outcome = "failed"
| stats count(*) as failures by bin(1h), reason""",
    "retries-and-throttling": """\
filter retries > 0 or reason = "throttled"
| stats count(*) as records, sum(retries) as calls_again, max(attempts) as most_calls by bin(5m), outcome, reason""",
}
# Saved queries for the inspector's log, by purpose.
INSPECTOR_QUERIES: Mapping[str, str] = {
    "inspection-failures": _FAILED_RECORDS,
    "type-mismatches": """\
fields @timestamp, bucket, key, version_id, type, request_id
| filter mismatch = 1
| sort @timestamp desc
| limit 1000""",
}


def make_alarms(names: Names, args: TapStackArgs, *, region: str) -> list[Alarm]:
    """Return all alarms of the stack. docs/runbook.md describes the response to each.

    Args:
        names: the resource names, which are metric dimensions.
        args: the configuration, from which some thresholds are calculated.
        region: the AWS region of the commands in the descriptions.
    """
    own, lambda_, dynamodb = METRICS_NAMESPACE, "AWS/Lambda", "AWS/DynamoDB"
    service = {"service": names.prefix}
    function, inspector = {"FunctionName": names.function}, {"FunctionName": names.inspector}
    queue, table = {"QueueName": names.failure_queue}, {"TableName": names.table}
    index = {**table, "GlobalSecondaryIndexName": DAY_INDEX}
    write_units = args.max_capacity or args.write_capacity

    def function_alarms(part: str, dimensions: Mapping[str, str], timeout: int) -> list[Alarm]:
        duration = timeout * 1000 * DURATION_ALARM_FRACTION
        return [
            Alarm(f"{part}-errors", lambda_, "Errors", dimensions),
            Alarm(f"{part}-throttles", lambda_, "Throttles", dimensions),
            Alarm(f"{part}-duration", lambda_, "Duration", dimensions, "p90", duration, periods=LONG_ALARM_MINUTES),
        ]

    alarms = [
        *function_alarms("function", function, args.timeout_seconds),
        Alarm("events-dropped", lambda_, "AsyncEventsDropped", function),
        Alarm("failure-delivery", lambda_, "DestinationDeliveryFailures", function),
        Alarm("failure-queue", "AWS/SQS", "ApproximateNumberOfMessagesVisible", queue, "Maximum"),
        *(Alarm(f"failed-{reason}", own, "ObjectsFailed", {**service, "reason": reason}) for reason in FAILURE_REASONS),
    ]
    for part, dimensions in (("table", table), ("index", index)):
        alarms += [
            Alarm(f"{part}-read-throttles", dynamodb, "ReadThrottleEvents", dimensions),
            Alarm(f"{part}-write-throttles", dynamodb, "WriteThrottleEvents", dimensions),
        ]
        if write_units is not None:  # None with on-demand billing
            threshold = write_units * 60 * CAPACITY_ALARM_FRACTION  # write capacity units per minute
            metric, periods = "ConsumedWriteCapacityUnits", LONG_ALARM_MINUTES
            alarms.append(Alarm(f"{part}-write-capacity", dynamodb, metric, dimensions, "Sum", threshold, periods))
    # CloudWatch has the metric SystemErrors only with the dimension Operation, so each operation has an alarm.
    alarms += [
        Alarm(f"table-errors-{operation.lower()}", dynamodb, "SystemErrors", {**table, "Operation": operation})
        for operation in OPERATION_CALLERS
    ]
    delay, age = args.max_delay_seconds * 1000, EVENT_AGE_ALARM_MINUTES * 60 * 1000  # milliseconds
    alarms += [
        Alarm("indexing-delay", own, "IndexingDelay", service, "p99", delay, period_seconds=DELAY_ALARM_MINUTES * 60),
        Alarm("event-age", lambda_, "AsyncEventAge", function, "Maximum", age),
    ]
    scans = {**table, "Operation": "Scan"}
    for purpose, hours, source in (
        ("no-uploads", args.expect_upload_every_hours, (own, "IndexingDelay", service)),
        ("no-audit", args.expect_audit_every_hours, (dynamodb, "SuccessfulRequestLatency", scans)),
    ):
        if hours is not None:
            # CloudWatch also evaluates a few periods before the evaluation periods, so the alarm fires a few periods
            # late (CloudWatch User Guide, "Configuring how CloudWatch alarms treat missing data"): periods are short.
            seconds = SHORT_PERIOD_SECONDS if hours <= SHORT_PERIODS_MAX_HOURS else HOUR_SECONDS
            periods = hours * HOUR_SECONDS // seconds
            alarms.append(Alarm(purpose, *source, "SampleCount", 1, periods, seconds, expects_data=True))
    if args.inspect_content:
        age = ITERATOR_AGE_ALARM_HOURS * HOUR_SECONDS * 1000
        alarms += [
            *function_alarms("inspector", inspector, INSPECTOR_TIMEOUT_SECONDS),
            Alarm("inspector-failure-delivery", lambda_, "DestinationDeliveryFailures", inspector),
            Alarm("inspector-iterator-age", lambda_, "IteratorAge", inspector, "Maximum", age),
        ]
    if args.alarm_on_mismatch:
        alarms.append(Alarm("type-mismatch", own, "TypeMismatch", service))
    alarms += [
        Alarm(f"undelivered-{bucket.name}", "AWS/Events", "FailedInvocations", {"RuleName": names.rule(bucket)})
        for bucket in args.existing_buckets
    ]
    causes, commands = _alarm_causes(args), _first_commands(names, args, region=region)
    return [
        replace(
            alarm,
            # The CloudWatch console shows Markdown: the indented line is a code block.
            description=f"{causes[alarm.purpose]}\n\nFirst run:\n\n"
            f"    {commands.get(alarm.purpose) or _metric_command(alarm, region=region)}\n\n"
            f"Runbook: {args.runbook_url or RUNBOOK}#{alarm.chapter}",
        )
        for alarm in alarms
    ]


def _alarm_causes(args: TapStackArgs) -> dict[str, str]:
    """Return the first sentences of each alarm description: what happened, by the purpose of the alarm."""
    hours, days = ASYNC_EVENT_AGE_SECONDS // 3600, FAILURE_RETENTION_SECONDS // (24 * 3600)
    stream_hours = STREAM_AGE_SECONDS // 3600
    slow = (
        f"For {LONG_ALARM_MINUTES} minutes, at least 10% of the invocations of {{}} took over "
        f"{DURATION_ALARM_FRACTION:.0%} of the timeout of {{}} s."
    )
    causes = {
        "function-errors": "The indexer failed, so at least one upload or deletion is not indexed yet. Lambda retries "
        f"the event {ASYNC_RETRIES} times.",
        "function-throttles": f"Lambda had no free concurrency for the indexer. Events wait for up to {hours} hours. "
        "If the reserved concurrency is 0, they go to the failure queue at once.",
        "function-duration": slow.format("the indexer", args.timeout_seconds),
        "events-dropped": f"Lambda dropped events that were older than {hours} hours or had failed {ASYNC_RETRIES + 1} "
        "times, or because the reserved concurrency is 0. The events are lost unless Lambda sent them to the failure "
        "queue.",
        "failure-delivery": "Lambda could not send a failed event to the failure queue, so the event is lost.",
        "failure-queue": "The failure queue contains events of uploads or deletions that the indexer could not process"
        + (", or messages about rows that the inspector could not process" if args.inspect_content else "")
        + f". SQS keeps each message for {days} days. Run the command in the project folder, after the setup in the "
        "runbook's chapter the-tools.",
        "inspector-errors": "The inspector failed, so the rows of at least one batch have no facts about their content "
        f"yet. Lambda retries each batch {STREAM_RETRIES} times.",
        "inspector-throttles": "Lambda had no free concurrency for the inspector. Rows wait in the table's stream for "
        f"up to {stream_hours} hours, and then go to the failure queue.",
        "inspector-duration": slow.format("the inspector", INSPECTOR_TIMEOUT_SECONDS),
        "inspector-failure-delivery": "Lambda could not send a message about failed rows to the failure queue, so no "
        "message reports which rows lack facts about their content.",
        "inspector-iterator-age": "The inspector received rows over "
        f"{ITERATOR_AGE_ALARM_HOURS} hour after they were written. After {stream_hours} hours, Lambda sends rows to "
        "the failure queue without an inspection.",
        "type-mismatch": "The content of an object is of another kind than its declared type or its extension, for "
        "example a program with the extension .jpg.",
        "indexing-delay": f"Of the uploads within {DELAY_ALARM_MINUTES} minutes, over 1% were indexed more than "
        f"{args.max_delay_seconds} s after the upload.",
        "event-age": f"An event waited for over {EVENT_AGE_ALARM_MINUTES} minutes until Lambda invoked the indexer. "
        f"Lambda discards an event after {hours} hours.",
        "no-uploads": f"For {args.expect_upload_every_hours} hours, no upload was indexed: there was no upload, S3 "
        "sends no events to the indexer, or every event fails.",
        "no-audit": f"For {args.expect_audit_every_hours} hours, no audit scanned the table: the scheduled audit "
        "does not run, or it fails before it reads the table.",
        **{f"failed-{reason}": cause for reason, cause in FAILURE_REASONS.items()},
    }
    units = f"{args.max_capacity or args.write_capacity} units"
    limit = f"its {'' if args.max_capacity is None else 'maximum '}write capacity of {units}"
    maximums = {"read": args.max_on_demand_reads, "write": args.max_on_demand_writes}
    for part, title in (("table", "the table"), ("index", f"the index {DAY_INDEX}")):
        for access, callers in (("read", "The indexer reads no rows"), ("write", "The indexer retries its writes")):
            causes[f"{part}-{access}-throttles"] = (
                f"DynamoDB throttled {access}s of {title}, because "
                f"{_throttling_cause(args, access, maximums[access])}. {callers}."
            )
        causes[f"{part}-write-capacity"] = (
            f"For {LONG_ALARM_MINUTES} minutes, {title} used over {CAPACITY_ALARM_FRACTION:.0%} of {limit}. At 100%, "
            "DynamoDB throttles writes."
        )
    for bucket in args.existing_buckets:
        causes[f"undelivered-{bucket.name}"] = (
            f"EventBridge could not deliver an event of the bucket {bucket.name} to the indexer. The failure queue "
            "contains the event. In most cases, the rule lacks the permission to invoke the indexer."
        )
    for operation, callers in OPERATION_CALLERS.items():
        causes[f"table-errors-{operation.lower()}"] = f"DynamoDB returned server errors for {operation}. {callers}"
    return causes


def _throttling_cause(args: TapStackArgs, access: str, maximum: int | None) -> str:
    """Return the reason for which DynamoDB throttles reads or writes, for the description of an alarm."""
    if args.billing == PROVISIONED:
        return f"its provisioned {access} capacity was used up"
    if maximum is not None:
        return f"they exceeded the configured maximum of {maximum} units per second, or the limit of a partition"
    # Source: DynamoDB Developer Guide, "DynamoDB on-demand capacity mode", initial throughput and scaling properties.
    return "they exceeded the limit of a partition or a quota, or doubled their previous peak within 30 minutes"


def _first_commands(names: Names, args: TapStackArgs, *, region: str) -> dict[str, str]:
    """Return the first command of a runbook chapter by alarm purpose, all read-only; by default, `_metric_command`."""
    function = f"--region {region} --function-name {names.function}"

    def log(condition: str, log_group: str = names.log_group) -> str:
        return (
            f"aws logs filter-log-events --region {region} --log-group-name {log_group} "
            f"--start-time $(( ($(date +%s) - 3600) * 1000 )) --filter-pattern '{{ $.{condition} }}' "
            "--query 'events[].[message]' --output text"
        )

    return {
        "function-errors": log('outcome = "failed"'),
        "function-throttles": f"aws lambda get-function-concurrency {function}",
        "function-duration": log(f"duration_ms > {args.timeout_seconds * 500}"),  # half of the timeout
        "events-dropped": f"aws lambda get-function-event-invoke-config {function}",
        "failure-delivery": f"aws sqs get-queue-url --region {region} --queue-name {names.failure_queue}",
        "failure-queue": f"AWS_REGION={region} tapstack redrive --function {names.function}",
        **{f"failed-{reason}": log(f'reason = "{reason}"') for reason in FAILURE_REASONS},
        "indexing-delay": log(f"indexing_delay_ms > {args.max_delay_seconds * 1000}"),
        "no-uploads": f"aws s3api get-bucket-notification-configuration --region {region} "
        f"--bucket {names.upload_bucket}",
        # Lambda writes a report about each invocation into the log (Lambda Developer Guide, "Lambda Telemetry API").
        "inspector-errors": log('record.status != "success"', names.inspector_log_group),
        "inspector-throttles": f"aws lambda get-account-settings --region {region}",
        "inspector-duration": log(f"duration_ms > {INSPECTOR_TIMEOUT_SECONDS * 100}", names.inspector_log_group),
        "inspector-failure-delivery": f"aws iam get-role-policy --region {region} "
        f"--role-name {names.inspector_role} --policy-name {INSPECTOR_POLICY}",
        "type-mismatch": log("mismatch IS TRUE", names.inspector_log_group),
    }


def _metric_command(alarm: Alarm, *, region: str) -> str:
    """Return a shell command that prints the alarm's statistic: 60 periods, or each hour of the longest evaluation."""
    seconds, periods = (HOUR_SECONDS, EXPECTED_EVERY_HOURS[-1]) if alarm.expects_data else (alarm.period_seconds, 60)
    dimensions = " ".join(f"Name={name},Value={value}" for name, value in alarm.dimensions.items())
    return (
        f"aws cloudwatch get-metric-statistics --region {region} --namespace {alarm.namespace} "
        f"--metric-name {alarm.metric} --dimensions {dimensions} --statistics {alarm.statistic} "
        f"--period {seconds} --start-time $(( $(date +%s) - {periods * seconds} )) --end-time $(date +%s) "
        f"--query 'sort_by(Datapoints, &Timestamp)[].[Timestamp, {alarm.statistic}]' --output text"
    )


def _dashboard_body(names: Names, args: TapStackArgs, *, region: str) -> Document:
    """Return the body of the CloudWatch dashboard."""
    own, lambda_ = partial(_metrics, METRICS_NAMESPACE), partial(_metrics, "AWS/Lambda")
    service, queue, table = ("service", names.prefix), ("QueueName", names.failure_queue), ("TableName", names.table)
    function, inspector = ("FunctionName", names.function), ("FunctionName", names.inspector)
    index = (*table, "GlobalSecondaryIndexName", DAY_INDEX)
    reasons = {reason: (*service, "reason", reason) for reason in FAILURE_REASONS}
    rules = [("RuleName", names.rule(bucket)) for bucket in args.existing_buckets]

    def widget(
        title: str, *metrics: list[object], limit: tuple[str, int] | None = None, alarm: tuple[str, int] | None = None
    ) -> Document:
        lines = [{"label": line[0], "value": line[1]} for line in (limit, alarm) if line]
        mark = {"annotations": {"horizontal": lines}} if lines else {}
        return {"title": title, "region": region, "view": "timeSeries", "period": 60, "metrics": list(metrics), **mark}

    def units_limit(provisioned: int | None, maximum: int | None) -> tuple[str, int] | None:
        """Return label and value of the line at a limit, in capacity units per minute; None if there is no limit."""
        if provisioned is not None:
            return ("provisioned", provisioned * 60)
        return None if maximum is None else ("maximum", maximum * 60)

    results = " ".join(f"Objects{result}" for result in RECORD_RESULTS)
    widgets = [
        widget("Records by result, and SDK retries", *own(f"{results} SdkRetries", service)),
        widget(
            "Failures",
            *own("ObjectsFailed", *reasons.values()),
            *lambda_("Errors Throttles AsyncEventsDropped DestinationDeliveryFailures", function),
            *_metrics("AWS/SQS", "ApproximateNumberOfMessagesVisible", queue, stats=_MAX),
            *_metrics("AWS/Events", "FailedInvocations", *rules),
        ),
        widget(
            "Indexing delay and duration (ms)",
            *own("IndexingDelay", service, stats=("p50", "p99")),
            *lambda_("Duration", function, stats=("p50", "p90")),
            limit=("timeout", args.timeout_seconds * 1000),
            alarm=("alarm on the delay", args.max_delay_seconds * 1000),
        ),
        *(
            widget(
                f"Consumed {access.lower()} units per minute",
                *_metrics("AWS/DynamoDB", f"Consumed{access}CapacityUnits {access}ThrottleEvents", table, index),
                limit=units_limit(provisioned, maximum),
            )
            for access, provisioned, maximum in (
                ("Write", args.write_capacity, args.max_on_demand_writes),
                ("Read", args.read_capacity, args.max_on_demand_reads),
            )
        ),
        widget("Concurrent executions", *lambda_("ConcurrentExecutions", function, stats=_MAX)),
        widget(
            "Age of asynchronous events (ms)",
            *lambda_("AsyncEventAge", function, stats=_MAX),
            limit=("maximum event age", ASYNC_EVENT_AGE_SECONDS * 1000),
            alarm=("alarm", EVENT_AGE_ALARM_MINUTES * 60 * 1000),
        ),
    ]
    if args.inspect_content:
        del reasons["foreign"]  # a reason of the indexer only
        widgets += [
            widget(
                "Inspected objects",
                *own("ObjectsInspected TypeMismatch", service),
                *own("InspectFailed", *reasons.values()),
                *lambda_("Errors Throttles DestinationDeliveryFailures", inspector),
            ),
            widget(
                "Inspection delay and duration (ms)",
                *own("InspectDelay", service, stats=("p50", "p99")),
                *lambda_("Duration", inspector, stats=("p50", "p90")),
                limit=("timeout", INSPECTOR_TIMEOUT_SECONDS * 1000),
            ),
            widget(
                "Age of rows in the stream (ms)",
                *lambda_("IteratorAge", inspector, stats=_MAX),
                limit=("maximum age", STREAM_AGE_SECONDS * 1000),
                alarm=("alarm", ITERATOR_AGE_ALARM_HOURS * HOUR_SECONDS * 1000),
            ),
            widget("Bytes read from each object", *own("BytesRead", service, stats=("p50", "p95"))),
        ]
    # A CloudWatch dashboard is 24 units wide, so each of the two columns has 12.
    places = [{"x": 12 * (n % 2), "y": 6 * (n // 2), "width": 12, "height": 6} for n in range(len(widgets))]
    return {"widgets": [{"type": "metric", **place, "properties": p} for place, p in zip(places, widgets, strict=True)]}


_SUM, _MAX = ("Sum",), ("Maximum",)


def _metrics(namespace: str, names: str, *dimensions: Sequence[str], stats: Sequence[str] = _SUM) -> list[list[object]]:
    """Return each statistic of each metric for each set of dimensions. Spaces separate the names of the metrics."""
    return [[namespace, name, *each, {"stat": stat}] for stat in stats for name in names.split() for each in dimensions]


# == The program ======================================================================================================


def main(environ: Mapping[str, str]) -> None:
    """Deploy the stack with its Pulumi configuration, and export its outputs.

    Raises:
        pulumi.RunError: the configuration is invalid, or the deployment package could not be built. Pulumi reports
            this type of error without a traceback.
    """
    try:
        stack = TapStack("tap", TapStackArgs.from_config(pulumi.Config(), environ))
    except (ConfigurationError, PackagingError) as error:
        raise pulumi.RunError(str(error)) from error
    for name, value in stack.outputs.items():
        pulumi.export(name, value)


if __name__ == "__main__":
    main(os.environ)
