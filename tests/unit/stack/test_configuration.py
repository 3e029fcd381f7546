"""What the configuration may say, and what the program answers to what it may not."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import pulumi
import pytest

import tap_stack
from tap_stack import ConfigurationError, TapStackArgs
from tests.support.expected import PROD
from tests.support.synth import configured, synth

KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
KEY_ID = KEY.rpartition("/")[2]
ALIAS = "arn:aws:kms:us-east-1:123456789012:alias/uploads"
MULTI_REGION_KEY = "arn:aws:kms:us-east-1:123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab"
CHINESE_KEY = KEY.replace("arn:aws:kms:us-east-1", "arn:aws-cn:kms:cn-north-1")
HOW = "aws kms describe-key"

LONG = "a-name-that-is-too-long-for-a-bucket-name-of-63-characters-as-you-see"

# (configuration, its wrong value, what is allowed, what to do)
WRONG: dict[str, list[tuple[dict[str, str], object, str, str]]] = {
    "env": [
        ({"env": ""}, "", "lower-case letters, digits and hyphens, a letter first", "Change"),
        ({"env": "Prod"}, "Prod", "lower-case letters", "Change"),
        ({"env": "1prod"}, "1prod", "a letter first", "Change"),
        ({"env": "prod-"}, "prod-", "lower-case letters", "Change"),
        ({"env": "prod_eu"}, "prod_eu", "lower-case letters", "Change"),
        ({"env": "dév"}, "dév", "lower-case letters", "Change"),
        ({"env": "dev\n"}, "dev\n", "lower-case letters", "Change"),
    ],
    "bucketName": [
        ({"bucketName": "ab"}, "ab", "3 to 63", "longer"),
        ({"bucketName": ""}, "", "3 to 63", "longer"),
        ({"bucketName": LONG}, LONG, "3 to 63", "shorter"),
        ({"bucketName": "My-Bucket"}, "My-Bucket", "lower-case letters", "Change"),
        ({"bucketName": "my_bucket"}, "my_bucket", "lower-case letters", "Change"),
        ({"bucketName": "-bucket"}, "-bucket", "no hyphen first or last", "Change"),
        ({"bucketName": "bucket-"}, "bucket-", "no hyphen first or last", "Change"),
        ({"bucketName": "my.bucket"}, "my.bucket", "lower-case letters", "Change"),
        ({"bucketName": "192.168.5.4"}, "192.168.5.4", "lower-case letters", "Change"),
        ({"bucketName": "xn--bucket"}, "xn--bucket", "xn--", "another"),
        ({"bucketName": "sthree-bucket"}, "sthree-bucket", "sthree-", "another"),
        ({"bucketName": "amzn-s3-demo-x"}, "amzn-s3-demo-x", "amzn-s3-demo-", "another"),
        ({"bucketName": "bucket-s3alias"}, "bucket-s3alias", "-s3alias", "another"),
        ({"bucketName": "bucket--ol-s3"}, "bucket--ol-s3", "--ol-s3", "another"),
        ({"bucketName": "bucket--x-s3"}, "bucket--x-s3", "--x-s3", "another"),
    ],
    "tableName": [
        ({"tableName": "ab"}, "ab", "3 to 255", "longer"),
        ({"tableName": "a" * 256}, "a" * 256, "3 to 255", "shorter"),
        ({"tableName": "my table"}, "my table", "letters, digits, '_', '-' and '.'", "Change"),
        ({"tableName": "tablé"}, "tablé", "letters, digits, '_', '-' and '.'", "Change"),
    ],
    "readCapacity": [
        ({"readCapacity": "0"}, 0, "1 to 40000", "pulumi config set readCapacity 1"),
        ({"readCapacity": "-5"}, -5, "1 to 40000", "pulumi config set readCapacity 1"),
        ({"readCapacity": "40001"}, 40_001, "1 to 40000", "pulumi config set readCapacity 40000"),
        ({"readCapacity": "many"}, "many", "a whole number", "pulumi config set readCapacity"),
        ({"readCapacity": "1.5"}, "1.5", "a whole number", "pulumi config set readCapacity"),
        ({"readCapacity": "1e3"}, "1e3", "a whole number", "pulumi config set readCapacity"),
        ({"readCapacity": "1_000"}, "1_000", "a whole number", "pulumi config set readCapacity"),
        ({"readCapacity": "١٢"}, "١٢", "a whole number", "pulumi config set readCapacity"),
        ({"readCapacity": ""}, "", "a whole number", "pulumi config set readCapacity"),
        ({"readCapacity": "9" * 5000}, "9" * 5000, "a whole number", "pulumi config set readCapacity"),
    ],
    "writeCapacity": [
        ({"writeCapacity": "0"}, 0, "1 to 40000", "pulumi config set writeCapacity 1"),
        ({"writeCapacity": "40001"}, 40_001, "1 to 40000", "pulumi config set writeCapacity 40000"),
    ],
    "maxCapacity": [
        ({"maxCapacity": "99"}, 99, "100 to 40000", "pulumi config set maxCapacity 100"),
        ({"maxCapacity": "200", "writeCapacity": "300"}, 200, "300 to 40000", "maxCapacity 300"),
        ({"maxCapacity": "40001"}, 40_001, "100 to 40000", "pulumi config set maxCapacity 40000"),
    ],
    "corsAllowedOrigins": [
        ({"env": "prod"}, None, "at least one origin", "https://app.example.com"),
        ({"corsAllowedOrigins": ""}, (), "at least one origin", "https://app.example.com"),
        ({"corsAllowedOrigins": "[]"}, (), "at least one origin", "https://app.example.com"),
        ({"corsAllowedOrigins": "*"}, "*", "http(s)://host[:port]", "https://app.example.com"),
        ({"corsAllowedOrigins": "https://*"}, "https://*", "a part of the host", "https://app.example.com"),
        ({"corsAllowedOrigins": "https://*.*.com"}, "https://*.*.com", "at most one *", "https://app.example.com"),
        ({"corsAllowedOrigins": "https://a.com/path"}, "https://a.com/path", "no path", "https://app.example.com"),
        ({"corsAllowedOrigins": "https://a.com/"}, "https://a.com/", "no path", "https://app.example.com"),
        ({"corsAllowedOrigins": "a.com"}, "a.com", "http(s)://host[:port]", "https://app.example.com"),
        ({"corsAllowedOrigins": "ftp://a.com"}, "ftp://a.com", "http(s)://host[:port]", "https://app.example.com"),
        ({"corsAllowedOrigins": "https://a.com,b"}, "b", "http(s)://host[:port]", "https://app.example.com"),
        ({"corsAllowedOrigins": "http://a:٣"}, "http://a:٣", "http(s)://host[:port]", "https://app.example.com"),
        ({"corsAllowedOrigins": '["https://a.com"'}, '["https://a.com"', "a list of strings", "pulumi config set"),
        ({"corsAllowedOrigins": "[1]"}, "[1]", "a list of strings", "pulumi config set"),
        ({"corsAllowedOrigins": '{"a": 1}'}, '{"a": 1}', "a list of strings", "pulumi config set"),
    ],
    "notificationPrefix": [
        ({"notificationPrefix": "p" * 1025}, "p" * 1025, "1024", "shorter"),
        ({"notificationPrefix": "é" * 171}, "é" * 171, "1026 characters when encoded", "shorter"),
        ({"notificationPrefix": "p" * 1000, "notificationSuffix": "s" * 25}, "p" * 1000, "1025 bytes", "shorter"),
        ({"notificationPrefix": "in\n"}, "in\n", "control characters", "Remove"),
        ({"notificationPrefix": "日" * 114}, "日" * 114, "1026 characters when encoded", "shorter"),
    ],
    "notificationSuffix": [
        ({"notificationSuffix": "s" * 1025}, "s" * 1025, "1024", "shorter"),
        ({"notificationSuffix": "*.csv"}, "*.csv", "no wildcards", ".pdf"),
        ({"notificationSuffix": "\x00.csv"}, "\x00.csv", "control characters", "Remove"),
    ],
    "noncurrentDays": [
        ({"noncurrentDays": "0"}, 0, "1 to 2147483647 days", "pulumi config set noncurrentDays 1"),
        ({"noncurrentDays": "x"}, "x", "a whole number", "pulumi config set noncurrentDays"),
    ],
    "deletedRetentionDays": [
        ({"deletedRetentionDays": "1"}, 1, "15 to 3650 days; 0: for ever", "pulumi config set deletedRetentionDays 15"),
        ({"deletedRetentionDays": "14"}, 14, "15 to 3650 days", "pulumi config set deletedRetentionDays 15"),
        ({"deletedRetentionDays": "-1"}, -1, "15 to 3650 days", "pulumi config set deletedRetentionDays 15"),
        ({"deletedRetentionDays": "3651"}, 3651, "15 to 3650 days", "pulumi config set deletedRetentionDays 3650"),
        ({"deletedRetentionDays": "never"}, "never", "a whole number", "pulumi config set deletedRetentionDays"),
    ],
    "logLevel": [
        ({"logLevel": "info"}, "info", "DEBUG, ERROR, INFO, WARNING", "Choose"),
        ({"logLevel": ""}, "", "DEBUG, ERROR, INFO, WARNING", "Choose"),
    ],
    "logRetentionDays": [
        ({"logRetentionDays": "31"}, 31, "1, 3, 5, 7, 14, 30, 60", "Choose"),
        ({"logRetentionDays": "0"}, 0, "1, 3, 5, 7, 14, 30, 60", "Choose"),
    ],
    "memoryMb": [
        ({"memoryMb": "127"}, 127, "128 to 10240 MiB", "pulumi config set memoryMb 128"),
        ({"memoryMb": "10241"}, 10_241, "128 to 10240 MiB", "pulumi config set memoryMb 10240"),
    ],
    "timeoutSeconds": [
        ({"timeoutSeconds": "9"}, 9, "10 to 900 seconds", "pulumi config set timeoutSeconds 10"),
        ({"timeoutSeconds": "901"}, 901, "10 to 900 seconds", "pulumi config set timeoutSeconds 900"),
    ],
    "reservedConcurrency": [
        ({"reservedConcurrency": "0"}, 0, "at least 1", "Remove it"),
        ({"reservedConcurrency": "-1"}, -1, "at least 1", "Remove it"),
    ],
    "alarmEmail": [
        ({"alarmEmail": "oncall"}, "oncall", "one address", "Change"),
        ({"alarmEmail": ""}, "", "one address", "Change"),
        ({"alarmEmail": "a@example.com, b@example.com"}, "a@example.com, b@example.com", "one address", "Change"),
    ],
    "kmsKeyArn": [
        ({"kmsKeyArn": ""}, "", "a key's ARN", HOW),
        ({"kmsKeyArn": KEY_ID}, KEY_ID, "neither an alias nor an id alone", HOW),
        ({"kmsKeyArn": "alias/uploads"}, "alias/uploads", "neither an alias nor an id alone", HOW),
        ({"kmsKeyArn": ALIAS}, ALIAS, "neither an alias nor an id alone", HOW),
        ({"kmsKeyArn": KEY + "\n"}, KEY + "\n", "a key's ARN", HOW),
        ({"kmsKeyArn": KEY.upper()}, KEY.upper(), "a key's ARN", HOW),
        ({"kmsKeyArn": KEY[:-1]}, KEY[:-1], "a key's ARN", HOW),
        ({"kmsKeyArn": KEY.replace("123456789012", "*")}, KEY.replace("123456789012", "*"), "a key's ARN", HOW),
        ({"kmsKeyArn": KEY.replace(":kms:", ":s3:")}, KEY.replace(":kms:", ":s3:"), "a key's ARN", HOW),
    ],
    "owner": [
        ({"owner": ""}, "", "1 to 256", "longer"),
        ({"owner": "o" * 257}, "o" * 257, "1 to 256", "shorter"),
        ({"owner": "R&D"}, "R&D", "letters, digits, spaces", "Change"),
        ({"owner": "two\nlines"}, "two\nlines", "letters, digits, spaces", "Change"),
    ],
    "costCenter": [({"costCenter": "50 %"}, "50 %", "letters, digits, spaces", "Change")],
    "savedQueries": [
        ({"savedQueries": "no"}, "no", "true or false", "pulumi config set savedQueries true"),
    ],
    "protectData": [
        ({"protectData": "yes"}, "yes", "true or false", "pulumi config set protectData true"),
        ({"protectData": ""}, "", "true or false", "pulumi config set protectData true"),
    ],
}

ROWS = [pytest.param(key, *row, id=f"{key}-{str(row[1])[:20]!r}") for key, rows in WRONG.items() for row in rows]


@pytest.mark.parametrize(("key", "config", "value", "limit", "remedy"), ROWS)
def test_a_wrong_value_is_answered_with_key_value_limit_and_remedy(
    key: str, config: dict[str, str], value: object, limit: str, remedy: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        configured(config)
    assert caught.value.key == key
    message = str(caught.value)
    assert message.startswith(f"{key}: {value!r} ")
    assert limit in message
    assert remedy in message.partition(limit)[2]


def test_every_key_has_wrong_values_in_the_table() -> None:
    assert WRONG.keys() == documented_keys()


# (key, value as configured, field, value as understood)
RIGHT: list[tuple[str, str, str, object]] = [
    ("bucketName", "abc", "bucket_name", "abc"),
    ("bucketName", "a" * 63, "bucket_name", "a" * 63),
    ("tableName", "a.B_c-1", "table_name", "a.B_c-1"),
    ("readCapacity", "1", "read_capacity", 1),
    ("readCapacity", "40000", "read_capacity", 40_000),
    ("writeCapacity", " 25 ", "write_capacity", 25),
    ("maxCapacity", "100", "max_capacity", 100),
    ("corsAllowedOrigins", "http://localhost:8080", "cors_allowed_origins", ("http://localhost:8080",)),
    (
        "corsAllowedOrigins",
        " https://a.com , https://b.com ",
        "cors_allowed_origins",
        ("https://a.com", "https://b.com"),
    ),
    (
        "corsAllowedOrigins",
        '["https://a.com", "https://b.com"]',
        "cors_allowed_origins",
        ("https://a.com", "https://b.com"),
    ),
    ("corsAllowedOrigins", "https://*.example.com", "cors_allowed_origins", ("https://*.example.com",)),
    ("notificationPrefix", "p" * 1024, "notification_prefix", "p" * 1024),
    ("notificationSuffix", "", "notification_suffix", ""),
    ("noncurrentDays", "1", "noncurrent_days", 1),
    ("deletedRetentionDays", "0", "deleted_retention_days", 0),
    ("deletedRetentionDays", "15", "deleted_retention_days", 15),
    ("deletedRetentionDays", "3650", "deleted_retention_days", 3650),
    ("logLevel", "DEBUG", "log_level", "DEBUG"),
    ("logRetentionDays", "3653", "log_retention_days", 3653),
    ("memoryMb", "128", "memory_mb", 128),
    ("memoryMb", "10240", "memory_mb", 10_240),
    ("timeoutSeconds", "10", "timeout_seconds", 10),
    ("timeoutSeconds", "900", "timeout_seconds", 900),
    ("reservedConcurrency", "1", "reserved_concurrency", 1),
    ("alarmEmail", "on.call+tap@example.co.uk", "alarm_email", "on.call+tap@example.co.uk"),
    ("kmsKeyArn", KEY, "kms_key_arn", KEY),
    ("kmsKeyArn", MULTI_REGION_KEY, "kms_key_arn", MULTI_REGION_KEY),
    ("kmsKeyArn", CHINESE_KEY, "kms_key_arn", CHINESE_KEY),
    ("owner", "Équipe données: a/b=c+d-e@f.g_h", "owner", "Équipe données: a/b=c+d-e@f.g_h"),
    ("costCenter", "c" * 256, "cost_center", "c" * 256),
    ("savedQueries", "false", "saved_queries", False),
    ("protectData", "True", "protect_data", True),
    ("protectData", "false", "protect_data", False),
]


@pytest.mark.parametrize(("key", "raw", "field", "value"), RIGHT)
def test_a_right_value_is_understood_up_to_the_limit(key: str, raw: str, field: str, value: object) -> None:
    assert getattr(configured({key: raw}), field) == value


def test_an_empty_configuration_is_the_documented_one() -> None:
    assert (
        configured({})
        == TapStackArgs()
        == TapStackArgs(
            environment_suffix="dev",
            bucket_name=None,
            table_name=None,
            read_capacity=100,
            write_capacity=100,
            max_capacity=None,
            cors_allowed_origins=("http://localhost:3000",),
            notification_prefix="",
            notification_suffix="",
            noncurrent_days=90,
            deleted_retention_days=90,
            log_level="INFO",
            log_retention_days=30,
            memory_mb=512,
            timeout_seconds=600,
            reserved_concurrency=None,
            alarm_email=None,
            kms_key_arn=None,
            owner="platform",
            cost_center="shared",
            protect_data=False,
            lambda_package=None,
        )
    )


def test_outside_dev_data_is_protected_by_default() -> None:
    assert configured(PROD).protect_data is True


@pytest.mark.parametrize(
    ("config", "environ", "name"),
    [
        ({}, {}, None),
        ({"tableName": "from-configuration"}, {}, "from-configuration"),
        ({}, {"TAP_TABLE_NAME": "from-environment"}, "from-environment"),
        ({"tableName": "from-configuration"}, {"TAP_TABLE_NAME": "from-environment"}, "from-environment"),
    ],
)
def test_the_environment_variable_wins_over_the_tables_key(
    config: dict[str, str], environ: dict[str, str], name: str | None
) -> None:
    assert configured(config, environ).table_name == name


@pytest.mark.parametrize("value", ["", "a", "two words"])
def test_a_wrong_environment_variable_is_named_as_such(value: str) -> None:
    """Whoever sees the message would look for the value in the configuration otherwise."""
    with pytest.raises(ConfigurationError, match=f"^TAP_TABLE_NAME: {value!r} "):
        configured({"tableName": "a-good-one"}, {"TAP_TABLE_NAME": value})


def test_a_stack_of_another_name_must_say_its_environment() -> None:
    """`pulumi stack init prod` alone would take the names of dev, and none of the protection."""
    with pytest.raises(ConfigurationError, match=r"^env: None .*'prod'.* pulumi config set env prod$"):
        configured({}, stack="prod")
    assert configured({"env": "dev"}, stack="anna").environment_suffix == "dev"


@pytest.mark.parametrize("key", ["readcapacity", "bucket", "deletedRetention", "Env"])
def test_a_key_that_nobody_reads_is_an_error_that_lists_those_that_exist(key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        configured({key: "1"})
    message = str(caught.value)
    assert repr(key) in message
    assert "readCapacity" in message
    assert f"pulumi config rm {key}" in message


def test_keys_of_other_namespaces_are_nobodys_business() -> None:
    assert configured({"aws:region": "eu-west-1", "other:readCapacity": "0"}) == TapStackArgs()


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"read_capacity": 0}, "readCapacity"),
        ({"environment_suffix": "prod"}, "corsAllowedOrigins"),
        ({"log_level": "TRACE"}, "logLevel"),
        ({"max_capacity": 1}, "maxCapacity"),
        ({"kms_key_arn": "alias/uploads"}, "kmsKeyArn"),
    ],
)
def test_arguments_made_in_python_are_checked_like_configured_ones(fields: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        TapStackArgs(**fields)
    assert caught.value.key == key


def test_the_arguments_cannot_change_after_they_were_checked() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        TapStackArgs().read_capacity = 0  # type: ignore[misc]  # what mypy refuses is the point
    assert all(each.kind is each.KEYWORD_ONLY for each in inspect.signature(TapStackArgs).parameters.values())


def test_nothing_is_created_with_a_wrong_configuration_and_no_traceback_is_shown() -> None:
    """Of a RunError Pulumi shows the message alone."""
    with pytest.raises(pulumi.RunError, match=r"^readCapacity: 0 ") as caught:
        synth(readCapacity="0")
    assert isinstance(caught.value.__cause__, ConfigurationError)


@pytest.mark.parametrize(
    ("env", "region"),
    [("a-very-long-environments", "us-east-1"), ("performance-testing", "ap-northeast-1")],
)
def test_an_environment_too_long_for_a_bucket_name_says_so(env: str, region: str) -> None:
    bucket = f"tapstack-{env}-uploads-123456789012-{region}"
    with pytest.raises(pulumi.RunError, match=r"^project name and env: ") as caught:
        synth(region=region, **{**PROD, "env": env})
    message = str(caught.value)
    assert bucket in message
    assert "3 to 63" in message


def test_a_bucket_cannot_be_its_own_log_bucket() -> None:
    """Each log line would be a request that is logged."""
    with pytest.raises(pulumi.RunError, match=r"^bucketName: "):
        synth(bucketName="tapstack-dev-logs-123456789012-us-east-1")


def documented_keys() -> set[str]:
    """The keys in the table of the program's docstring."""
    assert tap_stack.__doc__
    lines = tap_stack.__doc__.split("Configuration", 1)[1].split("Outputs:", 1)[0].splitlines()
    return {line.split("``")[1] for line in lines if line.startswith("``")}


def test_the_documented_keys_are_those_that_are_read() -> None:
    assert documented_keys() == set(tap_stack._CONFIG_KEYS)
    assert {field for field, _ in tap_stack._CONFIG_KEYS.values()} == {
        field.name for field in dataclasses.fields(TapStackArgs)
    } - {"lambda_package"}
