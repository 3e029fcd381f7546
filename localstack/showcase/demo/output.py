"""Text output of the demo: the table of rows, the summary, failures, and the next steps."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from localstack.showcase.demo.store import parse_time
from localstack.showcase.demo.text import columns, count, percentile, seconds, shorten, size
from operations.output import printable

if TYPE_CHECKING:
    from rich.console import Console

    from localstack.showcase.demo.files import Problem
    from localstack.showcase.demo.report import Report
    from localstack.showcase.demo.transfer import Row

MAX_TABLE_ROWS = 40
"""Rows that a terminal shows one by one; more are summed up by type, and the slowest shown."""

SLOWEST_SHOWN = 10
PROBLEMS_SHOWN = 20
TYPE_CELLS = 24
MIN_WIDTH_WITH_TYPE, MIN_WIDTH_WITH_TIME = 74, 52
"""Terminal columns below which the table does without its type, and without the time of the upload too."""


def show_rows(report: Report, console: Console) -> None:
    """Print the rows: aligned lines of everything for a file or pipe, a table that fits for a terminal."""
    rows = report.transfer.rows
    if not rows:
        return
    console.print()
    if not console.is_terminal:
        _print_lines(columns([_HEADER, *(_cells(row, whole=True) for row in rows)], right=frozenset({1, 4})), console)
        return
    if len(rows) <= MAX_TABLE_ROWS:
        console.print(_table(rows, console.width))
        return
    console.print(_types(rows, console.width))
    slowest = sorted(rows, key=lambda row: -row.seconds)[:SLOWEST_SHOWN]
    console.print(
        f"\nThe {len(slowest)} slowest of {len(rows)} rows (all of them: through `| less`, or with `--json`)\n"
    )
    console.print(_table(slowest, console.width))


def show_summary(report: Report, console: Console) -> None:
    """Print what came of it in numbers, then the stack's outputs."""
    console.print()
    lines = [
        ("files", f"{report.files}, {size(report.bytes)}"),
        ("rows right", f"{report.correct} of {report.files}, each compared with S3's own HEAD of the object"),
    ]
    if latencies := report.latencies:
        p50, p95 = (seconds(percentile(latencies, percent)) for percent in (50, 95))
        lines.append(("row after", f"p50 {p50}, p95 {p95}, from the end of an upload to its row"))
    lines.append(("deployed", f"{count(report.resources, 'resource')} in {seconds(report.deploy_seconds)}"))
    for name, text in lines:
        style = ("green" if report.complete else "red") if name == "rows right" else ""
        console.print(Text.assemble((f"{name:<12}", "bold"), (text, style)), soft_wrap=True)
    console.print(Text("\nStack outputs", style="bold"))
    indent = max(map(len, report.outputs)) + 4
    for name, value in report.outputs.items():
        if not console.is_terminal or indent + len(value) <= console.width:
            _print_lines([f"  {name:<{indent - 2}}{value}"], console)
        else:
            _print_lines([f"  {name}", f"    {value}"], console)


def show_failures(report: Report, console: Console) -> None:
    """Print the name of each file that should have become a correct row and did not."""
    transfer = report.transfer
    wrong = [f"{row.upload.source.key}: {difference}" for row in transfer.rows for difference in row.differences]
    missing = [
        f"{upload.source.key} (version {upload.version_id}) was uploaded, and its row never came"
        for upload in transfer.missing
    ]
    refused = [f"{each.path} {each.reason}" for each in transfer.refused]
    for title, lines in (("Wrong rows", wrong), ("Missing rows", missing), ("Refused uploads", refused)):
        _print_section(title, lines, console)
    if transfer.not_tried:
        console.print(f"{count(transfer.not_tried, 'more file')} not uploaded, since rows had stopped coming")


def show_diagnostics(diagnostics: Mapping[str, Sequence[str]], console: Console) -> None:
    """Print the lines of each source under its name."""
    for name, lines in diagnostics.items():
        console.print(Text(f"\n{name}", style="bold"))
        _print_lines([f"  {line}" for line in lines] or ["  (nothing)"], console)


def show_problems(problems: Sequence[Problem], console: Console) -> None:
    """Print the files and folders that could not be uploaded, and why."""
    _print_section("Not uploaded", [f"{each.path} {each.reason}" for each in problems], console)


def show_error(error: object, console: Console) -> None:
    """Print why there is nothing more to show; the message may have several lines, such as the end of a log."""
    lines = f"demo: {error}".splitlines()
    console.print(Text("\n".join(printable(line) for line in lines), style="red"), soft_wrap=True)


def show_next_steps(nox: str, console: Console) -> None:
    """Print what to try after a demo that has ended; `nox` is how that program is called here."""
    steps = [
        (f"{nox} -s demo -- FILES FOLDERS", "the same with files of your own"),
        (f"{nox} -s demo -- --keep", "leave it running, to use it yourself"),
        (f"{nox} -s demo -- --json", "the whole rows, for machines"),
        (nox, "every check and test"),
    ]
    console.print(Text("\nTry next", style="bold"))
    _print_lines(columns([(f"  {command}", what) for command, what in steps]), console)


def show_connection(report: Report, console: Console) -> None:
    """Print how to use the running emulator; indented lines can be pasted into a shell."""
    bucket, table = report.outputs["bucket_name"], report.outputs["table_name"]
    today = json.dumps({":day": {"S": datetime.now(UTC).date().isoformat()}})
    scan = f"boto3.client('dynamodb').scan(TableName='{table}')['Items']"
    python = f"import boto3; [print(row['key']['S'], row['size_bytes']['N']) for row in {scan}]"
    query = f"aws dynamodb query --table-name {table} --index-name uploads_by_day"
    lines = [
        "",
        f"endpoint: {report.endpoint}",
        "",
        "In another shell:",
        *(f"  export {name}={shlex.quote(value)}" for name, value in report.environment.items()),
        "",
        "Then, with the AWS CLI, upload a file and read today's rows:",
        f"  aws s3 cp README.md s3://{bucket}/",
        f"  {query} --key-condition-expression 'upload_day = :day' --expression-attribute-values '{today}'",
        "",
        "Or with boto3, each row's key and size:",
        f'  {shlex.quote(sys.executable)} -c "{python}"',
        "",
        "Running until Ctrl-C",
    ]
    _print_lines(lines, console)


_HEADER = ("key", "size", "type", "uploaded", "row after")


def _cells(row: Row, *, whole: bool) -> tuple[str, str, str, str, str]:
    """Return a row's five cells; `whole` ones keep date and milliseconds."""
    item = row.item
    at = parse_time(item.get("uploaded_at"))
    if isinstance(at, datetime):
        uploaded = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ" if whole else "%H:%M:%SZ")
    else:
        uploaded = printable(str(at))
    kind = printable(str(item.get("content_type", "-")))
    key, bytes_ = printable(row.upload.source.key), size(int(item.get("size_bytes", 0)))
    return key, bytes_, kind, uploaded, f"{row.seconds:.3f} s"


def _table(rows: Sequence[Row], width: int) -> Table:
    """Return the rows as a table of `width` cells at most: in a narrow one without the type or the time."""
    shown = [at for at, least in enumerate((0, 0, MIN_WIDTH_WITH_TYPE, MIN_WIDTH_WITH_TIME, 0)) if width >= least]
    lines = [list(_cells(row, whole=False)) for row in rows]
    for line in lines:
        line[2] = shorten(line[2], max(TYPE_CELLS, width // 4))
    others = [max(len(line[at]) for line in [_HEADER, *lines]) for at in shown if at]
    available = max(8, width - sum(others) - 2 * len(others))
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for at in shown:
        table.add_column(_HEADER[at], justify="right" if at in {1, 4} else "left", no_wrap=True)
    for row, line in zip(rows, lines, strict=True):
        line[0] = shorten(line[0], available)
        table.add_row(*(Text(line[at]) for at in shown), style="red" if row.differences else "")
    return table


def _types(rows: Sequence[Row], width: int) -> Table:
    """Return how many rows each content type has, the most frequent first, and how long they took."""
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
    """Print lines whole, however long, so that they can be copied; what would steer the terminal is escaped."""
    for line in lines:
        console.print(Text(printable(line)), soft_wrap=True)
