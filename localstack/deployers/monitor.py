"""Runs a Pulumi program without Pulumi's engine and records the resources that it registers.

The program sends each resource to a monitor in this process instead of the engine. The monitor calls a callback that
returns the outputs of the resource: the in-process deployer creates the resource, unit tests return invented outputs.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import runpy
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime import mocks, rpc
from pulumi.runtime.config import set_all_config
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import Settings, configure, get_root_resource
from pulumi.runtime.stack import run_in_stack

from localstack.deployers.event_loop import EventLoop

if TYPE_CHECKING:
    from pathlib import Path

    from pulumi.runtime.stack import Stack

STACK_TYPE = "pulumi:pulumi:Stack"


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A resource that a Pulumi program registered, as plain data.

    Attributes:
        inputs: values by camelCase name. Secrets are unwrapped, whole numbers are ints, and inputs without a value are
            absent. Archives and assets are Pulumi objects.
        parent: URN of the parent, or an empty string.
        dependencies: URNs in `depends_on`, and of the resources whose outputs are inputs of this resource.
        custom: True for a resource of a provider, False for a component.
        secret_inputs: names of the inputs that are or contain a secret.
        update_hooks: names of the hooks that run before an update.
        null_inputs: names of the inputs that are or contain a null, which Pulumi would compare with its state.
    """

    type: str
    name: str
    urn: str
    inputs: dict[str, Any]
    parent: str
    dependencies: frozenset[str]
    custom: bool
    protect: bool
    retain_on_delete: bool
    delete_before_replace: bool
    ignore_changes: tuple[str, ...]
    secret_inputs: frozenset[str] = frozenset()
    null_inputs: frozenset[str] = frozenset()
    update_hooks: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.type} {self.name!r}"


NewResource: TypeAlias = Callable[[Recorded], tuple[str, dict[str, Any]]]
"""Callback that creates a resource and returns its ID and its outputs (camelCase).

Several threads call it, each as soon as the inputs of a resource are available. After it raises an exception, no other
resource is created.
"""

Call: TypeAlias = Callable[[str, dict[str, Any]], dict[str, Any]]
"""Callback that returns the result (camelCase) of a provider function such as ``aws:index/getRegion:getRegion``.

Its two parameters are the token of the provider function and the arguments of the provider function.
"""


@dataclass(frozen=True, kw_only=True)
class Run:
    """Resources and outputs of a successful Pulumi program.

    Attributes:
        resources: registered resources. Their order varies, because several threads create them.
        outputs: exported values of the stack; None for an export without a value.
        component_outputs: outputs of each component, by URN.
    """

    resources: tuple[Recorded, ...]
    outputs: dict[str, Any]
    component_outputs: dict[str, dict[str, Any]]


class CreationError(Exception):
    """Resources could not be created.

    Attributes:
        failures: pairs of a resource and its exception, in the order in which they occurred.
    """

    def __init__(self, failures: tuple[tuple[Recorded, Exception], ...]) -> None:
        self.failures = failures
        lines = [f"{resource}: {type(error).__name__}: {error}" for resource, error in failures]
        super().__init__("\n".join([f"could not create {len(failures)} resource(s):", *lines]))


def program_file(path: Path) -> Callable[[], None]:
    """Return a function that runs a Pulumi program as Pulumi does: as ``__main__``, without its folder in sys.path."""

    def program() -> None:
        runpy.run_path(str(path), run_name="__main__")

    return program


def run_program(
    program: Callable[[], None],
    *,
    project: str,
    stack: str,
    config: Mapping[str, str],
    new_resource: NewResource,
    call: Call,
) -> Run:
    """Run a Pulumi program and wait until all of its resources exist.

    Must be called from a thread without a running event loop. Each call is isolated: it changes no global state.

    Args:
        program: function that registers the resources.
        project: name of the Pulumi project.
        stack: name of the Pulumi stack.
        config: strings by full key (``aws:region``), as Pulumi stores them.
        new_resource: creates each resource.
        call: runs each provider function.

    Raises:
        CreationError: `new_resource` raised an exception. Creations in progress were completed; no other was started.
        Exception: any exception of the program itself.
    """
    monitor = _Monitor(new_resource, call)
    return contextvars.Context().run(_run, monitor, program, project, stack, dict(config))


def _run(monitor: _Monitor, program: Callable[[], None], project: str, stack: str, config: dict[str, str]) -> Run:
    engine = mocks.MockEngine(logging.getLogger("pulumi"))
    configure(Settings(project, stack, monitor, engine, dry_run=False, organization="organization"))
    set_all_config(config, secret_keys=[])

    async def main() -> dict[str, Any]:
        await run_in_stack(program)
        return dict.fromkeys(cast("Stack", get_root_resource()).outputs)

    exported: dict[str, Any] = {}
    program_error: Exception | None = None
    try:
        with EventLoop() as loop:
            exported = loop.run_until_complete(main())
    except Exception as error:  # noqa: BLE001  re-raised below, unless a failed creation caused it
        program_error = error
    if monitor.failures:
        raise CreationError(tuple(monitor.failures)) from monitor.failures[0][1]
    if program_error is not None:
        raise program_error
    stack_urn = monitor.make_urn("", STACK_TYPE, f"{project}-{stack}")
    registered = monitor.registered_outputs
    return Run(
        resources=tuple(monitor.recorded),
        outputs=exported | registered.pop(stack_urn, {}),
        component_outputs=registered,
    )


class _NoMocks(mocks.Mocks):
    """Object that the constructor of Pulumi's `MockMonitor` requires. `_Monitor` never calls its methods."""

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        raise NotImplementedError(args.token)

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        raise NotImplementedError(args.typ)


class _Monitor(mocks.MockMonitor):
    """Variant of Pulumi's `MockMonitor` that records all properties of each resource.

    After the creation of a resource has failed, it creates no other resources.
    """

    def __init__(self, new_resource: NewResource, call: Call) -> None:
        super().__init__(_NoMocks())
        self.recorded: list[Recorded] = []
        self.failures: list[tuple[Recorded, Exception]] = []
        self.registered_outputs: dict[str, dict[str, Any]] = {}
        self._new_resource = new_resource
        self._call = call
        self._urns: set[str] = set()
        self._lock = threading.Lock()

    # The following methods have the names that Pulumi's gRPC service requires.

    def RegisterResource(  # noqa: N802
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == STACK_TYPE:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        # Return FAIL for a failed resource, as Pulumi's engine does, so that dependent resources do not wait for it.
        failed = resource_pb2.RegisterResourceResponse(urn=urn, result=resource_pb2.Result.FAIL)
        with self._lock:
            if self.failures:
                return failed
        resource = _recorded(urn, request)
        try:
            self._claim(urn)
            identifier, state = self._new_resource(resource) if resource.custom else ("", {})
            response = resource_pb2.RegisterResourceResponse(urn=urn, id=identifier, object=_struct(state))
        except Exception as error:  # noqa: BLE001  raised as a CreationError after the program has ended
            with self._lock:
                self.failures.append((resource, error))
            return failed
        with self._lock:
            self.recorded.append(resource)
        return response

    def RegisterResourceOutputs(  # noqa: N802
        self, request: resource_pb2.RegisterResourceOutputsRequest
    ) -> empty_pb2.Empty:
        with self._lock:
            if request.urn in self.registered_outputs:
                message = f"{request.urn} registers its outputs twice"
                raise ValueError(message)
            self.registered_outputs[request.urn] = _plain_properties(request.outputs)
        return empty_pb2.Empty()

    def Invoke(  # noqa: N802
        self, request: resource_pb2.ResourceInvokeRequest
    ) -> resource_pb2.ResourceInvokeResponse:
        result: dict[str, Any] = {"return": _struct(self._call(request.tok, _plain_properties(request.args)))}
        # The field `return` is passed in a dictionary, because a Python keyword cannot be the name of an argument.
        return resource_pb2.ResourceInvokeResponse(**result)

    def ReadResource(  # noqa: N802
        self, request: resource_pb2.ReadResourceRequest
    ) -> resource_pb2.ReadResourceResponse:
        message = f"the program reads an existing {request.type} {request.name!r}: only creating resources is supported"
        raise NotImplementedError(message)

    def _claim(self, urn: str) -> None:
        with self._lock:
            if urn in self._urns:
                message = f"the program has two resources with the URN {urn}"
                raise ValueError(message)
            self._urns.add(urn)


def _recorded(urn: str, request: resource_pb2.RegisterResourceRequest) -> Recorded:
    return Recorded(
        type=request.type,
        name=request.name,
        urn=urn,
        inputs=_plain_properties(request.object),
        parent=request.parent,
        dependencies=frozenset(request.dependencies),
        custom=request.custom,
        protect=request.protect,
        retain_on_delete=request.retainOnDelete,
        delete_before_replace=request.deleteBeforeReplace,
        ignore_changes=tuple(request.ignoreChanges),
        secret_inputs=frozenset(name for name, value in request.object.fields.items() if _has_secret(value)),
        null_inputs=frozenset(name for name, value in request.object.fields.items() if _has_null(value)),
        update_hooks=tuple(request.hooks.before_update),
    )


def _has_secret(value: struct_pb2.Value) -> bool:
    _value, has_secret = rpc.deserialize_properties_unwrap_secrets(struct_pb2.Struct(fields={"": value}))
    return bool(has_secret)


def _has_null(value: struct_pb2.Value) -> bool:
    match value.WhichOneof("kind"):
        case "struct_value":
            return any(map(_has_null, value.struct_value.fields.values()))
        case "list_value":
            return any(map(_has_null, value.list_value.values))
        case kind:
            return kind == "null_value"


def _plain_properties(struct: struct_pb2.Struct) -> dict[str, Any]:
    properties, _has_secrets = rpc.deserialize_properties_unwrap_secrets(struct)
    return cast("dict[str, Any]", _plain(properties))


def _plain(value: Any) -> Any:  # noqa: ANN401  any JSON value, archive or asset
    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case float() if value.is_integer():  # Protobuf stores integers as floating-point numbers.
            return int(value)
        case _:
            return value


def _struct(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    loop = asyncio.get_event_loop()  # `EventLoop` has created an event loop for each thread.
    return loop.run_until_complete(rpc.serialize_properties(dict(properties), {}))
