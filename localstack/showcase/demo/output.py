"""Text output of the demo: a table of the DynamoDB rows, a summary, failures, and next steps."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from localstack.showcase.demo.content import content_text
from localstack.showcase.demo.files import decode
from localstack.showcase.demo.store import parse_time
from localstack.showcase.demo.text import columns, count, percentile, seconds, shorten, size
from operations.output import printable

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from localstack.showcase.demo.files import Problem
    from localstack.showcase.demo.report import Report
    from localstack.showcase.demo.transfer import Row

MAX_TABLE_ROWS = 40
"""Maximum number of rows that are printed to a terminal.

If there are more, a summary by content type and the slowest rows are printed.
"""

SLOWEST_SHOWN = 10
PROBLEMS_SHOWN = 20
KEY_CELLS = 24
"""Width of the keys for which the content types are shortened, down to `MIN_TYPE_CELLS`."""
MIN_TYPE_CELLS, TYPE_CELLS = 12, 24
CONTENT_CELLS = 24
MIN_WIDTH_WITH_TYPE, MIN_WIDTH_WITH_TIME = 74, 52
"""Minimum terminal width, in columns, for printing the content type and the upload time of each row."""
MIN_WIDTH_WITH_BOTH = 98
"""Minimum terminal width for printing the upload time besides the content."""


def show_rows(report: Report, console: Console) -> None:
    """Print the DynamoDB rows: on a terminal as a table that fits its width, otherwise complete in aligned columns.

    Args:
        report: result of the demo.
        console: destination.
    """
    rows = report.transfer.rows
    if not rows:
        return
    console.print()
    if not console.is_terminal:
        at = _shown(rows, None)
        lines = [[line[place] for place in at] for line in (_HEADER, *(_cells(row, whole=True) for row in rows))]
        _print_lines(columns(lines, right=frozenset({1, len(at) - 1})), console)
        return
    if len(rows) <= MAX_TABLE_ROWS:
        console.print(_table(rows, console.width))
        return
    console.print(_types(rows, console.width))
    slowest = sorted(rows, key=lambda row: -row.seconds)[:SLOWEST_SHOWN]
    console.print(
        f"\nThe {len(slowest)} slowest of {len(rows)} rows (to print all rows, append `| less` or use `--json`)\n"
    )
    console.print(_table(slowest, console.width))


def show_summary(report: Report, console: Console) -> None:
    """Print the number of correct rows, latencies and durations; if the emulator is kept, also the stack's outputs.

    Args:
        report: result of the demo.
        console: destination.
    """
    console.print()
    lines = [
        ("files", f"{report.files}, {size(report.bytes)}"),
        ("correct", f"{report.correct} of {count(report.files, 'row')}, compared with S3 HeadObject of each object"),
    ]
    if latencies := report.latencies:
        p50, p95 = (seconds(percentile(latencies, percent)) for percent in (50, 95))
        lines.append(("latency", f"p50 {p50}, p95 {p95}, from the end of an upload until its row is read"))
    lines.append(("deployed", f"{count(report.resources, 'resource')} in {seconds(report.deploy_seconds)}"))
    for name, text in lines:
        style = ("green" if report.complete else "red") if name == "correct" else ""
        console.print(Text.assemble((f"{name:<12}", "bold"), (text, style)), soft_wrap=True)
    if not report.kept:
        return
    console.print(Text("\nStack outputs", style="bold"))
    indent = max(map(len, report.outputs)) + 4
    for name, value in report.outputs.items():
        if not console.is_terminal or indent + len(value) <= console.width:
            _print_lines([f"  {name:<{indent - 2}}{value}"], console)
        else:
            _print_lines([f"  {name}", f"    {value}"], console)


def show_failures(report: Report, console: Console) -> None:
    """Print each file without a correct row: wrong rows, missing rows, failed uploads, and skipped files.

    Args:
        report: result of the demo.
        console: destination.
    """
    transfer = report.transfer
    wrong = [f"{row.upload.source.key}: {difference}" for row in transfer.rows for difference in row.differences]
    missing = [
        f"{upload.source.key} (version {upload.version_id}) was uploaded, but has no row" for upload in transfer.missing
    ]
    refused = [f"{decode(each.path)}: {each.reason}" for each in transfer.refused]
    for title, lines in (("Wrong rows", wrong), ("Missing rows", missing), ("Failed uploads", refused)):
        _print_section(title, lines, console)
    if transfer.not_tried:
        console.print(f"{count(transfer.not_tried, 'more file')} not uploaded, because DynamoDB returned no new rows")


def show_diagnostics(diagnostics: Mapping[str, Sequence[str]], console: Console) -> None:
    """Print the diagnostics for missing rows.

    Args:
        diagnostics: lines by the name of their source, such as a log.
        console: destination.
    """
    for name, lines in diagnostics.items():
        console.print(Text(f"\n{name}", style="bold"))
        _print_lines([f"  {line}" for line in lines] or ["  (nothing)"], console)


def show_problems(problems: Sequence[Problem], console: Console) -> None:
    """Print the files and folders that cannot be uploaded, with the reasons.

    Args:
        problems: files and folders with reasons.
        console: destination.
    """
    _print_section("Not uploaded", [f"{decode(each.path)}: {each.reason}" for each in problems], console)


def show_error(error: object, console: Console) -> None:
    """Print the error that ends the demo.

    Args:
        error: exception or message, of one or more lines.
        console: destination.
    """
    lines = f"demo: {error}".splitlines()
    console.print(Text("\n".join(printable(line) for line in lines), style="red"), soft_wrap=True)


def show_next_steps(nox: str, console: Console) -> None:
    """Print commands to try after the demo.

    Args:
        nox: command that runs nox.
        console: destination.
    """
    steps = [
        (f"{nox} -s demo -- FILES FOLDERS", "upload your own files"),
        (f"{nox} -s demo -- --keep", "keep the emulator running, to use it yourself"),
        (f"{nox} -s demo -- --json", "print the complete rows as JSON"),
        (nox, "run all checks and tests"),
    ]
    console.print(Text("\nTry next", style="bold"))
    _print_lines(columns([(f"  {command}", purpose) for command, purpose in steps]), console)


def show_connection(report: Report, console: Console, *, root: Path) -> None:
    """Print how to use the running emulator with the AWS CLI, boto3 and the operators' tools.

    Indented lines can be pasted into a shell.

    Args:
        report: result of the demo.
        console: destination.
        root: folder of the repository.
    """
    bucket, table = report.outputs["bucket_name"], report.outputs["table_name"]
    query = f"aws dynamodb query --table-name {table} --index-name uploads_by_day"
    # The shell inserts the date when the command runs, because the emulator may run for days.
    today = """'{":day": {"S": "'"$(date -u +%F)"'"}}'"""
    # The row of a delete marker has no size.
    rows = f"boto3.client('dynamodb').get_paginator('scan').paginate(TableName='{table}')"
    python = f"import boto3; [print(*row) for row in {rows}.search('Items[].[key.S, size_bytes.N]')]"
    operate = "tapstack"
    if shutil.which(operate) is None:
        operate = shlex.join(["env", f"PYTHONPATH={root}", sys.executable, "-m", "operations"])
    function = f"--function {shlex.quote(report.outputs['lambda_function_name'])}"
    sql = "SELECT key, size_bytes, detected_type FROM objects ORDER BY size_bytes DESC"
    lines = [
        "",
        f"endpoint: {report.endpoint}",
        "",
        "In another shell:",
        *(f"  export {name}={shlex.quote(value)}" for name, value in report.environment.items()),
        "",
        "Then, with the AWS CLI, upload a file and read today's rows:",
        f"  aws s3 cp {shlex.quote(str(root / 'README.md'))} s3://{bucket}/",
        f"  {query} --key-condition-expression 'upload_day = :day' --expression-attribute-values {today}",
        "",
        "Or print the key and size of each row with boto3:",
        f'  {shlex.quote(sys.executable)} -c "{python}"',
        "",
        "Or run the operators' tools: compare bucket and table, count versions to index, show failed events:",
        *(f"  {operate} {tool} {function}" for tool in ("audit", "backfill", "redrive")),
        "",
        "Or summarize the objects, and run SQL over the rows:",
        f"  {operate} report {function} --scan",
        f"  {operate} sql {function} --scan '{sql}'",
        "",
        "Running until Ctrl-C",
    ]
    _print_lines(lines, console)


_HEADER = ("key", "size", "type", "content", "uploaded", "latency")
_TYPE, _CONTENT, _UPLOADED, _LATENCY = 2, 3, 4, 5


def _shown(rows: Sequence[Row], width: int | None) -> list[int]:
    """Return the places of the columns to print: without content, if no row has any, and fewer on narrow terminals.

    Args:
        rows: DynamoDB rows.
        width: columns of the terminal; None for no limit.
    """
    if width is None:
        width = MIN_WIDTH_WITH_BOTH
    least = dict.fromkeys(range(len(_HEADER)), 0) | {_TYPE: MIN_WIDTH_WITH_TYPE}
    if any("content" in row.item for row in rows):
        least |= {_CONTENT: MIN_WIDTH_WITH_TIME, _UPLOADED: MIN_WIDTH_WITH_BOTH}
    else:
        del least[_CONTENT]
        least[_UPLOADED] = MIN_WIDTH_WITH_TIME
    return [at for at, minimum in least.items() if width >= minimum]


def _cells(row: Row, *, whole: bool) -> tuple[str, str, str, str, str, str]:
    """Return the cells of a DynamoDB row for the columns of `_HEADER`; the upload time has a date only if `whole`."""
    item = row.item
    at = parse_time(item.get("uploaded_at"))
    if isinstance(at, datetime):
        uploaded = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ" if whole else "%H:%M:%SZ")
    else:
        uploaded = printable(str(at))
    kind = printable(str(item.get("content_type", "-")))
    key, bytes_ = printable(row.upload.source.key), size(int(item.get("size_bytes", 0)))
    return key, bytes_, kind, printable(content_text(item)), uploaded, f"{row.seconds:.3f} s"


def _table(rows: Sequence[Row], width: int) -> Table:
    """Format DynamoDB rows as a table of at most `width` terminal cells.

    If the terminal is too narrow, the columns with the upload time, the content type and the content are omitted.
    """
    shown = _shown(rows, width)
    lines = [list(_cells(row, whole=False)) for row in rows]
    for line in lines:
        line[_CONTENT] = shorten(line[_CONTENT], CONTENT_CELLS)
    cells = {at: max(cell_len(line[at]) for line in [_HEADER, *lines]) for at in shown}
    without_key_and_type = width - sum(cells[at] + 2 for at in shown if at not in {0, _TYPE})
    if _TYPE in cells:
        free = without_key_and_type - 2 - min(cells[0], KEY_CELLS)
        limit = min(max(MIN_TYPE_CELLS, free), max(TYPE_CELLS, width // 4))
        for line in lines:
            line[_TYPE] = shorten(line[_TYPE], limit)
        without_key_and_type -= min(cells[_TYPE], limit) + 2
    available = max(8, without_key_and_type)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for at in shown:
        table.add_column(_HEADER[at], justify="right" if at in {1, _LATENCY} else "left", no_wrap=True)
    for row, line in zip(rows, lines, strict=True):
        line[0] = shorten(line[0], available)
        table.add_row(*(Text(line[at]) for at in shown), style="red" if row.differences else "")
    return table


def _types(rows: Sequence[Row], width: int) -> Table:
    """Format a table of content types, most frequent first, with the number of rows, total size and latencies."""
    by_type: dict[str, list[Row]] = {}
    for row in rows:
        by_type.setdefault(str(row.item.get("content_type", "-")), []).append(row)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("type", "rows", "size", "p50", "p95"):
        table.add_column(name, justify="left" if name == "type" else "right", no_wrap=True)
    for kind, group in sorted(by_type.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        latencies = [row.seconds for row in group]
        table.add_row(
            Text(shorten(printable(kind), max(8, width - 40))),
            str(len(group)),
            size(sum(int(row.item.get("size_bytes", 0)) for row in group)),
            seconds(percentile(latencies, 50)),
            seconds(percentile(latencies, 95)),
        )
    return table


def _print_section(title: str, lines: Sequence[str], console: Console) -> None:
    if lines:
        console.print(Text(title, style="bold red"))
        more = [f"  … and {len(lines) - PROBLEMS_SHOWN} more"] if len(lines) > PROBLEMS_SHOWN else []
        _print_lines([*(f"  {line}" for line in lines[:PROBLEMS_SHOWN]), *more], console)


def _print_lines(lines: Sequence[str], console: Console) -> None:
    """Print lines without wrapping them, so that users can copy them. Control characters are escaped."""
    for line in lines:
        console.print(Text(printable(line)), soft_wrap=True)
