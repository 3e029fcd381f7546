"""The indexer's settings, from environment variables. No other module of the indexer reads the environment."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from lambda_code.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOG_LEVEL = re.compile(r"DEBUG|INFO|WARNING|ERROR")
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
_TABLE = re.compile(r"[A-Za-z0-9_.-]{3,255}")
# Characters of a CloudWatch dimension value: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Dimension.html
_SERVICE = re.compile(r"[\x21-\x7e][\x20-\x7e]{0,254}")
# CloudWatch reserves the prefix `AWS/`: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
_NAMESPACE = re.compile(r"(?!AWS/)[A-Za-z0-9_./#:-]{1,255}")
# The configuration key `deletedRetentionDays` allows 0, and 15 to 3650 days.
_RETENTION = re.compile(r"0|1[5-9]|[2-9][0-9]|[1-9][0-9]{2}|[12][0-9]{3}|3[0-5][0-9]{2}|36[0-4][0-9]|3650")


ALL_KEYS = ("",)  # `Bucket.prefixes` of a bucket whose objects are all indexed


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """An indexed bucket: the bucket of the stack, or an existing bucket."""

    name: str
    prefixes: tuple[str, ...] = ALL_KEYS  # Only objects whose key has one of these prefixes are indexed.
    versioned: bool = True  # False: versioning was never enabled, so every object has the version ID `null`.


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings that the Pulumi program passes to the indexer."""

    bucket_name: str  # the bucket of the stack
    buckets: Mapping[str, Bucket]  # all indexed buckets by name, including the bucket of the stack
    table_name: str
    service: str
    metrics_namespace: str
    log_level: str
    deleted_retention_days: int  # days until the row of a deleted version expires; 0 disables expiry
    tracing: bool  # whether an X-Ray daemon is available

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read and validate the settings.

        Args:
            environ: environment variables by name; None reads those of this process.

        Raises:
            ConfigurationError: a variable is missing or invalid. Only the first invalid variable is reported.
        """
        environ = os.environ if environ is None else environ
        bucket_name = _checked(environ, "TAP_BUCKET_NAME", _BUCKET, "an S3 bucket name")
        return cls(
            bucket_name=bucket_name,
            buckets={each.name: each for each in (*_existing_buckets(environ), Bucket(name=bucket_name))},
            table_name=_checked(environ, "TAP_TABLE_NAME", _TABLE, "a DynamoDB table name"),
            service=_checked(environ, "POWERTOOLS_SERVICE_NAME", _SERVICE, "1 to 255 printable ASCII characters"),
            metrics_namespace=_checked(
                environ, "POWERTOOLS_METRICS_NAMESPACE", _NAMESPACE, "a CloudWatch namespace without the prefix AWS/"
            ),
            log_level=_checked(environ, "POWERTOOLS_LOG_LEVEL", _LOG_LEVEL, "one of " + _LOG_LEVEL.pattern),
            deleted_retention_days=int(
                _checked(environ, "TAP_DELETED_RETENTION_DAYS", _RETENTION, "0 (no expiry) or 15 to 3650 days")
            ),
            tracing=bool(environ.get("AWS_XRAY_DAEMON_ADDRESS")),
        )


def on_lambda(environ: Mapping[str, str] | None = None) -> bool:
    """Return whether this process runs in Lambda, on AWS or in an emulator."""
    return "AWS_LAMBDA_FUNCTION_NAME" in (os.environ if environ is None else environ)


def trace_id(environ: Mapping[str, str] | None = None) -> str | None:
    """Return the X-Ray trace ID of the current event, sampled or not; None if Lambda has set no trace header."""
    header = (os.environ if environ is None else environ).get("_X_AMZN_TRACE_ID")
    return header.split(";")[0].replace("Root=", "") if header else None


def _checked(environ: Mapping[str, str], name: str, pattern: re.Pattern[str], expected: str) -> str:
    value = environ.get(name)
    if value is None or not pattern.fullmatch(value):
        raise _error(name, value, expected)
    return value


def _existing_buckets(environ: Mapping[str, str]) -> list[Bucket]:
    """Parse the buckets that the stack indexes but does not own. The variable is absent if there are none."""
    name = "EXISTING_BUCKETS"
    value = environ.get(name, "[]")
    try:
        return [_existing_bucket(each) for each in json.loads(value)]
    except (ValueError, TypeError, KeyError) as error:
        expected = 'a JSON list of buckets such as {"name": "logs", "prefixes": ["a/"], "versioned": true}'
        raise _error(name, value, expected) from error


def _existing_bucket(fields: Mapping[str, Any]) -> Bucket:
    """Return an existing bucket. An empty list of prefixes selects all object keys.

    Raises:
        ValueError, TypeError, KeyError: a field is missing or invalid.
    """
    name, prefixes, versioned = fields["name"], tuple(fields["prefixes"]), fields["versioned"]
    texts = isinstance(fields["prefixes"], list) and all(isinstance(each, str) for each in prefixes)
    if not (_BUCKET.fullmatch(name) and texts and isinstance(versioned, bool)):
        raise ValueError(fields)
    return Bucket(name=name, prefixes=prefixes or ALL_KEYS, versioned=versioned)


def _error(name: str, value: str | None, expected: str) -> ConfigurationError:
    problem = "is not set" if value is None else f"is {value!r}"
    return ConfigurationError(
        f"environment variable {name} {problem}; it must be {expected}: deploy the stack again to set it"
    )
