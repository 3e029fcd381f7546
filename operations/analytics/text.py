"""Formats the report as text for a terminal."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from operations.analytics.cells import cell, dollars, size
from operations.analytics.sections import ColumnKind
from operations.output import count
from operations.planning.prices import REGION

if TYPE_CHECKING:
    from operations.analytics.report import Report, Table

MIN_WIDTH = 60
"""Minimum width of a table in characters. A narrower terminal wraps the lines."""
TERMS = (
    "Current object: the version that S3 returns for a GET request without a version ID.",
    "Noncurrent version: a version that exists, but is hidden by a newer version or a delete marker.",
)
"""Definitions of the terms in the titles and notes of the tables."""


def lines(report: Report, *, width: int) -> list[str]:
    """Return the report as lines of text, without control characters.

    Args:
        report: the report.
        width: maximum number of characters in a line. Longer cells are wrapped.
    """
    found = ["TapStack report", *facts(report), "", *TERMS]
    for table in report.tables:
        if table.rows:
            found += ["", table.section.title.upper(), *_table_lines(table, max(width, MIN_WIDTH))]
        if table.more:
            found.append(f"  further rows: {table.more:,}")
    empty = [table.section.title.lower() for table in report.tables if not table.rows]
    return [*found, *(["", f"tables without rows: {', '.join(empty)}"] if empty else [])]


def facts(report: Report) -> list[str]:
    """Return the totals of the report as lines of text, such as "3 noncurrent versions, 1.21 MiB"."""
    totals = report.totals
    found = [report.source]
    if selected := report.filters.lines():
        found.append(f"selected rows: {', '.join(selected)}")
    deleted = f"{count(totals['deleted_versions'], 'deleted version')}, {size(totals['deleted_bytes'])}"
    unread = count(totals["versions_without_content"], "version")
    mismatched = f"{count(totals['mismatched_objects'], 'object')} with a wrong declared type or extension"
    price = dollars(report.noncurrent_price)
    found += [
        f"{count(totals['objects'], 'current object')}, {size(totals['bytes'])}",
        f"{count(totals['noncurrent_versions'], 'noncurrent version')}, {size(totals['noncurrent_bytes'])}",
        f"{count(totals['delete_markers'], 'delete marker')}, {size(totals['delete_marker_bytes'])}",
        f"{price} per month for noncurrent versions and delete markers (list price, {REGION})",
        f"{deleted}, and {count(totals['removed_delete_markers'], 'removed delete marker')}",
        f"{mismatched}, {size(totals['mismatched_bytes'])}",
        f"{unread} that the inspector has not read, {size(totals['bytes_without_content'])}",
    ]
    if unknown := totals["versions_without_size"]:
        found.append(f"{count(unknown, 'version')} of unknown size, which the totals in bytes do not include")
    return found


def _table_lines(table: Table, width: int) -> list[str]:
    grid = Grid(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in table.headings:
        grid.add_column(
            Text(heading.title),
            justify="right" if heading.kind.is_number else "left",
            overflow="fold",
            no_wrap=heading.kind is not ColumnKind.TEXT,  # A number or a time in two lines would be misread.
        )
    for row in table.rows:
        grid.add_row(*(Text(cell(row[heading.name], heading.kind)) for heading in table.headings))
    # Rich also aligns wide characters, such as Japanese. The arguments switch off colors and control characters.
    console = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as captured:
        console.print(grid)
    bucket = [] if table.bucket is None else [f"bucket {cell(table.bucket, ColumnKind.TEXT)}"]
    return [*bucket, *(line.rstrip() for line in captured.get().splitlines())]
