"""The inputs of a resource, which record what was used, so that the deployer can reject unused inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import pulumi

from localstack.errors import HarnessError

Value: TypeAlias = Any
"""A scalar, an archive or a list of scalars. Which one an input should be, AWS checks."""

_LEAVES = (str, bool, int, float, pulumi.Archive, pulumi.Asset)


class InputError(HarnessError):
    """An input is missing, unknown to the deployer, or of a shape that it cannot use."""


class Inputs:
    """The inputs of a resource, or one nested object of them, read one by one under Pulumi's names.

    `unused` lists the inputs that were not read, at any depth: ``rules[0].filter.tag``. Objects and lists of objects
    cannot be read as one value, since unused inputs inside would not be noticed; use `child` and `children` for them,
    and `mapping` for those whose keys are data, such as tags.
    """

    def __init__(self, values: Mapping[str, Any], path: str = "") -> None:
        self._values = values
        self._path = path
        self._used: set[str] = set()
        self._nested: list[Inputs] = []

    def get(self, name: str) -> Value:
        """Return a plain value or list of plain values; None if it is absent."""
        value = self._read(name)
        for item in value if isinstance(value, list) else [value]:
            if item is not None and not isinstance(item, _LEAVES):
                raise InputError(f"{self._path}{name} is an object where a plain value was expected: {value!r}")
        return value

    def require(self, name: str) -> Value:
        """Return a required plain value.

        Raises:
            InputError: it is absent. Pulumi silently drops an input from an output that another resource does not have.
        """
        value = self.get(name)
        if value is None:
            raise InputError(
                f"the input {self._path}{name} is missing: "
                "it was not non_empty, or is the output of a resource that has no such output"
            )
        return value

    def select(self, **pulumi_names: str) -> dict[str, Any]:
        """Return the plain values that are present under AWS's names: ``select(Days="days")`` is {"Days": 7} or {}."""
        selected = {aws_name: self.get(pulumi_name) for aws_name, pulumi_name in pulumi_names.items()}
        return {aws_name: value for aws_name, value in selected.items() if value is not None}

    def child(self, name: str) -> Inputs | None:
        """Return a nested object; None if it is absent."""
        value = self._read(name)
        return None if value is None else self._nest(value, name)

    def children(self, name: str) -> list[Inputs]:
        """Return a list of nested objects; empty if it is absent."""
        value = self._read(name)
        if value is not None and not isinstance(value, list):
            raise InputError(f"{self._path}{name} is not a list: {value!r}")
        return [self._nest(item, f"{name}[{index}]") for index, item in enumerate(value or [])]

    def mapping(self, name: str) -> dict[str, str]:
        """Return an object whose keys are data (tags, variables, dimensions), as texts; empty if it is absent."""
        value = self._read(name)
        if value is not None and not isinstance(value, Mapping):
            raise InputError(f"{self._path}{name} is not an object: {value!r}")
        return {str(key): str(item) for key, item in (value or {}).items()}

    def unused(self) -> list[str]:
        """Return the paths of all unused inputs, here and in the nested objects that were read."""
        here = [
            f"{self._path}{name}"
            for name, value in self._values.items()
            if value is not None and name not in self._used
        ]
        return here + [path for nested in self._nested for path in nested.unused()]

    def _read(self, name: str) -> Value:
        self._used.add(name)
        return self._values.get(name)

    def _nest(self, value: object, name: str) -> Inputs:
        if not isinstance(value, Mapping):
            raise InputError(f"{self._path}{name} is not an object: {value!r}")
        nested = Inputs(value, f"{self._path}{name}.")
        self._nested.append(nested)
        return nested
