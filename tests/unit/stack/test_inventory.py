"""Nothing is in the stack that no test asks for."""

from __future__ import annotations

import importlib
from collections import Counter
from pathlib import Path

import pytest

from tests.support.default_stack import CUSTOM, FULL, PROD
from tests.support.synth import synth


def covered() -> Counter[str]:
    """The logical names in the COVERS of each test module in this folder, with how many name them."""
    modules = [path.stem for path in Path(__file__).parent.glob("test_*.py")]
    return Counter(
        name
        for module in modules
        for name in getattr(importlib.import_module(f"tests.unit.stack.{module}"), "COVERS", ())
    )


def test_every_resource_has_a_module_of_tests() -> None:
    """Whoever adds a resource writes its tests, compares all its inputs there, and adds its name to COVERS."""
    created = {each.name for each in synth(**FULL).resources}
    assert created - covered().keys() == set(), "no test module covers these"
    assert covered().keys() - created == set(), "no longer in the stack"


def test_every_resource_has_only_one_module_of_tests() -> None:
    assert [name for name, modules in covered().items() if modules > 1] == []


def test_without_optional_parts_these_are_missing() -> None:
    everything = {each.name for each in synth(**FULL).resources}
    least = {each.name for each in synth().resources}
    assert least < everything
    assert everything - least == {
        "tap-alarms-email",
        *(f"tap-{part}-{units}-scaling" for part in ("table", "index") for units in ("read", "write")),
        *(f"tap-{part}-{units}-scaling-policy" for part in ("table", "index") for units in ("read", "write")),
    }


@pytest.mark.parametrize("config", [CUSTOM, PROD], ids=["staging", "prod"])
def test_every_environment_has_the_same_parts(config: dict[str, str]) -> None:
    assert {each.name for each in synth(**config).resources} == {each.name for each in synth().resources}


@pytest.mark.parametrize("config", [{}, FULL], ids=["defaults", "full"])
def test_unset_properties_are_absent(config: dict[str, str]) -> None:
    """A null in place of an absent property is a change that `pulumi preview` shows."""
    assert {each.name: each.null_inputs for each in synth(**config).resources if each.null_inputs} == {}


def test_the_same_configuration_asks_for_the_same_again() -> None:
    """A second `pulumi up` must change nothing."""
    first, second = synth(), synth.__wrapped__()
    assert [(each.type, each.name) for each in first.resources] == [(each.type, each.name) for each in second.resources]
    for one, other in zip(first.resources, second.resources, strict=True):
        assert {key: value for key, value in one.inputs.items() if key != "code"} == {
            key: value for key, value in other.inputs.items() if key != "code"
        }
        assert one.dependencies == other.dependencies
