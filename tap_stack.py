"""TapStack: every file that lands in an S3 bucket becomes one row in DynamoDB, or a message someone is told about.

What it deploys: a versioned upload bucket (and the bucket of its access logs), a DynamoDB table with one index by
day, a Lambda function that S3 notifies, a failure queue for what the function could not index, alarms that reach
an SNS topic, a dashboard, and saved queries of the function's log.

Configuration (all optional; ``pulumi config set KEY VALUE``):

========================  =============================================================================================
``env``                   environment's name, part of every name and tag (``dev``; required in any other stack)
``bucketName``            name of the upload bucket (``{project}-{env}-uploads-{account}-{region}``)
``tableName``             name of the table (``{project}-{env}-objects``); the environment variable TAP_TABLE_NAME wins
``readCapacity``          read units per second of the table and of its index (100)
``writeCapacity``         write units per second of the table and of its index (100)
``maxCapacity``           ceiling to which autoscaling may raise each of them (off)
``corsAllowedOrigins``    origins whose pages may upload, a list or separated by commas (in ``dev``:
                          ``http://localhost:3000``; required elsewhere)
``notificationPrefix``    only keys that start so are indexed (all)
``notificationSuffix``    only keys that end so are indexed (all)
``noncurrentDays``        days after which a version that is no longer current expires (90)
``deletedRetentionDays``  days that the row of a deleted version is kept; 0: for ever (90)
``logLevel``              DEBUG, INFO, WARNING or ERROR (INFO)
``logRetentionDays``      days that the function's log lines are kept (30)
``memoryMb``              memory of the function, in MiB (512)
``timeoutSeconds``        time-out of the function, in seconds (600)
``reservedConcurrency``   executions reserved for the function, and its most at once (off)
``alarmEmail``            address that the alarms are mailed to (none)
``kmsKeyArn``             ARN of a KMS key of yours that encrypts bucket, table, failure queue, log group and topic
                          (AES-256 and keys that AWS manages); docs/security.md has the key policy that it needs
``owner``                 tag Owner (``platform``)
``costCenter``            tag CostCenter (``shared``)
``savedQueries``          save the queries of Logs Insights that docs/runbook.md uses (true)
``protectData``           refuse to delete buckets and table (true, but in ``dev``)
========================  =============================================================================================

Outputs: bucket_name, bucket_arn, table_name, table_arn, lambda_function_name, lambda_function_arn, lambda_role_arn,
log_group_name, failure_queue_url, alarm_topic_arn, dashboard_url, test_command.

Importing this module has no side effects: ``main`` runs the program.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pulumi
import pulumi_aws as aws
from pulumi.runtime.config import CONFIG, get_config_env

# ---------------------------------------------------------------------------------------------------------------------
# Limits of AWS, and our defaults
# ---------------------------------------------------------------------------------------------------------------------

BUCKET_NAME_LENGTH = range(3, 64)  # characters; S3 User Guide, "General purpose bucket naming rules"
BUCKET_NAME_RESERVED_STARTS = ("xn--", "sthree-", "amzn-s3-demo-")  # same page
BUCKET_NAME_RESERVED_ENDS = ("-s3alias", "--ol-s3", "--x-s3", "--table-s3", "-an")  # same page
TABLE_NAME_LENGTH = range(3, 256)  # characters; DynamoDB Developer Guide, "Naming rules"
FUNCTION_NAME_LENGTH = range(1, 65)  # characters; Lambda API Reference, CreateFunction
ROLE_NAME_LENGTH = range(1, 65)  # characters; IAM User Guide, "IAM and AWS STS quotas"
QUEUE_NAME_LENGTH = range(1, 81)  # characters; SQS Developer Guide, "Message queue quotas"
TABLE_CAPACITY_UNITS = range(1, 40_001)  # per table and second; DynamoDB, "Default quotas" (AWS can raise it)
NONCURRENT_DAYS = range(1, 2**31)  # days; S3 API Reference, NoncurrentVersionExpiration
# Days; 0 is for ever. At least 15: an event may be replayed from the failure queue for 14 days, and would bring back a
# row that has expired by then. At most ten years: what is to be kept for longer is kept for ever.
DELETED_RETENTION_DAYS = range(15, 3651)
FILTER_BYTES = 1024  # bytes of a key, so of a prefix and a suffix together; S3 User Guide, "Object keys"
FILTER_CHARACTERS = 1024  # of a prefix or suffix, encoded; S3 API Reference, FilterRule
NOT_IN_XML = re.compile(r"[\x00-\x1f\x7f\ufffe\uffff]")  # S3 takes its configuration as XML 1.0, which cannot say them
MEMORY_MIB = range(128, 10_241)  # MiB; Lambda Developer Guide, "Lambda quotas"
# Seconds. At most 900: "Lambda quotas". At least 10: one HEAD and one write, 4 s each at worst, and 1 s to report.
TIMEOUT_SECONDS = range(10, 901)
TAG_VALUE_LENGTH = range(1, 257)  # characters; Tagging AWS Resources User Guide, "Tag naming limits"
TAG_VALUE_PATTERN = re.compile(r"[\w .:/=+\-@]*")  # same page
# KMS Developer Guide, "Key identifiers (KeyId)": the ARN of a key; those of multi-Region keys begin with mrk-
KEY_ARN_PATTERN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):kms:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):"
    r"key/(mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})"
)
EMAIL_PATTERN = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
ENVIRONMENT_PATTERN = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
BUCKET_NAME_PATTERN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
TABLE_NAME_PATTERN = re.compile(r"[A-Za-z0-9_.-]+")
# scheme://host[:port], where S3 allows one * in the host (S3 User Guide, "Elements of a CORS configuration")
ORIGIN_PATTERN = re.compile(r"https?://(?!\*(:[0-9]+)?$)[A-Za-z0-9.*-]+(:[0-9]{1,5})?")
# days; CloudWatch Logs API Reference, PutRetentionPolicy
LOG_RETENTION_DAYS = frozenset(
    {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}
)
LOG_LEVELS = frozenset({"DEBUG", "INFO", "WARNING", "ERROR"})  # above ERROR nobody would learn why a record failed

ABORT_MULTIPART_DAYS = 7
ACCESS_LOG_DAYS = 90
CORS_METHODS = ("GET", "PUT", "POST", "HEAD")
CORS_MAX_AGE_SECONDS = 3000  # how long a browser may remember the answer to its preflight
FAILURE_RETENTION_SECONDS = 14 * 24 * 3600  # the longest that SQS keeps a message
ASYNC_RETRIES = 2  # the most that Lambda offers
ASYNC_EVENT_AGE_SECONDS = 6 * 3600  # likewise
AUTOSCALING_TARGET_PERCENT = 70  # of the provisioned units; the value of AWS's own console
CAPACITY_ALARM_SHARE = 0.8
DURATION_ALARM_SHARE = 0.8
DEV = "dev"  # the environment of a developer, whose data may go
DEV_ORIGINS = ("http://localhost:3000",)

EXPIRY_ATTRIBUTE = "expires_at"  # of a deleted version's row: a number, seconds since 1970
TABLE_NAME_VARIABLE = "TAP_TABLE_NAME"  # of the program's environment, and of the function's
DAY_INDEX = "uploads_by_day"
METRICS_NAMESPACE = "TapStack"
# The dimension `reason` of the metric ObjectsFailed: what happened, and what to do first.
FAILURE_REASONS: Mapping[str, tuple[str, str]] = {
    "denied": (
        "AWS refused a call of the function: a permission is missing, or was taken away",
        "run pulumi up --refresh, which shows what differs from the program and puts it back",
    ),
    "malformed": (
        "The function got an event that is not one of S3's, or of a new major version",
        "read the field and the error in the newest ERROR line, and keep the event",
    ),
    "throttled": (
        "S3 or DynamoDB asked to slow down for longer than the function had time",
        "look for table throttling on the dashboard, then raise writeCapacity or set maxCapacity",
    ),
    "unavailable": (
        "S3 or DynamoDB did not answer, or too late",
        "look at the AWS Health Dashboard of this region; when all is well, replay the failure queue",
    ),
    "foreign": (
        "The function got an event of another bucket, which it does not index",
        "find out who sends it: another bucket's notification, or somebody who calls the function by hand",
    ),
    "internal": (
        "A call that AWS does not accept, a missing table, or a defect of the function",
        "read the error in the newest ERROR line, and see that the table is there",
    ),
}
RUNTIME = "python3.13"
HANDLER = "lambda_code.main.lambda_handler"
EVENTS = ("s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*")


# ---------------------------------------------------------------------------------------------------------------------
# Configuration
# ---------------------------------------------------------------------------------------------------------------------


class ConfigurationError(ValueError):
    """A configuration value that cannot be deployed. Its message names key, value, limit and remedy."""

    def __init__(self, key: str, value: object, limit: str, remedy: str) -> None:
        super().__init__(f"{key}: {value!r} is not valid: {limit}. {remedy}")
        self.key = key


@dataclass(frozen=True, kw_only=True)
class TapStackArgs:
    """What can be chosen about one deployment; the module's docstring says what each field means.

    Raises:
        ConfigurationError: a value is outside the limits of AWS or contradicts another one.
    """

    environment_suffix: str = DEV
    bucket_name: str | None = None
    table_name: str | None = None
    read_capacity: int = 100
    write_capacity: int = 100
    max_capacity: int | None = None
    cors_allowed_origins: Sequence[str] | None = None
    notification_prefix: str = ""
    notification_suffix: str = ""
    noncurrent_days: int = 90
    deleted_retention_days: int = 90
    log_level: str = "INFO"
    log_retention_days: int = 30
    memory_mb: int = 512
    timeout_seconds: int = 600  # docs/capacity.md: with less, a large burst ends in the failure queue in part
    reserved_concurrency: int | None = None
    alarm_email: str | None = None
    kms_key_arn: str | None = None
    owner: str = "platform"
    cost_center: str = "shared"
    saved_queries: bool = True
    protect_data: bool | None = None
    lambda_package: pulumi.Archive | None = None
    """The function's archive; ``None`` builds it from ``lambda_code`` (tests pass a tiny one)."""

    def __post_init__(self) -> None:
        """Fill in what depends on the environment, then check everything."""
        if self.cors_allowed_origins is None and self.is_dev:
            object.__setattr__(self, "cors_allowed_origins", DEV_ORIGINS)  # the way to derive a frozen field
        if self.protect_data is None:
            object.__setattr__(self, "protect_data", not self.is_dev)  # likewise
        _check_args(self)

    @property
    def is_dev(self) -> bool:
        """Whether this is the environment of a developer, whose data may go."""
        return self.environment_suffix == DEV

    @classmethod
    def from_config(cls, config: pulumi.Config, environ: Mapping[str, str]) -> TapStackArgs:
        """Read the stack's configuration.

        Args:
            config: the configuration in the project's namespace.
            environ: the environment variables, of which TAP_TABLE_NAME overrides ``tableName``.

        Raises:
            ConfigurationError: a key is unknown, or a value has the wrong type or is out of bounds.
        """
        _refuse_unknown_keys(config.name)
        if config.get("env") is None and pulumi.get_stack() != DEV:
            raise ConfigurationError(
                "env",
                None,
                f"the stack {pulumi.get_stack()!r} without it would be deployed as {DEV!r}, unprotected",
                f"Try: pulumi config set env {pulumi.get_stack()}",
            )
        values: dict[str, Any] = {}
        for key, (field, parse) in _CONFIG_KEYS.items():
            raw = config.get(key)
            if raw is not None:
                values[field] = parse(key, raw)
        if TABLE_NAME_VARIABLE in environ:
            values["table_name"] = environ[TABLE_NAME_VARIABLE]
            check_table_name(TABLE_NAME_VARIABLE, environ[TABLE_NAME_VARIABLE])
        return cls(**values)


def _text(_key: str, raw: str) -> str:
    return raw


def _whole_number(key: str, raw: str) -> int:
    digits = raw.strip()
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", digits):
        raise ConfigurationError(key, raw, "it must be a whole number", f"Try: pulumi config set {key} NUMBER")
    return int(digits)


def _truth(key: str, raw: str) -> bool:
    match raw.strip().lower():
        case "true":
            return True
        case "false":
            return False
        case _:
            raise ConfigurationError(key, raw, "it must be true or false", f"Try: pulumi config set {key} true")


def _text_list(key: str, raw: str) -> tuple[str, ...]:
    """A JSON list of strings, as Pulumi hands over a list in YAML, or strings separated by commas."""
    if not raw.lstrip().startswith(("[", "{", '"')):
        return tuple(part.strip() for part in raw.split(",") if part.strip())
    try:
        values = json.loads(raw)
    except ValueError:
        values = None
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ConfigurationError(
            key,
            raw,
            "it must be a list of strings",
            f"Try: pulumi config set --path '{key}[0]' https://app.example.com",
        )
    return tuple(values)


_CONFIG_KEYS: Mapping[str, tuple[str, Callable[[str, str], object]]] = {
    "env": ("environment_suffix", _text),
    "bucketName": ("bucket_name", _text),
    "tableName": ("table_name", _text),
    "readCapacity": ("read_capacity", _whole_number),
    "writeCapacity": ("write_capacity", _whole_number),
    "maxCapacity": ("max_capacity", _whole_number),
    "corsAllowedOrigins": ("cors_allowed_origins", _text_list),
    "notificationPrefix": ("notification_prefix", _text),
    "notificationSuffix": ("notification_suffix", _text),
    "noncurrentDays": ("noncurrent_days", _whole_number),
    "deletedRetentionDays": ("deleted_retention_days", _whole_number),
    "logLevel": ("log_level", _text),
    "logRetentionDays": ("log_retention_days", _whole_number),
    "memoryMb": ("memory_mb", _whole_number),
    "timeoutSeconds": ("timeout_seconds", _whole_number),
    "reservedConcurrency": ("reserved_concurrency", _whole_number),
    "alarmEmail": ("alarm_email", _text),
    "kmsKeyArn": ("kms_key_arn", _text),
    "owner": ("owner", _text),
    "costCenter": ("cost_center", _text),
    "savedQueries": ("saved_queries", _truth),
    "protectData": ("protect_data", _truth),
}


def _refuse_unknown_keys(namespace: str) -> None:
    """A misspelt key must not be a setting that silently stays at its default."""
    for full_key in sorted({*CONFIG.get(), *get_config_env()}):
        owner, _, key = full_key.rpartition(":")
        if owner == namespace and key not in _CONFIG_KEYS:
            known = ", ".join(sorted(_CONFIG_KEYS))
            raise ConfigurationError(key, key, f"the keys are {known}", f"Try: pulumi config rm {key}")


def _check_args(args: TapStackArgs) -> None:
    """Raise ConfigurationError for the first value that cannot be deployed."""
    _check_pattern(
        "env", args.environment_suffix, ENVIRONMENT_PATTERN, "lower-case letters, digits and hyphens, a letter first"
    )
    if args.bucket_name is not None:
        check_bucket_name("bucketName", args.bucket_name)
    if args.table_name is not None:
        check_table_name("tableName", args.table_name)
    _check_number("readCapacity", args.read_capacity, TABLE_CAPACITY_UNITS, "units")
    _check_number("writeCapacity", args.write_capacity, TABLE_CAPACITY_UNITS, "units")
    if args.max_capacity is not None:
        floor = max(args.read_capacity, args.write_capacity)
        _check_number(
            "maxCapacity",
            args.max_capacity,
            range(floor, TABLE_CAPACITY_UNITS.stop),
            "units, readCapacity and writeCapacity included",
        )
    _check_origins(args.cors_allowed_origins, args.environment_suffix)
    _check_filter(args.notification_prefix, args.notification_suffix)
    _check_number("noncurrentDays", args.noncurrent_days, NONCURRENT_DAYS, "days")
    if args.deleted_retention_days != 0:
        _check_number("deletedRetentionDays", args.deleted_retention_days, DELETED_RETENTION_DAYS, "days; 0: for ever")
    _check_choice("logLevel", args.log_level, LOG_LEVELS)
    _check_choice("logRetentionDays", args.log_retention_days, LOG_RETENTION_DAYS)
    _check_number("memoryMb", args.memory_mb, MEMORY_MIB, "MiB")
    _check_number("timeoutSeconds", args.timeout_seconds, TIMEOUT_SECONDS, "seconds")
    if args.reserved_concurrency is not None and args.reserved_concurrency < 1:
        raise ConfigurationError(
            "reservedConcurrency",
            args.reserved_concurrency,
            "it must be at least 1 (0 would stop the function)",
            "Remove it, so that the function shares the account's concurrency.",
        )
    if args.alarm_email is not None:
        _check_pattern("alarmEmail", args.alarm_email, EMAIL_PATTERN, "one address such as oncall@example.com")
    if args.kms_key_arn is not None and not KEY_ARN_PATTERN.fullmatch(args.kms_key_arn):
        raise ConfigurationError(
            "kmsKeyArn",
            args.kms_key_arn,
            "it must be a key's ARN, arn:aws:kms:REGION:ACCOUNT:key/ID, and neither an alias nor an id alone",
            "Ask for it: aws kms describe-key --key-id ID_OR_ALIAS --query KeyMetadata.Arn",
        )
    for key, value in (("owner", args.owner), ("costCenter", args.cost_center)):
        _check_length(key, value, TAG_VALUE_LENGTH)
        _check_pattern(key, value, TAG_VALUE_PATTERN, "a tag's value: letters, digits, spaces and _ . : / = + - @")


def check_bucket_name(key: str, name: str) -> None:
    """Check a bucket's name against the rules of S3.

    Dots are refused too, which S3 allows: the wildcard certificate of S3 does not cover such a bucket, and the
    bucket's policy refuses everything but TLS.

    Raises:
        ConfigurationError: the name breaks a rule.
    """
    _check_length(key, name, BUCKET_NAME_LENGTH)
    _check_pattern(key, name, BUCKET_NAME_PATTERN, "lower-case letters, digits and hyphens, no hyphen first or last")
    if name.startswith(BUCKET_NAME_RESERVED_STARTS) or name.endswith(BUCKET_NAME_RESERVED_ENDS):
        reserved = ", ".join(
            [*(f"{s}…" for s in BUCKET_NAME_RESERVED_STARTS), *(f"…{e}" for e in BUCKET_NAME_RESERVED_ENDS)]
        )
        raise ConfigurationError(key, name, f"S3 keeps these names to itself: {reserved}", "Choose another name.")


def check_table_name(key: str, name: str) -> None:
    """Check a table's name against the rules of DynamoDB.

    Raises:
        ConfigurationError: the name breaks a rule.
    """
    _check_length(key, name, TABLE_NAME_LENGTH)
    _check_pattern(key, name, TABLE_NAME_PATTERN, "letters, digits, '_', '-' and '.'")


def check_key_place(key_arn: str, *, partition: str, region: str, account: str) -> None:
    """Check that a KMS key can be used by everything in the stack.

    Other services may take a key of another account; DynamoDB looks for it in its own account and region (DynamoDB
    Developer Guide, "DynamoDB encryption at rest usage notes", DescribeKey).

    Args:
        key_arn: a key's ARN, as KEY_ARN_PATTERN has it.
        partition: the stack's, such as ``aws``.
        region: the stack's.
        account: the stack's, 12 digits.

    Raises:
        ConfigurationError: the key is elsewhere.
    """
    key = KEY_ARN_PATTERN.fullmatch(key_arn)
    for what, place, remedy in (
        ("partition", partition, "Choose a key there."),
        ("region", region, "Choose a key there, or replicate a multi-Region key to it."),
        ("account", account, "Choose a key there: DynamoDB takes none of another account."),
    ):
        if key is None or key[what] != place:
            raise ConfigurationError(
                "kmsKeyArn", key_arn, f"it must be a key of the stack's {what}, which is {place}", remedy
            )


def _check_length(key: str, value: str, limit: range) -> None:
    if len(value) not in limit:
        raise ConfigurationError(
            key,
            value,
            f"it has {len(value)} characters, and {limit.start} to {limit.stop - 1} are allowed",
            "Choose a longer one." if len(value) < limit.start else "Choose a shorter one.",
        )


def _check_pattern(key: str, value: str, pattern: re.Pattern[str], allowed: str) -> None:
    if not pattern.fullmatch(value):
        raise ConfigurationError(key, value, f"allowed are {allowed}", "Change or remove what is not.")


def _check_number(key: str, value: int, limit: range, unit: str) -> None:
    if value not in limit:
        nearest = limit.start if value < limit.start else limit.stop - 1
        raise ConfigurationError(
            key,
            value,
            f"allowed are {limit.start} to {limit.stop - 1} {unit}",
            f"Try: pulumi config set {key} {nearest}",
        )


def _check_choice(key: str, value: object, choices: frozenset[Any]) -> None:
    if value not in choices:
        allowed = ", ".join(str(choice) for choice in sorted(choices))
        raise ConfigurationError(key, value, f"allowed are {allowed}", "Choose one of these.")


def _check_origins(origins: Sequence[str] | None, environment: str) -> None:
    key, remedy = "corsAllowedOrigins", "Try: pulumi config set corsAllowedOrigins https://app.example.com"
    if not origins:
        raise ConfigurationError(
            key, origins, f"the environment {environment!r} needs at least one origin (only dev has a default)", remedy
        )
    for origin in origins:
        if not ORIGIN_PATTERN.fullmatch(origin) or origin.count("*") > 1:
            raise ConfigurationError(
                key,
                origin,
                "an origin is http(s)://host[:port] with at most one * as a part of the host, and no path",
                remedy,
            )


def as_filter(text: str) -> str:
    """A part of a key as S3 compares it with events: form-encoded, but for the characters that S3 calls safe.

    Source: S3 User Guide, "Configuring event notifications using object key name filtering". A filter that is not
    encoded matches nothing, and S3 does not say so.
    """
    return quote_plus(text, safe="/!-_.'()")


def _check_filter(prefix: str, suffix: str) -> None:
    for key, value in (("notificationPrefix", prefix), ("notificationSuffix", suffix)):
        if NOT_IN_XML.search(value):
            raise ConfigurationError(key, value, "control characters are not allowed", "Remove them.")
        if "*" in value:
            raise ConfigurationError(
                key, value, "S3 knows no wildcards here", "Write the beginning or end itself, such as images/ or .pdf"
            )
        if len(as_filter(value)) > FILTER_CHARACTERS:
            raise ConfigurationError(
                key,
                value,
                f"it has {len(as_filter(value))} characters when encoded for S3, and {FILTER_CHARACTERS} are allowed",
                "Choose a shorter one.",
            )
    size = len(prefix.encode()) + len(suffix.encode())
    if size > FILTER_BYTES:
        raise ConfigurationError(
            "notificationPrefix" if len(prefix) >= len(suffix) else "notificationSuffix",
            max(prefix, suffix, key=len),
            f"prefix and suffix have {size} bytes together, and a key has {FILTER_BYTES} at most",
            "Choose shorter ones.",
        )


# ---------------------------------------------------------------------------------------------------------------------
# Names and tags
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Names:
    """What everything is called on AWS. Bucket names are global to AWS, and role names to an account."""

    prefix: str
    upload_bucket: str
    log_bucket: str
    table: str
    function: str
    role: str
    log_group: str
    failure_queue: str
    alarm_topic: str
    dashboard: str

    def alarm(self, purpose: str) -> str:
        """The name of one alarm."""
        return f"{self.prefix}-{purpose}"

    def query(self, purpose: str) -> str:
        """The name of one saved query; the console shows what is before the stroke as a folder."""
        return f"{self.prefix}/{purpose}"


def make_names(args: TapStackArgs, *, project: str, account: str, region: str) -> Names:
    """Name everything, and check the finished names.

    Raises:
        ConfigurationError: a name is longer than AWS allows or has characters that it does not.
    """
    prefix = f"{project}-{args.environment_suffix}"
    place = f"{account}-{region}"
    names = Names(
        prefix=prefix,
        upload_bucket=args.bucket_name or f"{prefix}-uploads-{place}",
        log_bucket=f"{prefix}-logs-{place}",
        table=args.table_name or f"{prefix}-objects",
        function=f"{prefix}-indexer",
        role=f"{prefix}-indexer-{region}",
        log_group=f"/aws/lambda/{prefix}-indexer",
        failure_queue=f"{prefix}-failures",
        alarm_topic=f"{prefix}-alarms",
        dashboard=prefix,
    )
    key = "project name and env"
    check_bucket_name("bucketName" if args.bucket_name else key, names.upload_bucket)
    check_bucket_name(key, names.log_bucket)
    if names.upload_bucket == names.log_bucket:
        raise ConfigurationError(
            "bucketName", args.bucket_name, "it is the name of the bucket for access logs", "Choose another name."
        )
    _check_length(key, names.table, TABLE_NAME_LENGTH)
    _check_length(key, names.function, FUNCTION_NAME_LENGTH)
    _check_length(key, names.role, ROLE_NAME_LENGTH)
    _check_length(key, names.failure_queue, QUEUE_NAME_LENGTH)
    return names


def make_tags(args: TapStackArgs, *, project: str) -> dict[str, str]:
    """The tags of everything that can carry tags."""
    return {
        "Project": project,
        "Environment": args.environment_suffix,
        "ManagedBy": "pulumi",
        "Owner": args.owner,
        "CostCenter": args.cost_center,
    }


# ---------------------------------------------------------------------------------------------------------------------
# Policy documents
# ---------------------------------------------------------------------------------------------------------------------

Document = dict[str, Any]
"""A policy as IAM reads it: ``{"Version": …, "Statement": […]}``."""


def _document(*statements: Document) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _deny_without_tls(action: str, *arns: str) -> Document:
    return {
        "Sid": "DenyWithoutTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Resource": list(arns),
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def upload_bucket_policy(*, bucket_arn: str, key_arn: str | None = None) -> Document:
    """TLS only, and no upload in another encryption than the bucket's: the function could not read it with HEAD."""

    def deny_put(sid: str, **condition: Document) -> Document:
        return {
            "Sid": sid,
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": f"{bucket_arn}/*",
            "Condition": condition,
        }

    # An upload that asks for nothing gets the bucket's own encryption, which is this one. It has to be said:
    # a key that is absent satisfies StringNotEquals (with IfExists too), and would be refused.
    asked = {"s3:x-amz-server-side-encryption": "false"}
    algorithm = {"s3:x-amz-server-side-encryption": "aws:kms" if key_arn else "AES256"}
    statements = [
        _deny_without_tls("s3:*", bucket_arn, f"{bucket_arn}/*"),
        deny_put("DenyOtherEncryption", Null=asked, StringNotEquals=algorithm),
        deny_put("DenyCustomerKeys", Null={"s3:x-amz-server-side-encryption-customer-algorithm": "false"}),
    ]
    if key_arn:
        # who asks for aws:kms and names no key means AWS's own, aws/s3: that is another key too
        key = {"s3:x-amz-server-side-encryption-aws-kms-key-id": key_arn}
        statements.append(deny_put("DenyOtherKeys", Null=asked, StringNotEquals=key))
    return _document(*statements)


def log_bucket_policy(*, log_bucket_arn: str, upload_bucket_arn: str, account: str) -> Document:
    """TLS only, and the S3 logging service may write the access logs of this bucket of this account."""
    return _document(
        _deny_without_tls("s3:*", log_bucket_arn, f"{log_bucket_arn}/*"),
        {
            "Sid": "AllowAccessLogs",
            "Effect": "Allow",
            "Principal": {"Service": "logging.s3.amazonaws.com"},
            "Action": "s3:PutObject",
            "Resource": f"{log_bucket_arn}/*",
            "Condition": {
                "ArnLike": {"aws:SourceArn": upload_bucket_arn},
                "StringEquals": {"aws:SourceAccount": account},
            },
        },
    )


def queue_policy(*, queue_arn: str) -> Document:
    """TLS only. Who may send is said by the function's role."""
    return _document(_deny_without_tls("sqs:*", queue_arn))


def topic_policy(*, topic_arn: str, partition: str, region: str, account: str) -> Document:
    """The alarms of this account and region may publish, over TLS; a topic's own policy replaces the default one."""
    return _document(
        {
            "Sid": "AllowAlarms",
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": topic_arn,
            "Condition": {
                "ArnLike": {"aws:SourceArn": f"arn:{partition}:cloudwatch:{region}:{account}:alarm:*"},
                "StringEquals": {"aws:SourceAccount": account},
            },
        },
        _deny_without_tls("sns:Publish", topic_arn),
    )


def trust_policy(*, account: str) -> Document:
    """Only Lambda, on behalf of this account, may take the role."""
    return _document(
        {
            "Sid": "AllowLambda",
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": account}},
        }
    )


def indexer_policy(
    *, bucket_arn: str, table_arn: str, log_group_arn: str, queue_arn: str, key_arn: str | None = None
) -> Document:
    """What the function may do, and to what."""

    def allow(sid: str, actions: Sequence[str], *resources: str) -> Document:
        return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": list(resources)}

    return _document(
        # every object of the bucket: which one, the event says
        allow("ReadObjects", ["s3:GetObject", "s3:GetObjectVersion"], f"{bucket_arn}/*"),
        # without it HEAD answers 403 for an object that is gone, not 404
        allow("TellGoneFromDenied", ["s3:ListBucket"], bucket_arn),
        allow("UseTable", ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"], table_arn),
        allow("UseDayIndex", ["dynamodb:Query"], f"{table_arn}/index/{DAY_INDEX}"),
        # a log stream's name is Lambda's choice
        allow("WriteLogs", ["logs:CreateLogStream", "logs:PutLogEvents"], f"{log_group_arn}:*"),
        allow("ReportFailures", ["sqs:SendMessage"], queue_arn),
        # X-Ray has no resources that these two could be limited to
        allow("WriteTraces", ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "*"),
        *(_key_permissions(key_arn, bucket_arn=bucket_arn, table_arn=table_arn) if key_arn else ()),
    )


def _key_permissions(key_arn: str, *, bucket_arn: str, table_arn: str) -> list[Document]:
    """What the function may do with the key: only through the service in question, and only for what is the stack's.

    Log lines are none of its business: CloudWatch Logs uses the key itself, as the key's own policy allows.
    """
    _, partition, _, region, *_ = key_arn.split(":")
    # the condition's values are documented for amazonaws.com; which of the two China has is not
    domains = ("amazonaws.com", "amazonaws.com.cn") if partition == "aws-cn" else ("amazonaws.com",)

    def allow(
        sid: str, service: str, actions: Sequence[str], *, equals: Mapping[str, str], like: Mapping[str, Sequence[str]]
    ) -> Document:
        via = {"kms:ViaService": [f"{service}.{region}.{domain}" for domain in domains]}
        condition = {"StringEquals": {**via, **equals}} | ({"ArnLike": dict(like)} if like else {})
        return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": [key_arn], "Condition": condition}

    objects = {"kms:EncryptionContext:aws:s3:arn": [bucket_arn, f"{bucket_arn}/*"]}
    table = {"kms:EncryptionContext:aws:dynamodb:tableName": table_arn.rpartition("/")[2]}
    return [
        # HEAD asks for checksums (S3 API Reference, HeadObject, ChecksumMode). The context is the bucket where its
        # key is used, and the object where an uploader declined it (S3 User Guide, "S3 Bucket Keys").
        allow("ReadChecksums", "s3", ["kms:Decrypt"], equals={}, like=objects),
        # reads and writes alike: DynamoDB decrypts the table's own key for whoever uses the table
        # (DynamoDB Developer Guide, "DynamoDB encryption at rest usage notes", Decrypt)
        allow("OpenTable", "dynamodb", ["kms:Decrypt"], equals=table, like={}),
        # a producer's permissions; SQS Developer Guide, "Amazon SQS key management"
        allow("EncryptFailures", "sqs", ["kms:GenerateDataKey", "kms:Decrypt"], equals={}, like={}),
    ]


def _json(make: Callable[..., Document], **values: pulumi.Input[str]) -> pulumi.Output[str]:
    """The policy that ``make`` returns for these values, as JSON, once they are known."""

    def render(known: dict[str, str]) -> str:
        return json.dumps(make(**known))

    return pulumi.Output.all(**values).apply(render)


# ---------------------------------------------------------------------------------------------------------------------
# The function's archive
# ---------------------------------------------------------------------------------------------------------------------

PIP_TARGET_OPTIONS = (
    "--no-deps",
    "--require-hashes",
    "--only-binary=:all:",
    "--no-compile",
    # pure Python only: whatever the architecture of the function, and of the machine that builds it
    "--platform=any",
    "--abi=none",
    "--implementation=py",
    "--python-version=3.13",
)
# Files that pip adds, which differ from run to run. Everything else ships as its authors published it.
DROPPED_FROM_PACKAGE = ("bin", "__pycache__", "RECORD", "INSTALLER", "REQUESTED", "direct_url.json")


class PackagingError(RuntimeError):
    """The function's archive could not be built. The message says why and what helps."""


def pip_install(requirements: Path, target: Path) -> None:
    """Install the requirements into the folder ``target``, for the platform of the function.

    Raises:
        PackagingError: pip is missing or failed.
    """
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += [*PIP_TARGET_OPTIONS, "--target", str(target), "--requirement", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own constant arguments
    if done.returncode != 0:
        raise PackagingError(
            f"pip could not install {requirements} for the function (exit status {done.returncode}):\n"
            f"{done.stderr.strip()[-2000:]}\n"
            "The first build needs a package index: check the network, or set PIP_INDEX_URL to a mirror. "
            "A version needs a wheel of pure Python, which any processor can run. "
            "If pip is missing, run: pip install -r requirements.txt"
        )


def build_lambda_package(root: Path, cache: Path, *, install: Callable[[Path, Path], None] = pip_install) -> Path:
    """Build the folder that becomes the function's archive: ``lambda_code`` beside the packages that it requires.

    The same inputs give the same names, modes and contents, wherever they lie. What is installed is kept in
    ``cache``, by the hash of the requirements, so that only the first build needs a package index.

    Args:
        root: the folder that holds ``lambda_code``.
        cache: the folder that keeps what was built; made if it is missing.
        install: installs a requirements file into a folder.

    Returns:
        The folder, which later builds leave alone.

    Raises:
        PackagingError: the requirements could not be installed.
    """
    code = root / "lambda_code"
    requirements = code / "requirements.txt"
    rules = repr((PIP_TARGET_OPTIONS, DROPPED_FROM_PACKAGE))
    vendored_key = _digest([requirements.read_bytes(), rules.encode()])
    vendored = cache / f"vendored-{vendored_key}"

    def vendor(folder: Path) -> None:
        installed = folder / "installed"
        install(requirements, installed)
        _copy_clean(installed, folder)
        shutil.rmtree(installed)

    _build_once(vendored, vendor)
    modules = sorted(code.glob("*.py"))
    package_key = _digest(
        [vendored_key.encode(), *(part for m in modules for part in (m.name.encode(), m.read_bytes()))]
    )
    package = cache / f"package-{package_key}"

    def assemble(folder: Path) -> None:
        _copy_clean(vendored, folder)
        code_folder = _make_folder(folder / code.name)
        for module in modules:
            _copy_file(module, code_folder / module.name)

    _build_once(package, assemble)
    return package


def _digest(parts: Sequence[bytes]) -> str:
    """A name for these parts: each is hashed first, so that their borders count."""
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[:16]


def _build_once(folder: Path, build: Callable[[Path], None]) -> None:
    """Make the folder appear whole or not at all, even if several processes build it at once."""
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".building-") as scratch:
        unfinished = _make_folder(Path(scratch) / folder.name)
        build(unfinished)
        try:
            unfinished.rename(folder)
        except OSError:
            if not folder.exists():  # otherwise another process was quicker, with the same content
                raise


def _copy_clean(source: Path, target: Path) -> None:
    """Copy a folder without DROPPED_FROM_PACKAGE, with modes that do not depend on this machine."""
    for entry in sorted(source.iterdir()):
        if entry.name in DROPPED_FROM_PACKAGE:
            continue
        if entry.is_dir():
            _copy_clean(entry, _make_folder(target / entry.name))
        else:
            _copy_file(entry, target / entry.name)


def _make_folder(folder: Path) -> Path:
    folder.mkdir()
    folder.chmod(0o755)  # the mode that mkdir takes would depend on the umask
    return folder


def _copy_file(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    target.chmod(0o644)


# ---------------------------------------------------------------------------------------------------------------------
# The stack
# ---------------------------------------------------------------------------------------------------------------------


class TapStack(pulumi.ComponentResource):
    """The whole of TapStack as one component.

    Every output is an attribute, a ``pulumi.Output`` of text; ``outputs`` holds them by name.
    """

    def __init__(self, name: str, args: TapStackArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("tap:index:TapStack", name, None, opts)
        self._name = name
        self._args = args
        asking = pulumi.InvokeOptions(parent=self)
        self._account = aws.get_caller_identity(opts=asking).account_id
        self._region = aws.get_region(opts=asking).region
        self._partition = aws.get_partition(opts=asking).partition
        self._names = make_names(args, project=pulumi.get_project(), account=self._account, region=self._region)
        self._tags = make_tags(args, project=pulumi.get_project())
        self._key = args.kms_key_arn
        if self._key is not None:
            check_key_place(self._key, partition=self._partition, region=self._region, account=self._account)

        bucket = self._upload_bucket()
        versioning = self._versioning(bucket)
        self._browser_access(bucket)
        self._access_logs(bucket)
        table = self._table()
        self._autoscaling(table)
        log_group = self._log_group()
        queue = self._failure_queue()
        role = self._role()
        permissions = self._permissions(role, bucket, table, log_group, queue)
        function = self._function(role, permissions, log_group)
        retries = self._asynchronous_calls(function, queue, permissions)
        self._trigger(bucket, versioning, function, retries)
        topic = self._alarm_topic()
        self._alarms(topic)
        self._dashboard()
        self._saved_queries(log_group)

        self.bucket_name = bucket.bucket
        self.bucket_arn = bucket.arn
        self.table_name = table.name
        self.table_arn = table.arn
        self.lambda_function_name = function.name
        self.lambda_function_arn = function.arn
        self.lambda_role_arn = role.arn
        self.log_group_name = log_group.name
        self.failure_queue_url = queue.url
        self.alarm_topic_arn = topic.arn
        self.dashboard_url = pulumi.Output.from_input(self._dashboard_url())
        self.test_command = pulumi.Output.from_input(self._test_command())
        self.outputs: dict[str, pulumi.Output[str]] = {
            "bucket_name": self.bucket_name,
            "bucket_arn": self.bucket_arn,
            "table_name": self.table_name,
            "table_arn": self.table_arn,
            "lambda_function_name": self.lambda_function_name,
            "lambda_function_arn": self.lambda_function_arn,
            "lambda_role_arn": self.lambda_role_arn,
            "log_group_name": self.log_group_name,
            "failure_queue_url": self.failure_queue_url,
            "alarm_topic_arn": self.alarm_topic_arn,
            "dashboard_url": self.dashboard_url,
            "test_command": self.test_command,
        }
        self.register_outputs(dict(self.outputs))

    def _child(
        self,
        *,
        depends_on: Sequence[pulumi.Resource] = (),
        holds_data: bool = False,
        ignore_changes: Sequence[str] = (),
    ) -> pulumi.ResourceOptions:
        """The options of a resource that belongs to this component."""
        return pulumi.ResourceOptions(
            parent=self,
            depends_on=list(depends_on),
            protect=holds_data and self._args.protect_data,
            ignore_changes=list(ignore_changes),
        )

    def _key_argument(self) -> dict[str, pulumi.Input[str]]:
        """The configured key as an argument of the policies that differ with it."""
        return {} if self._key is None else {"key_arn": self._key}

    # -- buckets ------------------------------------------------------------------------------------------------------

    def _upload_bucket(self) -> aws.s3.Bucket:
        bucket, _ = self._hardened_bucket(
            "uploads",
            self._names.upload_bucket,
            policy=lambda bucket: _json(upload_bucket_policy, bucket_arn=bucket.arn, **self._key_argument()),
            key_arn=self._key,
            expiry=aws.s3.BucketLifecycleConfigurationRuleArgs(
                id="expire-noncurrent-versions",
                status="Enabled",
                filter=_every_object(),
                noncurrent_version_expiration=aws.s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
                    noncurrent_days=self._args.noncurrent_days
                ),
            ),
        )
        return bucket

    def _hardened_bucket(
        self,
        purpose: str,
        bucket_name: str,
        *,
        policy: Callable[[aws.s3.Bucket], pulumi.Input[str]],
        expiry: aws.s3.BucketLifecycleConfigurationRuleArgs,
        key_arn: str | None = None,
    ) -> tuple[aws.s3.Bucket, aws.s3.BucketPolicy]:
        """A private, encrypted bucket whose owner owns all objects, with a policy and a lifecycle."""
        name = f"{self._name}-{purpose}"
        bucket = aws.s3.Bucket(
            name,
            bucket=bucket_name,
            force_destroy=not self._args.protect_data,
            tags=self._tags,
            opts=self._child(holds_data=True),
        )
        privacy = aws.s3.BucketPublicAccessBlock(
            f"{name}-public-access",
            bucket=bucket.bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self._child(),
        )
        aws.s3.BucketOwnershipControls(
            f"{name}-ownership",
            bucket=bucket.bucket,
            rule=aws.s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
            opts=self._child(),
        )
        aws.s3.BucketServerSideEncryptionConfiguration(
            f"{name}-encryption",
            bucket=bucket.bucket,
            rules=[
                aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
                    apply_server_side_encryption_by_default=(
                        aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
                            sse_algorithm="aws:kms" if key_arn else "AES256", kms_master_key_id=key_arn
                        )
                    ),
                    bucket_key_enabled=True if key_arn else None,  # one call of KMS for many objects
                )
            ],
            opts=self._child(),
        )
        aws.s3.BucketLifecycleConfiguration(
            f"{name}-lifecycle",
            bucket=bucket.bucket,
            rules=[
                aws.s3.BucketLifecycleConfigurationRuleArgs(
                    id="abort-incomplete-uploads",
                    status="Enabled",
                    filter=_every_object(),
                    abort_incomplete_multipart_upload=(
                        aws.s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
                            days_after_initiation=ABORT_MULTIPART_DAYS
                        )
                    ),
                ),
                expiry,
            ],
            opts=self._child(),
        )
        bucket_policy = aws.s3.BucketPolicy(
            f"{name}-policy",
            bucket=bucket.bucket,
            policy=policy(bucket),
            # S3 answers 409 to two changes of a bucket's access at once
            opts=self._child(depends_on=[privacy]),
        )
        return bucket, bucket_policy

    def _versioning(self, bucket: aws.s3.Bucket) -> aws.s3.BucketVersioning:
        return aws.s3.BucketVersioning(
            f"{self._name}-uploads-versioning",
            bucket=bucket.bucket,
            versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
            opts=self._child(),
        )

    def _browser_access(self, bucket: aws.s3.Bucket) -> None:
        """Let pages of the configured origins upload, and read the ETag of what they uploaded."""
        aws.s3.BucketCorsConfiguration(
            f"{self._name}-uploads-cors",
            bucket=bucket.bucket,
            cors_rules=[
                aws.s3.BucketCorsConfigurationCorsRuleArgs(
                    allowed_headers=["*"],  # of the request; which ones a page needs depends on how it signs
                    allowed_methods=list(CORS_METHODS),
                    allowed_origins=list(self._args.cors_allowed_origins or ()),
                    expose_headers=["ETag"],
                    max_age_seconds=CORS_MAX_AGE_SECONDS,
                )
            ],
            opts=self._child(),
        )

    def _access_logs(self, bucket: aws.s3.Bucket) -> None:
        """Log every request to the upload bucket into a bucket of its own."""

        def policy(log_bucket: aws.s3.Bucket) -> pulumi.Input[str]:
            return _json(
                log_bucket_policy, log_bucket_arn=log_bucket.arn, upload_bucket_arn=bucket.arn, account=self._account
            )

        log_bucket, log_policy = self._hardened_bucket(
            "logs",
            self._names.log_bucket,
            policy=policy,
            expiry=aws.s3.BucketLifecycleConfigurationRuleArgs(
                id="expire-access-logs",
                status="Enabled",
                filter=_every_object(),
                expiration=aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(days=ACCESS_LOG_DAYS),
            ),
        )
        aws.s3.BucketLogging(
            f"{self._name}-uploads-logging",
            bucket=bucket.bucket,
            target_bucket=log_bucket.bucket,
            target_prefix="uploads/",
            opts=self._child(depends_on=[log_policy]),
        )

    # -- table --------------------------------------------------------------------------------------------------------

    def _table(self) -> aws.dynamodb.Table:
        read, write = self._args.read_capacity, self._args.write_capacity
        return aws.dynamodb.Table(
            f"{self._name}-objects",
            name=self._names.table,
            billing_mode="PROVISIONED",
            hash_key="object_id",
            range_key="version_id",
            read_capacity=read,
            write_capacity=write,
            attributes=[
                aws.dynamodb.TableAttributeArgs(name=name, type="S")
                for name in ("object_id", "version_id", "upload_day", "uploaded_at")
            ],
            global_secondary_indexes=[
                aws.dynamodb.TableGlobalSecondaryIndexArgs(
                    name=DAY_INDEX,
                    key_schemas=[
                        aws.dynamodb.TableGlobalSecondaryIndexKeySchemaArgs(
                            attribute_name="upload_day", key_type="HASH"
                        ),
                        aws.dynamodb.TableGlobalSecondaryIndexKeySchemaArgs(
                            attribute_name="uploaded_at", key_type="RANGE"
                        ),
                    ],
                    projection_type="ALL",
                    read_capacity=read,
                    write_capacity=write,
                )
            ],
            server_side_encryption=aws.dynamodb.TableServerSideEncryptionArgs(enabled=True, kms_key_arn=self._key),
            point_in_time_recovery=aws.dynamodb.TablePointInTimeRecoveryArgs(enabled=True),
            ttl=aws.dynamodb.TableTtlArgs(attribute_name=EXPIRY_ATTRIBUTE, enabled=True),
            deletion_protection_enabled=self._args.protect_data,
            tags=self._tags,
            opts=self._child(
                holds_data=True,
                # autoscaling owns the capacities once it is on: the next update must not undo what it did
                ignore_changes=_CAPACITY_PROPERTIES if self._args.max_capacity is not None else (),
            ),
        )

    def _autoscaling(self, table: aws.dynamodb.Table) -> None:
        """Let table and index grow to the configured ceiling, each for reads and for writes."""
        if self._args.max_capacity is None:
            return
        whole_table = table.name.apply(lambda name: f"table/{name}")
        day_index = table.name.apply(lambda name: f"table/{name}/index/{DAY_INDEX}")
        for kind, resource_id, units, floor in (
            ("table", whole_table, "Read", self._args.read_capacity),
            ("table", whole_table, "Write", self._args.write_capacity),
            ("index", day_index, "Read", self._args.read_capacity),
            ("index", day_index, "Write", self._args.write_capacity),
        ):
            name = f"{self._name}-{kind}-{units.lower()}-scaling"
            target = aws.appautoscaling.Target(
                name,
                service_namespace="dynamodb",
                resource_id=resource_id,
                scalable_dimension=f"dynamodb:{kind}:{units}CapacityUnits",
                min_capacity=floor,
                max_capacity=self._args.max_capacity,
                tags=self._tags,
                opts=self._child(),
            )
            aws.appautoscaling.Policy(
                f"{name}-policy",
                name=f"{self._names.prefix}-{kind}-{units.lower()}-scaling",
                policy_type="TargetTrackingScaling",
                service_namespace=target.service_namespace,
                resource_id=target.resource_id,
                scalable_dimension=target.scalable_dimension,
                target_tracking_scaling_policy_configuration=(
                    aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationArgs(
                        predefined_metric_specification=(
                            aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecificationArgs(
                                predefined_metric_type=f"DynamoDB{units}CapacityUtilization"
                            )
                        ),
                        target_value=AUTOSCALING_TARGET_PERCENT,
                    )
                ),
                opts=self._child(),
            )

    # -- function -----------------------------------------------------------------------------------------------------

    def _log_group(self) -> aws.cloudwatch.LogGroup:
        return aws.cloudwatch.LogGroup(
            f"{self._name}-indexer-logs",
            name=self._names.log_group,
            retention_in_days=self._args.log_retention_days,
            kms_key_id=self._key,
            tags=self._tags,
            opts=self._child(),
        )

    def _failure_queue(self) -> aws.sqs.Queue:
        queue = aws.sqs.Queue(
            f"{self._name}-failures",
            name=self._names.failure_queue,
            message_retention_seconds=FAILURE_RETENTION_SECONDS,
            # one or the other: SQS's own keys, or the configured one
            sqs_managed_sse_enabled=True if self._key is None else None,
            kms_master_key_id=self._key,
            tags=self._tags,
            opts=self._child(),
        )
        aws.sqs.QueuePolicy(
            f"{self._name}-failures-policy",
            queue_url=queue.url,
            policy=_json(queue_policy, queue_arn=queue.arn),
            opts=self._child(),
        )
        return queue

    def _role(self) -> aws.iam.Role:
        return aws.iam.Role(
            f"{self._name}-indexer-role",
            name=self._names.role,
            description="What the function that indexes uploads may do",
            assume_role_policy=json.dumps(trust_policy(account=self._account)),
            tags=self._tags,
            opts=self._child(),
        )

    def _permissions(
        self,
        role: aws.iam.Role,
        bucket: aws.s3.Bucket,
        table: aws.dynamodb.Table,
        log_group: aws.cloudwatch.LogGroup,
        queue: aws.sqs.Queue,
    ) -> aws.iam.RolePolicy:
        return aws.iam.RolePolicy(
            f"{self._name}-indexer-policy",
            name="index-uploads",
            role=role.name,
            policy=_json(
                indexer_policy,
                bucket_arn=bucket.arn,
                table_arn=table.arn,
                log_group_arn=log_group.arn,
                queue_arn=queue.arn,
                **self._key_argument(),
            ),
            opts=self._child(),
        )

    def _function(
        self, role: aws.iam.Role, permissions: aws.iam.RolePolicy, log_group: aws.cloudwatch.LogGroup
    ) -> aws.lambda_.Function:
        return aws.lambda_.Function(
            f"{self._name}-indexer",
            name=self._names.function,
            description="Writes one metadata row for every file that lands in the upload bucket",
            runtime=RUNTIME,
            architectures=["arm64"],
            handler=HANDLER,
            code=self._args.lambda_package
            or pulumi.FileArchive(str(build_lambda_package(_ROOT, _ROOT / ".cache" / "lambda"))),
            role=role.arn,
            memory_size=self._args.memory_mb,
            timeout=self._args.timeout_seconds,
            reserved_concurrent_executions=self._args.reserved_concurrency,
            tracing_config=aws.lambda_.FunctionTracingConfigArgs(mode="Active"),
            logging_config=aws.lambda_.FunctionLoggingConfigArgs(
                log_format="JSON",
                log_group=log_group.name,
                # Lambda takes a line without a level, as metrics are, for INFO: above INFO it would drop them.
                # What is less than logLevel the function leaves out by itself.
                application_log_level="DEBUG" if self._args.log_level == "DEBUG" else "INFO",
            ),
            environment=aws.lambda_.FunctionEnvironmentArgs(
                variables={
                    "TAP_BUCKET_NAME": self._names.upload_bucket,
                    TABLE_NAME_VARIABLE: self._names.table,
                    "TAP_DELETED_RETENTION_DAYS": str(self._args.deleted_retention_days),
                    "POWERTOOLS_SERVICE_NAME": self._names.prefix,
                    "POWERTOOLS_METRICS_NAMESPACE": METRICS_NAMESPACE,
                    "POWERTOOLS_LOG_LEVEL": self._args.log_level,
                }
            ),
            tags=self._tags,
            opts=self._child(depends_on=[permissions, log_group]),
        )

    def _asynchronous_calls(
        self, function: aws.lambda_.Function, queue: aws.sqs.Queue, permissions: aws.iam.RolePolicy
    ) -> aws.lambda_.FunctionEventInvokeConfig:
        """What Lambda does with an event that the function could not index: try twice more, then the failure queue."""
        return aws.lambda_.FunctionEventInvokeConfig(
            f"{self._name}-indexer-retries",
            function_name=function.name,
            maximum_retry_attempts=ASYNC_RETRIES,
            maximum_event_age_in_seconds=ASYNC_EVENT_AGE_SECONDS,
            destination_config=aws.lambda_.FunctionEventInvokeConfigDestinationConfigArgs(
                on_failure=aws.lambda_.FunctionEventInvokeConfigDestinationConfigOnFailureArgs(destination=queue.arn)
            ),
            opts=self._child(depends_on=[permissions]),
        )

    def _trigger(
        self,
        bucket: aws.s3.Bucket,
        versioning: aws.s3.BucketVersioning,
        function: aws.lambda_.Function,
        retries: aws.lambda_.FunctionEventInvokeConfig,
    ) -> None:
        permission = aws.lambda_.Permission(
            f"{self._name}-s3-permission",
            statement_id="AllowUploadBucket",
            action="lambda:InvokeFunction",
            function=function.name,
            principal="s3.amazonaws.com",
            source_arn=bucket.arn,
            source_account=self._account,  # a bucket's name can pass to another account, its ARN with it
            opts=self._child(),
        )
        aws.s3.BucketNotification(
            f"{self._name}-uploads-notification",
            bucket=bucket.bucket,
            lambda_functions=[
                aws.s3.BucketNotificationLambdaFunctionArgs(
                    id="index-uploads",
                    lambda_function_arn=function.arn,
                    events=list(EVENTS),
                    filter_prefix=as_filter(self._args.notification_prefix) or None,
                    filter_suffix=as_filter(self._args.notification_suffix) or None,
                )
            ],
            # without the permission S3 refuses the notification; without versioning the first events have no version;
            # without the failure queue behind the function, an event that fails would be lost
            opts=self._child(depends_on=[permission, versioning, retries]),
        )

    # -- alarms -------------------------------------------------------------------------------------------------------

    def _alarm_topic(self) -> aws.sns.Topic:
        topic = aws.sns.Topic(
            f"{self._name}-alarms",
            name=self._names.alarm_topic,
            # never encrypted with alias/aws/sns: its key policy would stop CloudWatch from publishing, silently
            kms_master_key_id=self._key,
            tags=self._tags,
            opts=self._child(),
        )
        aws.sns.TopicPolicy(
            f"{self._name}-alarms-policy",
            arn=topic.arn,
            policy=_json(
                topic_policy, topic_arn=topic.arn, partition=self._partition, region=self._region, account=self._account
            ),
            opts=self._child(),
        )
        if self._args.alarm_email is not None:
            aws.sns.TopicSubscription(
                f"{self._name}-alarms-email",
                topic=topic.arn,
                protocol="email",
                # somebody's address, which may come from a secret: in Pulumi's state it is encrypted in either case
                endpoint=pulumi.Output.secret(self._args.alarm_email),
                opts=self._child(),
            )
        return topic

    def _alarms(self, topic: aws.sns.Topic) -> None:
        for alarm in make_alarms(self._names, self._args):
            aws.cloudwatch.MetricAlarm(
                f"{self._name}-{alarm.purpose}",
                name=self._names.alarm(alarm.purpose),
                alarm_description=alarm.description,
                namespace=alarm.namespace,
                metric_name=alarm.metric,
                dimensions=dict(alarm.dimensions),
                statistic=None if alarm.statistic.startswith("p") else alarm.statistic,
                extended_statistic=alarm.statistic if alarm.statistic.startswith("p") else None,
                comparison_operator="GreaterThanThreshold",
                threshold=alarm.threshold,
                period=alarm.period,
                evaluation_periods=alarm.periods,
                treat_missing_data="notBreaching",  # no uploads, no data: that is not an alarm
                alarm_actions=[topic.arn],
                ok_actions=[topic.arn],
                tags=self._tags,
                opts=self._child(),
            )

    def _dashboard(self) -> None:
        aws.cloudwatch.Dashboard(
            f"{self._name}-dashboard",
            dashboard_name=self._names.dashboard,
            dashboard_body=json.dumps(make_dashboard(self._names, self._args, region=self._region)),
            opts=self._child(),
        )

    def _saved_queries(self, log_group: aws.cloudwatch.LogGroup) -> None:
        if not self._args.saved_queries:
            return
        for purpose, query in SAVED_QUERIES.items():
            aws.cloudwatch.QueryDefinition(
                f"{self._name}-query-{purpose}",
                name=self._names.query(purpose),
                query_string=query,
                log_group_names=[log_group.name],
                opts=self._child(),
            )

    # -- what people are told -----------------------------------------------------------------------------------------

    def _dashboard_url(self) -> str:
        console = {"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}
        host = console.get(self._partition, "console.aws.amazon.com")
        return (
            f"https://{self._region}.{host}/cloudwatch/home?region={self._region}"
            f"#dashboards/dashboard/{self._names.dashboard}"
        )

    def _test_command(self) -> str:
        """A line for the shell that uploads a file and asks for its row."""
        key = f"{self._args.notification_prefix}hello{self._args.notification_suffix or '.txt'}"
        object_id = json.dumps({":id": {"S": f"{self._names.upload_bucket}/{key}"}})
        upload = f"s3://{self._names.upload_bucket}/{key}"
        return (
            f"echo hello | aws s3 cp - {shlex.quote(upload)} --region {self._region} && sleep 5 && "
            f"aws dynamodb query --table-name {self._names.table} --region {self._region} "
            f"--key-condition-expression 'object_id = :id' --expression-attribute-values {shlex.quote(object_id)}"
        )


def _every_object() -> aws.s3.BucketLifecycleConfigurationRuleFilterArgs:
    return aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix="")


_ROOT = Path(__file__).resolve().parent
_CAPACITY_PROPERTIES = (
    "readCapacity",
    "writeCapacity",
    "globalSecondaryIndexes[0].readCapacity",
    "globalSecondaryIndexes[0].writeCapacity",
)


# ---------------------------------------------------------------------------------------------------------------------
# What is watched
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """One alarm: it fires when the statistic is above the threshold in each of the periods."""

    purpose: str
    """The end of its name."""
    description: str
    """What happened, and what to do first."""
    namespace: str
    metric: str
    dimensions: Mapping[str, str]
    statistic: str
    """``Sum``, ``Maximum``, or a percentile such as ``p90``."""
    threshold: float = 0
    """In the metric's unit: a count, or milliseconds."""
    period: int = 60
    """Seconds."""
    periods: int = 1


# What an operator asks the log, by the end of the query's name, in the language of CloudWatch Logs Insights. A query
# has no time of its own: it asks about the time that is chosen in the console. docs/runbook.md says when to use which.
SAVED_QUERIES: Mapping[str, str] = {
    "what-failed": """\
fields @timestamp, reason, key, version_id, error, request_id, xray_trace_id
| filter outcome = "failed"
| sort @timestamp desc
| limit 1000""",
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


def make_alarms(names: Names, args: TapStackArgs) -> list[Alarm]:
    """Every alarm of the stack; docs/runbook.md has a chapter for each."""
    function = {"FunctionName": names.function}
    table = {"TableName": names.table}
    index = {"TableName": names.table, "GlobalSecondaryIndexName": DAY_INDEX}
    write_units = args.max_capacity or args.write_capacity
    alarms = [
        Alarm(
            purpose="function-errors",
            description="The function failed, so at least one upload is not indexed yet. Lambda tries twice more. "
            f"First: read the newest ERROR lines in {names.log_group}; they name the object and the reason.",
            namespace="AWS/Lambda",
            metric="Errors",
            dimensions=function,
            statistic="Sum",
        ),
        Alarm(
            purpose="function-throttles",
            description="Lambda had no free concurrency for the function; events wait for up to 6 hours. "
            "First: compare ConcurrentExecutions with the account's limit and with reservedConcurrency.",
            namespace="AWS/Lambda",
            metric="Throttles",
            dimensions=function,
            statistic="Sum",
        ),
        Alarm(
            purpose="function-duration",
            description=f"One call in ten takes over {DURATION_ALARM_SHARE:.0%} of the time-out of "
            f"{args.timeout_seconds} s. First: look for table throttling on the dashboard, then at the slowest traces.",
            namespace="AWS/Lambda",
            metric="Duration",
            dimensions=function,
            statistic="p90",
            threshold=args.timeout_seconds * 1000 * DURATION_ALARM_SHARE,
            periods=5,
        ),
        Alarm(
            purpose="events-dropped",
            description="Lambda gave up on events: they were too old or had failed three times. "
            "First: look into the failure queue; what is not there must be indexed again from the bucket.",
            namespace="AWS/Lambda",
            metric="AsyncEventsDropped",
            dimensions=function,
            statistic="Sum",
        ),
        Alarm(
            purpose="failure-delivery",
            description="Lambda could not put a failed event into the failure queue: that event is lost. "
            f"First: check that the role may send to {names.failure_queue} and that the queue exists.",
            namespace="AWS/Lambda",
            metric="DestinationDeliveryFailures",
            dimensions=function,
            statistic="Sum",
        ),
        Alarm(
            purpose="failure-queue",
            description="Uploads that could not be indexed wait in the failure queue, for 14 days. "
            f"First: read one in {names.failure_queue}; responsePayload says why, requestPayload is the event.",
            namespace="AWS/SQS",
            metric="ApproximateNumberOfMessagesVisible",
            dimensions={"QueueName": names.failure_queue},
            statistic="Maximum",
        ),
    ]
    alarms += [
        Alarm(
            purpose=f"failed-{reason}",
            description=f"{happened} (reason {reason} in {names.log_group}). First: {first}.",
            namespace=METRICS_NAMESPACE,
            metric="ObjectsFailed",
            dimensions={"service": names.prefix, "reason": reason},
            statistic="Sum",
        )
        for reason, (happened, first) in FAILURE_REASONS.items()
    ]
    for part, dimensions, place in (("table", table, "the table"), ("index", index, f"the index {DAY_INDEX}")):
        alarms += [
            Alarm(
                purpose=f"{part}-{units.lower()}-throttles",
                description=f"DynamoDB throttled {units.lower()}s: {place} had used up its provisioned units. "
                f"First: compare the dashboard's used units, then raise {units.lower()}Capacity or set maxCapacity.",
                namespace="AWS/DynamoDB",
                metric=f"{units}ThrottleEvents",
                dimensions=dimensions,
                statistic="Sum",
            )
            for units in ("Read", "Write")
        ]
        alarms.append(
            Alarm(
                purpose=f"{part}-write-capacity",
                description=f"For 5 minutes {place} used over {CAPACITY_ALARM_SHARE:.0%} of its write units; "
                "above all of them DynamoDB throttles. First: raise writeCapacity or set maxCapacity.",
                namespace="AWS/DynamoDB",
                metric="ConsumedWriteCapacityUnits",
                dimensions=dimensions,
                statistic="Sum",
                threshold=write_units * 60 * CAPACITY_ALARM_SHARE,  # the sum of a period of 60 s
                periods=5,
            )
        )
    alarms += [
        # the metric exists only with the dimension Operation: one alarm for each that the role may use
        Alarm(
            purpose=f"table-errors-{operation.lower()}",
            description=f"DynamoDB answered {operation} with an error of its own. The function retries by itself. "
            "First: check the AWS Health Dashboard for DynamoDB in this region.",
            namespace="AWS/DynamoDB",
            metric="SystemErrors",
            dimensions={**table, "Operation": operation},
            statistic="Sum",
        )
        for operation in ("GetItem", "Query", "UpdateItem")
    ]
    return alarms


def make_dashboard(names: Names, args: TapStackArgs, *, region: str) -> Document:
    """The dashboard's body: what arrived, what failed, how long it took, how full the table's capacity is."""
    service = ("service", names.prefix)
    function = ("FunctionName", names.function)
    table = ("TableName", names.table)
    index = (*table, "GlobalSecondaryIndexName", DAY_INDEX)

    def metrics(namespace: str, statistic: str, *lines: Sequence[str]) -> list[list[object]]:
        return [[namespace, *line, {"stat": statistic}] for line in lines]

    widgets = [
        (
            "What arrived, and what was deleted",
            [
                *metrics(METRICS_NAMESPACE, "Sum", ("ObjectsIndexed", *service), ("ObjectsDuplicate", *service)),
                *metrics(METRICS_NAMESPACE, "Sum", ("ObjectsDeleted", *service), ("ObjectsGone", *service)),
                *metrics(METRICS_NAMESPACE, "Sum", ("SdkRetries", *service)),
            ],
            [],
        ),
        (
            "What failed",
            [
                *metrics(
                    METRICS_NAMESPACE, "Sum", *(("ObjectsFailed", *service, "reason", r) for r in FAILURE_REASONS)
                ),
                *metrics("AWS/Lambda", "Sum", *((m, *function) for m in ("Errors", "Throttles", "AsyncEventsDropped"))),
                *metrics("AWS/Lambda", "Sum", ("DestinationDeliveryFailures", *function)),
                *metrics(
                    "AWS/SQS", "Maximum", ("ApproximateNumberOfMessagesVisible", "QueueName", names.failure_queue)
                ),
            ],
            [],
        ),
        (
            "How long it took (ms)",
            [
                *metrics(METRICS_NAMESPACE, "p50", ("IndexingDelay", *service)),
                *metrics(METRICS_NAMESPACE, "p99", ("IndexingDelay", *service)),
                *metrics("AWS/Lambda", "p50", ("Duration", *function)),
                *metrics("AWS/Lambda", "p90", ("Duration", *function)),
            ],
            [{"label": "time-out", "value": args.timeout_seconds * 1000}],
        ),
        (
            "Write units used in a minute",
            [
                *metrics("AWS/DynamoDB", "Sum", ("ConsumedWriteCapacityUnits", *table)),
                *metrics("AWS/DynamoDB", "Sum", ("ConsumedWriteCapacityUnits", *index)),
                *metrics("AWS/DynamoDB", "Sum", ("WriteThrottleEvents", *table), ("WriteThrottleEvents", *index)),
            ],
            [{"label": "provisioned", "value": args.write_capacity * 60}],
        ),
        (
            "Read units used in a minute",
            [
                *metrics("AWS/DynamoDB", "Sum", ("ConsumedReadCapacityUnits", *table)),
                *metrics("AWS/DynamoDB", "Sum", ("ConsumedReadCapacityUnits", *index)),
                *metrics("AWS/DynamoDB", "Sum", ("ReadThrottleEvents", *table), ("ReadThrottleEvents", *index)),
            ],
            [{"label": "provisioned", "value": args.read_capacity * 60}],
        ),
        (
            "How much runs at once",
            metrics("AWS/Lambda", "Maximum", ("ConcurrentExecutions", *function)),
            [],
        ),
        (
            "How old events were when they ran (ms)",
            metrics("AWS/Lambda", "Maximum", ("AsyncEventAge", *function)),
            [{"label": "given up", "value": ASYNC_EVENT_AGE_SECONDS * 1000}],
        ),
    ]
    return {
        "widgets": [
            {
                "type": "metric",
                "x": 12 * (number % 2),  # two columns of the 24 that a dashboard has
                "y": 6 * (number // 2),
                "width": 12,
                "height": 6,
                "properties": {
                    "title": title,
                    "region": region,
                    "view": "timeSeries",
                    "period": 60,
                    "metrics": lines,
                    **({"annotations": {"horizontal": marks}} if marks else {}),
                },
            }
            for number, (title, lines, marks) in enumerate(widgets)
        ]
    }


# ---------------------------------------------------------------------------------------------------------------------
# The program
# ---------------------------------------------------------------------------------------------------------------------


def main(environ: Mapping[str, str]) -> None:
    """Deploy one TapStack, configured by the Pulumi stack, and export its outputs.

    Raises:
        pulumi.RunError: the configuration cannot be deployed or the archive not be built. Pulumi shows its message
            alone, where it would show another error with the whole traceback.
    """
    try:
        stack = TapStack("tap", TapStackArgs.from_config(pulumi.Config(), environ))
    except (ConfigurationError, PackagingError) as error:
        raise pulumi.RunError(str(error)) from error
    for name, value in stack.outputs.items():
        pulumi.export(name, value)


if __name__ == "__main__":
    main(os.environ)
