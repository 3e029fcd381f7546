"""Resource handler for DynamoDB tables and their indexes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localstack.deployers.resources.base import (
    Aws,
    Create,
    RegisterRemoval,
    Removal,
    ResourceResult,
    non_empty,
    tag_list,
)

if TYPE_CHECKING:
    from localstack.deployers.resources.inputs import Inputs


def table(name: str, inputs: Inputs, aws: Aws) -> Create:
    """Return a function that creates a DynamoDB table. Args: see `ResourceHandler`."""
    table_name = aws.physical_name(name, inputs.get("name"))
    request = _request(inputs)
    backups, expiry = _backups(inputs), _expiry(inputs)
    dynamodb = aws.client("dynamodb")

    def describe() -> dict[str, Any]:
        described: dict[str, Any] = dynamodb.describe_table(TableName=table_name)["Table"]
        return described

    def status() -> str:
        description = describe()
        states = [
            description["TableStatus"],
            *(i["IndexStatus"] for i in description.get("GlobalSecondaryIndexes", [])),
        ]
        return next((state for state in states if state != "ACTIVE"), "ACTIVE")

    def unlock() -> None:
        dynamodb.update_table(TableName=table_name, DeletionProtectionEnabled=False)
        aws.wait_until(f"table {table_name}", status, "ACTIVE")

    def create(register_removal: RegisterRemoval) -> ResourceResult:
        dynamodb.create_table(TableName=table_name, **request)
        register_removal(
            Removal(
                delete=lambda: dynamodb.delete_table(TableName=table_name),
                exists=describe,
                unlock=unlock if request.get("DeletionProtectionEnabled") else None,
            )
        )
        aws.wait_until(f"table {table_name}", status, "ACTIVE")
        if backups:
            dynamodb.update_continuous_backups(TableName=table_name, PointInTimeRecoverySpecification=backups)
        if expiry:
            dynamodb.update_time_to_live(TableName=table_name, TimeToLiveSpecification=expiry)
        description = describe()
        state = {"name": table_name, "arn": description["TableArn"]}
        if request.get("StreamSpecification", {}).get("StreamEnabled"):
            state |= {"streamArn": description["LatestStreamArn"], "streamLabel": description["LatestStreamLabel"]}
        return ResourceResult(id=table_name, state=state)

    return create


def _request(inputs: Inputs) -> dict[str, Any]:
    hash_key = inputs.require("hashKey")
    encryption, stream = inputs.child("serverSideEncryption"), inputs.select(StreamEnabled="streamEnabled")
    return non_empty(
        KeySchema=_keys(hash_key, inputs.get("rangeKey")),
        AttributeDefinitions=[
            attribute.select(AttributeName="name", AttributeType="type") for attribute in inputs.children("attributes")
        ],
        ProvisionedThroughput=_throughput(inputs),
        OnDemandThroughput=_on_demand(inputs),
        GlobalSecondaryIndexes=[_global_index(index) for index in inputs.children("globalSecondaryIndexes")],
        LocalSecondaryIndexes=[_local_index(index, hash_key) for index in inputs.children("localSecondaryIndexes")],
        SSESpecification=encryption and _encryption(encryption),
        StreamSpecification=stream | inputs.select(StreamViewType="streamViewType"),
        Tags=tag_list(inputs.mapping("tags")),
        **inputs.select(
            BillingMode="billingMode",
            TableClass="tableClass",
            DeletionProtectionEnabled="deletionProtectionEnabled",
        ),
    )


def _global_index(index: Inputs) -> dict[str, Any]:
    keys = [key.select(AttributeName="attributeName", KeyType="keyType") for key in index.children("keySchemas")]
    hash_key, range_key = index.get("hashKey"), index.get("rangeKey")
    return non_empty(
        IndexName=index.require("name"),
        KeySchema=keys or _keys(hash_key, range_key),
        Projection=_projection(index),
        ProvisionedThroughput=_throughput(index),
        OnDemandThroughput=_on_demand(index),
    )


def _local_index(index: Inputs, hash_key: str) -> dict[str, Any]:
    return {
        "IndexName": index.require("name"),
        "KeySchema": _keys(hash_key, index.require("rangeKey")),
        "Projection": _projection(index),
    }


def _keys(hash_key: str, range_key: str | None) -> list[dict[str, str]]:
    named = [(hash_key, "HASH"), (range_key, "RANGE")]
    return [{"AttributeName": key, "KeyType": kind} for key, kind in named if key]


def _projection(index: Inputs) -> dict[str, Any]:
    return index.select(ProjectionType="projectionType", NonKeyAttributes="nonKeyAttributes")


def _throughput(inputs: Inputs) -> dict[str, Any]:
    return inputs.select(ReadCapacityUnits="readCapacity", WriteCapacityUnits="writeCapacity")


def _on_demand(inputs: Inputs) -> dict[str, Any]:
    limits = inputs.child("onDemandThroughput")
    names = {"MaxReadRequestUnits": "maxReadRequestUnits", "MaxWriteRequestUnits": "maxWriteRequestUnits"}
    return limits.select(**names) if limits else {}


def _encryption(encryption: Inputs) -> dict[str, Any]:
    """Return the encryption setting of a DynamoDB table.

    Disabled means an AWS owned key. Enabled means the given KMS key or, without one, an AWS managed key.
    """
    key = encryption.select(KMSMasterKeyId="kmsKeyArn")
    return {"Enabled": encryption.require("enabled"), **({"SSEType": "KMS", **key} if key else {})}


def _backups(inputs: Inputs) -> dict[str, Any]:
    recovery = inputs.child("pointInTimeRecovery")
    if recovery is None:
        return {}
    return {
        "PointInTimeRecoveryEnabled": recovery.require("enabled"),
        **recovery.select(RecoveryPeriodInDays="recoveryPeriodInDays"),
    }


def _expiry(inputs: Inputs) -> dict[str, Any]:
    ttl = inputs.child("ttl")
    return {"Enabled": ttl.get("enabled") or False, **ttl.select(AttributeName="attributeName")} if ttl else {}
