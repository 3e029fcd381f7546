"""The table of rows, its index by day, and autoscaling."""

from __future__ import annotations

import pytest

from lambda_code.metadata import DELETION_ATTRIBUTES
from tests.support.expected import CUSTOM, FULL, PROD, TABLE, TAGS
from tests.support.synth import synth

COVERS = {
    "tap-objects",
    "tap-table-read-scaling",
    "tap-table-read-scaling-policy",
    "tap-table-write-scaling",
    "tap-table-write-scaling-policy",
    "tap-index-read-scaling",
    "tap-index-read-scaling-policy",
    "tap-index-write-scaling",
    "tap-index-write-scaling-policy",
}

CAPACITIES = {
    "readCapacity",
    "writeCapacity",
    "globalSecondaryIndexes[0].readCapacity",
    "globalSecondaryIndexes[0].writeCapacity",
}


@pytest.mark.control("DynamoDB.2")
def test_the_table_has_the_documented_keys_capacity_and_safety() -> None:
    table = synth().one("Table")
    assert table.inputs == {
        "name": TABLE,
        "billingMode": "PROVISIONED",
        "hashKey": "object_id",
        "rangeKey": "version_id",
        "readCapacity": 100,
        "writeCapacity": 100,
        "attributes": [
            {"name": "object_id", "type": "S"},
            {"name": "version_id", "type": "S"},
            {"name": "upload_day", "type": "S"},
            {"name": "uploaded_at", "type": "S"},
        ],
        "globalSecondaryIndexes": [
            {
                "name": "uploads_by_day",
                "keySchemas": [
                    {"attributeName": "upload_day", "keyType": "HASH"},
                    {"attributeName": "uploaded_at", "keyType": "RANGE"},
                ],
                "projectionType": "ALL",
                "readCapacity": 100,
                "writeCapacity": 100,
            }
        ],
        "serverSideEncryption": {"enabled": True},
        "pointInTimeRecovery": {"enabled": True},
        "ttl": {"attributeName": "expires_at", "enabled": True},
        "deletionProtectionEnabled": False,
        "tags": TAGS,
    }
    assert not table.protect
    assert table.ignore_changes == ()


def test_every_attribute_is_a_key_of_the_table_or_of_the_index() -> None:
    """DynamoDB refuses others, and the provider says so only when it plans."""
    inputs = synth().one("Table").inputs
    (index,) = inputs["globalSecondaryIndexes"]
    keys = {inputs["hashKey"], inputs["rangeKey"], *(key["attributeName"] for key in index["keySchemas"])}
    assert {attribute["name"] for attribute in inputs["attributes"]} == keys


@pytest.mark.control("DynamoDB.6")
def test_outside_dev_neither_pulumi_nor_aws_deletes_the_table() -> None:
    table = synth(**PROD).one("Table")
    assert table.protect
    assert table.inputs["deletionProtectionEnabled"] is True


@pytest.mark.parametrize(
    ("config", "protected"), [({"protectData": "true"}, True), (CUSTOM, False)], ids=["dev", "staging"]
)
def test_protection_can_be_chosen_in_every_environment(config: dict[str, str], *, protected: bool) -> None:
    stack = synth(**config)
    holding_data = [*stack.all("Bucket"), stack.one("Table")]
    assert [each.protect for each in holding_data] == [protected] * 3
    assert [each.inputs["forceDestroy"] for each in stack.all("Bucket")] == [not protected] * 2
    assert stack.one("Table").inputs["deletionProtectionEnabled"] is protected


def test_nothing_but_buckets_and_table_is_protected() -> None:
    """A protected resource cannot be replaced either, which nobody wants of a function or an alarm."""
    assert {each.type for each in synth(**PROD).resources if each.protect} == {
        "aws:s3/bucket:Bucket",
        "aws:dynamodb/table:Table",
    }


def test_capacities_can_be_configured_for_table_and_index_together() -> None:
    inputs = synth(**CUSTOM).one("Table").inputs
    (index,) = inputs["globalSecondaryIndexes"]
    assert (inputs["readCapacity"], inputs["writeCapacity"]) == (5, 7)
    assert (index["readCapacity"], index["writeCapacity"]) == (5, 7)


def test_rows_of_deleted_versions_expire_after_the_configured_days_or_never() -> None:
    """The table always knows the attribute; the function writes it, or does not."""
    for config, days in ((CUSTOM, "30"), ({"deletedRetentionDays": "0"}, "0")):
        stack = synth(**config)
        assert stack.one("Table").inputs["ttl"] == {"attributeName": "expires_at", "enabled": True}
        assert stack.one("Function").inputs["environment"]["variables"]["TAP_DELETED_RETENTION_DAYS"] == days


def test_the_attribute_that_expires_rows_is_the_one_that_the_function_writes() -> None:
    assert synth().one("Table").inputs["ttl"]["attributeName"] in DELETION_ATTRIBUTES


def test_the_table_can_have_a_name_of_its_own() -> None:
    stack = synth(**CUSTOM)
    assert stack.one("Table").inputs["name"] == "acme-rows"
    assert stack.outputs["table_name"] == "acme-rows"
    assert stack.one("Function").inputs["environment"]["variables"]["TAP_TABLE_NAME"] == "acme-rows"


def test_the_environment_variable_names_the_table_before_the_configuration_does() -> None:
    stack = synth(environ=(("TAP_TABLE_NAME", "from-environment"),), tableName="from-configuration")
    assert stack.one("Table").inputs["name"] == "from-environment"


def test_without_a_ceiling_nothing_scales() -> None:
    stack = synth()
    assert not [each for each in stack.resources if "autoscaling" in each.type]


@pytest.mark.control("DynamoDB.1")
def test_with_a_ceiling_table_and_index_scale_between_their_capacity_and_it() -> None:
    stack = synth(readCapacity="20", writeCapacity="10", **FULL)
    targets = {
        (each.inputs["resourceId"], each.inputs["scalableDimension"]): each
        for each in stack.all("aws:appautoscaling/target:Target")
    }
    expected = {
        (f"table/{TABLE}", "dynamodb:table:ReadCapacityUnits"): 20,
        (f"table/{TABLE}", "dynamodb:table:WriteCapacityUnits"): 10,
        (f"table/{TABLE}/index/uploads_by_day", "dynamodb:index:ReadCapacityUnits"): 20,
        (f"table/{TABLE}/index/uploads_by_day", "dynamodb:index:WriteCapacityUnits"): 10,
    }
    assert targets.keys() == expected.keys()
    for (resource_id, dimension), least in expected.items():
        target = targets[resource_id, dimension]
        assert target.inputs == {
            "serviceNamespace": "dynamodb",
            "resourceId": resource_id,
            "scalableDimension": dimension,
            "minCapacity": least,
            "maxCapacity": 400,
            "tags": TAGS,
        }
        assert stack.needs(target, stack.one("Table"))


def test_each_scaling_target_has_a_policy_that_aims_at_70_percent() -> None:
    stack = synth(**FULL)
    policies = stack.all("aws:appautoscaling/policy:Policy")
    scaled = {
        (each.inputs["resourceId"], each.inputs["scalableDimension"])
        for each in stack.all("aws:appautoscaling/target:Target")
    }
    assert {(each.inputs["resourceId"], each.inputs["scalableDimension"]) for each in policies} == scaled
    assert len({each.inputs["name"] for each in policies}) == len(policies) == 4
    for each in policies:
        kind = "Read" if "Read" in each.inputs["scalableDimension"] else "Write"
        assert each.inputs == {
            "name": each.inputs["name"],
            "policyType": "TargetTrackingScaling",
            "serviceNamespace": "dynamodb",
            "resourceId": each.inputs["resourceId"],
            "scalableDimension": each.inputs["scalableDimension"],
            "targetTrackingScalingPolicyConfiguration": {
                "predefinedMetricSpecification": {"predefinedMetricType": f"DynamoDB{kind}CapacityUtilization"},
                "targetValue": 70,
            },
        }
        assert stack.needs(
            each,
            stack.one(
                "Target", resourceId=each.inputs["resourceId"], scalableDimension=each.inputs["scalableDimension"]
            ),
        )


def test_what_autoscaling_changes_the_next_deployment_leaves_alone() -> None:
    assert set(synth(**FULL).one("Table").ignore_changes) == CAPACITIES
