"""Tests of the DynamoDB table, its index by upload day, and auto scaling."""

from __future__ import annotations

import pytest

from lambda_code.update import DELETION_ATTRIBUTES
from tests.support.default_stack import CUSTOM, FULL, PROD, TABLE
from tests.support.synth import synth

INDEX = "globalSecondaryIndexes[0]"
PROPERTIES: dict[str, object] = {
    "name": TABLE,
    "billingMode": "PROVISIONED",  # unlike on-demand capacity, provisioned capacity has a predictable cost
    "hashKey": "object_id",
    "rangeKey": "version_id",
    "readCapacity": 100,
    "writeCapacity": 100,
    **{
        f"attributes[{number}].{key}": value
        for number, name in enumerate(("object_id", "version_id", "upload_day", "uploaded_at"))
        for key, value in (("name", name), ("type", "S"))
    },
    f"{INDEX}.name": "uploads_by_day",
    f"{INDEX}.keySchemas[0].attributeName": "upload_day",
    f"{INDEX}.keySchemas[0].keyType": "HASH",
    f"{INDEX}.keySchemas[1].attributeName": "uploaded_at",
    f"{INDEX}.keySchemas[1].keyType": "RANGE",
    f"{INDEX}.projectionType": "ALL",
    # A throttled index also throttles writes to its table, so both have the same capacity.
    f"{INDEX}.readCapacity": 100,
    f"{INDEX}.writeCapacity": 100,
    "serverSideEncryption.enabled": True,
    "pointInTimeRecovery.enabled": True,
    "ttl.attributeName": "expires_at",
    "ttl.enabled": True,
    "deletionProtectionEnabled": False,  # dev
}
CAPACITIES = {"readCapacity", "writeCapacity", f"{INDEX}.readCapacity", f"{INDEX}.writeCapacity"}

COVERS = {
    "tap-objects",
    *(f"tap-{part}-{units}-scaling" for part in ("table", "index") for units in ("read", "write")),
    *(f"tap-{part}-{units}-scaling-policy" for part in ("table", "index") for units in ("read", "write")),
}


@pytest.mark.control("DynamoDB.2")
def test_table_resource_has_exactly_the_expected_properties() -> None:
    assert synth().properties("tap-objects") == PROPERTIES
    assert synth().named("tap-objects").ignore_changes == ()


@pytest.mark.control("DynamoDB.6")
@pytest.mark.parametrize(
    ("config", "protected"),
    [({}, False), (PROD, True), ({"protectData": "true"}, True), (CUSTOM, False)],
    ids=["dev", "prod", "protected dev", "unprotected staging"],
)
def test_only_buckets_and_table_are_protected_against_deletion(config: dict[str, str], *, protected: bool) -> None:
    """Resources without data, such as alarms, are unprotected, because Pulumi cannot replace a protected resource."""
    stack = synth(**config)
    with_data = {"tap-uploads", "tap-logs", "tap-objects"} if protected else set()
    assert {each.name for each in stack.resources if each.protect} == with_data
    assert [each.inputs["forceDestroy"] for each in stack.all("Bucket")] == [not protected] * 2
    assert stack.one("Table").inputs["deletionProtectionEnabled"] is protected


def test_table_uses_the_configured_name_and_capacities() -> None:
    stack = synth(**CUSTOM)
    properties = stack.properties("tap-objects")
    assert (properties["readCapacity"], properties["writeCapacity"]) == (5, 7)
    assert (properties[f"{INDEX}.readCapacity"], properties[f"{INDEX}.writeCapacity"]) == (5, 7)
    assert properties["name"] == stack.outputs["table_name"] == "acme-rows"
    assert stack.one("Function").inputs["environment"]["variables"]["TAP_TABLE_NAME"] == "acme-rows"


def test_indexer_receives_the_row_retention_and_the_table_has_ttl_enabled() -> None:
    """If the retention is 0, the indexer does not write the TTL attribute, and rows never expire."""
    for config, days in ((CUSTOM, "30"), ({"deletedRetentionDays": "0"}, "0")):
        stack = synth(**config)
        assert stack.one("Table").inputs["ttl"] == {"attributeName": "expires_at", "enabled": True}
        assert stack.one("Function").inputs["environment"]["variables"]["TAP_DELETED_RETENTION_DAYS"] == days


def test_ttl_attribute_of_the_table_is_written_by_the_indexer() -> None:
    assert PROPERTIES["ttl.attributeName"] in DELETION_ATTRIBUTES


def test_environment_variable_sets_the_name_of_the_dynamodb_table() -> None:
    stack = synth(environ=(("TAP_TABLE_NAME", "from-environment"),), tableName="from-configuration")
    assert stack.one("Table").inputs["name"] == "from-environment"


@pytest.mark.control("DynamoDB.1")
@pytest.mark.parametrize(
    ("part", "units", "minimum"),
    [("table", "Read", 20), ("table", "Write", 10), ("index", "Read", 20), ("index", "Write", 10)],
)
def test_auto_scaling_limits_of_table_and_index_match_the_configuration(part: str, units: str, minimum: int) -> None:
    stack = synth(readCapacity="20", writeCapacity="10", **FULL)
    name = f"{part}-{units.lower()}-scaling"
    scaled = {
        "serviceNamespace": "dynamodb",
        "resourceId": f"table/{TABLE}" + ("/index/uploads_by_day" if part == "index" else ""),
        "scalableDimension": f"dynamodb:{part}:{units}CapacityUnits",
    }
    assert stack.properties(f"tap-{name}") == {**scaled, "minCapacity": minimum, "maxCapacity": 400}
    configuration = "targetTrackingScalingPolicyConfiguration"
    assert stack.properties(f"tap-{name}-policy") == {
        **scaled,
        "name": f"tapstack-dev-{name}",
        "policyType": "TargetTrackingScaling",
        f"{configuration}.predefinedMetricSpecification.predefinedMetricType": f"DynamoDB{units}CapacityUtilization",
        f"{configuration}.targetValue": 70,
    }
    assert stack.depends_on(stack.named(f"tap-{name}"), stack.one("Table"))
    assert stack.depends_on(stack.named(f"tap-{name}-policy"), stack.named(f"tap-{name}"))


def test_deployment_ignores_capacity_changes_by_auto_scaling() -> None:
    assert set(synth(**FULL).one("Table").ignore_changes) == CAPACITIES
