"""Lambda: functions, who may call them, and what becomes of asynchronous calls that fail."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

from localstack.deployers.archives import zip_archive
from localstack.deployers.resources.base import Aws, Create, Created, Made, Removal, given

if TYPE_CHECKING:
    from localstack.deployers.resources.inputs import Inputs


def function(name: str, inputs: Inputs, aws: Aws) -> Create:
    """aws:lambda/function:Function, from an archive."""
    function_name = aws.physical_name(name, inputs.take("name"))
    code = inputs.need("code")
    request = _request(inputs)
    reserved = inputs.take("reservedConcurrentExecutions")
    client = aws.client("lambda")

    def configuration() -> dict[str, Any]:
        current: dict[str, Any] = client.get_function_configuration(FunctionName=function_name)
        return current

    def state() -> str:
        current = configuration()
        reason = current.get("StateReason")
        return f"{current['State']}: {reason}" if current["State"] == "Failed" else current["State"]

    def create(made: Made) -> Created:
        with aws.phases("packaging"):
            packed = zip_archive(code, aws.folder)
        created = client.create_function(FunctionName=function_name, Code={"ZipFile": packed}, **request)
        made(
            Removal(
                delete=lambda: client.delete_function(FunctionName=function_name),
                exists=configuration,
            )
        )
        aws.wait_until(f"function {function_name}", state, "Active")
        # -1 is Pulumi's way to say "not reserved"
        if reserved is not None and reserved >= 0:
            client.put_function_concurrency(FunctionName=function_name, ReservedConcurrentExecutions=reserved)
        arn, version = created["FunctionArn"], created["Version"]
        invoke_path = f"path/2015-03-31/functions/{arn}/invocations"
        return Created(
            id=function_name,
            state={
                "name": function_name,
                "arn": arn,
                "version": version,
                "qualifiedArn": f"{arn}:{version}",
                "invokeArn": f"arn:{aws.partition}:apigateway:{aws.region}:lambda:{invoke_path}",
                "lastModified": created["LastModified"],
                "codeSha256": created["CodeSha256"],
                "sourceCodeHash": base64.b64encode(hashlib.sha256(packed).digest()).decode(),
                "sourceCodeSize": created["CodeSize"],
            },
        )

    return create


def event_invoke_config(_name: str, inputs: Inputs, aws: Aws) -> Create:
    """aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig."""
    target = {"FunctionName": inputs.need("functionName"), **inputs.pick(Qualifier="qualifier")}
    request = inputs.pick(
        MaximumEventAgeInSeconds="maximumEventAgeInSeconds", MaximumRetryAttempts="maximumRetryAttempts"
    )
    if destinations := inputs.child("destinationConfig"):
        on_failure, on_success = destinations.child("onFailure"), destinations.child("onSuccess")
        request["DestinationConfig"] = given(
            OnFailure=on_failure and on_failure.pick(Destination="destination"),
            OnSuccess=on_success and on_success.pick(Destination="destination"),
        )
    client = aws.client("lambda")

    def create(made: Made) -> Created:
        client.put_function_event_invoke_config(**target, **request)
        made(
            Removal(
                delete=lambda: client.delete_function_event_invoke_config(**target),
                exists=lambda: client.get_function_event_invoke_config(**target),
            )
        )
        return Created(id=":".join(target.values()), state={})

    return create


def permission(name: str, inputs: Inputs, aws: Aws) -> Create:
    """aws:lambda/permission:Permission."""
    statement_id = aws.physical_name(name, inputs.take("statementId"))
    target = {"FunctionName": inputs.need("function"), **inputs.pick(Qualifier="qualifier")}
    request = inputs.pick(
        Action="action",
        Principal="principal",
        PrincipalOrgID="principalOrgId",
        SourceAccount="sourceAccount",
        SourceArn="sourceArn",
        EventSourceToken="eventSourceToken",
        FunctionUrlAuthType="functionUrlAuthType",
    )
    client = aws.client("lambda")

    def create(made: Made) -> Created:
        client.add_permission(**target, StatementId=statement_id, **request)
        made(Removal(delete=lambda: client.remove_permission(**target, StatementId=statement_id)))
        return Created(id=statement_id, state={"statementId": statement_id})

    return create


def _request(inputs: Inputs) -> dict[str, Any]:
    environment = inputs.child("environment")
    storage = inputs.child("ephemeralStorage")
    logging = inputs.child("loggingConfig")
    tracing = inputs.child("tracingConfig")
    failures = inputs.child("deadLetterConfig")
    return given(
        Environment=environment and {"Variables": environment.mapping("variables")},
        EphemeralStorage=storage and storage.pick(Size="size"),
        LoggingConfig=logging
        and logging.pick(
            LogFormat="logFormat",
            LogGroup="logGroup",
            ApplicationLogLevel="applicationLogLevel",
            SystemLogLevel="systemLogLevel",
        ),
        TracingConfig=tracing and tracing.pick(Mode="mode"),
        DeadLetterConfig=failures and failures.pick(TargetArn="targetArn"),
        Tags=inputs.mapping("tags"),
        **inputs.pick(
            Architectures="architectures",
            Description="description",
            Handler="handler",
            KMSKeyArn="kmsKeyArn",
            Layers="layers",
            MemorySize="memorySize",
            PackageType="packageType",
            Publish="publish",
            Role="role",
            Runtime="runtime",
            Timeout="timeout",
        ),
    )
