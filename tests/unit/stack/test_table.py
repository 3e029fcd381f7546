"""Tests of the DynamoDB table, its index by upload day, and auto scaling."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from lambda_code.update import DELETION_ATTRIBUTES
from tap_stack import ConfigurationError, check_table_change
from tests.support.default_stack import CUSTOM, FULL, LIMITED, ON_DEMAND, PROD, TABLE
from tests.support.synth import synth

INDEX = "globalSecondaryIndexes[0]"
PROPERTIES: dict[str, object] = {
    "name": TABLE,
    "billingMode": "PROVISIONED",  # unlike on-demand capacity, provisioned capacity has a predictable cost
    "tableClass": "STANDARD",
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
    "streamEnabled": True,
    "streamViewType": "NEW_IMAGE",  # the inspector reads the new row
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
    assert stack.named("tap-indexer").inputs["environment"]["variables"]["TAP_TABLE_NAME"] == "acme-rows"


def test_indexer_receives_the_row_retention_and_the_table_has_ttl_enabled() -> None:
    """If the retention is 0, the indexer does not write the TTL attribute, and rows never expire."""
    for config, days in ((CUSTOM, "30"), ({"deletedRetentionDays": "0"}, "0")):
        stack = synth(**config)
        assert stack.one("Table").inputs["ttl"] == {"attributeName": "expires_at", "enabled": True}
        assert stack.named("tap-indexer").inputs["environment"]["variables"]["TAP_DELETED_RETENTION_DAYS"] == days


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


def test_on_demand_table_and_index_have_no_capacity_and_ignore_no_changes() -> None:
    """The AWS provider rejects a table in on-demand mode that has a capacity."""
    stack = synth(**ON_DEMAND)
    expected = {name: value for name, value in PROPERTIES.items() if name not in CAPACITIES}
    assert stack.properties("tap-objects") == {**expected, "billingMode": "PAY_PER_REQUEST"}
    assert stack.named("tap-objects").null_inputs == frozenset()
    assert stack.named("tap-objects").ignore_changes == ()


def test_maximum_throughput_applies_to_on_demand_table_and_index() -> None:
    maximum = {"maxReadRequestUnits": 300, "maxWriteRequestUnits": 200}
    table = synth(**LIMITED).one("Table").inputs
    assert table["onDemandThroughput"] == table["globalSecondaryIndexes"][0]["onDemandThroughput"] == maximum


def test_maximum_throughput_that_is_not_configured_is_omitted() -> None:
    """DynamoDB rejects the values 0 and -1 in a request that creates a table."""
    table = synth(**ON_DEMAND, maxOnDemandWrites="5").one("Table").inputs
    assert table["onDemandThroughput"] == table["globalSecondaryIndexes"][0]["onDemandThroughput"]
    assert table["onDemandThroughput"] == {"maxWriteRequestUnits": 5}


def test_table_uses_the_configured_class_and_index_projection() -> None:
    properties = synth(**CUSTOM).properties("tap-objects")
    assert properties["tableClass"] == "STANDARD_INFREQUENT_ACCESS"
    assert properties[f"{INDEX}.projectionType"] == "KEYS_ONLY"


def table_inputs(**config: str) -> dict[str, Any]:
    return dict(synth(**config).one("Table").inputs)


check_change = partial(check_table_change, max_capacity=None)


def without_capacities(inputs: dict[str, Any]) -> dict[str, Any]:
    """Return the inputs that Pulumi's engine sends if it ignores the capacities and its state has none."""
    [index] = inputs["globalSecondaryIndexes"]
    top, nested = ({key: each[key] for key in each if not key.endswith("Capacity")} for each in (inputs, index))
    return {**top, "globalSecondaryIndexes": [nested]}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            {},
            {"indexProjection": "keys-only"},
            "indexProjection: 'keys-only' .* projection all.*days.*Only a new stack",
        ),
        ({"indexProjection": "keys-only"}, {}, "indexProjection: 'all' .* projection keys-only.*Only a new stack"),
        (LIMITED, ON_DEMAND, "maxOnDemandReads: None .* 1 to 40000 .*pulumi config set maxOnDemandReads 40000"),
        (LIMITED, {**ON_DEMAND, "maxOnDemandReads": "5"}, "maxOnDemandWrites: None .*config set maxOnDemandWrites 40"),
    ],
    ids=["projection all to keys-only", "projection keys-only to all", "both maximums removed", "one maximum removed"],
)
def test_change_of_an_existing_table_that_the_provider_cannot_make_is_rejected(
    old: dict[str, str], new: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"^{message}"):
        check_change(table_inputs(**old), table_inputs(**new))


@pytest.mark.parametrize("old", [ON_DEMAND, LIMITED], ids=["on-demand", "with a maximum"])
def test_switch_to_provisioned_billing_with_auto_scaling_is_rejected(old: dict[str, str]) -> None:
    """The state has no capacities, which Pulumi ignores with auto scaling, so the provider would set 1 unit."""
    with pytest.raises(
        ConfigurationError, match=r"^maxCapacity: 400 .* pulumi config rm maxCapacity && pulumi up\. Then set"
    ):
        check_table_change(table_inputs(**old), without_capacities(table_inputs(**FULL)), max_capacity=400)


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ({}, {}, {"readCapacity": 5}),
        ({}, {}, {"tableClass": "STANDARD_INFREQUENT_ACCESS"}),
        ({}, ON_DEMAND, {}),
        ({}, LIMITED, {}),
        (FULL, ON_DEMAND, {}),
        (FULL, LIMITED, {}),
        (ON_DEMAND, {}, {}),
        (LIMITED, {}, {"writeCapacity": 7}),
        (ON_DEMAND, LIMITED, {}),
        (LIMITED, LIMITED, {"onDemandThroughput": {"maxReadRequestUnits": 40000, "maxWriteRequestUnits": 200}}),
    ],
)
def test_other_changes_of_an_existing_table_are_accepted(
    old: dict[str, str], new: dict[str, str], changed: dict[str, Any]
) -> None:
    inputs = table_inputs(**new)
    assert changed.keys() <= inputs.keys()
    check_change(table_inputs(**old), {**inputs, **changed})


@pytest.mark.parametrize("indexes", [[], None])
def test_table_without_the_index_in_the_state_is_accepted(indexes: list[Any] | None) -> None:
    """The provider creates an index that was deleted outside Pulumi."""
    check_change({**table_inputs(), "globalSecondaryIndexes": indexes}, table_inputs(indexProjection="keys-only"))


@pytest.mark.parametrize("units", [None, 0])
def test_switch_to_provisioned_billing_with_the_refreshed_capacity_of_an_on_demand_table_is_rejected(
    units: int | None,
) -> None:
    """DescribeTable returns 0 units for an on-demand table, and `pulumi up --refresh` writes them into the state."""
    new = {**table_inputs(**FULL), "readCapacity": units, "writeCapacity": units}
    with pytest.raises(ConfigurationError, match=r"^maxCapacity: 400 .* pulumi config rm maxCapacity && pulumi up"):
        check_table_change(table_inputs(**ON_DEMAND), new, max_capacity=400)


@pytest.mark.parametrize("absent", [None, 0, -1])
@pytest.mark.parametrize("reads", ["5", None])
def test_maximum_that_is_absent_in_the_refreshed_state_can_remain_absent(absent: int | None, reads: str | None) -> None:
    """DescribeTable returns -1 for a maximum that is not set."""
    config = ON_DEMAND if reads is None else {**ON_DEMAND, "maxOnDemandReads": reads}
    maximums = {"maxReadRequestUnits": absent if reads is None else int(reads), "maxWriteRequestUnits": absent}
    check_change({**table_inputs(**config), "onDemandThroughput": maximums}, table_inputs(**config))


def test_on_demand_table_without_maximums_in_the_refreshed_state_is_accepted() -> None:
    check_change({**table_inputs(**ON_DEMAND), "onDemandThroughput": None}, table_inputs(**LIMITED))


@pytest.mark.parametrize("absent", [None, 0, -1])
def test_removal_of_a_maximum_is_rejected_however_the_new_inputs_express_it(absent: int | None) -> None:
    new = {**table_inputs(**ON_DEMAND), "onDemandThroughput": {"maxReadRequestUnits": absent}}
    with pytest.raises(ConfigurationError, match=r"^maxOnDemandReads: None .* 1 to 40000"):
        check_change(table_inputs(**LIMITED), new)


def test_hook_that_checks_changes_runs_only_before_updates_of_the_table() -> None:
    hooked = {each.name: each.update_hooks for each in synth().resources if each.update_hooks}
    assert hooked == {"tap-objects": ("tap-table-change",)}
