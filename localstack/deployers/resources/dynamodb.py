"""DynamoDB: tables with their indexes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localstack.deployers.resources.base import Aws, Create, Created, Made, Removal, given, tag_list

if TYPE_CHECKING:
    from localstack.deployers.resources.inputs import Inputs


def table(name: str, inputs: Inputs, aws: Aws) -> Create:
    """aws:dynamodb/table:Table."""
    table_name = aws.physical_name(name, inputs.take("name"))
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

    def create(made: Made) -> Created:
        dynamodb.create_table(TableName=table_name, **request)
        made(
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
        return Created(id=table_name, state=state)

    return create


def _request(inputs: Inputs) -> dict[str, Any]:
    hash_key = inputs.need("hashKey")
    encryption, stream = inputs.child("serverSideEncryption"), inputs.pick(StreamEnabled="streamEnabled")
    return given(
        KeySchema=_keys(hash_key, inputs.take("rangeKey")),
        AttributeDefinitions=[
            attribute.pick(AttributeName="name", AttributeType="type") for attribute in inputs.children("attributes")
        ],
        ProvisionedThroughput=_throughput(inputs),
        OnDemandThroughput=_on_demand(inputs),
        GlobalSecondaryIndexes=[_global_index(index) for index in inputs.children("globalSecondaryIndexes")],
        LocalSecondaryIndexes=[_local_index(index, hash_key) for index in inputs.children("localSecondaryIndexes")],
        SSESpecification=encryption and _encryption(encryption),
        StreamSpecification=stream | inputs.pick(StreamViewType="streamViewType"),
        Tags=tag_list(inputs.mapping("tags")),
        **inputs.pick(
            BillingMode="billingMode",
            TableClass="tableClass",
            DeletionProtectionEnabled="deletionProtectionEnabled",
        ),
    )


def _global_index(index: Inputs) -> dict[str, Any]:
    keys = [key.pick(AttributeName="attributeName", KeyType="keyType") for key in index.children("keySchemas")]
    hash_key, range_key = index.take("hashKey"), index.take("rangeKey")
    return given(
        IndexName=index.need("name"),
        KeySchema=keys or _keys(hash_key, range_key),
        Projection=_projection(index),
        ProvisionedThroughput=_throughput(index),
        OnDemandThroughput=_on_demand(index),
    )


def _local_index(index: Inputs, hash_key: str) -> dict[str, Any]:
    return {
        "IndexName": index.need("name"),
        "KeySchema": _keys(hash_key, index.need("rangeKey")),
        "Projection": _projection(index),
    }


def _keys(hash_key: str, range_key: str | None) -> list[dict[str, str]]:
    named = [(hash_key, "HASH"), (range_key, "RANGE")]
    return [{"AttributeName": key, "KeyType": kind} for key, kind in named if key]


def _projection(index: Inputs) -> dict[str, Any]:
    return index.pick(ProjectionType="projectionType", NonKeyAttributes="nonKeyAttributes")


def _throughput(inputs: Inputs) -> dict[str, Any]:
    return inputs.pick(ReadCapacityUnits="readCapacity", WriteCapacityUnits="writeCapacity")


def _on_demand(inputs: Inputs) -> dict[str, Any]:
    limits = inputs.child("onDemandThroughput")
    names = {"MaxReadRequestUnits": "maxReadRequestUnits", "MaxWriteRequestUnits": "maxWriteRequestUnits"}
    return limits.pick(**names) if limits else {}


def _encryption(encryption: Inputs) -> dict[str, Any]:
    """False means a key that AWS owns; True one of this account's, AWS-managed unless another is named."""
    key = encryption.pick(KMSMasterKeyId="kmsKeyArn")
    return {"Enabled": encryption.need("enabled"), **({"SSEType": "KMS", **key} if key else {})}


def _backups(inputs: Inputs) -> dict[str, Any]:
    recovery = inputs.child("pointInTimeRecovery")
    if recovery is None:
        return {}
    return {
        "PointInTimeRecoveryEnabled": recovery.need("enabled"),
        **recovery.pick(RecoveryPeriodInDays="recoveryPeriodInDays"),
    }


def _expiry(inputs: Inputs) -> dict[str, Any]:
    ttl = inputs.child("ttl")
    return {"Enabled": ttl.take("enabled") or False, **ttl.pick(AttributeName="attributeName")} if ttl else {}
