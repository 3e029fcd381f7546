"""Creates the argument parsers of all tools, whose usage texts have the same style."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from operations.tool import FAILED, INTERRUPTED
from operations.version import NAME, version

COMMON_EXIT_CODES = {FAILED: "the tool failed", INTERRUPTED: "interrupted, and you can start the tool again"}


@dataclass(frozen=True, kw_only=True)
class ToolUsage:
    """Command-line interface of one tool.

    Attributes:
        name: name of the tool.
        summary: imperative phrase in lower case, without a period at its end.
        add_options: adds the options of the tool to its parser, except the options of all tools.
        notes: sentences about access and effects, which the usage text contains below the options.
        exit_codes: meaning of each exit code, except those of `COMMON_EXIT_CODES`.
        schema: version of the JSON document that the tool prints with --json. Increase it if a field is removed or
            renamed, or changes its type or meaning. Additional fields do not require a new version.
    """

    name: str
    summary: str
    add_options: Callable[[argparse.ArgumentParser], None]
    notes: str
    exit_codes: Mapping[int, str]
    schema: int = 1

    @property
    def all_exit_codes(self) -> dict[int, str]:
        """The meaning of each exit code, in ascending order."""
        return dict(sorted({**self.exit_codes, **COMMON_EXIT_CODES}.items()))


def command_parser(
    tools: Iterable[ToolUsage], *, description: str, notes: str, exit_codes: Mapping[int, str]
) -> argparse.ArgumentParser:
    """Return the argument parser of the command.

    Its result contains the selected tool (`tool`), its `schema`, and `reject`, which ends the process with the usage
    text of the tool and an error message.

    Args:
        tools: the tools in the order of the usage text.
        description: sentences about the command.
        notes: sentences below the list of tools.
        exit_codes: general meaning of each exit code, except those of `COMMON_EXIT_CODES`.
    """
    parser = argparse.ArgumentParser(
        prog=NAME,
        description=description,
        epilog=_epilog(notes, {**exit_codes, **COMMON_EXIT_CODES}),
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", action="version", version=f"{NAME} {version()}", help="print the version of this program and exit"
    )
    subparsers = parser.add_subparsers(title="tools", dest="tool", required=True, metavar="TOOL")
    for tool in tools:
        sub = subparsers.add_parser(
            tool.name,
            help=tool.summary,
            description=f"{tool.summary[0].upper()}{tool.summary[1:]}.",
            epilog=_epilog(tool.notes, tool.all_exit_codes),
            allow_abbrev=False,
        )
        sub.set_defaults(schema=tool.schema, reject=sub.error)
        sub.add_argument("--json", action="store_true", help="print one JSON document instead of text")
        tool.add_options(sub)
    return parser


def _epilog(notes: str, exit_codes: Mapping[int, str]) -> str:
    return f"{notes} Exit codes: {'; '.join(f'{code} {meaning}' for code, meaning in sorted(exit_codes.items()))}."
