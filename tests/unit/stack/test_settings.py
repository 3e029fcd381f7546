"""Tests of the SSM parameter with the settings that the operators' tool `audit` compares with AWS."""

from __future__ import annotations

import json
from typing import Any

import pytest

import tap_stack
from tests.support.default_stack import (
    CUSTOM,
    ENCRYPTED,
    FULL,
    FUNCTION_ARN,
    INSPECTOR_ARN,
    QUEUE_ARN,
    SETTINGS,
    TABLE,
    UPLOADS,
)
from tests.support.fake_outputs import MAPPING_ID
from tests.support.synth import CODE_SHA256, Synth, synth

DEFAULT_SETTINGS: dict[str, Any] = {
    "schema": 1,
    "function_arn": FUNCTION_ARN,
    "code_sha256": CODE_SHA256,
    "bucket": UPLOADS,
    "table": TABLE,
    "events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"],
    "prefix": "",
    "suffix": "",
    "versioning": "Enabled",
    "retries": 2,
    "event_age_seconds": 6 * 3600,
    "failure_destination": QUEUE_ARN,
    "reserved_concurrency": None,
    "existing_buckets": [],
    "inspector": {"function": INSPECTOR_ARN, "event_source_mapping": MAPPING_ID},
    "inventory_location": "",
    "export_bucket": "",
    "export_key": "",
    "glue_database": "",
    "athena_workgroup": "",
}
PROPERTIES = {
    "tap-settings": {
        "name": SETTINGS,
        "description": "Settings that the operators' tool audit compares with AWS",
        "type": "String",
        "tier": "Standard",
        "insecureValue": json.dumps(DEFAULT_SETTINGS, sort_keys=True, separators=(",", ":")),
    }
}
COVERS = PROPERTIES.keys()
STANDARD_PARAMETER_BYTES = 4096
"""Maximum size of a standard parameter (Systems Manager User Guide, "Managing parameter tiers")."""


def document(**config: str) -> dict[str, Any]:
    settings: dict[str, Any] = json.loads(synth(**config).properties("tap-settings")["insecureValue"])
    return settings


@pytest.mark.parametrize("name", PROPERTIES)
def test_settings_parameter_has_exactly_the_expected_properties(name: str) -> None:
    assert synth().properties(name) == PROPERTIES[name]


def test_settings_document_contains_the_configured_values() -> None:
    changed = {name: value for name, value in document(**CUSTOM).items() if value != DEFAULT_SETTINGS[name]}
    account = "123456789012"
    assert changed == {
        "function_arn": f"arn:aws:lambda:us-east-1:{account}:function:tapstack-staging-indexer",
        "bucket": "acme-inbox",
        "table": "acme-rows",
        "prefix": "in+box/",
        "suffix": ".csv",
        "failure_destination": f"arn:aws:sqs:us-east-1:{account}:tapstack-staging-failures",
        "reserved_concurrency": 5,
        "inspector": {
            "function": f"arn:aws:lambda:us-east-1:{account}:function:tapstack-staging-inspector",
            "event_source_mapping": MAPPING_ID,
        },
    }


def analytics(stack: Synth) -> dict[str, str]:
    """Return the expected fields of the settings document about `analytics`, from the inputs of the resources."""
    results = stack.one("Workgroup").inputs["configuration"]["resultConfiguration"]
    return {
        "export_bucket": results["outputLocation"].split("/")[2],
        "export_key": results["encryptionConfiguration"].get("kmsKeyArn", ""),
        "glue_database": stack.one("CatalogTable").inputs["databaseName"],
        "athena_workgroup": stack.one("Workgroup").inputs["name"],
    }


@pytest.mark.parametrize("config", [{}, CUSTOM, FULL, ENCRYPTED], ids=["default", "custom", "full", "encrypted"])
def test_settings_document_equals_the_inputs_of_the_resources(config: dict[str, str]) -> None:
    """The Pulumi program passes each setting to a resource and to the settings document. Both values must be equal."""
    stack, settings = synth(**config), document(**config)
    [notified] = stack.one("BucketNotification").inputs["lambdaFunctions"]
    retries, function = stack.one("FunctionEventInvokeConfig").inputs, stack.named("tap-indexer").inputs
    rules = stack.all("EventRule")
    variables = function["environment"]["variables"]
    assert settings == {
        **dict.fromkeys(("export_bucket", "export_key", "glue_database", "athena_workgroup"), ""),
        "schema": 1,
        "function_arn": notified["lambdaFunctionArn"],
        "code_sha256": function["codeSha256"],
        "bucket": variables["TAP_BUCKET_NAME"],
        "table": variables["TAP_TABLE_NAME"],
        "events": notified["events"],
        "prefix": notified.get("filterPrefix", ""),
        "suffix": notified.get("filterSuffix", ""),
        "versioning": stack.one("BucketVersioning").inputs["versioningConfiguration"]["status"],
        "retries": retries["maximumRetryAttempts"],
        "event_age_seconds": retries["maximumEventAgeInSeconds"],
        "failure_destination": retries["destinationConfig"]["onFailure"]["destination"],
        "reserved_concurrency": function.get("reservedConcurrentExecutions"),
        "existing_buckets": [
            {**bucket, "rule": rule.inputs["name"]}
            for bucket, rule in zip(json.loads(variables.get("EXISTING_BUCKETS", "[]")), rules, strict=True)
        ],
        "inspector": {
            "function": stack.one("EventSourceMapping").inputs["functionName"],
            "event_source_mapping": MAPPING_ID,
        },
        **(analytics(stack) if "analytics" in config else {}),
        "inventory_location": "".join(
            f"s3://{bucket['bucketArn'].rpartition(':')[2]}/{bucket['prefix']}"
            for bucket in (each.inputs["destination"]["bucket"] for each in stack.all("Inventory"))
        ),
    }


def test_settings_document_with_the_longest_values_fits_into_a_standard_parameter() -> None:
    filters = {"notificationPrefix": "é" * 170, "notificationSuffix": "é" * 170}
    names = {"bucketName": "b" * 63, "tableName": "t" * 255, "env": "e" * 20, "corsAllowedOrigins": "https://a.example"}
    stack = synth(region="ap-southeast-1", **filters, **names)
    assert len(stack.properties("tap-settings")["insecureValue"]) <= STANDARD_PARAMETER_BYTES


@pytest.mark.parametrize(
    "earlier",
    [
        *("uploads-notification", "indexer-retries", "s3-permission", "uploads-versioning"),
        *("indexer", "failures", "inspector-stream"),
    ],
)
def test_settings_parameter_is_written_after_the_settings_that_it_contains(earlier: str) -> None:
    assert synth().depends_on(synth().named("tap-settings"), synth().named(f"tap-{earlier}"))


@pytest.mark.parametrize("project", ["aws-index", "ssm"])
def test_project_name_that_ssm_reserves_is_rejected_with_a_remedy(project: str) -> None:
    with pytest.raises(tap_stack.ConfigurationError, match=r"SSM reserves .*Choose another project name"):
        tap_stack.make_names(tap_stack.TapStackArgs(), project=project, account="123456789012", region="us-east-1")
