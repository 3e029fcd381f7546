"""Tests of the configuration: valid values, invalid values, and their error messages."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from collections.abc import Sequence
from typing import Any

import pulumi
import pytest

import tap_stack
from tap_stack import CONFIG_FIELDS, ConfigurationError, ExistingBucket, Names, TapStackArgs, make_names
from tests.support.default_stack import BOUNDARY_ARN, CHINA, LIMITED, ON_DEMAND, PROD
from tests.support.default_stack import KEY_ARN as KEY
from tests.support.nonempty import nonempty
from tests.support.synth import parse_configuration, synth
from tools import configuration

ALIAS = "arn:aws:kms:us-east-1:123456789012:alias/uploads"
MULTI_REGION_KEY = "arn:aws:kms:us-east-1:123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab"
CHINESE_KEY = KEY.replace("arn:aws:kms:us-east-1", "arn:aws-cn:kms:cn-north-1")
NOT_A_KEY = [
    *("", KEY.rpartition("/")[2], "alias/uploads", ALIAS, KEY + "\n", KEY.upper(), KEY[:-1]),
    *(KEY.replace("123456789012", "*"), KEY.replace(":kms:", ":s3:")),
]
NOT_A_URL = [
    *("docs/runbook.md", "http://a.com/runbook.md", "HTTPS://a.com/", "https://a.com/r.md#", "https://a.com/a b"),
    *(
        "https://a.com/r.md\n",
        "https:///r.md",
        "https://-.com?",
        "https://a..com/",
        "https://ü.com/",
        "https://u@a.com/",
    ),
    *('https://a.com/"', "https://a.com/`x`", "https://a.com/<x>", "https://a.com:port/"),
]
NOT_A_BOUNDARY = [
    *(
        "",
        "developers",
        BOUNDARY_ARN.replace("boundaries", "b" * 511),
        BOUNDARY_ARN + "n" * 128,
        BOUNDARY_ARN + "\n",
        BOUNDARY_ARN + "/",
        BOUNDARY_ARN.replace("policy", "role"),
    ),
    *(BOUNDARY_ARN.replace("123456789012", "*"), BOUNDARY_ARN.replace(":iam:", ":iam:us-east-1"), f"{BOUNDARY_ARN} 1"),
]
LOWER_CASE = "lower-case letters, digits and hyphens, "
NO_INTEGER = ["many", "1.5", "1e3", "1_000", "١٢", "", "9" * 5000]
TAG = "letters, digits, spaces"

# Each entry contains a configuration key, invalid values, and parts of their error message: limit and remedy.
WRONG: list[tuple[str, list[str], str, str]] = [
    (
        "env",
        ["", "Prod", "1prod", "prod-", "prod_eu", "dév", "dev\n"],
        f"{LOWER_CASE}beginning with a letter",
        "Change",
    ),
    ("bucketName", ["", "ab"], "3 to 63", "longer"),
    ("bucketName", ["a" * 64], "3 to 63", "shorter"),
    ("bucketName", ["My-Bucket", "my_bucket", "my.bucket", "192.168.5.4"], LOWER_CASE, "Change"),
    ("bucketName", ["-bucket", "bucket-"], f"{LOWER_CASE}without a hyphen at the", "Change"),
    ("bucketName", ["xn--bucket", "sthree-bucket", "amzn-s3-demo-x"], "xn--…, sthree-…, amzn-s3-demo-…", "another"),
    ("bucketName", ["bucket-s3alias", "bucket--ol-s3", "bucket--x-s3"], "…-s3alias, …--ol-s3, …--x-s3", "another"),
    ("tableName", ["ab"], "3 to 255", "longer"),
    ("tableName", ["a" * 256], "3 to 255", "shorter"),
    ("tableName", ["my table", "tablé"], "letters, digits, '_', '-' and '.'", "Change"),
    ("billing", ["", "On-Demand", "PAY_PER_REQUEST"], "on-demand, provisioned", "Choose"),
    ("maxOnDemandReads", ["0", "-1"], "1 to 40000 units per second", "pulumi config set maxOnDemandReads 1"),
    ("maxOnDemandReads", ["40001"], "1 to 40000 units per second", "pulumi config set maxOnDemandReads 40000"),
    ("maxOnDemandReads", ["no"], "a whole number", "pulumi config set maxOnDemandReads"),
    ("maxOnDemandWrites", ["0"], "1 to 40000 units per second", "pulumi config set maxOnDemandWrites 1"),
    ("maxOnDemandWrites", ["40001"], "1 to 40000 units per second", "pulumi config set maxOnDemandWrites 40000"),
    ("tableClass", ["", "STANDARD", "standard-ia"], "infrequent-access, standard", "Choose"),
    ("indexProjection", ["", "ALL", "include"], "all, keys-only", "Choose"),
    ("readCapacity", ["0", "-5"], "1 to 40000 units", "pulumi config set readCapacity 1"),
    ("readCapacity", ["40001"], "1 to 40000 units", "pulumi config set readCapacity 40000"),
    ("readCapacity", NO_INTEGER, "a whole number", "pulumi config set readCapacity"),
    ("writeCapacity", ["0"], "1 to 40000 units", "pulumi config set writeCapacity 1"),
    ("writeCapacity", ["40001"], "1 to 40000 units", "pulumi config set writeCapacity 40000"),
    ("maxCapacity", ["99"], "100 to 40000 units", "pulumi config set maxCapacity 100"),
    ("maxCapacity", ["40001"], "100 to 40000 units", "pulumi config set maxCapacity 40000"),
    ("corsAllowedOrigins", ["*", "a.com", "ftp://a.com", "http://a:٣"], "http(s)://host[:port]", "https://app.example"),
    ("corsAllowedOrigins", ["https://*", "https://*.*.com"], "at most one * as a part of the host", "https://app.ex"),
    ("corsAllowedOrigins", ["https://a.com/path", "https://a.com/"], "no path", "https://app.example.com"),
    ("corsAllowedOrigins", ['["https://a.com"', "[1]", '{"a": 1}'], "a list of strings", "pulumi config set"),
    ("notificationPrefix", ["p" * 1025], "1024", "shorter"),
    ("notificationPrefix", ["é" * 171, "日" * 114], "1026 characters when encoded", "shorter"),
    ("notificationPrefix", ["in\n"], "control characters", "Remove"),
    ("notificationSuffix", ["s" * 1025], "1024", "shorter"),
    ("notificationSuffix", ["*.csv"], "no wildcards", ".pdf"),
    ("notificationSuffix", ["\x00.csv"], "control characters", "Remove"),
    ("eventBridge", ["on"], "true or false", "pulumi config set eventBridge true"),
    ("analytics", ["on", "athena"], "true or false", "pulumi config set analytics true"),
    ("exportRetentionDays", ["0", "-1"], "1 to 3650 days", "pulumi config set exportRetentionDays 1"),
    ("exportRetentionDays", ["3651"], "1 to 3650 days", "pulumi config set exportRetentionDays 3650"),
    ("exportRetentionDays", ["never"], "a whole number", "pulumi config set exportRetentionDays"),
    ("queryScanLimitGb", ["0"], "1 to 1000000 GB", "pulumi config set queryScanLimitGb 1"),
    ("queryScanLimitGb", ["1000001"], "1 to 1000000 GB", "pulumi config set queryScanLimitGb 1000000"),
    ("queryScanLimitGb", ["0.5"], "a whole number", "pulumi config set queryScanLimitGb"),
    ("inventory", ["on", "daily"], "true or false", "pulumi config set inventory true"),
    ("existingBuckets", ["logs", "{}", "[{"], "a list of objects", "config set --path 'existingBuckets[0].name'"),
    ("noncurrentDays", ["0"], "1 to 2147483647 days", "pulumi config set noncurrentDays 1"),
    ("noncurrentDays", ["x"], "a whole number", "pulumi config set noncurrentDays"),
    ("deletedRetentionDays", ["1", "14", "-1"], "15 to 3650 days, or 0", "set deletedRetentionDays 15"),
    ("deletedRetentionDays", ["3651"], "15 to 3650 days", "pulumi config set deletedRetentionDays 3650"),
    ("deletedRetentionDays", ["never"], "a whole number", "pulumi config set deletedRetentionDays"),
    ("logLevel", ["", "info"], "DEBUG, ERROR, INFO, WARNING", "Choose"),
    ("logRetentionDays", ["0", "31"], "1, 3, 5, 7, 14, 30, 60", "Choose"),
    ("architecture", ["", "arm", "x86-64"], "arm64, x86_64", "Choose"),
    ("memoryMb", ["127"], "128 to 10240 MiB", "pulumi config set memoryMb 128"),
    ("memoryMb", ["10241"], "128 to 10240 MiB", "pulumi config set memoryMb 10240"),
    ("timeoutSeconds", ["9"], "10 to 900 seconds", "pulumi config set timeoutSeconds 10"),
    ("timeoutSeconds", ["901"], "10 to 900 seconds", "pulumi config set timeoutSeconds 900"),
    ("reservedConcurrency", ["0", "-1"], "at least 1", "Remove the key"),
    *(
        row
        for key in ("expectUploadEveryHours", "expectAuditEveryHours")
        for row in (
            (key, ["0", "-1"], "1 to 168 hours", f"pulumi config set {key} 1"),
            (key, ["169"], "1 to 168 hours", f"pulumi config set {key} 168"),
            (key, NO_INTEGER, "a whole number", f"pulumi config set {key}"),
        )
    ),
    ("maxDelaySeconds", ["0"], "1 to 21600 seconds", "pulumi config set maxDelaySeconds 1"),
    ("maxDelaySeconds", ["21601"], "1 to 21600 seconds", "pulumi config set maxDelaySeconds 21600"),
    ("alarmEmail", ["", "oncall", "a@example.com, b@example.com"], "one address", "Change"),
    ("runbookUrl", NOT_A_URL, "an https URL without a fragment, such as https://github.com/", "Change"),
    ("runbookUrl", ["https://"], "9 to 200", "longer"),
    ("runbookUrl", ["https://a.com/".ljust(201, "b")], "9 to 200", "shorter"),
    ("kmsKeyArn", NOT_A_KEY, "the ARN of a key, arn:aws:kms:REGION:ACCOUNT:key/ID, not", "aws kms describe-key"),
    ("permissionsBoundary", NOT_A_BOUNDARY, "arn:aws:iam::ACCOUNT:policy/NAME", "aws iam list-policies"),
    ("owner", [""], "1 to 256", "longer"),
    ("owner", ["o" * 257], "1 to 256", "shorter"),
    ("owner", ["R&D", "two\nlines"], TAG, "Change"),
    ("costCenter", ["50 %"], TAG, "Change"),
    ("savedQueries", ["no"], "true or false", "pulumi config set savedQueries true"),
    ("inspectContent", ["yes"], "true or false", "pulumi config set inspectContent true"),
    ("alarmOnMismatch", ["on"], "true or false", "pulumi config set alarmOnMismatch true"),
    ("inspectorFilter", ["none"], "true or false", "pulumi config set inspectorFilter true"),
    ("protectData", ["", "yes"], "true or false", "pulumi config set protectData true"),
]
SPACES = "Remove the spaces at the beginning or the end of the value."
ORIGIN = ("give at least one origin: only the environment dev has a default, if the key is not set", "https://app.exa")
FIELDS = "`name` and `versioned` (true or false), and may have `prefixes` (a list) and `kmsKeyArn`"
BAD_PREFIXES = {"name": "logs", "versioned": True}
# Each entry contains an invalid value of `existingBuckets`, and parts of its error message: value, limit and remedy.
WRONG_BUCKETS: list[tuple[Sequence[object], object, str, str]] = [
    *(
        ([entry], entry, FIELDS, "pulumi config set --path 'existingBuckets[0].versioned' true")
        for entry in (
            *("logs", {}, {"name": "logs"}, {"versioned": True}, {"name": "logs", "versioned": "true"}),
            *({"name": 123, "versioned": True}, {"name": "logs", "versioned": True, "prefix": "a/"}),
            *({**BAD_PREFIXES, "prefixes": prefixes} for prefixes in ([], "a/", [1], None)),
            {"name": "logs", "versioned": True, "kmsKeyArn": None},
        )
    ),
    (
        [{"name": "logs", "versioned": True}, {"name": "data"}],
        *({"name": "data"}, FIELDS, "pulumi config set --path 'existingBuckets[1].versioned' true"),
    ),
    *(
        ([{"name": name, "versioned": True}], name, "3 to 63 lower-case letters, digits, dots and hyphens", "aws s3 ls")
        for name in ("", "ab", "a" * 64, "My-Bucket", "a..b", "-ab", "ab-", "my_bucket", "abc\n")
    ),
    (
        [
            {"name": "logs", "versioned": True},
            {"name": "data", "versioned": True},
            {"name": "logs", "versioned": False},
        ],
        *("logs", "more than once", "one entry for each bucket"),
    ),
    *(
        ([{**BAD_PREFIXES, "prefixes": prefixes}], prefix, f"bucket logs {limit}", "Remove")
        for prefixes, prefix, limit in (
            ([""], "", "has 1 to 1024 bytes"),
            (["é" * 513], "é" * 513, "has 1 to 1024 bytes"),
            (["a/", "b/", "a/b"], "a/b", "includes this prefix"),
            (["a/", "a/"], "a/", "includes this prefix"),
        )
    ),
    *(
        ([{**BAD_PREFIXES, "kmsKeyArn": key}], key, "the ARN of a key", "aws kms describe-key")
        for key in ("alias/logs", "")
    ),
]
# Each entry contains an invalid combination of values, and parts of its error message: key, value, limit and remedy.
WRONG_TOGETHER: list[tuple[dict[str, str], str, object, str, str]] = [
    ({"maxCapacity": "200", "writeCapacity": "300"}, "maxCapacity", 200, "300 to 40000 units", "maxCapacity 300"),
    ({"maxCapacity": "200", "readCapacity": "300"}, "maxCapacity", 200, "300 to 40000 units", "maxCapacity 300"),
    (
        {"maxCapacity": "200", "readCapacity": "201", "writeCapacity": "202"},
        *("maxCapacity", 200, "202 to 40000 units", "maxCapacity 202"),
    ),
    *(
        ({key: "5"}, key, 5, "only with analytics true, and analytics is false", f"rm {key}")
        for key in ("exportRetentionDays", "queryScanLimitGb")
    ),
    *(
        ({**ON_DEMAND, key: "100"}, key, 100, "only with billing provisioned, and billing is on-demand", f"rm {key}")
        for key in ("readCapacity", "writeCapacity", "maxCapacity")
    ),
    *(
        ({key: "100"}, key, 100, "only with billing on-demand, and billing is provisioned", f"config rm {key}")
        for key in ("maxOnDemandReads", "maxOnDemandWrites")
    ),
    (
        {"alarmOnMismatch": "true", "inspectContent": "false"},
        *("alarmOnMismatch", True, "needs the inspector", "pulumi config rm alarmOnMismatch"),
    ),
    ({"env": "prod"}, "corsAllowedOrigins", None, *ORIGIN),
    ({"corsAllowedOrigins": ""}, "corsAllowedOrigins", (), *ORIGIN),
    ({"corsAllowedOrigins": "[]"}, "corsAllowedOrigins", (), *ORIGIN),
    ({"corsAllowedOrigins": " "}, "corsAllowedOrigins", (), *ORIGIN),
    ({"env": " prod "}, "env", " prod ", "lower-case letters", SPACES),
    (
        {"billing": " on-demand"},
        "billing",
        " on-demand",
        "provisioned",
        SPACES,
    ),
    (
        {"alarmEmail": "a@b.co "},
        "alarmEmail",
        "a@b.co ",
        "one address such as",
        SPACES,
    ),
    ({"corsAllowedOrigins": "https://a.com,b"}, "corsAllowedOrigins", "b", "http(s)://host[:port]", "https://app"),
    (
        {"notificationPrefix": "p" * 1000, "notificationSuffix": "s" * 25},
        *("notificationPrefix", "p" * 1000, "1025 bytes", "shorter"),
    ),
    *(
        ({"existingBuckets": json.dumps(raw)}, "existingBuckets", value, limit, remedy)
        for raw, value, limit, remedy in WRONG_BUCKETS
    ),
]


def in_message(raw: str, limit: str) -> object:
    """Convert an invalid value to the type in the error message: an integer if possible, otherwise a string."""
    return int(raw) if re.fullmatch("-?[0-9]{1,18}", raw) and limit != "a whole number" else raw


ROWS = [
    pytest.param(config, key, value, limit, remedy, id=f"{key}-{str(value)[:20]!r}")
    for config, key, value, limit, remedy in (
        *(({key: raw}, key, in_message(raw, limit), limit, fix) for key, raws, limit, fix in WRONG for raw in raws),
        *WRONG_TOGETHER,
    )
]


@pytest.mark.parametrize(("config", "key", "value", "limit", "remedy"), ROWS)
def test_invalid_configuration_value_reports_key_value_limit_and_remedy(
    config: dict[str, str], key: str, value: object, limit: str, remedy: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_configuration(config)
    assert caught.value.key == key
    message = str(caught.value)
    assert message.startswith(f"{key}: {value!r} ")
    assert limit in message
    assert remedy in message.partition(limit)[2]


def test_each_configuration_key_is_tested_with_invalid_values() -> None:
    assert {key for key, *_ in WRONG} == {field.key for field in CONFIG_FIELDS.values()}


# Maps configuration keys to valid values as pairs (configured string, parsed value). They include minima and maxima.
RIGHT: dict[str, list[tuple[str, object]]] = {
    "bucketName": [("abc", "abc"), ("a" * 63, "a" * 63)],
    "tableName": [("a.B_c-1", "a.B_c-1")],
    "readCapacity": [("1", 1), ("40000", 40_000)],
    "writeCapacity": [(" 25 ", 25)],
    "maxCapacity": [("100", 100)],
    "billing": [("provisioned", "provisioned"), ("on-demand", "on-demand")],
    "tableClass": [("standard", "standard"), ("infrequent-access", "infrequent-access")],
    "indexProjection": [("all", "all"), ("keys-only", "keys-only")],
    "architecture": [("arm64", "arm64"), ("x86_64", "x86_64")],
    "permissionsBoundary": [
        (arn, arn)
        for arn in (
            *(BOUNDARY_ARN, "arn:aws:iam::123456789012:policy/a", "arn:aws-cn:iam::aws:policy/PowerUserAccess"),
            "arn:aws:iam::123456789012:policy/p!t~/+=,.@-_".ljust(130, "n"),
        )
    ],
    "corsAllowedOrigins": [
        ("http://localhost:8080", ("http://localhost:8080",)),
        (" https://a.com , https://b.com ", ("https://a.com", "https://b.com")),
        ('["https://a.com", "https://b.com"]', ("https://a.com", "https://b.com")),
        ("https://*.example.com", ("https://*.example.com",)),
    ],
    "notificationPrefix": [("p" * 1024, "p" * 1024)],
    "notificationSuffix": [("", "")],
    "eventBridge": [("true", True), ("false", False)],
    "inventory": [("true", True), ("false", False)],
    "analytics": [("true", True), ("false", False)],
    "existingBuckets": [
        ("[]", ()),
        (
            json.dumps(
                [
                    {"name": "a.b-c", "versioned": False},
                    {"name": "a" * 63, "versioned": True, "prefixes": ["a", "b/", "é+ \n"], "kmsKeyArn": KEY},
                ]
            ),
            (
                ExistingBucket(name="a.b-c", versioned=False),
                ExistingBucket(name="a" * 63, versioned=True, prefixes=("a", "b/", "é+ \n"), kms_key_arn=KEY),
            ),
        ),
    ],
    "noncurrentDays": [("1", 1)],
    "deletedRetentionDays": [("0", 0), ("15", 15), ("3650", 3650)],
    "runbookUrl": [
        (url, url)
        for url in (
            *("https://git", "https://a.com", "https://wiki.example.com:8443/x/(y)/runbook.md?version=2&raw=%C3%A9"),
            "https://a.com/".ljust(200, "b"),
        )
    ],
    "logLevel": [("DEBUG", "DEBUG")],
    "logRetentionDays": [("3653", 3653)],
    "memoryMb": [("128", 128), ("10240", 10_240)],
    "timeoutSeconds": [("10", 10), ("900", 900)],
    "reservedConcurrency": [("1", 1)],
    "alarmEmail": [("on.call+tap@example.co.uk", "on.call+tap@example.co.uk")],
    "expectUploadEveryHours": [("1", 1), ("168", 168)],
    "expectAuditEveryHours": [("1", 1), ("168", 168)],
    "maxDelaySeconds": [("1", 1), ("21600", 21_600)],
    "kmsKeyArn": [(KEY, KEY), (MULTI_REGION_KEY, MULTI_REGION_KEY), (CHINESE_KEY, CHINESE_KEY)],
    "owner": [("Équipe données: a/b=c+d-e@f.g_h", "Équipe données: a/b=c+d-e@f.g_h")],
    "costCenter": [("c" * 256, "c" * 256)],
    "savedQueries": [("false", False)],
    "inspectContent": [("false", False), ("true", True)],
    "alarmOnMismatch": [("true", True)],
    "inspectorFilter": [("false", False)],
    "protectData": [("True", True), ("false", False)],
}


@pytest.mark.parametrize(("key", "raw", "value"), [(key, *row) for key, rows in RIGHT.items() for row in rows])
def test_configuration_values_at_the_limits_are_valid_and_parsed(key: str, raw: str, value: object) -> None:
    (field,) = (name for name, config_field in CONFIG_FIELDS.items() if config_field.key == key)
    assert getattr(parse_configuration({key: raw}), field) == value


def test_empty_configuration_equals_the_defaults() -> None:
    args = parse_configuration({})
    assert args == TapStackArgs()
    assert (args.read_capacity, args.write_capacity) == (100, 100)
    assert (args.cors_allowed_origins, args.protect_data) == (("http://localhost:3000",), False)  # dev


def test_docstring_and_document_list_the_current_configuration_keys() -> None:
    """`python -m tools.configuration` updates docs/configuration.md and the docstring of tap_stack.py."""
    assert configuration.docstring_list() in (tap_stack.__doc__ or "")
    assert configuration.DOCUMENT.read_text(encoding="utf-8") == configuration.document()


@pytest.mark.parametrize("days", [1, 3650])
@pytest.mark.parametrize("gigabytes", [1, 1_000_000])
def test_retention_and_scan_limit_are_parsed_if_analytics_is_on(days: int, gigabytes: int) -> None:
    on = {"analytics": "true"}
    args = parse_configuration({**on, "exportRetentionDays": f"{days}", "queryScanLimitGb": f"{gigabytes}"})
    assert (args.export_retention_days, args.query_scan_limit_gb) == (days, gigabytes)


def test_retention_and_scan_limit_have_defaults_only_if_analytics_is_on() -> None:
    on, off = parse_configuration({"analytics": "true"}), parse_configuration({})
    assert (on.export_retention_days, on.query_scan_limit_gb) == (30, 100)
    assert (off.export_retention_days, off.query_scan_limit_gb) == (None, None)


@pytest.mark.parametrize("maximum", [1, 40_000])
def test_on_demand_configuration_has_maximums_and_no_provisioned_capacity(maximum: int) -> None:
    args = parse_configuration({**LIMITED, "maxOnDemandReads": f"{maximum}"})
    assert (args.max_on_demand_reads, args.max_on_demand_writes) == (maximum, 200)
    assert (args.read_capacity, args.write_capacity, args.max_capacity) == (None, None, None)


def test_data_is_protected_by_default_outside_the_dev_environment() -> None:
    assert parse_configuration(PROD).protect_data is True


@pytest.mark.parametrize(
    ("config", "environ", "name"),
    [
        ({}, {}, None),
        ({"tableName": "from-configuration"}, {}, "from-configuration"),
        ({}, {"TAP_TABLE_NAME": "from-environment"}, "from-environment"),
        ({"tableName": "from-configuration"}, {"TAP_TABLE_NAME": "from-environment"}, "from-environment"),
    ],
)
def test_table_name_variable_overrides_the_configuration_key(
    config: dict[str, str], environ: dict[str, str], name: str | None
) -> None:
    assert parse_configuration(config, environ).table_name == name


@pytest.mark.parametrize("value", ["", "a", "two words"])
def test_error_about_tap_table_name_contains_the_variable_and_its_value(value: str) -> None:
    """The error must not refer to the configuration key tableName, because the environment variable overrides it."""
    with pytest.raises(ConfigurationError, match=f"^TAP_TABLE_NAME: {value!r} "):
        parse_configuration({"tableName": "a-good-one"}, {"TAP_TABLE_NAME": value})


def test_configuration_without_env_is_rejected_unless_the_stack_is_named_dev() -> None:
    """Without `env`, the environment would be dev, in which data is not protected against deletion."""
    with pytest.raises(ConfigurationError, match=r"^env: None .*'prod'.* pulumi config set env prod$"):
        parse_configuration({}, stack="prod")
    assert parse_configuration({"env": "dev"}, stack="anna").environment_suffix == "dev"


@pytest.mark.parametrize("key", ["readcapacity", "bucket", "deletedRetention", "Env"])
def test_unknown_configuration_key_is_an_error_that_lists_valid_keys(key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_configuration({key: "1"})
    message = str(caught.value)
    assert repr(key) in message
    assert "readCapacity" in message
    assert f"pulumi config rm {key}" in message


def test_configuration_keys_of_other_namespaces_are_ignored() -> None:
    assert parse_configuration({"aws:region": "eu-west-1", "other:readCapacity": "0"}) == TapStackArgs()


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"read_capacity": 0}, "readCapacity"),
        ({"environment_suffix": "prod"}, "corsAllowedOrigins"),
        ({"log_level": "TRACE"}, "logLevel"),
        ({"max_capacity": 1}, "maxCapacity"),
        ({"kms_key_arn": "alias/uploads"}, "kmsKeyArn"),
        ({"existing_buckets": (ExistingBucket(name="A", versioned=True),)}, "existingBuckets"),
    ],
)
def test_stack_arguments_created_in_python_are_validated(fields: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        TapStackArgs(**fields)
    assert caught.value.key == key


@pytest.mark.parametrize("equal", ["readCapacity", "writeCapacity"])
def test_maximum_capacity_equal_to_a_provisioned_capacity_is_accepted(equal: str) -> None:
    provisioned = {"readCapacity": "5", "writeCapacity": "5", equal: "300"}
    assert parse_configuration({**provisioned, "maxCapacity": "300"}).max_capacity == 300


def test_stack_arguments_are_immutable_and_keyword_only() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        TapStackArgs().read_capacity = 0  # type: ignore[misc]  # the test needs the invalid assignment
    assert all(each.kind is each.KEYWORD_ONLY for each in nonempty(inspect.signature(TapStackArgs).parameters.values()))


def test_invalid_configuration_raises_a_run_error_before_deployment() -> None:
    """Pulumi reports a RunError without a traceback."""
    with pytest.raises(pulumi.RunError, match=r"^readCapacity: 0 ") as caught:
        synth(readCapacity="0")
    assert isinstance(caught.value.__cause__, ConfigurationError)


@pytest.mark.parametrize(
    ("env", "region"),
    [("a-very-long-environments", "us-east-1"), ("performance-testing", "ap-northeast-1")],
)
def test_environment_too_long_for_the_bucket_name_is_reported(env: str, region: str) -> None:
    bucket = f"tapstack-{env}-uploads-123456789012-{region}"
    with pytest.raises(pulumi.RunError, match=r"^resource name from project name and env: ") as caught:
        synth(region=region, **{**PROD, "env": env})
    message = str(caught.value)
    assert bucket in message
    assert "3 to 63" in message


@pytest.mark.parametrize(
    ("boundary", "location", "part"),
    [
        (BOUNDARY_ARN, {"account": "999999999999"}, "account, which is 999999999999"),
        (BOUNDARY_ARN, CHINA, "partition, which is aws-cn"),
        ("arn:aws:iam::aws:policy/PowerUserAccess", CHINA, "partition, which is aws-cn"),
    ],
)
def test_permissions_boundary_of_another_account_or_partition_is_rejected(
    boundary: str, location: dict[str, str], part: str
) -> None:
    with pytest.raises(pulumi.RunError, match=rf"^permissionsBoundary: '{boundary}' .*{part}. Choose a policy"):
        synth(permissionsBoundary=boundary, **location)


@pytest.mark.parametrize("region", ["us-east-1", "ap-southeast-1"])
def test_names_with_the_longest_environment_are_within_the_limits_of_aws(region: str) -> None:
    """The bucket for access logs has the longest name. Sources of the limits: API references of IAM, Lambda, SQS."""

    def names(length: int) -> Names:
        args = parse_configuration({**PROD, "env": "e" * length, "bucketName": "uploads"})
        return make_names(args, project="tapstack", account="123456789012", region=region)

    longest = 63 - len(f"tapstack--logs-123456789012-{region}")
    with pytest.raises(ConfigurationError, match="3 to 63"):
        names(longest + 1)
    assert len(names(longest).log_bucket) == 63
    assert max(len(names(longest).function), len(names(longest).role)) <= 64
    assert (len(names(longest).failure_queue) <= 80, len(names(longest).table) <= 255) == (True, True)


def test_upload_bucket_and_log_bucket_must_have_different_names() -> None:
    """Writing access logs into the upload bucket would create further access logs."""
    with pytest.raises(pulumi.RunError, match=r"^bucketName: "):
        synth(bucketName="tapstack-dev-logs-123456789012-us-east-1")


@pytest.mark.parametrize("purpose", ["uploads", "logs"])
def test_own_bucket_of_the_stack_is_rejected_as_an_existing_bucket(purpose: str) -> None:
    name = f"tapstack-dev-{purpose}-123456789012-us-east-1"
    with pytest.raises(pulumi.RunError, match=rf"^existingBuckets: '{name}' .*belongs to the stack.* Remove the entry"):
        synth(existingBuckets=json.dumps([{"name": name, "versioned": True}]))


def test_each_stack_argument_except_deployment_packages_has_a_configuration_key() -> None:
    packages = {"lambda_package", "inspector_package"}
    assert {field.name for field in dataclasses.fields(TapStackArgs)} - CONFIG_FIELDS.keys() == packages
