"""TapStack writes one row to DynamoDB for each file in an S3 bucket; for an event that fails, it raises an alarm.

It deploys a versioned upload bucket (and a bucket for its access logs), a DynamoDB table with one index by day, a
Lambda function that S3 notifies, a failure queue for events that the function could not index, alarms with an SNS
topic, a dashboard, and saved queries of the function's log.

Configuration, with defaults (``pulumi config set KEY VALUE``; docs/configuration.md has types and allowed values):

========================  ==============================================================================================
``env``                   environment, part of every name and tag; required unless the stack is ``dev`` (``dev``)
``bucketName``            name of the upload bucket (``{project}-{env}-uploads-{account}-{region}``)
``tableName``             name of the table; the variable ``TAP_TABLE_NAME`` overrides it (``{project}-{env}-objects``)
``readCapacity``          read units per second of the table and of its index (``100``)
``writeCapacity``         write units per second of the table and of its index (``100``)
``maxCapacity``           upper limit for autoscaling of read and of write capacity (none)
``corsAllowedOrigins``    origins that may upload: list or comma-separated (``http://localhost:3000`` in ``dev``, else
                          required)
``notificationPrefix``    index only keys with this prefix (none)
``notificationSuffix``    index only keys with this suffix (none)
``noncurrentDays``        days after which a version that is no longer current expires (``90``)
``deletedRetentionDays``  days that the row of a deleted version is kept (``90``)
``logLevel``              least severe level that the function logs (``INFO``)
``logRetentionDays``      days that log lines are kept (``30``)
``memoryMb``              memory of the function (``512``)
``timeoutSeconds``        time-out of the function (``600``)
``reservedConcurrency``   concurrent executions reserved for the function, which are also its maximum (none)
``alarmEmail``            address that receives the alarms (none)
``kmsKeyArn``             ARN of your KMS key for bucket, table, queue, logs and topic (AES-256 and AWS-managed keys)
``owner``                 tag Owner (``platform``)
``costCenter``            tag CostCenter (``shared``)
``savedQueries``          save the Logs Insights queries that docs/runbook.md uses (``true``)
``protectData``           refuse to delete buckets and table (``true``, but ``false`` in ``dev``)
========================  ==============================================================================================

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
from dataclasses import KW_ONLY, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote_plus

import pulumi
import pulumi_aws as aws
from pulumi.runtime.config import CONFIG, get_config_env

# == Limits and defaults ==============================================================================================

BUCKET_NAME_LENGTH = range(3, 64)  # characters; S3 User Guide, "General purpose bucket naming rules"
BUCKET_NAME_PATTERN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
BUCKET_NAME_RESERVED_STARTS = ("xn--", "sthree-", "amzn-s3-demo-")  # same page
BUCKET_NAME_RESERVED_ENDS = ("-s3alias", "--ol-s3", "--x-s3", "--table-s3", "-an")  # same page
TABLE_NAME_LENGTH = range(3, 256)  # characters; DynamoDB Developer Guide, "Naming rules"
TABLE_NAME_PATTERN = re.compile(r"[A-Za-z0-9_.-]+")
FUNCTION_NAME_LENGTH = range(1, 65)  # characters; Lambda API Reference, CreateFunction
ROLE_NAME_LENGTH = range(1, 65)  # characters; IAM User Guide, "IAM and AWS STS quotas"
QUEUE_NAME_LENGTH = range(1, 81)  # characters; SQS Developer Guide, "Message queue quotas"
TABLE_CAPACITY_UNITS = range(1, 40_001)  # per table and second; DynamoDB, "Default quotas" (AWS can raise it)
NONCURRENT_DAYS = range(1, 2**31)  # days; S3 API Reference, NoncurrentVersionExpiration
# Days; 0 means for ever. At least 15: an event may be replayed from the failure queue for 14 days, and would restore a
# row that has expired by then. At most ten years: rows to be kept for longer are kept for ever.
DELETED_RETENTION_DAYS = range(15, 3651)
FILTER_BYTES = 1024  # bytes of a key, so of a prefix and a suffix together; S3 User Guide, "Object keys"
FILTER_CHARACTERS = 1024  # of a prefix or suffix, encoded; S3 API Reference, FilterRule
CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f\ufffe\uffff]")  # XML 1.0, in which S3 reads filters, has none of them
MEMORY_MIB = range(128, 10_241)  # MiB; Lambda Developer Guide, "Lambda quotas"
# Seconds. At most 900: "Lambda quotas". At least 10: one HEAD and one write, 4 s each at worst, and 1 s to report.
TIMEOUT_SECONDS = range(10, 901)
RESERVED_CONCURRENCY = range(1, 10**18)  # executions; the upper limit is the account's quota, which only AWS knows
TAG_VALUE_LENGTH = range(1, 257)  # characters; Tagging AWS Resources User Guide, "Tag naming limits"
TAG_VALUE_PATTERN = re.compile(r"[\w .:/=+\-@]*")  # same page
# KMS Developer Guide, "Key identifiers (KeyId)": the ARN of a key; those of multi-Region keys begin with mrk-
KEY_ARN_PATTERN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):kms:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):"
    r"key/(mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})"
)
EMAIL_PATTERN = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
ENVIRONMENT_PATTERN = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
# scheme://host[:port], where S3 allows one * in the host (S3 User Guide, "Elements of a CORS configuration")
ORIGIN_PATTERN = re.compile(r"https?://(?!\*(:[0-9]+)?$)[A-Za-z0-9.*-]+(:[0-9]{1,5})?")
ORIGIN_FORMAT = "http(s)://host[:port] with at most one * as a part of the host, and no path"
# days; CloudWatch Logs API Reference, PutRetentionPolicy
LOG_RETENTION_DAYS = frozenset(
    {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}
)
# Above ERROR, the reason of a failure would not be logged.
LOG_LEVELS = frozenset({"DEBUG", "INFO", "WARNING", "ERROR"})

ABORT_MULTIPART_DAYS = 7
ACCESS_LOG_DAYS = 90
CORS_METHODS = ("GET", "PUT", "POST", "HEAD")
CORS_MAX_AGE_SECONDS = 3000  # how long a browser may cache the response to its preflight request
FAILURE_RETENTION_SECONDS = 14 * 24 * 3600  # the maximum of SQS
ASYNC_RETRIES = 2  # the maximum of Lambda
ASYNC_EVENT_AGE_SECONDS = 6 * 3600  # likewise
AUTOSCALING_TARGET_PERCENT = 70  # of the provisioned units; the default of AWS's own console
CAPACITY_ALARM_FRACTION = 0.8
DURATION_ALARM_FRACTION = 0.8
DEV = "dev"  # the environment of a developer, whose data may be deleted
DEV_ORIGINS = ("http://localhost:3000",)

EXPIRY_ATTRIBUTE = "expires_at"  # of a deleted version's row: a number, seconds since 1970
TABLE_NAME_VARIABLE = "TAP_TABLE_NAME"  # environment variable of the program, and of the function
DAY_INDEX = "uploads_by_day"
METRICS_NAMESPACE = "TapStack"
# Values of the dimension `reason` of the metric ObjectsFailed: what happened, and what to do first.
FAILURE_REASONS: Mapping[str, str] = {
    "denied": "AWS refused a call of the function: a permission is missing, or was taken away ({where}). "
    "First: run pulumi up --refresh, which shows what differs from the program and puts it back.",
    "malformed": "The function got an event that is not one of S3's, or of a new major version ({where}). "
    "First: read the field and the error in the newest ERROR line, and keep the event.",
    "throttled": "S3 or DynamoDB asked to slow down for longer than the function had time ({where}). "
    "First: look for table throttling on the dashboard, then raise writeCapacity or set maxCapacity.",
    "unavailable": "S3 or DynamoDB did not answer, or too late ({where}). "
    "First: look at the AWS Health Dashboard of this region; when all is well, replay the failure queue.",
    "foreign": "The function got an event of another bucket, which it does not index ({where}). "
    "First: find out who sends it: another bucket's notification, or somebody who calls the function by hand.",
    "internal": "A call that AWS does not accept, a missing table, or a defect of the function ({where}). "
    "First: read the error in the newest ERROR line, and see that the table is there.",
}
RUNTIME = "python3.13"
HANDLER = "lambda_code.main.lambda_handler"
EVENTS = ("s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*")


# == Configuration ====================================================================================================


class ConfigurationError(ValueError):
    """A configuration value that cannot be deployed. Its message names key, value, limit and remedy."""

    def __init__(self, key: str, value: object, limit: str, remedy: str) -> None:
        super().__init__(f"{key}: {value!r} is not valid: {limit}. {remedy}")
        self.key = key


@dataclass(frozen=True)
class ConfigField:
    """A configuration key: which values are allowed, and how the documents describe it.

    The attribute of ``TapStackArgs`` that holds a ConfigField adds the type and the default.
    ``python -m tools.configuration`` writes all of them into this module's docstring and docs/configuration.md.
    """

    key: str
    description: str
    limit: range | frozenset[Any] | re.Pattern[str] | None = None  # a pattern must match the whole text
    unit: str = ""  # of the numbers; or, for a pattern, the allowed texts in words
    _: KW_ONLY
    length: range | None = None  # characters
    exempt: int | None = None  # a number that is allowed although it is outside the limit
    error: str = "allowed are {}"
    remedy: str = ""  # the default depends on the kind of limit
    rule: Callable[[TapStackArgs], None] | None = None  # a further check, which may compare several fields
    default: str = ""  # in words, if the default is not a constant
    allowed: str = ""  # in words, if limit and unit do not say it

    def check(self, value: Any, *, key: str = "") -> None:  # noqa: ANN401 - the type depends on the limit
        """Check a value against length and limit; ``key`` is reported instead of the field's own.

        Raises:
            ConfigurationError: the value is not allowed.
        """
        if self.length is not None:
            _check_length(key or self.key, value, self.length)
        match self.limit:
            case range() as numbers if value not in numbers and value != self.exempt:
                nearest = numbers.start if value < numbers.start else numbers.stop - 1
                remedy = f"Try: pulumi config set {self.key} {nearest}"
            case frozenset() as choices if value not in choices:
                remedy = "Choose one of these."
            case re.Pattern() as pattern if not pattern.fullmatch(value):
                remedy = "Change or remove what is not."
            case _:
                return
        raise ConfigurationError(key or self.key, value, self.error.format(self.allowed_values), self.remedy or remedy)

    @property
    def allowed_values(self) -> str:
        """The allowed values in words, with their unit."""
        match self.limit:
            case range() as numbers if not self.allowed:
                return f"{numbers.start} to {numbers.stop - 1} {self.unit}"
            case frozenset() as choices:
                return ", ".join(str(choice) for choice in sorted(choices))
        return self.allowed or self.unit


def _check_length(key: str, value: str, limit: range) -> None:
    if len(value) not in limit:
        error = f"it has {len(value)} characters, and {limit.start} to {limit.stop - 1} are allowed"
        remedy = "Choose a longer one." if len(value) < limit.start else "Choose a shorter one."
        raise ConfigurationError(key, value, error, remedy)


def check_bucket_name(key: str, name: str) -> None:
    """Check a bucket's name against the rules of S3.

    Dots are refused too, which S3 allows: the wildcard certificate of S3 does not cover such a bucket, and the
    bucket's policy refuses everything but TLS.

    Raises:
        ConfigurationError: the name breaks a rule.
    """
    CONFIG_FIELDS["bucket_name"].check(name, key=key)
    if name.startswith(BUCKET_NAME_RESERVED_STARTS) or name.endswith(BUCKET_NAME_RESERVED_ENDS):
        reserved = ", ".join(
            [*(f"{s}…" for s in BUCKET_NAME_RESERVED_STARTS), *(f"…{e}" for e in BUCKET_NAME_RESERVED_ENDS)]
        )
        raise ConfigurationError(key, name, f"S3 keeps these names to itself: {reserved}", "Choose another name.")


def _check_configured_bucket_name(args: TapStackArgs) -> None:
    if args.bucket_name is not None:
        check_bucket_name("bucketName", args.bucket_name)


def _check_max_capacity(args: TapStackArgs) -> None:
    if args.max_capacity is not None:
        numbers = range(max(args.read_capacity, args.write_capacity), TABLE_CAPACITY_UNITS.stop)
        unit = "units, readCapacity and writeCapacity included"
        ConfigField("maxCapacity", "", limit=numbers, unit=unit).check(args.max_capacity)


def _check_origins(args: TapStackArgs) -> None:
    key, remedy = "corsAllowedOrigins", "Try: pulumi config set corsAllowedOrigins https://app.example.com"
    if not args.cors_allowed_origins:
        error = f"the environment {args.environment_suffix!r} needs at least one origin (only dev has a default)"
        raise ConfigurationError(key, args.cors_allowed_origins, error, remedy)
    for origin in args.cors_allowed_origins:
        if not ORIGIN_PATTERN.fullmatch(origin) or origin.count("*") > 1:
            raise ConfigurationError(key, origin, f"an origin is {ORIGIN_FORMAT}", remedy)


def _check_filters(args: TapStackArgs) -> None:
    prefix, suffix = args.notification_prefix, args.notification_suffix
    _check_filter("notificationPrefix", prefix)
    _check_filter("notificationSuffix", suffix)
    size = len(prefix.encode()) + len(suffix.encode())
    if size > FILTER_BYTES:
        key = "notificationPrefix" if len(prefix) >= len(suffix) else "notificationSuffix"
        error = f"prefix and suffix have {size} bytes together, and a key has {FILTER_BYTES} at most"
        raise ConfigurationError(key, max(prefix, suffix, key=len), error, "Choose shorter ones.")


def _check_filter(key: str, value: str) -> None:
    encoded = len(encode_filter(value))
    if CONTROL_CHARACTERS.search(value):
        raise ConfigurationError(key, value, "control characters are not allowed", "Remove them.")
    if "*" in value:
        remedy = "Write the beginning or end itself, such as images/ or .pdf"
        raise ConfigurationError(key, value, "S3 knows no wildcards here", remedy)
    if encoded > FILTER_CHARACTERS:
        error = f"it has {encoded} characters when encoded for S3, and {FILTER_CHARACTERS} are allowed"
        raise ConfigurationError(key, value, error, "Choose a shorter one.")


def encode_filter(text: str) -> str:
    """Encode a prefix or suffix as S3 compares it with keys: form-encoded, except for S3's safe characters.

    Source: S3 User Guide, "Configuring event notifications using object key name filtering". A filter that is not
    encoded matches nothing, and S3 reports no error.
    """
    return quote_plus(text, safe="/!-_.'()")


_FILTER = f"no wildcards or control characters; {FILTER_BYTES} bytes at most, prefix and suffix together"
T = TypeVar("T")


def _field(key: str, default: T, *args: Any, default_text: str = "", **options: Any) -> T:
    """A dataclass field with its ConfigField, which ``args`` and ``options`` describe."""
    config_field = ConfigField(key, *args, default=default_text, **options)
    return field(default=default, metadata={"config": config_field})


def _tag_field(key: str, default: str, description: str) -> str:
    words = "a tag's value: letters, digits, spaces and _ . : / = + - @"
    return _field(key, default, description, TAG_VALUE_PATTERN, words, length=TAG_VALUE_LENGTH)


@dataclass(frozen=True, kw_only=True)
class TapStackArgs:
    """The settings of one deployment: the table of all configuration keys, which are checked in this order.

    Raises:
        ConfigurationError: a value is outside the limits of AWS or contradicts another one.
    """

    environment_suffix: str = _field(
        "env",
        DEV,
        "environment, part of every name and tag; required unless the stack is `dev`",
        ENVIRONMENT_PATTERN,
        "lower-case letters, digits and hyphens, a letter first",
    )
    bucket_name: str | None = _field(
        "bucketName",
        None,
        "name of the upload bucket",
        BUCKET_NAME_PATTERN,
        "lower-case letters, digits and hyphens, no hyphen first or last",
        length=BUCKET_NAME_LENGTH,
        rule=_check_configured_bucket_name,
        default_text="`{project}-{env}-uploads-{account}-{region}`",
    )
    table_name: str | None = _field(
        "tableName",
        None,
        "name of the table; the variable `TAP_TABLE_NAME` overrides it",
        TABLE_NAME_PATTERN,
        "letters, digits, '_', '-' and '.'",
        length=TABLE_NAME_LENGTH,
        default_text="`{project}-{env}-objects`",
    )
    read_capacity: int = _field(
        "readCapacity", 100, "read units per second of the table and of its index", TABLE_CAPACITY_UNITS, "units"
    )
    write_capacity: int = _field(
        "writeCapacity", 100, "write units per second of the table and of its index", TABLE_CAPACITY_UNITS, "units"
    )
    max_capacity: int | None = _field(
        "maxCapacity",
        None,
        "upper limit for autoscaling of read and of write capacity",
        rule=_check_max_capacity,
        allowed=f"the larger of readCapacity and writeCapacity, to {TABLE_CAPACITY_UNITS.stop - 1} units",
    )
    cors_allowed_origins: Sequence[str] | None = _field(
        "corsAllowedOrigins",
        None,
        "origins that may upload: list or comma-separated",
        rule=_check_origins,
        default_text=f"`{DEV_ORIGINS[0]}` in `dev`, else required",
        allowed=f"each {ORIGIN_FORMAT}",
    )
    notification_prefix: str = _field("notificationPrefix", "", "index only keys with this prefix", allowed=_FILTER)
    notification_suffix: str = _field(
        "notificationSuffix", "", "index only keys with this suffix", allowed=_FILTER, rule=_check_filters
    )
    noncurrent_days: int = _field(
        "noncurrentDays", 90, "days after which a version that is no longer current expires", NONCURRENT_DAYS, "days"
    )
    deleted_retention_days: int = _field(
        "deletedRetentionDays",
        90,
        "days that the row of a deleted version is kept",
        DELETED_RETENTION_DAYS,
        "days; 0: for ever",
        exempt=0,
    )
    log_level: str = _field("logLevel", "INFO", "least severe level that the function logs", LOG_LEVELS)
    log_retention_days: int = _field("logRetentionDays", 30, "days that log lines are kept", LOG_RETENTION_DAYS)
    memory_mb: int = _field("memoryMb", 512, "memory of the function", MEMORY_MIB, "MiB")
    # docs/capacity.md: with a lower time-out, part of a large burst goes to the failure queue
    timeout_seconds: int = _field("timeoutSeconds", 600, "time-out of the function", TIMEOUT_SECONDS, "seconds")
    reserved_concurrency: int | None = _field(
        "reservedConcurrency",
        None,
        "concurrent executions reserved for the function, which are also its maximum",
        RESERVED_CONCURRENCY,
        error="it must be {}",
        remedy="Remove it, so that the function shares the account's concurrency.",
        allowed="at least 1 (0 would stop the function)",
    )
    alarm_email: str | None = _field(
        "alarmEmail", None, "address that receives the alarms", EMAIL_PATTERN, "one address such as oncall@example.com"
    )
    kms_key_arn: str | None = _field(
        "kmsKeyArn",
        None,
        "ARN of your KMS key for bucket, table, queue, logs and topic",
        KEY_ARN_PATTERN,
        "a key's ARN, arn:aws:kms:REGION:ACCOUNT:key/ID, and neither an alias nor an id alone",
        error="it must be {}",
        remedy="Ask for it: aws kms describe-key --key-id ID_OR_ALIAS --query KeyMetadata.Arn",
        default_text="AES-256 and AWS-managed keys",
    )
    owner: str = _tag_field("owner", "platform", "tag Owner")
    cost_center: str = _tag_field("costCenter", "shared", "tag CostCenter")
    saved_queries: bool = _field(
        "savedQueries", default=True, description="save the Logs Insights queries that docs/runbook.md uses"
    )
    protect_data: bool | None = _field(
        "protectData", None, "refuse to delete buckets and table", default_text="`true`, but `false` in `dev`"
    )
    lambda_package: pulumi.Archive | None = None
    """The function's archive; ``None`` builds it from ``lambda_code`` (tests pass a tiny one)."""

    def __post_init__(self) -> None:
        """Fill in the defaults that depend on the environment, then check every field."""
        if self.cors_allowed_origins is None and self.is_dev:
            object.__setattr__(self, "cors_allowed_origins", DEV_ORIGINS)  # a frozen field cannot be assigned
        if self.protect_data is None:
            object.__setattr__(self, "protect_data", not self.is_dev)  # likewise
        for name, config_field in CONFIG_FIELDS.items():
            value = getattr(self, name)
            if value is not None or getattr(TapStackArgs, name) is not None:  # the class attribute is the default
                config_field.check(value)
            if config_field.rule is not None:
                config_field.rule(self)

    @property
    def is_dev(self) -> bool:
        """Whether this is the environment of a developer, whose data may be deleted."""
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
        _reject_unknown_keys(config.name)
        stack = pulumi.get_stack()
        if config.get("env") is None and stack != DEV:
            error = f"the stack {stack!r} without it would be deployed as {DEV!r}, unprotected"
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
        raise ConfigurationError(key, raw, "it must be a whole number", f"Try: pulumi config set {key} NUMBER")
    return int(digits)


def _parse_boolean(key: str, raw: str) -> bool:
    value = raw.strip().lower()
    if value not in {"true", "false"}:
        raise ConfigurationError(key, raw, "it must be true or false", f"Try: pulumi config set {key} true")
    return value == "true"


def _parse_list(key: str, raw: str) -> tuple[str, ...]:
    """Parse a JSON list of strings (which is how Pulumi passes on a list in YAML), or strings separated by commas."""
    if not raw.lstrip().startswith(("[", "{", '"')):
        return tuple(part.strip() for part in raw.split(",") if part.strip())
    try:
        values = json.loads(raw)
    except ValueError:
        values = None
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        remedy = f"Try: pulumi config set --path '{key}[0]' https://app.example.com"
        raise ConfigurationError(key, raw, "it must be a list of strings", remedy)
    return tuple(values)


# by the type of an attribute, without ``| None``; a text needs no parser
_PARSERS: Mapping[str, Callable[[str, str], object]] = {
    "int": _parse_integer,
    "bool": _parse_boolean,
    "Sequence[str]": _parse_list,
}
# attribute of TapStackArgs -> its configuration key
CONFIG_FIELDS: Mapping[str, ConfigField] = {
    each.name: each.metadata["config"] for each in fields(TapStackArgs) if "config" in each.metadata
}


def _reject_unknown_keys(namespace: str) -> None:
    """Raise an error for a misspelt key, which would otherwise be a setting that stays at its default unnoticed."""
    known = sorted(config_field.key for config_field in CONFIG_FIELDS.values())
    for full_key in sorted({*CONFIG.get(), *get_config_env()}):
        owner, _, key = full_key.rpartition(":")
        if owner == namespace and key not in known:
            raise ConfigurationError(key, key, f"the keys are {', '.join(known)}", f"Try: pulumi config rm {key}")


def check_key_location(key_arn: str, *, partition: str, region: str, account: str) -> None:
    """Check that every service of the stack can use a KMS key.

    Other services accept a key of another account; DynamoDB searches its own account and region (DynamoDB
    Developer Guide, "DynamoDB encryption at rest usage notes", DescribeKey).

    Raises:
        ConfigurationError: the key is in another partition, region or account.
    """
    key = KEY_ARN_PATTERN.fullmatch(key_arn)
    for part, expected, remedy in (
        ("partition", partition, "Choose a key there."),
        ("region", region, "Choose a key there, or replicate a multi-Region key to it."),
        ("account", account, "Choose a key there: DynamoDB takes none of another account."),
    ):
        if key is None or key[part] != expected:
            error = f"it must be a key of the stack's {part}, which is {expected}"
            raise ConfigurationError("kmsKeyArn", key_arn, error, remedy)


# == Names and tags ===================================================================================================


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
        error = "it is the name of the bucket for access logs"
        raise ConfigurationError("bucketName", args.bucket_name, error, "Choose another name.")
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


# == Policy documents =================================================================================================

Document = dict[str, Any]
"""A policy as IAM reads it: ``{"Version": …, "Statement": […]}``."""


def _policy(*statements: Document) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _statement(
    sid: str,
    effect: str,
    action: str | Sequence[str],
    resource: str | Sequence[str] | None = None,
    *,
    principal: str | Document | None = None,
    condition: Document | None = None,
) -> Document:
    """One statement, without the elements that have no value."""
    elements = {"Sid": sid, "Effect": effect, "Principal": principal, "Action": action}
    elements |= {"Resource": resource, "Condition": condition}
    return {name: value for name, value in elements.items() if value is not None}


def _deny_without_tls(action: str, *arns: str) -> Document:
    condition = {"Bool": {"aws:SecureTransport": "false"}}
    return _statement("DenyWithoutTls", "Deny", action, list(arns), principal="*", condition=condition)


def _allow_service(
    sid: str, service: str, action: str, resource: str | None = None, *, account: str, source_arn: str | None = None
) -> Document:
    """Allow an AWS service an action on behalf of one account, and of one source (a pattern of ARNs) in it."""
    source = {} if source_arn is None else {"ArnLike": {"aws:SourceArn": source_arn}}
    return _statement(
        sid,
        "Allow",
        action,
        resource,
        principal={"Service": f"{service}.amazonaws.com"},
        condition=source | {"StringEquals": {"aws:SourceAccount": account}},
    )


def upload_bucket_policy(*, bucket_arn: str, key_arn: str | None = None) -> Document:
    """TLS only, and no upload in another encryption than the bucket's: the function could not read it with HEAD."""

    def deny_put(sid: str, **condition: Document) -> Document:
        return _statement(sid, "Deny", "s3:PutObject", f"{bucket_arn}/*", principal="*", condition=condition)

    # An upload without an encryption header gets the bucket's default encryption. The condition Null excludes such
    # an upload: a key that is absent satisfies StringNotEquals (with IfExists too), and would be refused.
    requested = {"s3:x-amz-server-side-encryption": "false"}
    algorithm = {"s3:x-amz-server-side-encryption": "aws:kms" if key_arn else "AES256"}
    statements = [
        _deny_without_tls("s3:*", bucket_arn, f"{bucket_arn}/*"),
        deny_put("DenyOtherEncryption", Null=requested, StringNotEquals=algorithm),
        deny_put("DenyCustomerKeys", Null={"s3:x-amz-server-side-encryption-customer-algorithm": "false"}),
    ]
    if key_arn:
        # a request for aws:kms without a key id means the key that AWS manages, aws/s3, which is another key too
        key = {"s3:x-amz-server-side-encryption-aws-kms-key-id": key_arn}
        statements.append(deny_put("DenyOtherKeys", Null=requested, StringNotEquals=key))
    return _policy(*statements)


def log_bucket_policy(*, log_bucket_arn: str, upload_bucket_arn: str, account: str) -> Document:
    """TLS only, and the S3 logging service may write the access logs of this bucket of this account."""
    objects = f"{log_bucket_arn}/*"
    return _policy(
        _deny_without_tls("s3:*", log_bucket_arn, objects),
        _allow_service(
            "AllowAccessLogs", "logging.s3", "s3:PutObject", objects, account=account, source_arn=upload_bucket_arn
        ),
    )


def queue_policy(*, queue_arn: str) -> Document:
    """TLS only. The function's role has the permission to send."""
    return _policy(_deny_without_tls("sqs:*", queue_arn))


def topic_policy(*, topic_arn: str, partition: str, region: str, account: str) -> Document:
    """The alarms of this account and region may publish, over TLS; a topic's own policy replaces the default one."""
    alarms = f"arn:{partition}:cloudwatch:{region}:{account}:alarm:*"
    return _policy(
        _allow_service("AllowAlarms", "cloudwatch", "sns:Publish", topic_arn, account=account, source_arn=alarms),
        _deny_without_tls("sns:Publish", topic_arn),
    )


def trust_policy(*, account: str) -> Document:
    """Only Lambda, on behalf of this account, may assume the role."""
    return _policy(_allow_service("AllowLambda", "lambda", "sts:AssumeRole", account=account))


def indexer_policy(
    *, bucket_arn: str, table_arn: str, log_group_arn: str, queue_arn: str, key_arn: str | None = None
) -> Document:
    """The permissions of the function."""

    def allow(sid: str, actions: Sequence[str], resource: str) -> Document:
        return _statement(sid, "Allow", actions, [resource])

    return _policy(
        # every object of the bucket: the event names the one to read
        allow("ReadObjects", ["s3:GetObject", "s3:GetObjectVersion"], f"{bucket_arn}/*"),
        # without it HEAD returns 403 for an object that does not exist, not 404
        allow("TellGoneFromDenied", ["s3:ListBucket"], bucket_arn),
        allow("UseTable", ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"], table_arn),
        allow("UseDayIndex", ["dynamodb:Query"], f"{table_arn}/index/{DAY_INDEX}"),
        # Lambda chooses the names of the log streams
        allow("WriteLogs", ["logs:CreateLogStream", "logs:PutLogEvents"], f"{log_group_arn}:*"),
        allow("ReportFailures", ["sqs:SendMessage"], queue_arn),
        # X-Ray has no resources that these two could be limited to
        allow("WriteTraces", ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "*"),
        *(_key_permissions(key_arn, bucket_arn=bucket_arn, table_arn=table_arn) if key_arn else ()),
    )


def _key_permissions(key_arn: str, *, bucket_arn: str, table_arn: str) -> list[Document]:
    """The function's permissions for the key: only through one service each, and only for the stack's resources.

    Log lines need none: CloudWatch Logs uses the key itself, as the key's own policy allows.
    """
    _, partition, _, region, *_ = key_arn.split(":")
    # the condition's values are documented for amazonaws.com; which of the two China has is not
    domains = ("amazonaws.com", "amazonaws.com.cn") if partition == "aws-cn" else ("amazonaws.com",)

    def allow(
        sid: str, service: str, *actions: str, equals: Mapping[str, str] | None = None, like: Document | None = None
    ) -> Document:
        via = {"kms:ViaService": [f"{service}.{region}.{domain}" for domain in domains]}
        condition = {"StringEquals": via | dict(equals or {}), **({"ArnLike": like} if like else {})}
        return _statement(sid, "Allow", list(actions), [key_arn], condition=condition)

    objects = {"kms:EncryptionContext:aws:s3:arn": [bucket_arn, f"{bucket_arn}/*"]}
    table = {"kms:EncryptionContext:aws:dynamodb:tableName": table_arn.rpartition("/")[2]}
    return [
        # HEAD requests checksums (S3 API Reference, HeadObject, ChecksumMode). The context is the bucket where its
        # key is used, and the object where an uploader declined it (S3 User Guide, "S3 Bucket Keys").
        allow("ReadChecksums", "s3", "kms:Decrypt", like=objects),
        # reads and writes alike: DynamoDB decrypts the table's own key for each principal that uses the table
        # (DynamoDB Developer Guide, "DynamoDB encryption at rest usage notes", Decrypt)
        allow("OpenTable", "dynamodb", "kms:Decrypt", equals=table),
        # a producer's permissions; SQS Developer Guide, "Amazon SQS key management"
        allow("EncryptFailures", "sqs", "kms:GenerateDataKey", "kms:Decrypt"),
    ]


def _json(build: Callable[..., Document], **values: pulumi.Input[str | None]) -> pulumi.Output[str]:
    """The policy that ``build`` returns for these values, as JSON, once they are known."""
    return pulumi.Output.all(**values).apply(lambda known: json.dumps(build(**known)))


# == The function's archive ===========================================================================================

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
# What pip adds, which differs from run to run. Everything else ships as its authors published it.
DROPPED_FROM_PACKAGE = (
    *("bin", "**/__pycache__"),
    *(f"*.dist-info/{name}" for name in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")),
)


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
        dropped = frozenset(path for pattern in DROPPED_FROM_PACKAGE for path in installed.glob(pattern))
        _copy_folder(installed, folder, without=dropped)
        shutil.rmtree(installed)

    _build_once(vendored, vendor)
    modules = sorted(code.glob("*.py"))
    package_key = _digest(
        [vendored_key.encode(), *(part for m in modules for part in (m.name.encode(), m.read_bytes()))]
    )
    package = cache / f"package-{package_key}"

    def assemble(folder: Path) -> None:
        _copy_folder(vendored, folder)
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


def _copy_folder(source: Path, target: Path, *, without: frozenset[Path] = frozenset()) -> None:
    """Copy a folder without these files and folders, with modes that do not depend on this machine."""
    for entry in sorted(set(source.iterdir()) - without):
        if entry.is_dir():
            _copy_folder(entry, _make_folder(target / entry.name), without=without)
        else:
            _copy_file(entry, target / entry.name)


def _make_folder(folder: Path) -> Path:
    folder.mkdir()
    folder.chmod(0o755)  # the mode that mkdir takes would depend on the umask
    return folder


def _copy_file(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    target.chmod(0o644)


# == The stack ========================================================================================================


class TapStack(pulumi.ComponentResource):
    """The whole of TapStack as one component.

    Each output is an attribute, a ``pulumi.Output`` of text; ``outputs`` holds them by name.
    """

    # A nested property that can be None is an Args class: of a dictionary, Pulumi would send the None as a null, and
    # show an update.

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
        if self._key is not None:
            check_key_location(self._key, partition=self._partition, region=self._region, account=self._account)

        bucket, versioning = self._upload_bucket()
        self._access_logs(bucket)
        table = self._table()
        self._autoscaling(table)
        log_group = self._log_group()
        queue = self._failure_queue()
        role, permissions = self._role(bucket, table, log_group, queue)
        function = self._function(role, permissions, log_group)
        self._trigger(bucket, versioning, function, permissions, queue)
        topic = self._alarm_topic()
        self._alarms(topic)
        self._dashboard()
        self._saved_queries(log_group)

        inherited = set(vars(self))
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
        self.outputs: dict[str, pulumi.Output[str]] = {n: v for n, v in vars(self).items() if n not in inherited}
        self.register_outputs(dict(self.outputs))

    def _child(
        self, *depends_on: pulumi.Resource, holds_data: bool = False, ignore_changes: Sequence[str] = ()
    ) -> pulumi.ResourceOptions:
        """The options of a resource that belongs to this component."""
        return pulumi.ResourceOptions(
            parent=self,
            depends_on=list(depends_on),
            protect=holds_data and self._args.protect_data,
            ignore_changes=list(ignore_changes),
        )

    # -- buckets ------------------------------------------------------------------------------------------------------

    def _upload_bucket(self) -> tuple[aws.s3.Bucket, aws.s3.BucketVersioning]:
        """The versioned bucket; pages of the configured origins may upload, and read the ETag in the response."""
        bucket, _ = self._hardened_bucket(
            "uploads",
            self._names.upload_bucket,
            policy=lambda bucket: _json(upload_bucket_policy, bucket_arn=bucket.arn, key_arn=self._key),
            key_arn=self._key,
            expiry=_lifecycle_rule(
                "expire-noncurrent-versions",
                noncurrent_version_expiration={"noncurrent_days": self._args.noncurrent_days},
            ),
        )
        aws.s3.BucketCorsConfiguration(
            f"{self._name}-uploads-cors",
            bucket=bucket.bucket,
            cors_rules=[
                {
                    "allowed_headers": ["*"],  # of the request: which ones a page needs depends on how it signs
                    "allowed_methods": list(CORS_METHODS),
                    "allowed_origins": list(self._args.cors_allowed_origins or ()),
                    "expose_headers": ["ETag"],
                    "max_age_seconds": CORS_MAX_AGE_SECONDS,
                }
            ],
            opts=self._child(),
        )
        versioning = aws.s3.BucketVersioning(
            f"{self._name}-uploads-versioning",
            bucket=bucket.bucket,
            versioning_configuration={"status": "Enabled"},
            opts=self._child(),
        )
        return bucket, versioning

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
            rule={"object_ownership": "BucketOwnerEnforced"},
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
                _lifecycle_rule(
                    "abort-incomplete-uploads",
                    abort_incomplete_multipart_upload={"days_after_initiation": ABORT_MULTIPART_DAYS},
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
            opts=self._child(privacy),
        )
        return bucket, bucket_policy

    def _access_logs(self, bucket: aws.s3.Bucket) -> None:
        """Log every request to the upload bucket into a bucket of its own."""
        log_bucket, log_policy = self._hardened_bucket(
            "logs",
            self._names.log_bucket,
            policy=lambda log_bucket: _json(
                log_bucket_policy, log_bucket_arn=log_bucket.arn, upload_bucket_arn=bucket.arn, account=self._account
            ),
            expiry=_lifecycle_rule("expire-access-logs", expiration={"days": ACCESS_LOG_DAYS}),
        )
        aws.s3.BucketLogging(
            f"{self._name}-uploads-logging",
            bucket=bucket.bucket,
            target_bucket=log_bucket.bucket,
            target_prefix="uploads/",
            opts=self._child(log_policy),
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
                {"name": name, "type": "S"} for name in ("object_id", "version_id", "upload_day", "uploaded_at")
            ],
            global_secondary_indexes=[
                {
                    "name": DAY_INDEX,
                    "key_schemas": [
                        {"attribute_name": "upload_day", "key_type": "HASH"},
                        {"attribute_name": "uploaded_at", "key_type": "RANGE"},
                    ],
                    "projection_type": "ALL",
                    "read_capacity": read,
                    "write_capacity": write,
                }
            ],
            server_side_encryption=aws.dynamodb.TableServerSideEncryptionArgs(enabled=True, kms_key_arn=self._key),
            point_in_time_recovery={"enabled": True},
            ttl={"attribute_name": EXPIRY_ATTRIBUTE, "enabled": True},
            deletion_protection_enabled=self._args.protect_data,
            tags=self._tags,
            opts=self._child(
                holds_data=True,
                # if autoscaling is on, it owns the capacities: the next deployment must not reset them
                ignore_changes=_CAPACITY_PROPERTIES if self._args.max_capacity is not None else (),
            ),
        )

    def _autoscaling(self, table: aws.dynamodb.Table) -> None:
        """Scale the table and its index up to the configured limit, each for reads and for writes."""
        if self._args.max_capacity is None:
            return
        index = pulumi.Output.concat("table/", table.name, f"/index/{DAY_INDEX}")
        whole_table = pulumi.Output.concat("table/", table.name)
        for kind, resource_id, units, minimum in (
            ("table", whole_table, "Read", self._args.read_capacity),
            ("table", whole_table, "Write", self._args.write_capacity),
            ("index", index, "Read", self._args.read_capacity),
            ("index", index, "Write", self._args.write_capacity),
        ):
            name = f"{self._name}-{kind}-{units.lower()}-scaling"
            target = aws.appautoscaling.Target(
                name,
                service_namespace="dynamodb",
                resource_id=resource_id,
                scalable_dimension=f"dynamodb:{kind}:{units}CapacityUnits",
                min_capacity=minimum,
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
                target_tracking_scaling_policy_configuration={
                    "predefined_metric_specification": {
                        "predefined_metric_type": f"DynamoDB{units}CapacityUtilization"
                    },
                    "target_value": AUTOSCALING_TARGET_PERCENT,
                },
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

    def _role(
        self, bucket: aws.s3.Bucket, table: aws.dynamodb.Table, log_group: aws.cloudwatch.LogGroup, queue: aws.sqs.Queue
    ) -> tuple[aws.iam.Role, aws.iam.RolePolicy]:
        role = aws.iam.Role(
            f"{self._name}-indexer-role",
            name=self._names.role,
            description="What the function that indexes uploads may do",
            assume_role_policy=json.dumps(trust_policy(account=self._account)),
            tags=self._tags,
            opts=self._child(),
        )
        permissions = aws.iam.RolePolicy(
            f"{self._name}-indexer-policy",
            name="index-uploads",
            role=role.name,
            policy=_json(
                indexer_policy,
                bucket_arn=bucket.arn,
                table_arn=table.arn,
                log_group_arn=log_group.arn,
                queue_arn=queue.arn,
                key_arn=self._key,
            ),
            opts=self._child(),
        )
        return role, permissions

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
            tracing_config={"mode": "Active"},
            logging_config={
                "log_format": "JSON",
                "log_group": log_group.name,
                # Above INFO, Lambda would drop the metrics, which are lines without a level and count as INFO.
                # The function itself leaves out the lines below logLevel.
                "application_log_level": "DEBUG" if self._args.log_level == "DEBUG" else "INFO",
            },
            environment={
                "variables": {
                    "TAP_BUCKET_NAME": self._names.upload_bucket,
                    TABLE_NAME_VARIABLE: self._names.table,
                    "TAP_DELETED_RETENTION_DAYS": str(self._args.deleted_retention_days),
                    "POWERTOOLS_SERVICE_NAME": self._names.prefix,
                    "POWERTOOLS_METRICS_NAMESPACE": METRICS_NAMESPACE,
                    "POWERTOOLS_LOG_LEVEL": self._args.log_level,
                }
            },
            tags=self._tags,
            opts=self._child(permissions, log_group),
        )

    def _trigger(
        self,
        bucket: aws.s3.Bucket,
        versioning: aws.s3.BucketVersioning,
        function: aws.lambda_.Function,
        permissions: aws.iam.RolePolicy,
        queue: aws.sqs.Queue,
    ) -> None:
        """Let S3 invoke the function; an event that still fails after all retries goes to the failure queue."""
        retries = aws.lambda_.FunctionEventInvokeConfig(
            f"{self._name}-indexer-retries",
            function_name=function.name,
            maximum_retry_attempts=ASYNC_RETRIES,
            maximum_event_age_in_seconds=ASYNC_EVENT_AGE_SECONDS,
            destination_config={"on_failure": {"destination": queue.arn}},
            opts=self._child(permissions),
        )
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
                    filter_prefix=encode_filter(self._args.notification_prefix) or None,
                    filter_suffix=encode_filter(self._args.notification_suffix) or None,
                )
            ],
            # without the permission S3 refuses the notification; without versioning the first events have no version;
            # without the failure queue behind the function, an event that fails would be lost
            opts=self._child(permission, versioning, retries),
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
                # a personal address: encrypted in Pulumi's state, whether or not it was configured as a secret
                endpoint=pulumi.Output.secret(self._args.alarm_email),
                opts=self._child(),
            )
        return topic

    def _alarms(self, topic: aws.sns.Topic) -> None:
        for alarm in make_alarms(self._names, self._args):
            is_percentile = alarm.statistic.startswith("p")
            aws.cloudwatch.MetricAlarm(
                f"{self._name}-{alarm.purpose}",
                name=self._names.alarm(alarm.purpose),
                alarm_description=alarm.description,
                namespace=alarm.namespace,
                metric_name=alarm.metric,
                dimensions=dict(alarm.dimensions),
                statistic=None if is_percentile else alarm.statistic,
                extended_statistic=alarm.statistic if is_percentile else None,
                comparison_operator="GreaterThanThreshold",
                threshold=alarm.threshold,
                period=60,
                evaluation_periods=alarm.periods,
                treat_missing_data="notBreaching",  # without uploads there is no data, which is no reason for an alarm
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
                name=f"{self._names.prefix}/{purpose}",  # the console shows the part before the slash as a folder
                query_string=query,
                log_group_names=[log_group.name],
                opts=self._child(),
            )

    # -- outputs ------------------------------------------------------------------------------------------------------

    def _dashboard_url(self) -> str:
        console = {"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}
        host = console.get(self._partition, "console.aws.amazon.com")
        return (
            f"https://{self._region}.{host}/cloudwatch/home?region={self._region}"
            f"#dashboards/dashboard/{self._names.dashboard}"
        )

    def _test_command(self) -> str:
        """A shell command that uploads a file and queries its row."""
        key = f"{self._args.notification_prefix}hello{self._args.notification_suffix or '.txt'}"
        object_id = json.dumps({":id": {"S": f"{self._names.upload_bucket}/{key}"}})
        upload = f"s3://{self._names.upload_bucket}/{key}"
        return (
            f"echo hello | aws s3 cp - {shlex.quote(upload)} --region {self._region} && sleep 5 && "
            f"aws dynamodb query --table-name {self._names.table} --region {self._region} "
            f"--key-condition-expression 'object_id = :id' --expression-attribute-values {shlex.quote(object_id)}"
        )


def _lifecycle_rule(rule_id: str, **action: Any) -> aws.s3.BucketLifecycleConfigurationRuleArgs:
    """A rule for every object of a bucket; ``action`` is the argument that says what happens to it, and when."""
    every_object = aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix="")
    return aws.s3.BucketLifecycleConfigurationRuleArgs(id=rule_id, status="Enabled", filter=every_object, **action)


_ROOT = Path(__file__).resolve().parent
_CAPACITY_PROPERTIES = (
    "readCapacity",
    "writeCapacity",
    "globalSecondaryIndexes[0].readCapacity",
    "globalSecondaryIndexes[0].writeCapacity",
)


# == Alarms, dashboard and saved queries ==============================================================================


@dataclass(frozen=True)
class Alarm:
    """One alarm: it fires when the statistic is above the threshold in each of the periods of 60 seconds."""

    purpose: str  # the end of its name
    namespace: str
    metric: str
    dimensions: Mapping[str, str]
    statistic: str = "Sum"  # or Maximum, or a percentile such as p90
    threshold: float = 0  # in the metric's unit: a count, or milliseconds
    periods: int = 1
    description: str = ""


# Queries of the function's log in the language of CloudWatch Logs Insights, by the end of the query's name. A query has
# no time range of its own: the console applies the selected one. docs/runbook.md says when to use which.
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
    lambda_, sqs, dynamodb = "AWS/Lambda", "AWS/SQS", "AWS/DynamoDB"
    service = {"service": names.prefix}
    function = {"FunctionName": names.function}
    queue = {"QueueName": names.failure_queue}
    table = {"TableName": names.table}
    index = {**table, "GlobalSecondaryIndexName": DAY_INDEX}
    duration = args.timeout_seconds * 1000 * DURATION_ALARM_FRACTION
    write_units = (args.max_capacity or args.write_capacity) * 60 * CAPACITY_ALARM_FRACTION  # of a period
    alarms = [
        Alarm("function-errors", lambda_, "Errors", function),
        Alarm("function-throttles", lambda_, "Throttles", function),
        Alarm("function-duration", lambda_, "Duration", function, "p90", duration, periods=5),
        Alarm("events-dropped", lambda_, "AsyncEventsDropped", function),
        Alarm("failure-delivery", lambda_, "DestinationDeliveryFailures", function),
        Alarm("failure-queue", sqs, "ApproximateNumberOfMessagesVisible", queue, "Maximum"),
        *(
            Alarm(f"failed-{reason}", METRICS_NAMESPACE, "ObjectsFailed", {**service, "reason": reason})
            for reason in FAILURE_REASONS
        ),
        Alarm("table-read-throttles", dynamodb, "ReadThrottleEvents", table),
        Alarm("table-write-throttles", dynamodb, "WriteThrottleEvents", table),
        Alarm("table-write-capacity", dynamodb, "ConsumedWriteCapacityUnits", table, "Sum", write_units, periods=5),
        Alarm("index-read-throttles", dynamodb, "ReadThrottleEvents", index),
        Alarm("index-write-throttles", dynamodb, "WriteThrottleEvents", index),
        Alarm("index-write-capacity", dynamodb, "ConsumedWriteCapacityUnits", index, "Sum", write_units, periods=5),
        # SystemErrors exists only with the dimension Operation: one alarm for each operation that the role allows
        Alarm("table-errors-getitem", dynamodb, "SystemErrors", {**table, "Operation": "GetItem"}),
        Alarm("table-errors-query", dynamodb, "SystemErrors", {**table, "Operation": "Query"}),
        Alarm("table-errors-updateitem", dynamodb, "SystemErrors", {**table, "Operation": "UpdateItem"}),
    ]
    descriptions = _alarm_descriptions(names, args)
    return [replace(alarm, description=descriptions[alarm.purpose]) for alarm in alarms]


def _alarm_descriptions(names: Names, args: TapStackArgs) -> dict[str, str]:
    """What happened, and what to do first, for each alarm."""
    log_group, queue = names.log_group, names.failure_queue
    descriptions = {
        "function-errors": "The function failed, so at least one upload is not indexed yet. Lambda tries twice more. "
        f"First: read the newest ERROR lines in {log_group}; they name the object and the reason.",
        "function-throttles": "Lambda had no free concurrency for the function; events wait for up to 6 hours. "
        "First: compare ConcurrentExecutions with the account's limit and with reservedConcurrency.",
        "function-duration": f"One call in ten takes over {DURATION_ALARM_FRACTION:.0%} of the time-out of "
        f"{args.timeout_seconds} s. First: look for table throttling on the dashboard, then at the slowest traces.",
        "events-dropped": "Lambda gave up on events: they were too old or had failed three times. "
        "First: look into the failure queue; what is not there must be indexed again from the bucket.",
        "failure-delivery": "Lambda could not put a failed event into the failure queue: that event is lost. "
        f"First: check that the role may send to {queue} and that the queue exists.",
        "failure-queue": "Uploads that could not be indexed wait in the failure queue, for 14 days. "
        f"First: read one in {queue}; responsePayload says why, requestPayload is the event.",
    }
    for reason, description in FAILURE_REASONS.items():
        descriptions[f"failed-{reason}"] = description.format(where=f"reason {reason} in {log_group}")
    for part, title in (("table", "the table"), ("index", f"the index {DAY_INDEX}")):
        for units in ("read", "write"):
            descriptions[f"{part}-{units}-throttles"] = (
                f"DynamoDB throttled {units}s: {title} had used up its provisioned units. "
                f"First: compare the dashboard's used units, then raise {units}Capacity or set maxCapacity."
            )
        descriptions[f"{part}-write-capacity"] = (
            f"For 5 minutes {title} used over {CAPACITY_ALARM_FRACTION:.0%} of its write units; "
            "above all of them DynamoDB throttles. First: raise writeCapacity or set maxCapacity."
        )
    for operation in ("GetItem", "Query", "UpdateItem"):
        descriptions[f"table-errors-{operation.lower()}"] = (
            f"DynamoDB answered {operation} with an error of its own. The function retries by itself. "
            "First: check the AWS Health Dashboard for DynamoDB in this region."
        )
    return descriptions


def make_dashboard(names: Names, args: TapStackArgs, *, region: str) -> Document:
    """The dashboard's body: a table of widgets, each with its metrics and the limit that it shows."""
    own, lambda_, sqs, dynamodb = METRICS_NAMESPACE, "AWS/Lambda", "AWS/SQS", "AWS/DynamoDB"
    service = ("service", names.prefix)
    function = ("FunctionName", names.function)
    queue = ("QueueName", names.failure_queue)
    table = ("TableName", names.table)
    index = (*table, "GlobalSecondaryIndexName", DAY_INDEX)

    def widget(title: str, *metrics: list[object], limit: tuple[str, int] | None = None) -> Document:
        mark = {"annotations": {"horizontal": [{"label": limit[0], "value": limit[1]}]}} if limit else {}
        return {"title": title, "region": region, "view": "timeSeries", "period": 60, "metrics": list(metrics), **mark}

    widgets = [
        widget(
            "What arrived, and what was deleted",
            _metric(own, "ObjectsIndexed", service),
            _metric(own, "ObjectsDuplicate", service),
            _metric(own, "ObjectsDeleted", service),
            _metric(own, "ObjectsGone", service),
            _metric(own, "SdkRetries", service),
        ),
        widget(
            "What failed",
            *(_metric(own, "ObjectsFailed", (*service, "reason", reason)) for reason in FAILURE_REASONS),
            _metric(lambda_, "Errors", function),
            _metric(lambda_, "Throttles", function),
            _metric(lambda_, "AsyncEventsDropped", function),
            _metric(lambda_, "DestinationDeliveryFailures", function),
            _metric(sqs, "ApproximateNumberOfMessagesVisible", queue, "Maximum"),
        ),
        widget(
            "How long it took (ms)",
            _metric(own, "IndexingDelay", service, "p50"),
            _metric(own, "IndexingDelay", service, "p99"),
            _metric(lambda_, "Duration", function, "p50"),
            _metric(lambda_, "Duration", function, "p90"),
            limit=("time-out", args.timeout_seconds * 1000),
        ),
        widget(
            "Write units used in a minute",
            _metric(dynamodb, "ConsumedWriteCapacityUnits", table),
            _metric(dynamodb, "ConsumedWriteCapacityUnits", index),
            _metric(dynamodb, "WriteThrottleEvents", table),
            _metric(dynamodb, "WriteThrottleEvents", index),
            limit=("provisioned", args.write_capacity * 60),
        ),
        widget(
            "Read units used in a minute",
            _metric(dynamodb, "ConsumedReadCapacityUnits", table),
            _metric(dynamodb, "ConsumedReadCapacityUnits", index),
            _metric(dynamodb, "ReadThrottleEvents", table),
            _metric(dynamodb, "ReadThrottleEvents", index),
            limit=("provisioned", args.read_capacity * 60),
        ),
        widget("How much runs at once", _metric(lambda_, "ConcurrentExecutions", function, "Maximum")),
        widget(
            "How old events were when they ran (ms)",
            _metric(lambda_, "AsyncEventAge", function, "Maximum"),
            limit=("given up", ASYNC_EVENT_AGE_SECONDS * 1000),
        ),
    ]
    # two columns; the grid is 24 wide
    places = [{"x": 12 * (n % 2), "y": 6 * (n // 2), "width": 12, "height": 6} for n in range(len(widgets))]
    return {"widgets": [{"type": "metric", **place, "properties": p} for place, p in zip(places, widgets, strict=True)]}


def _metric(namespace: str, name: str, dimensions: Sequence[str], statistic: str = "Sum") -> list[object]:
    return [namespace, name, *dimensions, {"stat": statistic}]


# == The program ======================================================================================================


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
