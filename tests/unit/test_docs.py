"""README and docs/ match the program, and their links and tables are valid Markdown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tap_stack import CONFIG_FIELDS, SAVED_QUERIES, TapStackArgs, make_alarms, make_names
from tools import configuration

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{each.name}" for each in ROOT.glob("docs/*.md"))]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    """The text below a heading, up to the next one of its level or above."""
    level = len(heading.split(maxsplit=1)[0])
    match = re.search(rf"^{re.escape(heading)}$(.*?)(?=^#{{1,{level}}} |\Z)", text, re.MULTILINE | re.DOTALL)
    assert match is not None, f"there is no heading {heading!r}"
    return match[1]


def test_readme_lists_every_configuration_key_with_its_default_and_no_other() -> None:
    rows = [line.split("|") for line in section(README, "### Configuration").splitlines() if line.startswith("| `")]
    defaults = {key: row[2] for row in rows for key in re.findall(r"`(\w+)`", row[1])}
    assert sorted(defaults) == sorted(field.key for field in CONFIG_FIELDS.values())
    for field in configuration.rows():
        code = re.findall(r"`([^`]+)`", field.default)  # a default in words is not repeated word by word
        assert [each for each in code[:1] if each not in defaults[field.key]] == []


def test_every_alarm_has_a_chapter_in_the_runbook() -> None:
    args = TapStackArgs()
    names = make_names(args, project="tapstack", account="123456789012", region="us-east-1")
    headings = set(re.findall(r"[\w-]+", " ".join(re.findall(r"^## (.*)$", RUNBOOK, re.MULTILINE))))
    assert {alarm.purpose for alarm in make_alarms(names, args)} <= headings


def test_every_saved_query_is_explained_in_the_runbook() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \|", section(RUNBOOK, "## Saved queries"), re.MULTILINE)
    assert rows == list(SAVED_QUERIES)


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub derives from the headings of a Markdown document."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_relative_links_lead_to_existing_files_and_headings(document: str) -> None:
    path = ROOT / document
    links = re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", path.read_text(encoding="utf-8"))
    assert links
    targets = {(path.parent / file if file else path, heading) for file, heading in links}
    assert [file for file, _ in targets if not file.exists()] == []
    assert [
        (file.name, heading)
        for file, heading in targets
        if heading and file.suffix == ".md" and heading not in anchors(file.read_text(encoding="utf-8"))
    ] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_markdown_tables_have_a_delimiter_row_and_equal_numbers_of_cells(document: str) -> None:
    """A blank line in a table would end it, and the rows below it would be shown as text."""
    text = re.sub(r"```.*?```", "", (ROOT / document).read_text(encoding="utf-8"), flags=re.DOTALL)
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        rows = table.splitlines()
        assert len(rows) > 2, table
        assert re.fullmatch(r"\|(:?-+:?\|)+", rows[1]), table
        assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {rows[1].count("|")}, table


@pytest.mark.parametrize("document", ["README.md", "docs/architecture.md"])
def test_lines_in_a_picture_are_broken_as_mermaid_documents_it(document: str) -> None:
    pictures = re.findall(r"```mermaid\n(.*?)```", (ROOT / document).read_text(encoding="utf-8"), re.DOTALL)
    assert pictures
    assert [line for picture in pictures for line in picture.splitlines() if r"\n" in line] == []
