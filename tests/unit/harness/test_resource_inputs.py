"""Tests that every sample input of a resource is used and affects the calls to AWS."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from botocore.exceptions import ParamValidationError

from localstack.deployers.resources import RESOURCE_HANDLERS
from localstack.deployers.resources.inputs import InputError, Inputs
from tests.unit.harness.fake_aws import FakeAws, fake_account
from tests.unit.harness.resource_inputs import SAMPLES, create

Path = tuple[str | int, ...]

every_sample = pytest.mark.parametrize(
    ("type_", "inputs"),
    [
        pytest.param(type_, sample, id=f"{type_.rsplit(':')[-1]}-{number}")
        for type_, samples in SAMPLES.items()
        for number, sample in enumerate(samples)
    ],
)


def calls(type_: str, inputs: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return all AWS calls that create and delete a resource."""
    fake = FakeAws()
    _result, removals, _unused = create(type_, inputs, fake)
    for removal in removals:
        for call in (removal.unlock, removal.exists, removal.delete):
            if call:
                call()
    return fake.calls


def items(value: Any) -> Iterator[tuple[str | int, Any]]:  # noqa: ANN401  any JSON value
    if isinstance(value, (dict, list)):
        yield from value.items() if isinstance(value, dict) else enumerate(value)


def leaves(value: Any, at: Path = ()) -> Iterator[Path]:  # noqa: ANN401  any JSON value
    """Yield the path of each leaf of a JSON value. Leaves are plain values, empty objects and empty arrays."""
    if not list(items(value)):
        yield at
    for key, item in items(value):
        yield from leaves(item, (*at, key))


def without(value: Any, path: Path) -> Any:  # noqa: ANN401  any JSON value
    """Return a copy of a JSON value without the element at a path."""
    copy = deepcopy(value)
    parent = functools.reduce(operator.getitem, path[:-1], copy)
    del parent[path[-1]]
    return copy


def dotted(path: Path) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def test_every_resource_type_has_sample_inputs() -> None:
    assert set(SAMPLES) == set(RESOURCE_HANDLERS)


@every_sample
def test_resource_handler_uses_all_sample_inputs_in_valid_aws_calls(type_: str, inputs: dict[str, Any]) -> None:
    fake, wrapped = FakeAws(), Inputs(inputs)
    create = RESOURCE_HANDLERS[type_]("logical", wrapped, fake_account(fake))
    assert (wrapped.unused(), fake.calls) == ([], [])  # No AWS call precedes the check for unused inputs.
    assert create(lambda _removal: None).id


@every_sample
def test_every_sample_input_of_a_resource_affects_the_aws_calls(type_: str, inputs: dict[str, Any]) -> None:
    whole = calls(type_, inputs)
    ineffective = []
    for path in leaves(inputs):
        try:
            if calls(type_, without(inputs, path)) == whole:
                ineffective.append(dotted(path))
        except (InputError, ParamValidationError):
            pass  # An error without the input proves that the input is required, and therefore has an effect.
    assert ineffective == []
