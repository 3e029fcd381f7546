"""Tests that each resource of the stack is covered by exactly one test module."""

from __future__ import annotations

import importlib
from collections import Counter
from pathlib import Path

import pytest

from tests.support.default_stack import CUSTOM, EXISTING_BUCKETS, FULL, PROD
from tests.support.nonempty import nonempty
from tests.support.synth import synth


def covered() -> Counter[str]:
    """Return the number of test modules that cover each resource. A module lists its resources in COVERS."""
    modules = [path.stem for path in Path(__file__).parent.glob("test_*.py")]
    return Counter(
        name
        for module in modules
        for name in getattr(importlib.import_module(f"tests.unit.stack.{module}"), "COVERS", ())
    )


def test_each_resource_of_the_stack_is_covered_by_a_test_module() -> None:
    """To add a resource, write a test of all its inputs, and add its name to COVERS of the test module."""
    created = {each.name for each in synth(**FULL).resources}
    assert created - covered().keys() == set(), "no test module covers these"
    assert covered().keys() - created == set(), "no longer in the stack"


def test_no_resource_of_the_stack_is_covered_by_two_test_modules() -> None:
    assert [name for name, modules in covered().items() if modules > 1] == []


def test_default_stack_omits_only_resources_of_keys_without_a_default() -> None:
    everything = {each.name for each in synth(**FULL).resources}
    least = {each.name for each in synth().resources}
    assert least < everything
    assert everything - least == {
        *("tap-alarms-email", "tap-no-uploads", "tap-no-audit", "tap-type-mismatch", "tap-uploads-inventory"),
        *(f"tap-existing-{each}-{kind}" for each in EXISTING_BUCKETS for kind in ("rule", "target", "permission")),
        *(
            "tap-analytics",
            "tap-analytics-database",
            "tap-exported-rows",
            "tap-exports",
            "tap-exports-public-access",
            "tap-exports-ownership",
        ),
        *("tap-exports-encryption", "tap-exports-lifecycle", "tap-exports-policy", "tap-exports-logging"),
        *(f"tap-undelivered-{each}" for each in EXISTING_BUCKETS),
        *(f"tap-{part}-{units}-scaling" for part in ("table", "index") for units in ("read", "write")),
        *(f"tap-{part}-{units}-scaling-policy" for part in ("table", "index") for units in ("read", "write")),
    }


@pytest.mark.parametrize("config", [CUSTOM, PROD], ids=["staging", "prod"])
def test_each_environment_has_the_same_resources(config: dict[str, str]) -> None:
    assert {each.name for each in synth(**config).resources} == {each.name for each in synth().resources}


@pytest.mark.parametrize("config", [{}, FULL], ids=["defaults", "full"])
def test_resource_inputs_contain_no_null_values(config: dict[str, str]) -> None:
    """If an optional input were null instead of absent, `pulumi preview` would report a change."""
    assert {each.name: each.null_inputs for each in synth(**config).resources if each.null_inputs} == {}


def test_same_configuration_produces_identical_resources() -> None:
    """A repeated `pulumi up` with the same configuration must not report changes."""
    first, second = synth(), synth.__wrapped__()
    assert [(each.type, each.name) for each in first.resources] == [(each.type, each.name) for each in second.resources]
    for one, other in nonempty(zip(first.resources, second.resources, strict=True)):
        assert {key: value for key, value in one.inputs.items() if key != "code"} == {
            key: value for key, value in other.inputs.items() if key != "code"
        }
        assert one.dependencies == other.dependencies
