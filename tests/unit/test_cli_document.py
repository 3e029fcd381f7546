"""Tests that docs/cli.md describes the options, the exit codes and the JSON documents of all tools.

The recorded documents in public_names.json are real: `test_public_names` compares them with runs of the tools.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

import pytest

from operations.options import TOOLS, parser
from operations.usage import ToolUsage, command_parser
from tests.support.nonempty import nonempty
from tools import cli

ROOT = Path(__file__).parents[2]
DOCUMENT = cli.DOCUMENT.read_text(encoding="utf-8")
RECORDED = json.loads(Path(__file__).with_name("public_names.json").read_text(encoding="utf-8"))["documents"]
NAMES = [tool.name for tool in TOOLS]


def chapter(heading: str) -> str:
    return DOCUMENT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def documented(text: str) -> dict[str, set[str]]:
    """Return the JSON types of each field in the tables of fields; `…` represents other fields."""
    fields: dict[str, set[str]] = {}
    for table in re.findall(r"^\| Field \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE):
        for row in table.splitlines():
            names, types = row.split("|")[1:3]
            for name in re.findall(r"`(.+?)`", names):
                fields[name] = {each.rstrip("s") for each in re.split(r" or | of |, ", types.strip()) if each}
    return fields


def recorded(name: str) -> dict[str, set[str]]:
    """Return the JSON types of each path in the recorded documents of a tool."""
    types: dict[str, set[str]] = {}
    for run, entry in RECORDED.items():
        if run == name or run.startswith(f"{name} "):
            for path, names in entry["keys"].items():
                types.setdefault(path, set()).update(names.split(" or "))
    return types


def field_and_types(path: str, types: set[str], fields: dict[str, set[str]]) -> tuple[str, set[str]]:
    """Return the documented field of a recorded path with the recorded types, such as `messages` for `messages[]`.

    An object whose members have no documentation of their own is one field.
    """
    for prefix in (name.removesuffix("…") for name in fields if name.endswith("…")):
        field = path.removeprefix(prefix).removesuffix("[]")
        if path.startswith(prefix) and field in fields:
            return field, types
    parent = path
    while parent := parent.rpartition(".")[0]:
        if "object" in fields.get(parent, set()) and not any(name.startswith(f"{parent}.") for name in fields):
            return parent, {"object"}
    return path.removesuffix("[]"), types


@pytest.mark.parametrize("name", NAMES)
def test_fields_of_a_recorded_json_document_are_documented_with_their_types(name: str) -> None:
    fields = {**documented(chapter("JSON documents")), **documented(chapter(f"`{name}`"))}
    for path, found in nonempty(recorded(name).items()):
        field, types = field_and_types(path, found, fields)
        assert field in fields, f"docs/cli.md does not describe the field {path} of {name}"
        allowed = fields[field] | ({"integer"} if "number" in fields[field] else set())
        assert types <= allowed, f"{name}: the type of {path} is {types}, and docs/cli.md states {allowed}"


@pytest.mark.parametrize("name", NAMES)
def test_documented_fields_exist_in_a_recorded_json_document(name: str) -> None:
    paths = "\n".join(recorded(name))
    fields = documented(chapter(f"`{name}`"))
    assert fields
    missing = [each for each in fields if not re.search(rf"^{re.escape(each.rstrip('…'))}", paths, re.MULTILINE)]
    assert missing == []


def test_every_json_document_has_the_schema_number_of_its_tool() -> None:
    for run, entry in nonempty(RECORDED.items()):
        assert entry["keys"]["schema"] == "integer", run
    assert {
        tool.name: f"The JSON document has the schema version {tool.schema}." in chapter(f"`{tool.name}`")
        for tool in TOOLS
    } == (dict.fromkeys(NAMES, True))


def test_documented_fields_of_the_demo_are_those_of_a_recorded_document() -> None:
    top = {path.partition(".")[0].partition("[")[0] for path in recorded("demo")} - {"schema"}
    assert {name for name in documented(chapter("The demo")) if "." not in name} == top


def test_document_contains_the_current_options_and_exit_codes() -> None:
    assert cli.document(DOCUMENT, TOOLS) == DOCUMENT, "run python -m tools.cli"


def test_new_tool_gets_a_chapter_with_its_options_exclusions_and_exit_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    def add(parser: argparse.ArgumentParser) -> None:
        group = parser.add_mutually_exclusive_group(required=True)
        group.add_argument("--from", metavar="T", help="a source")
        group.add_argument("--all", action="store_true", help="all sources")

    tool = ToolUsage(name="copy", summary="copy a", add_options=add, notes="A note.", exit_codes={0: "done"}, schema=7)
    command = command_parser([tool], description="D.", notes="N.", exit_codes={})
    monkeypatch.setattr(cli, "parser", lambda: command)
    text = cli.document("# Title\n", [tool])
    assert cli.document(text, [tool]) == text
    assert text.startswith("# Title\n\n## `copy`\n")
    assert "| `--from T` | a source |\n| `--all` | all sources |\n" in text
    assert "Give exactly one of the options `--from` and `--all`.\n" in text
    assert "| 0 | done |\n| 2 | the tool failed |\n| 130 | interrupted, " in text
    assert "The JSON document has the schema version 7." in text


@pytest.mark.parametrize("name", NAMES)
def test_help_text_of_each_option_is_a_lowercase_phrase_without_a_period(name: str) -> None:
    """A help text is a phrase: it begins in lower case, and has no period at its end.

    The name of a value is in capitals. Instead of a name, the possible values can be listed in braces.
    """
    actions = cli.parser_of(name)._actions
    for action in nonempty(actions):
        text = action.help or ""
        assert re.match(r"[a-z]", text), action
        assert not text.endswith("."), action
        assert action.nargs == 0 or re.match(r"[A-Z]|\{", str(action.metavar or "")), action


def test_usage_text_of_each_tool_contains_program_name_exit_codes_and_help() -> None:
    command = parser()
    assert command.prog == "tapstack"
    for tool in nonempty(TOOLS):
        sub = cli.parser_of(tool.name)
        assert sub.prog == f"tapstack {tool.name}"
        assert sub.description == f"{tool.summary[0].upper()}{tool.summary[1:]}."
        assert sub.epilog
        assert sub.epilog.startswith(tool.notes)
        assert sub.epilog.endswith("2 the tool failed; 130 interrupted, and you can start the tool again.")
