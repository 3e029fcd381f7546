"""Write the options and exit codes of the command `tapstack` into docs/cli.md.

Run ``python -m tools.cli`` after each change of the tools in `operations.options`. The rest of docs/cli.md, which
describes the JSON documents, is written by hand.
"""

# ruff: noqa: SLF001  argparse has no public attributes for the options of a parser.

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from operations.options import TOOLS, parser

if TYPE_CHECKING:
    from operations.usage import ToolUsage

DOCUMENT = Path(__file__).parents[1] / "docs" / "cli.md"
START = "<!-- written by `python -m tools.cli` from the options of `{}` -->\n"
END = "<!-- end of the text that `python -m tools.cli` writes -->\n"
COMMON_OPTIONS = {"help", "json"}


def chapter(tool: ToolUsage) -> str:
    """Return the options, the exit codes and the schema number of a tool in Markdown, between two comments."""
    sub = parser_of(tool.name)
    lines = [f"{sub.description}\n", "| Option | Description |", "|---|---|"]
    for action in sub._actions:
        if action.dest not in COMMON_OPTIONS:
            name = " ".join([*action.option_strings[-1:], *([_metavar(action)] if action.metavar else [])])
            lines.append(f"| `{name}`{' (required)' * action.required} | {action.help} |")
    lines += ["", *_exclusions(sub), "| Exit code | Meaning |", "|---|---|"]
    lines += [f"| {code} | {meaning} |" for code, meaning in tool.all_exit_codes.items()]
    fields = "In addition to the fields of all documents, it contains these fields:"
    lines += ["", f"The JSON document has the schema version {tool.schema}. {fields}"]
    return START.format(tool.name) + "\n".join(lines) + "\n" + END


def document(text: str, tools: Iterable[ToolUsage]) -> str:
    """Return a document with the current options of all tools. A tool without a chapter gets one at the end.

    Args:
        text: the previous content of the document.
        tools: the tools.
    """
    for tool in tools:
        before, start, rest = text.partition(START.format(tool.name))
        if not start:
            before, rest = f"{text.rstrip()}\n\n## `{tool.name}`\n\n", END
        text = before + chapter(tool) + rest.partition(END)[2]
    return text


def parser_of(tool: str) -> argparse.ArgumentParser:
    """Return the argument parser of a tool.

    Args:
        tool: the name of the tool.
    """
    [subparsers] = (each for each in parser()._actions if isinstance(each, argparse._SubParsersAction))
    found: argparse.ArgumentParser = subparsers.choices[tool]
    return found


def _metavar(action: argparse.Action) -> str:
    return f"[{action.metavar}]" if action.option_strings and action.nargs == "?" else str(action.metavar)


def _exclusions(sub: argparse.ArgumentParser) -> Iterator[str]:
    for group in sub._mutually_exclusive_groups:
        *names, last = (
            f"`{each.option_strings[-1] if each.option_strings else each.metavar}`" for each in group._group_actions
        )
        yield f"Give {'exactly' if group.required else 'at most'} one of the options {', '.join(names)} and {last}.\n"


def main() -> None:
    """Write docs/cli.md."""
    DOCUMENT.write_text(document(DOCUMENT.read_text(encoding="utf-8"), TOOLS), encoding="utf-8")


if __name__ == "__main__":
    main()
