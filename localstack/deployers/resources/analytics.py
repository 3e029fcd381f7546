"""Resource handlers for Glue databases and tables, and for Athena workgroups."""

from __future__ import annotations

from typing import TYPE_CHECKING

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


def database(name: str, inputs: Inputs, aws: Aws) -> Create:
    """Return a function that creates a Glue database. Args: see `ResourceHandler`."""
    database_name, tags = aws.physical_name(name, inputs.get("name")), inputs.mapping("tags")
    values = {"Name": database_name, **inputs.select(Description="description", LocationUri="locationUri")}
    glue = aws.client("glue")

    def create(register_removal: RegisterRemoval) -> ResourceResult:
        glue.create_database(DatabaseInput=values, **non_empty(Tags=tags))
        register_removal(
            Removal(
                # DeleteDatabase also deletes all tables in the database, for example those that queries have created.
                delete=lambda: glue.delete_database(Name=database_name),
                exists=lambda: glue.get_database(Name=database_name),
            )
        )
        return ResourceResult(id=database_name, state={"name": database_name})

    return create


def table(name: str, inputs: Inputs, aws: Aws) -> Create:
    """Return a function that creates a Glue table. Args: see `ResourceHandler`."""
    table_name = aws.physical_name(name, inputs.get("name"))
    place = {"DatabaseName": inputs.require("databaseName")}
    storage = inputs.child("storageDescriptor")
    serde = storage and storage.child("serDeInfo")
    values = non_empty(
        Name=table_name,
        **inputs.select(Description="description", TableType="tableType"),
        Parameters=inputs.mapping("parameters"),
        StorageDescriptor=storage
        and non_empty(
            Columns=[each.select(Name="name", Type="type", Comment="comment") for each in storage.children("columns")],
            **storage.select(Location="location", InputFormat="inputFormat", OutputFormat="outputFormat"),
            SerdeInfo=serde
            and non_empty(
                **serde.select(Name="name", SerializationLibrary="serializationLibrary"),
                Parameters=serde.mapping("parameters"),
            ),
        ),
    )
    glue = aws.client("glue")

    def create(register_removal: RegisterRemoval) -> ResourceResult:
        glue.create_table(**place, TableInput=values)
        register_removal(
            Removal(
                delete=lambda: glue.delete_table(**place, Name=table_name),
                exists=lambda: glue.get_table(**place, Name=table_name),
            )
        )
        state = {"name": table_name, "databaseName": place["DatabaseName"]}
        return ResourceResult(id=f"{place['DatabaseName']}:{table_name}", state=state)

    return create


def workgroup(name: str, inputs: Inputs, aws: Aws) -> Create:
    """Return a function that creates an Athena workgroup. Args: see `ResourceHandler`."""
    workgroup_name, recursive = aws.physical_name(name, inputs.get("name")), inputs.get("forceDestroy") or False
    configuration = inputs.child("configuration")
    results = configuration and configuration.child("resultConfiguration")
    encryption = results and results.child("encryptionConfiguration")
    request = non_empty(
        **inputs.select(Description="description"),
        Tags=tag_list(inputs.mapping("tags")),
        Configuration=configuration
        and non_empty(
            **configuration.select(
                EnforceWorkGroupConfiguration="enforceWorkgroupConfiguration",
                PublishCloudWatchMetricsEnabled="publishCloudwatchMetricsEnabled",
            ),
            # Pulumi passes numbers as floats, but boto3 requires an integer.
            BytesScannedCutoffPerQuery=_integer(configuration.get("bytesScannedCutoffPerQuery")),
            ResultConfiguration=results
            and non_empty(
                **results.select(OutputLocation="outputLocation", ExpectedBucketOwner="expectedBucketOwner"),
                EncryptionConfiguration=encryption
                and encryption.select(EncryptionOption="encryptionOption", KmsKey="kmsKeyArn"),
            ),
        ),
    )
    athena = aws.client("athena")

    def create(register_removal: RegisterRemoval) -> ResourceResult:
        athena.create_work_group(Name=workgroup_name, **request)
        register_removal(
            Removal(
                delete=lambda: athena.delete_work_group(WorkGroup=workgroup_name, RecursiveDeleteOption=recursive),
                # For a missing workgroup, GetWorkGroup returns the error code of an invalid request.
                exists=lambda: (
                    workgroup_name in [each["Name"] for each in athena.list_work_groups().get("WorkGroups", ())]
                ),
                unlock=lambda: athena.delete_work_group(WorkGroup=workgroup_name, RecursiveDeleteOption=True),
            )
        )
        return ResourceResult(id=workgroup_name, state={"name": workgroup_name})

    return create


def _integer(value: float | None) -> int | None:
    return None if value is None else int(value)
