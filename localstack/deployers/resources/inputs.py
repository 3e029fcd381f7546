"""Records which inputs of a resource were read, so that the in-process deployer can reject unsupported inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import pulumi

from localstack.errors import HarnessError

Value: TypeAlias = Any
"""Value of a resource input: a scalar, an archive or a list of scalars. Only AWS checks its type."""

_LEAVES = (str, bool, int, float, pulumi.Archive, pulumi.Asset)


class InputError(HarnessError):
    """A resource input is missing, not supported by the in-process deployer, or of the wrong type."""


class Inputs:
    """Inputs of a resource, or of an object nested in them, by their names in Pulumi.

    Each read is recorded, so that `unused` can return the inputs that were not read. Scalars are read with `get`,
    `require` or `select`, nested objects with `child` or `children`, and objects with arbitrary keys, such as tags,
    with `mapping`.
    """

    def __init__(self, values: Mapping[str, Any], path: str = "") -> None:
        self._values = values
        self._path = path
        self._used: set[str] = set()
        self._nested: list[Inputs] = []

    def get(self, name: str) -> Value:
        """Return a scalar input, an archive, or a list of scalars; None if the input is absent."""
        value = self._read(name)
        for item in value if isinstance(value, list) else [value]:
            if item is not None and not isinstance(item, _LEAVES):
                raise InputError(f"{self._path}{name} is an object where a plain value was expected: {value!r}")
        return value

    def require(self, name: str) -> Value:
        """Return a required scalar input.

        Raises:
            InputError: the input is absent. Pulumi also omits an input silently if it refers to an output that another
                resource does not have.
        """
        value = self.get(name)
        if value is None:
            raise InputError(
                f"the input {self._path}{name} is missing: "
                "it was not set, or it refers to an output that another resource does not have"
            )
        return value

    def select(self, **pulumi_names: str) -> dict[str, Any]:
        """Return the present scalar inputs by their AWS names: ``select(Days="days")`` returns {"Days": 7} or {}."""
        selected = {aws_name: self.get(pulumi_name) for aws_name, pulumi_name in pulumi_names.items()}
        return {aws_name: value for aws_name, value in selected.items() if value is not None}

    def child(self, name: str) -> Inputs | None:
        """Return an input that is an object; None if the input is absent."""
        value = self._read(name)
        return None if value is None else self._nest(value, name)

    def children(self, name: str) -> list[Inputs]:
        """Return an input that is a list of objects; an empty list if the input is absent."""
        value = self._read(name)
        if value is not None and not isinstance(value, list):
            raise InputError(f"{self._path}{name} is not a list: {value!r}")
        return [self._nest(item, f"{name}[{index}]") for index, item in enumerate(value or [])]

    def mapping(self, name: str) -> dict[str, str]:
        """Return an input with arbitrary keys, such as tags, as a dictionary of strings; empty if it is absent."""
        value = self._read(name)
        if value is not None and not isinstance(value, Mapping):
            raise InputError(f"{self._path}{name} is not an object: {value!r}")
        return {str(key): str(item) for key, item in (value or {}).items()}

    def unused(self) -> list[str]:
        """Return the paths of all inputs that were not read, including nested ones such as ``rules[0].filter.tag``."""
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
