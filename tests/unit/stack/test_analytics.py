"""Tests of the resources of the configuration key `analytics`: export bucket, Glue table, and Athena workgroup."""

from __future__ import annotations

import re
from typing import Any

import pulumi
import pytest

import tap_stack
from operations.analytics import athena_sql, columns
from tests.support.default_stack import ACCOUNT, CHINA, ENCRYPTED, EXPORTS, FULL, LOGS, PROD, TABLE
from tests.support.synth import synth
from tests.unit.stack.test_buckets import COMMON

WORKGROUP: dict[str, object] = {
    "name": "tapstack-dev-analytics",
    "description": f"SQL queries over exports of the table {TABLE}",
    "forceDestroy": True,  # By default, AWS does not delete a workgroup with a query history.
    # Without enforcement, a query could write its result to another bucket, and ignore encryption and scan limit.
    "configuration.enforceWorkgroupConfiguration": True,
    "configuration.publishCloudwatchMetricsEnabled": True,
    "configuration.bytesScannedCutoffPerQuery": 100 * 1024**3,
    "configuration.resultConfiguration.outputLocation": f"s3://{EXPORTS}/results/",
    "configuration.resultConfiguration.expectedBucketOwner": ACCOUNT,
    "configuration.resultConfiguration.encryptionConfiguration.encryptionOption": "SSE_S3",
}
PROPERTIES: dict[str, dict[str, object]] = {
    **{f"tap-exports{part}": {"bucket": EXPORTS, **properties} for part, properties in COMMON.items()},
    "tap-exports-logging": {"bucket": EXPORTS, "targetBucket": LOGS, "targetPrefix": "exports/"},
    "tap-analytics": WORKGROUP,
    "tap-analytics-database": {"name": "tapstack_dev", "description": f"Exports of the table {TABLE}"},
    "tap-exported-rows": {
        "name": "exported_rows",
        "databaseName": "tapstack_dev",
        "description": "Rows of the newest export, which the operators' tool export selects",
        "tableType": "EXTERNAL_TABLE",
        "parameters.EXTERNAL": "TRUE",
        "parameters.classification": "json",
        "storageDescriptor.columns[0].name": "item",
        "storageDescriptor.columns[0].type": tap_stack.item_type(),
        "storageDescriptor.location": f"s3://{EXPORTS}/exports/none/",
        "storageDescriptor.inputFormat": "org.apache.hadoop.mapred.TextInputFormat",
        "storageDescriptor.outputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
        "storageDescriptor.serDeInfo.serializationLibrary": "org.openx.data.jsonserde.JsonSerDe",
    },
}
PROPERTIES["tap-exports-lifecycle"] |= {"rules[1].id": "expire-exports-and-results", "rules[1].expiration.days": 30}
COVERS = PROPERTIES.keys()


@pytest.mark.control("Athena.4")
@pytest.mark.parametrize("name", PROPERTIES)
def test_resource_of_the_key_analytics_has_exactly_the_expected_properties(name: str) -> None:
    assert synth(**FULL).properties(name) == PROPERTIES[name]


def parsed(text: str) -> Any:  # noqa: ANN401  a nested dictionary of unknown depth
    """Parse a structure type in the syntax of DuckDB or Glue, and return it as nested dictionaries in lower case."""
    text = text.lower().replace('"', "").replace("varchar", "string")
    text = re.sub(r"(struct|map)\(", r"\1<", text).replace(")", ">").replace(", ", ",")
    text = re.sub(r"(\w+) (?=\w)", r"\1:", text)

    def read(position: int) -> tuple[Any, int]:
        if not text.startswith("struct<", position):
            if text.startswith("map<string,", position):
                value, position = read(position + len("map<string,"))
                return {"map of": value}, position + 1
            end = re.compile(r"\w+").match(text, position)
            assert end, text[position:]
            return end[0], end.end()
        values, position = {}, position + len("struct<")
        while text[position - 1] != ">":
            name, position = text[position : text.index(":", position)], text.index(":", position) + 1
            values[name], position = read(position)
            position += 1
        return values, position

    return read(0)[0]


def test_type_of_the_glue_column_equals_the_row_type_that_the_tools_read() -> None:
    assert parsed("struct<a:struct<s:string>>") == parsed('STRUCT("a" STRUCT(S VARCHAR))') == {"a": {"s": "string"}}
    assert parsed(tap_stack.item_type()) == parsed(columns.item_type())
    assert len(parsed(tap_stack.item_type())) > 20


def test_glue_table_has_the_name_that_the_tools_use() -> None:
    assert tap_stack.EXPORTED_ROWS == athena_sql.EXPORTED_ROWS


def test_deployment_keeps_the_glue_table_properties_that_the_tool_export_changes() -> None:
    """Without `ignore_changes`, `pulumi up` would reset the Glue table to its first location, which has no rows."""
    options = synth(**FULL).named("tap-exported-rows").ignore_changes
    assert options == ("storageDescriptor.location", "parameters.export_arn", "parameters.export_time")


def test_configured_retention_and_scan_limit_apply_to_export_bucket_and_workgroup() -> None:
    stack = synth(**PROD, analytics="true", exportRetentionDays="7", queryScanLimitGb="2")
    assert stack.properties("tap-exports-lifecycle")["rules[1].expiration.days"] == 7
    assert stack.one("Workgroup").inputs["configuration"]["bytesScannedCutoffPerQuery"] == 2 * 1024**3
    assert stack.named("tap-exports").inputs["forceDestroy"] is False  # protectData is true by default outside dev


@pytest.mark.parametrize("config", [FULL, ENCRYPTED], ids=["without own key", "with own key"])
def test_athena_results_have_the_encryption_that_the_bucket_policy_requires(config: dict[str, str]) -> None:
    stack = synth(**config)
    found = stack.one("Workgroup").inputs["configuration"]["resultConfiguration"]["encryptionConfiguration"]
    [rule] = stack.named("tap-exports-encryption").inputs["rules"]
    default = rule["applyServerSideEncryptionByDefault"]
    assert found["encryptionOption"] == {"aws:kms": "SSE_KMS", "AES256": "SSE_S3"}[default["sseAlgorithm"]]
    assert found.get("kmsKeyArn") == default.get("kmsMasterKeyId")


def test_stack_with_analytics_has_outputs_for_export_bucket_database_and_workgroup() -> None:
    outputs = synth(**FULL).outputs
    added = {name: value for name, value in outputs.items() if name not in synth().outputs}
    assert added == {
        "export_bucket_name": EXPORTS,
        "glue_database_name": "tapstack_dev",
        "athena_workgroup_name": "tapstack-dev-analytics",
    }


def test_export_bucket_has_no_versioning() -> None:
    """With versioning, S3 would keep expired exports as noncurrent versions."""
    assert [each.inputs["bucket"] for each in synth(**FULL).all("BucketVersioning")] != [EXPORTS]
    assert len(synth(**FULL).all("BucketVersioning")) == 1


@pytest.mark.parametrize(
    ("later", "earlier"),
    [
        ("tap-exports-policy", "tap-exports-public-access"),
        ("tap-exports-logging", "tap-logs-policy"),
        ("tap-exported-rows", "tap-exports"),
        ("tap-settings", "tap-exported-rows"),
        ("tap-settings", "tap-exports"),
        ("tap-settings", "tap-analytics"),
        ("tap-analytics", "tap-exports-policy"),
    ],
)
def test_resources_of_the_key_analytics_are_created_after_their_prerequisites(later: str, earlier: str) -> None:
    stack = synth(**FULL)
    assert stack.depends_on(stack.named(later), stack.named(earlier))


@pytest.mark.parametrize("key", ["bucketName", "existingBuckets"])
def test_configured_bucket_with_the_name_of_the_export_bucket_is_rejected(key: str) -> None:
    value = f'[{{"name": "{EXPORTS}", "versioned": true}}]' if key == "existingBuckets" else EXPORTS
    with pytest.raises(pulumi.RunError, match=f"^{key}: "):
        synth(analytics="true", **{key: value})
    assert synth(**{key: value}).all("CatalogTable") == ()  # without analytics, there is no export bucket


def test_names_of_analytics_resources_in_a_china_region_are_valid() -> None:
    stack = synth(**CHINA, env="eu-prod", corsAllowedOrigins="https://a.example", analytics="true")
    assert re.fullmatch("[a-z0-9_]+", stack.one("CatalogDatabase").inputs["name"])
    assert stack.outputs["glue_database_name"] == "tapstack_eu_prod"
    assert stack.outputs["export_bucket_name"] == "tapstack-eu-prod-exports-999999999999-cn-northwest-1"
