"""The whole program under Pulumi's mocks, as plain recorded resources for assertions.

stack = synth(env="prod", corsAllowedOrigins="https://app.example.com")
assert stack.one("Table").inputs["readCapacity"] == 100
assert stack.depends_on(stack.one("BucketNotification"), stack.one("Permission"))
"""

from __future__ import annotations

import contextvars
import functools
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from unittest import mock

import pulumi
from pulumi.runtime.config import set_all_config
from pulumi.runtime.proto import source_pb2

import tap_stack
from localstack.deployers.monitor import Recorded, Run, run_program
from tests.support.fake_outputs import UNDECLARED, Location, fake_call, fake_outputs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROJECT = "tapstack"
PACKAGE = Path("/built/for/the/function")

# What Pulumi writes into a text that was made from an output as if it were a value.
_OUTPUT_AS_TEXT = "Calling __str__ on an Output[T] is not supported"


@dataclass(frozen=True)
class Synth:
    """Everything that the program registered in one configuration."""

    run: Run
    location: Location

    @property
    def outputs(self) -> dict[str, Any]:
        """The stack's exports."""
        return self.run.outputs

    @cached_property
    def component(self) -> Recorded:
        """The TapStack component itself."""
        (component,) = (resource for resource in self.run.resources if not resource.custom)
        return component

    @cached_property
    def resources(self) -> tuple[Recorded, ...]:
        """Every resource but the component, by type and name."""
        custom = (resource for resource in self.run.resources if resource.custom)
        return tuple(sorted(custom, key=lambda resource: (resource.type, resource.name)))

    def all(self, type_: str) -> tuple[Recorded, ...]:
        """Every resource of a type, which may be none; `type_` is a whole token or its last part (``"Table"``)."""
        return tuple(resource for resource in self.resources if _is_a(resource, type_))

    def one(self, type_: str, **inputs: object) -> Recorded:
        """The only resource of a type whose inputs have these values."""
        found = [
            resource
            for resource in self.all(type_)
            if all(resource.inputs.get(key) == value for key, value in inputs.items())
        ]
        assert len(found) == 1, f"expected one {type_} with {inputs}, found {[str(each) for each in found]}"
        return found[0]

    def named(self, name: str) -> Recorded:
        """The resource with this logical name."""
        (resource,) = (resource for resource in self.resources if resource.name == name)
        return resource

    def properties(self, name: str) -> dict[str, Any]:
        """The inputs of a resource as path -> value, without tags (which test_names_tags_outputs.py checks)."""
        inputs = self.named(name).inputs
        return dict(_leaves({key: value for key, value in inputs.items() if key not in {"tags", *_DOCUMENTS}}))

    def depends_on(self, later: Recorded, earlier: Recorded) -> bool:
        """Whether `later` is created only after `earlier`, directly or through others."""
        return earlier.urn in self._dependencies[later.urn]

    @cached_property
    def _dependencies(self) -> dict[str, frozenset[str]]:
        direct = {resource.urn: resource.dependencies for resource in self.run.resources}
        needed: dict[str, frozenset[str]] = {}

        def visit(urn: str) -> frozenset[str]:
            if urn not in needed:
                needed[urn] = direct[urn].union(*(visit(other) for other in direct[urn]))
            return needed[urn]

        for urn in direct:
            visit(urn)
        return needed


_DOCUMENTS = ("policy", "assumeRolePolicy", "code")  # inputs with tests of their own


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    match value:
        case dict():
            for key, item in value.items():
                yield from _leaves(item, f"{path}.{key}" if path else key)
        case [dict(), *_]:
            for number, item in enumerate(value):
                yield from _leaves(item, f"{path}[{number}]")
        case _:
            yield path, value


def _is_a(resource: Recorded, type_: str) -> bool:
    return resource.type == type_ if ":" in type_ else resource.type.endswith(f":{type_}")


@functools.cache
def synth(
    *,
    account: str = Location.account,
    region: str = Location.region,
    partition: str = Location.partition,
    environ: tuple[tuple[str, str], ...] = (),
    project: str = PROJECT,
    **config: str,
) -> Synth:
    """Run the program with a configuration (its keys as `pulumi config` has them, without namespace).

    Raises:
        tap_stack.ConfigurationError: as the program does.
    """
    location = Location(account, region, partition)

    # building the function's archive takes pip and seconds; its own tests are in test_packaging.py
    package = mock.patch.object(tap_stack, "build_lambda_package", return_value=PACKAGE)
    # a third of the time would go into the line of the program that made each resource, which only the engine reports
    trace = mock.patch.object(pulumi.runtime.resource, "_get_stack_trace", source_pb2.StackTrace)
    with package, trace:
        run = run_program(
            lambda: tap_stack.main(dict(environ)),
            project=project,
            stack=config.get("env", "dev"),
            config={f"{project}:{key}": value for key, value in config.items()},
            new_resource=lambda resource: fake_outputs(location, resource),
            call=lambda token, args: fake_call(location, token),  # noqa: ARG005  the names are the protocol's
        )
    _reject_unresolved_outputs(run)
    return Synth(run, location)


def configured(
    config: Mapping[str, str], environ: Mapping[str, str] | None = None, *, stack: str = "dev"
) -> tap_stack.TapStackArgs:
    """What the program makes of a stack's configuration, without running it. A key with a colon keeps its namespace.

    Raises:
        tap_stack.ConfigurationError: as the program does.
    """

    def read() -> tap_stack.TapStackArgs:
        set_all_config({key if ":" in key else f"{PROJECT}:{key}": value for key, value in config.items()})
        with mock.patch.object(pulumi, "get_stack", return_value=stack):
            return tap_stack.TapStackArgs.from_config(pulumi.Config(PROJECT), environ or {})

    return contextvars.copy_context().run(read)


def strings(value: object) -> Iterator[str]:
    """Every text in plain data, dictionary keys included."""
    match value:
        case str():
            yield value
        case dict():
            for key, item in value.items():
                yield from strings(key)
                yield from strings(item)
        case list() | tuple():
            for item in value:
                yield from strings(item)


def policy(resource: Recorded) -> dict[str, Any]:
    """A resource's policy as data."""
    return cast("dict[str, Any]", json.loads(resource.inputs["policy"]))


def _reject_unresolved_outputs(run: Run) -> None:
    for where, values in [*((str(each), each.inputs) for each in run.resources), ("exports", run.outputs)]:
        for text in strings(values):
            if UNDECLARED in text:
                message = f"{where} uses an output that tests/support/fake_outputs.py does not declare: {text!r}"
                raise AssertionError(message)
            if _OUTPUT_AS_TEXT in text:
                message = f"{where} puts an output into a text before it is known: {text!r}"
                raise AssertionError(message)
