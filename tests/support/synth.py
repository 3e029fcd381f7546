"""Run of the Pulumi program with fake outputs, and its recorded resources as plain data for assertions.

A test uses the recorded resources as follows:

stack = synth(env="prod", corsAllowedOrigins="https://app.example.com")
assert stack.one("Table").inputs["readCapacity"] == 100
assert stack.depends_on(stack.one("BucketNotification"), stack.one("Permission"))
"""

from __future__ import annotations

import contextvars
import functools
import gc
import json
from contextlib import AbstractContextManager, contextmanager
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
ARCHIVE = Path("/built/for/the/function.zip")
CODE_SHA256 = "c2hhMjU2IG9mIHRoZSBhcmNoaXZl"

# Text that Pulumi inserts if the program converts an output to a string.
_OUTPUT_AS_TEXT = "Calling __str__ on an Output[T] is not supported"


@dataclass(frozen=True)
class Synth:
    """Resources and outputs that the Pulumi program registered with one configuration."""

    run: Run
    location: Location

    @property
    def outputs(self) -> dict[str, Any]:
        return self.run.outputs

    @cached_property
    def component(self) -> Recorded:
        """The component resource TapStack."""
        (component,) = (resource for resource in self.run.resources if not resource.custom)
        return component

    @cached_property
    def resources(self) -> tuple[Recorded, ...]:
        """All resources except the component resource TapStack, sorted by type and name."""
        custom = (resource for resource in self.run.resources if resource.custom)
        return tuple(sorted(custom, key=lambda resource: (resource.type, resource.name)))

    def all(self, type_: str) -> tuple[Recorded, ...]:
        """Return all resources of a Pulumi type. `type_` is the full type or its last part, such as ``Table``."""
        return tuple(resource for resource in self.resources if _is_a(resource, type_))

    def one(self, type_: str, **inputs: object) -> Recorded:
        """Return the only resource of a Pulumi type with the given input values; see `all` for `type_`."""
        found = [
            resource
            for resource in self.all(type_)
            if all(resource.inputs.get(key) == value for key, value in inputs.items())
        ]
        assert len(found) == 1, f"expected one {type_} with {inputs}, found {[str(each) for each in found]}"
        return found[0]

    def named(self, name: str) -> Recorded:
        """Return the resource with the given logical name."""
        (resource,) = (resource for resource in self.resources if resource.name == name)
        return resource

    def properties(self, name: str) -> dict[str, Any]:
        """Return the inputs of a resource by path, without tags, policies and code, which have tests of their own."""
        inputs = self.named(name).inputs
        return dict(_leaves({key: value for key, value in inputs.items() if key not in {"tags", *_DOCUMENTS}}))

    def depends_on(self, later: Recorded, earlier: Recorded) -> bool:
        """Return whether the resource `later` depends on `earlier`, directly or indirectly."""
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


_DOCUMENTS = ("policy", "assumeRolePolicy", "code")


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
    """Run the Pulumi program with a configuration and fake outputs. Results are cached.

    Args:
        account: AWS account ID.
        region: AWS region.
        partition: AWS partition.
        environ: names and values of environment variables.
        project: name of the Pulumi project.
        config: values by configuration key without namespace.

    Raises:
        tap_stack.ConfigurationError: the configuration is invalid.
    """
    location = Location(account, region, partition)

    # The archive of the indexer is replaced by a fake path, because building the archive runs pip and is slow.
    package = mock.patch.object(tap_stack, "build_lambda_archive", return_value=(ARCHIVE, CODE_SHA256))
    with package, without_stack_traces(), _one_garbage_collection():
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


def without_stack_traces() -> AbstractContextManager[object]:
    """Context manager in which Pulumi records no stack traces of resources.

    Only Pulumi's engine uses the traces, and recording them takes a third of the program's run time.
    """
    return mock.patch.object(pulumi.runtime.resource, "_get_stack_trace", source_pb2.StackTrace)


@contextmanager
def _one_garbage_collection() -> Iterator[None]:
    """Context manager that collects garbage only at its end.

    A run of the program creates more than 100,000 objects in reference cycles. Collections during the run could not
    free them and would take a seventh of its CPU time.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.collect(0)


def parse_configuration(
    config: Mapping[str, str], environ: Mapping[str, str] | None = None, *, stack: str = "dev"
) -> tap_stack.TapStackArgs:
    """Parse the configuration of a stack without running the Pulumi program.

    Args:
        config: values by configuration key. A key without a colon gets the namespace of the project.
        environ: environment variables.
        stack: name of the stack.

    Raises:
        tap_stack.ConfigurationError: the configuration is invalid.
    """

    def read() -> tap_stack.TapStackArgs:
        set_all_config({key if ":" in key else f"{PROJECT}:{key}": value for key, value in config.items()})
        with mock.patch.object(pulumi, "get_stack", return_value=stack):
            return tap_stack.TapStackArgs.from_config(pulumi.Config(PROJECT), environ or {})

    return contextvars.copy_context().run(read)


def strings(value: object) -> Iterator[str]:
    """Yield all strings in nested plain data, including dictionary keys."""
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
    """Return the parsed policy document of a resource."""
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
