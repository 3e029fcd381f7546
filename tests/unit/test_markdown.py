"""Tests of the Markdown in README, CONTRIBUTING and docs/: links to headings, and the format of tables."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import pytest

from tests.support.nonempty import nonempty

ROOT = Path(__file__).parents[2]
DOCUMENTS = pytest.mark.parametrize(
    "document", ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{each.name}" for each in ROOT.glob("docs/*.md"))]
)


def read(path: Path) -> str:
    """Return a Markdown document without its code blocks."""
    return re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


@functools.cache
def anchors(path: Path) -> set[str]:
    """Return the anchors that GitHub derives from the headings of a document."""
    headings = re.findall(r"^#+ (.*)$", read(path), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@DOCUMENTS
def test_document_links_lead_to_existing_headings(document: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", read(ROOT / document))
    targets = [((ROOT / document).parent / file if file else ROOT / document, heading) for file, heading in links]
    assert [(file.name, heading) for file, heading in targets if heading not in anchors(file)] == []


@DOCUMENTS
def test_markdown_tables_have_a_delimiter_row_and_equal_numbers_of_cells(document: str) -> None:
    """A blank line divides a Markdown table, so that the rows below the blank line have no delimiter row."""
    for table in nonempty(re.findall(r"(?:^\|.*\n)+", read(ROOT / document), re.MULTILINE)):
        rows = table.splitlines()
        assert len(rows) > 2, table
        assert re.fullmatch(r"\|(:?-+:?\|)+", rows[1]), table
        assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {rows[1].count("|")}, table
