"""Write the configuration keys into docs/configuration.md, and their names into the docstring of tap_stack.py.

Run ``python -m tools.configuration`` after each change of `tap_stack.TapStackArgs`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import tap_stack

PROGRAM = Path(tap_stack.__file__)
DOCUMENT = PROGRAM.parent / "docs" / "configuration.md"
START, END = "docs/configuration.md describes:\n", ".\n\nOutputs:"
"""Texts before and after the list of configuration keys in the docstring of tap_stack.py."""
TYPES = {
    "str": "string",
    "int": "integer",
    "bool": "boolean",
    "Sequence[str]": "list of strings",
    "tuple[ExistingBucket, ...]": "list of objects",
}
HEADER = """\
# Configuration

<!-- written by `python -m tools.configuration` from the fields of TapStackArgs in tap_stack.py -->

Set a key with `pulumi config set KEY VALUE`. An unknown key or an invalid value causes an error before any resource is
created. The error message contains the key, the value, the limit and a remedy. If you set `kmsKeyArn`, the KMS key
needs a [key policy](security.md#a-key-of-your-own) that lets CloudWatch alarms use the key; otherwise alarms are lost.

| Key | Type | Default | Allowed values | Description |
|---|---|---|---|---|
"""


@dataclass(frozen=True, kw_only=True)
class Row:
    """Documentation of one configuration key: a row of the table in docs/configuration.md."""

    key: str
    type: str
    default: str
    allowed: str
    description: str


def rows() -> Iterator[Row]:
    """Yield the documentation of each configuration key, in the order of the fields of TapStackArgs."""
    for each in fields(tap_stack.TapStackArgs):
        if each.name not in tap_stack.CONFIG_FIELDS:
            continue
        config_field = tap_stack.CONFIG_FIELDS[each.name]
        type_name = TYPES[str(each.type).removesuffix(" | None")]
        allowed = config_field.allowed_values or {"boolean": "true or false"}[type_name]
        if length := config_field.length:
            allowed = f"{length.start} to {length.stop - 1} characters: {allowed}"
        default = str(each.default).lower() if type_name == "boolean" else each.default
        yield Row(
            key=config_field.key,
            type=type_name,
            default=config_field.default or (f"`{default}`" if default not in {None, ""} else "none"),
            allowed=allowed,
            description=config_field.description,
        )


def document() -> str:
    """Return the content of docs/configuration.md."""
    lines = (f"| `{row.key}` | {row.type} | {row.default} | {row.allowed} | {row.description} |\n" for row in rows())
    return HEADER + "".join(lines)


def docstring_list() -> str:
    """Return the list of configuration keys in the docstring of tap_stack.py, with the texts before and after it."""
    return START + textwrap.fill(", ".join(row.key for row in rows()), 119) + END


def main() -> None:
    """Write docs/configuration.md and the list of keys in the docstring of tap_stack.py."""
    before, _, rest = PROGRAM.read_text(encoding="utf-8").partition(START)
    after = rest.partition(END)[2]
    PROGRAM.write_text(before + docstring_list() + after, encoding="utf-8")
    DOCUMENT.write_text(document(), encoding="utf-8")


if __name__ == "__main__":
    main()
