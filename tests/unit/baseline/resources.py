"""Prints baseline 1 as JSON: all resources of eight configurations, and the error texts of invalid configurations.

Uses only public names of `tap_stack` and Pulumi's mock monitor, so that a refactoring cannot change this file.
"""

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import importlib
import json
import logging
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any

import pulumi
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi import _types
from pulumi.runtime import mocks, rpc
from pulumi.runtime.config import set_all_config
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import Settings, configure, get_root_resource
from pulumi.runtime.stack import run_in_stack

import tap_stack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PROJECT, STACK_TYPE, ACCOUNT = "tapstack", "pulumi:pulumi:Stack", "123456789012"
KEY_ARN = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/12345678-1234-1234-1234-123456789012"
REGION = {"region": "us-east-1", "partition": "aws"}
CHINA = {"region": "cn-north-1", "partition": "aws-cn"}

CONFIGURATIONS: dict[str, tuple[dict[str, str], dict[str, str], dict[str, str]]] = {  # config, environment, place
    "defaults": ({}, {}, REGION),
    "prod": ({"env": "prod", "corsAllowedOrigins": "https://app.example.com, https://*.example.org:8443"}, {}, REGION),
    "everything": (
        {
            "env": "stage",
            "bucketName": "my-uploads",
            "tableName": "my.table",
            "readCapacity": "7",
            "writeCapacity": "9",
            "maxCapacity": "40",
            "corsAllowedOrigins": '["https://app.example.com"]',
            "notificationPrefix": "in/",
            "notificationSuffix": ".pdf",
            "noncurrentDays": "11",
            "deletedRetentionDays": "0",
            "logLevel": "DEBUG",
            "logRetentionDays": "7",
            "memoryMb": "1024",
            "timeoutSeconds": "60",
            "reservedConcurrency": "5",
            "alarmEmail": "oncall@example.com",
            "kmsKeyArn": KEY_ARN,
            "owner": "data team",
            "costCenter": "cc/42",
            "savedQueries": "true",
            "protectData": "true",
        },
        {"TAP_TABLE_NAME": "from.environment"},
        REGION,
    ),
    "key": ({"kmsKeyArn": KEY_ARN}, {}, REGION),
    "autoscaling": ({"maxCapacity": "1000"}, {}, REGION),
    "filters": ({"notificationPrefix": "a b+c/é%&(1)/", "notificationSuffix": " ü=~.PDF"}, {}, REGION),
    "minimal": (
        {
            "env": "prod",
            "corsAllowedOrigins": "http://localhost:3000",
            "protectData": "false",
            "savedQueries": "false",
            "reservedConcurrency": "1",
            "alarmEmail": "a@b.cd",
        },
        {},
        REGION,
    ),
    "china": (
        {"kmsKeyArn": KEY_ARN.replace("arn:aws:", "arn:aws-cn:").replace("us-east-1", "cn-north-1")},
        {},
        CHINA,
    ),
}

LONG = "x" * 300
INVALID: list[dict[str, str]] = [
    {"env": ""},
    {"env": "Prod"},
    {"env": "-a"},
    {"env": "a_b"},
    {"env": "prod"},
    {"bucketName": "ab"},
    {"bucketName": "a" * 64},
    {"bucketName": "My-Bucket"},
    {"bucketName": "my.bucket"},
    {"bucketName": "-bucket"},
    {"bucketName": "xn--bucket"},
    {"bucketName": "bucket-s3alias"},
    {"tableName": "ab"},
    {"tableName": LONG},
    {"tableName": "my table"},
    {"readCapacity": "many"},
    {"readCapacity": "1.5"},
    {"readCapacity": "0"},
    {"readCapacity": "40001"},
    {"writeCapacity": ""},
    {"writeCapacity": "-1"},
    {"writeCapacity": "99999999999"},
    {"maxCapacity": "99"},
    {"maxCapacity": "40001"},
    {"maxCapacity": "off"},
    {"readCapacity": "500", "maxCapacity": "400"},
    {"writeCapacity": "500", "maxCapacity": "499"},
    {"corsAllowedOrigins": ""},
    {"corsAllowedOrigins": "*"},
    {"corsAllowedOrigins": "https://a.example.com/path"},
    {"corsAllowedOrigins": "https://*.*.example.com"},
    {"corsAllowedOrigins": "ftp://a.example.com"},
    {"corsAllowedOrigins": "[1]"},
    {"corsAllowedOrigins": "[broken"},
    {"corsAllowedOrigins": '{"a": "b"}'},
    {"corsAllowedOrigins": "[]"},
    {"env": "prod", "readCapacity": "5"},
    {"notificationPrefix": "a*"},
    {"notificationPrefix": "a\x01"},
    {"notificationPrefix": "é" * 200},
    {"notificationSuffix": "*.pdf"},
    {"notificationSuffix": "\ufffe"},
    {"notificationPrefix": "p" * 600, "notificationSuffix": "s" * 500},
    {"notificationPrefix": "p" * 500, "notificationSuffix": "s" * 600},
    {"noncurrentDays": "0"},
    {"noncurrentDays": "2147483648"},
    {"noncurrentDays": "a week"},
    {"deletedRetentionDays": "14"},
    {"deletedRetentionDays": "3651"},
    {"deletedRetentionDays": "-1"},
    {"deletedRetentionDays": "for ever"},
    {"logLevel": "debug"},
    {"logLevel": "CRITICAL"},
    {"logRetentionDays": "2"},
    {"logRetentionDays": "0"},
    {"logRetentionDays": "x"},
    {"memoryMb": "127"},
    {"memoryMb": "10241"},
    {"memoryMb": "1 GB"},
    {"timeoutSeconds": "9"},
    {"timeoutSeconds": "901"},
    {"timeoutSeconds": "1m"},
    {"reservedConcurrency": "0"},
    {"reservedConcurrency": "-5"},
    {"reservedConcurrency": "all"},
    {"alarmEmail": "nobody"},
    {"alarmEmail": "a@b"},
    {"alarmEmail": "a b@example.com"},
    {"kmsKeyArn": "alias/mine"},
    {"kmsKeyArn": f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/mine"},
    {"kmsKeyArn": "12345678-1234-1234-1234-123456789012"},
    {"owner": ""},
    {"owner": LONG},
    {"owner": "a;b"},
    {"costCenter": ""},
    {"costCenter": "#1"},
    {"savedQueries": "yes"},
    {"savedQueries": ""},
    {"protectData": "1"},
    {"protectData": "on"},
    {"readcapacity": "5"},
    {"bucket": "x", "another": "y"},
]
INVALID_ENVIRONMENTS = [{"TAP_TABLE_NAME": ""}, {"TAP_TABLE_NAME": "a b"}, {"TAP_TABLE_NAME": LONG}]
# Refused only while the whole program runs: these need the account, the region or a complete name.
INVALID_PROGRAMS = [
    {"kmsKeyArn": KEY_ARN.replace("us-east-1", "eu-west-1")},
    {"kmsKeyArn": KEY_ARN.replace(ACCOUNT, "999999999999")},
    {"kmsKeyArn": KEY_ARN.replace("arn:aws:", "arn:aws-cn:")},
    {"env": "e" * 40, "corsAllowedOrigins": "https://a.example.com"},
    {"env": "e" * 30, "corsAllowedOrigins": "https://a.example.com", "bucketName": "short"},
    {"bucketName": f"tapstack-dev-logs-{ACCOUNT}-us-east-1"},
    {"memoryMb": "1"},
]
# The same for every resource, or recorded in another way.
LEFT_OUT = {
    "object", "type", "name", "parent", "dependencies", "propertyDependencies", "sourcePosition", "stackTrace",
    "acceptSecrets", "acceptResources", "supportsPartialValues", "supportsResultReporting", "custom", "version",
    "packageRef", "parentStackTraceHandle", "hooks",
}  # fmt: skip


class _NoMocks(mocks.Mocks):
    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        raise NotImplementedError(args.token)

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        raise NotImplementedError(args.typ)


class Monitor(mocks.MockMonitor):
    """Records every registration and answers with invented outputs."""

    def __init__(self, place: Mapping[str, str]) -> None:
        super().__init__(_NoMocks())
        self.place = place
        self.recorded: list[dict[str, Any]] = []
        self.outputs: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def RegisterResource(  # noqa: N802  the name of Pulumi's gRPC service
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == STACK_TYPE:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        inputs, _secrets = rpc.deserialize_properties_unwrap_secrets(request.object)
        options = json_format.MessageToDict(request)
        options = {name: value for name, value in options.items() if name not in LEFT_OUT}
        record = {
            "type": request.type,
            "name": request.name,
            "urn": urn,
            "parent": short(request.parent),
            "inputs": plain(inputs),
            "dependencies": sorted(map(short, request.dependencies)),
            "property_dependencies": {
                name: sorted(map(short, each.urns)) for name, each in request.propertyDependencies.items() if each.urns
            },
            "secrets": sorted(name for name, value in request.object.fields.items() if is_secret(value)),
            "options": options,
        }
        with self._lock:
            self.recorded.append({name: value for name, value in record.items() if value})
        if not request.custom:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        identifier, state = invented(request.type, request.name, dict(inputs), self.place)
        return resource_pb2.RegisterResourceResponse(urn=urn, id=identifier, object=struct(state))

    def RegisterResourceOutputs(  # noqa: N802  as above
        self, request: resource_pb2.RegisterResourceOutputsRequest
    ) -> empty_pb2.Empty:
        outputs, _secrets = rpc.deserialize_properties_unwrap_secrets(request.outputs)
        with self._lock:
            self.outputs[short(request.urn)] = plain(outputs)
        return empty_pb2.Empty()

    def Invoke(  # noqa: N802  as above
        self, request: resource_pb2.ResourceInvokeRequest
    ) -> resource_pb2.ResourceInvokeResponse:
        answers = {
            "aws:index/getCallerIdentity:getCallerIdentity": {"accountId": ACCOUNT, "arn": "a", "userId": "u"},
            "aws:index/getRegion:getRegion": {"region": self.place["region"], "endpoint": "e", "description": "d"},
            "aws:index/getPartition:getPartition": {
                "partition": self.place["partition"],
                "dnsSuffix": "amazonaws.com",
                "reverseDnsPrefix": "com.amazonaws",
            },
        }
        answer: dict[str, Any] = {"return": struct({"id": "id", **answers[request.tok]})}  # the field is a keyword
        return resource_pb2.ResourceInvokeResponse(**answer)


def short(urn: str) -> str:
    """Return the type's last part and the name, which identify a resource of this program."""
    type_, _, name = urn.rpartition("::")
    return f"{type_.rpartition(':')[2]} {name}"


def plain(value: object) -> Any:  # noqa: ANN401  JSON
    match value:
        case pulumi.Archive() | pulumi.Asset():
            return "<archive>"
        case dict():
            return {key: plain(item) for key, item in value.items()}
        case list():
            return [plain(item) for item in value]
        case float() if value.is_integer():  # protobuf knows only floating-point numbers
            return int(value)
    return value


def is_secret(value: struct_pb2.Value) -> bool:
    _value, has_secret = rpc.deserialize_properties_unwrap_secrets(struct_pb2.Struct(fields={"": value}))
    return bool(has_secret)


def struct(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    answer = struct_pb2.Struct()
    answer.update(plain(dict(properties)))
    return answer


def invented(type_: str, name: str, inputs: dict[str, Any], place: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """Return an id and outputs: each text output that no input gives has a value that names it."""
    service = type_.split(":")[1].partition("/")[0]
    kind = type_.rpartition(":")[2]
    package = importlib.import_module(f"pulumi_aws.{'lambda_' if service == 'lambda' else service}")
    outputs = _types.resource_types(getattr(package, kind))
    physical = inputs.get("bucket") or inputs.get("name") or name
    resource = f"table/{physical}" if kind == "Table" else physical
    texts = {output: f"<{name}.{output}>" for output, output_type in outputs.items() if output_type is str}
    texts["arn"] = f"arn:{place['partition']}:{service}:{place['region']}:{ACCOUNT}:{resource}"
    return physical, {**texts, **inputs}


def run(config: Mapping[str, str], environ: Mapping[str, str], place: Mapping[str, str]) -> Monitor:
    """Run `tap_stack.main` with a tiny archive."""
    monitor = Monitor(place)
    read = tap_stack.TapStackArgs.from_config

    def with_tiny_archive(config: pulumi.Config, environ: Mapping[str, str]) -> tap_stack.TapStackArgs:
        archive = pulumi.AssetArchive({"main.py": pulumi.StringAsset("")})
        return dataclasses.replace(read(config, environ), lambda_package=archive)

    async def main() -> dict[str, Any]:
        await run_in_stack(lambda: tap_stack.main(dict(environ)))
        return dict.fromkeys(getattr(get_root_resource(), "outputs", {}))

    tap_stack.TapStackArgs.from_config = with_tiny_archive  # type: ignore[method-assign]  # restored below
    try:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        exported = in_context(config, lambda: loop.run_until_complete(main()), monitor=monitor)
    finally:
        tap_stack.TapStackArgs.from_config = read  # type: ignore[method-assign]  # the original
    stack = short(monitor.make_urn("", STACK_TYPE, f"{PROJECT}-{config.get('env', 'dev')}"))
    monitor.outputs[stack] = exported | monitor.outputs.get(stack, {})
    return monitor


def in_context(
    config: Mapping[str, str], function: Callable[[], Any], *, monitor: Monitor | None = None, stack: str = ""
) -> Any:  # noqa: ANN401  whatever the function returns
    """Call a function as a Pulumi program of a stack with a configuration."""

    def call() -> Any:  # noqa: ANN401  as above
        engine = mocks.MockEngine(logging.getLogger("pulumi"))
        name = stack or config.get("env", "dev")
        configure(Settings(PROJECT, name, monitor or Monitor(REGION), engine, dry_run=False, organization="org"))
        set_all_config({f"{PROJECT}:{key}": value for key, value in config.items()}, secret_keys=[])
        return function()

    return contextvars.Context().run(call)


def error_of(function: Callable[[], object]) -> str:
    try:
        function()
    except (ValueError, pulumi.RunError) as error:
        return f"{type(error).__name__}: {error}"
    return "accepted"


def invalid(config: Mapping[str, str], environ: Mapping[str, str], *, stack: str = "dev") -> str:
    """Return the error text of a configuration as the stack's program reads it."""

    def read() -> object:
        return tap_stack.TapStackArgs.from_config(pulumi.Config(PROJECT), environ)

    return error_of(lambda: in_context(config, read, stack=stack))


def record() -> dict[str, Any]:
    """Return baseline 1."""
    stacks = {}
    for name, (config, environ, place) in CONFIGURATIONS.items():
        monitor = run(config, environ, place)
        resources = {short(each["urn"]): each for each in monitor.recorded}
        assert len(resources) == len(monitor.recorded)
        stacks[name] = {"resources": resources, "outputs": monitor.outputs}
    errors = {f"{number:02} {sorted(config)}": invalid(config, {}) for number, config in enumerate(INVALID)}
    errors |= {f"environment {number}": invalid({}, each) for number, each in enumerate(INVALID_ENVIRONMENTS)}
    errors["no env in stack prod"] = invalid({}, {}, stack="prod")
    for number, config in enumerate(INVALID_PROGRAMS):
        errors[f"program {number}"] = error_of(lambda config=config: run(config, {}, REGION))  # type: ignore[misc]
    assert "accepted" not in errors.values()
    return {"stacks": stacks, "errors": errors}


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # pulumi-aws warns of classes that the program does not use
    json.dump(record(), sys.stdout)
