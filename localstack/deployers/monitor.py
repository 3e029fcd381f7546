"""Runs a Pulumi program without Pulumi's engine and records the resources that it registers.

The program calls a monitor in this process instead of the engine, and the monitor calls the caller's `NewResource` for
each resource: tests return invented outputs, the in-process deployer creates the resource.
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
    """One resource as the program registered it, in plain data.

    `inputs` has Pulumi's camelCase names; secrets are unwrapped, whole numbers are ints, properties without
    a value are absent, archives and assets stay Pulumi's objects. `parent` and `dependencies` hold URNs, the
    latter those of `depends_on` and of the resources whose outputs are inputs of this one. A component is not `custom`.
    `secret_inputs` are the inputs that are or contain a secret, `null_inputs` those that contain a null, which Pulumi
    would compare with the state.
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

    def __str__(self) -> str:
        return f"{self.type} {self.name!r}"


NewResource: TypeAlias = Callable[[Recorded], tuple[str, dict[str, Any]]]
"""Returns the id and the outputs (camelCase) of a resource. After an error no other resource is created.

It is called from several threads, as soon as the inputs of a resource are known.
"""

Call: TypeAlias = Callable[[str, dict[str, Any]], dict[str, Any]]
"""Returns the result (camelCase) of a provider's function, such as ``aws:index/getRegion:getRegion``.

Its arguments are the token of the function and the function's arguments.
"""


@dataclass(frozen=True, kw_only=True)
class Run:
    """The resources and the outputs of a program that succeeded.

    The order of `resources` is that in which their creation ended: a race, so it has no meaning.
    `outputs` are the stack's exports, resolved; an export without a value is None. `component_outputs` has
    the outputs of each component, by URN.
    """

    resources: tuple[Recorded, ...]
    outputs: dict[str, Any]
    component_outputs: dict[str, dict[str, Any]]


class CreationError(Exception):
    """Resources could not be created: `failures` has each with its error, in the order of their failing."""

    def __init__(self, failures: tuple[tuple[Recorded, Exception], ...]) -> None:
        self.failures = failures
        lines = [f"{resource}: {type(error).__name__}: {error}" for resource, error in failures]
        super().__init__("\n".join([f"could not create {len(failures)} resource(s):", *lines]))


def program_file(path: Path) -> Callable[[], None]:
    """Return the program that runs a file as Pulumi does: as ``__main__``, its folder not on ``sys.path``."""

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
    """Run `program` and wait until all of its resources exist.

    `config` has namespaced keys (``aws:region``) and texts, as Pulumi stores them. Runs leave nothing in
    the process and are isolated from one another, but they need a thread without a running event loop.

    Raises:
        CreationError: `new_resource` raised. Creations that had begun were completed, no other was begun.
        Exception: the error of the program itself.
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
    except Exception as error:  # noqa: BLE001  re-raised below, unless a failed creation is its cause
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
    """The argument that Pulumi's base class requires; the monitor below never uses it."""

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        raise NotImplementedError(args.token)

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        raise NotImplementedError(args.typ)


class _Monitor(mocks.MockMonitor):
    """Pulumi's mock monitor, but it records every property of each resource and stops after a failure."""

    def __init__(self, new_resource: NewResource, call: Call) -> None:
        super().__init__(_NoMocks())
        self.recorded: list[Recorded] = []
        self.failures: list[tuple[Recorded, Exception]] = []
        self.registered_outputs: dict[str, dict[str, Any]] = {}
        self._new_resource = new_resource
        self._call = call
        self._urns: set[str] = set()
        self._lock = threading.Lock()

    # The names of the methods below are those of Pulumi's gRPC service.

    def RegisterResource(  # noqa: N802
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == STACK_TYPE:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        # the engine's own response for "not created": resources that depend on this one do not wait for it
        failed = resource_pb2.RegisterResourceResponse(urn=urn, result=resource_pb2.Result.FAIL)
        with self._lock:
            if self.failures:
                return failed
        resource = _recorded(urn, request)
        try:
            self._claim(urn)
            identifier, state = self._new_resource(resource) if resource.custom else ("", {})
            response = resource_pb2.RegisterResourceResponse(urn=urn, id=identifier, object=_struct(state))
        except Exception as error:  # noqa: BLE001  raised together with the others after the run
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
        return resource_pb2.ResourceInvokeResponse(**result)  # its field has the name of a keyword

    def ReadResource(  # noqa: N802
        self, request: resource_pb2.ReadResourceRequest
    ) -> resource_pb2.ReadResourceResponse:
        message = f"the program reads an existing {request.type} {request.name!r}: here it can only create"
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
        dependencies=frozenset(request.dependencies),  # Pulumi has added those of each property
        custom=request.custom,
        protect=request.protect,
        retain_on_delete=request.retainOnDelete,
        delete_before_replace=request.deleteBeforeReplace,
        ignore_changes=tuple(request.ignoreChanges),
        secret_inputs=frozenset(name for name, value in request.object.fields.items() if _has_secret(value)),
        null_inputs=frozenset(name for name, value in request.object.fields.items() if _has_null(value)),
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


def _plain(value: Any) -> Any:  # noqa: ANN401  any JSON value, and Pulumi's archives and assets
    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case float() if value.is_integer():  # protobuf knows only floating-point numbers
            return int(value)
        case _:
            return value


def _struct(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    loop = asyncio.get_event_loop()  # this thread's own, see EventLoop
    return loop.run_until_complete(rpc.serialize_properties(dict(properties), {}))
