from __future__ import annotations

import io
import json
import shlex
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from rich.cells import cell_len
from rich.console import Console

from localstack.showcase.demo import output
from localstack.showcase.demo.output import MAX_TABLE_ROWS, PROBLEMS_SHOWN, SLOWEST_SHOWN
from localstack.showcase.demo.report import as_json
from tests.support.demo_fakes import problem, report, row, upload
from tests.support.nonempty import nonempty

T = TypeVar("T")


def printed(show: Callable[[T, Console], None], content: T, *, width: int | None = None) -> list[str]:
    """Call an output function, and return the lines that it prints.

    Args:
        show: output function of the demo.
        content: first argument of the function.
        width: columns of the terminal; None means that the output is a file.
    """
    file = io.StringIO()
    show(content, Console(file=file, width=width, force_terminal=width is not None, color_system=None))
    return file.getvalue().splitlines()


def test_demo_rows_in_a_file_are_aligned_and_not_truncated() -> None:
    long = "photos/" + "x" * 200 + ".jpg"
    lines = printed(output.show_rows, report(row("観測.txt"), row(long, seconds=12.3456)))
    assert lines[1].split() == ["key", "size", "type", "uploaded", "latency"]
    assert lines[2].split() == ["観測.txt", "1.5", "kB", "text/plain", "2026-11-22T14:03:07Z", "0.500", "s"]
    assert lines[3].split() == [long, "1.5", "kB", "text/plain", "2026-11-22T14:03:07Z", "12.346", "s"]
    assert len({cell_len(line) for line in lines[1:]}) == 1


def test_demo_output_to_a_file_contains_all_rows() -> None:
    keys = [f"file-{number}" for number in range(5 * MAX_TABLE_ROWS)]
    lines = printed(output.show_rows, report(*map(row, keys)))
    assert [line.split()[0] for line in lines[2:]] == keys


MIN_WIDTHS = (output.MIN_WIDTH_WITH_TYPE, output.MIN_WIDTH_WITH_TIME)


@pytest.mark.parametrize("width", [200, 120, 80, *MIN_WIDTHS, *(width - 1 for width in MIN_WIDTHS), 32])
def test_demo_table_fits_the_width_of_the_terminal(width: int) -> None:
    rows = [
        row("a"),
        row("photos/" + "長い名前" * 40 + ".jpg", content_type="application/vnd.openxmlformats-officedocument"),
        row("x\ny\x1b[2J" * 30, size_bytes=999_949_000, seconds=123.4),
    ]
    lines = printed(output.show_rows, report(*rows), width=width)
    assert len(lines) == 3 + len(rows)
    assert max(map(cell_len, lines)) <= width
    assert lines[4].split("  ")[0].endswith(".jpg")  # Long keys are shortened in the middle.


@pytest.mark.parametrize(
    ("width", "header"),
    [
        (80, "key size type uploaded latency"),
        (74, "key size type uploaded latency"),
        (73, "key size uploaded latency"),
        (52, "key size uploaded latency"),
        (51, "key size latency"),
        (40, "key size latency"),
    ],
)
def test_demo_table_on_a_narrow_terminal_omits_type_first_and_then_upload_time(width: int, header: str) -> None:
    assert printed(output.show_rows, report(row("a")), width=width)[1].split() == header.split()


def test_demo_table_shows_only_rows_with_differences_in_red() -> None:
    file = io.StringIO()
    console = Console(file=file, width=100, force_terminal=True, color_system="standard")
    output.show_rows(report(row("correct.txt"), row("wrong.txt", "etag differs")), console)
    correct, wrong = (line for line in file.getvalue().splitlines() if ".txt" in line)
    assert ("\x1b[31m" in correct, "\x1b[31m" in wrong) == (False, True)


def test_demo_table_escapes_only_control_characters_in_keys() -> None:
    rows = [row("[red]markup[/red] :smile:"), row("a\x1b[31mb"), row("観測メモ.txt")]
    lines = printed(output.show_rows, report(*rows), width=100)
    assert lines[3].startswith("[red]markup[/red] :smile: ")
    assert lines[4].startswith(r"a\x1b[31mb ")
    assert lines[5].startswith("観測メモ.txt ")


def test_demo_summarizes_many_rows_by_content_type_and_lists_the_slowest() -> None:
    rows = [row(f"{number}.txt", seconds=number / 1000) for number in range(MAX_TABLE_ROWS)]
    rows += [row("a.jpg", content_type="image/jpeg", size_bytes=10, seconds=9.0)]
    text = printed(output.show_rows, report(*rows), width=80)
    assert text[3].split() == ["text/plain", str(MAX_TABLE_ROWS), "60.0", "kB", "0.019", "s", "0.037", "s"]
    assert text[4].split() == ["image/jpeg", "1", "10", "B", "9.00", "s", "9.00", "s"]
    assert f"The {SLOWEST_SHOWN} slowest of {MAX_TABLE_ROWS + 1} rows" in text[6]
    slowest = ["a.jpg", *(f"{MAX_TABLE_ROWS - n}.txt" for n in range(1, SLOWEST_SHOWN))]
    assert [line.split()[0] for line in text[-SLOWEST_SHOWN:]] == slowest


@pytest.mark.parametrize("width", [60, 80, 120])
def test_demo_summary_by_content_type_shortens_only_a_type_that_does_not_fit_the_terminal(width: int) -> None:
    kind = "application/" + "x" * (width - 40 - len("application/"))
    rows = [row(f"{number}.txt", content_type=kind + "x" * (number % 2)) for number in range(MAX_TABLE_ROWS + 1)]
    lines = printed(output.show_rows, report(*rows), width=width)
    assert kind in lines[3]
    assert "…" in lines[4]
    assert max(map(cell_len, lines[:5])) <= width


def test_demo_table_accepts_a_row_with_a_missing_attribute() -> None:
    odd = row("a", "wrong", uploaded_at=None, content_type="\n")
    assert "None" in printed(output.show_rows, report(odd))[2]


def test_demo_summary_shows_correct_rows_of_all_files_and_percentiles() -> None:
    rows = [row(str(number), seconds=number / 10) for number in range(1, 20)] + [row("wrong", "etag differs")]
    assert printed(output.show_summary, report(*rows, missing=(upload("lost"),), not_tried=2))[1:5] == [
        "files       23, 30.0 kB",
        "correct     19 of 23 rows, compared with S3 HeadObject of each object",
        "latency     p50 0.900 s, p95 1.80 s, from the end of an upload until its row is read",
        "deployed    43 resources in 1.50 s",
    ]


def test_demo_percentiles_of_100_rows_are_the_latencies_of_their_50th_and_95th_row() -> None:
    rows = report(*(row(str(number), seconds=number / 100) for number in range(1, 101)))
    assert printed(output.show_rows, rows, width=80)[3].split()[-4:] == ["0.500", "s", "0.950", "s"]
    assert "latency     p50 0.500 s, p95 0.950 s" in printed(output.show_summary, rows)[3]
    summary = json.loads(as_json(rows))["summary"]
    assert summary["seconds_from_upload_to_row"] == {"p50": 0.5, "p95": 0.95}


def test_demo_output_without_rows_has_no_table_and_no_latency() -> None:
    assert printed(output.show_rows, report()) == []
    assert not any("p50" in line for line in printed(output.show_summary, report()))


@pytest.mark.parametrize("width", [None, 40, 80])
def test_demo_summary_shows_full_stack_outputs_in_any_terminal(width: int | None) -> None:
    text = "\n".join(printed(output.show_summary, report(row("a")), width=width))
    assert [each for output in report().outputs.items() for each in output if each not in text] == []


def test_demo_failures_list_wrong_rows_missing_rows_and_failed_uploads() -> None:
    failed = report(
        row("fine"),
        row("bad\n", "etag is 1 in the row and 2 in S3", "size_bytes is 3 in the row and 4 in S3"),
        missing=(upload("lost"),),
        refused=(problem("given/big", "S3 rejected the upload: EntityTooLarge"),),
        not_tried=2,
    )
    assert printed(output.show_failures, failed) == [
        "Wrong rows",
        r"  bad\n: etag is 1 in the row and 2 in S3",
        r"  bad\n: size_bytes is 3 in the row and 4 in S3",
        "Missing rows",
        "  lost (version v1) was uploaded, but has no row",
        "Failed uploads",
        "  given/big: S3 rejected the upload: EntityTooLarge",
        "2 more files not uploaded, because DynamoDB returned no new rows",
    ]


def test_demo_lists_file_problems_up_to_a_limit_and_counts_the_others() -> None:
    lines = printed(output.show_problems, [problem(f"path-{number}") for number in range(PROBLEMS_SHOWN + 3)])
    assert lines[:2] == ["Not uploaded", "  path-0: the path does not exist"]
    assert lines[-1] == "  … and 3 more"
    assert len(lines) == PROBLEMS_SHOWN + 2
    assert printed(output.show_problems, []) == []


def test_demo_error_message_keeps_line_breaks_and_escapes_control_characters() -> None:
    assert printed(output.show_error, "first\nsecond\x1b") == ["demo: first", r"second\x1b"]


def test_demo_summary_shows_no_outputs_of_a_stack_that_is_removed() -> None:
    lines = printed(output.show_summary, report(row("a"), kept=False))
    assert [line for line in lines if any(value in line for value in report().outputs.values())] == []
    assert "Stack outputs" not in lines


@pytest.mark.parametrize("installed", [False, True])
def test_demo_prints_shell_commands_for_a_running_emulator(*, installed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}" if installed else None)
    lines = printed(partial(output.show_connection, root=Path("/the repository")), report(), width=40)
    assert "endpoint: http://127.0.0.1:4566" in lines
    assert "  export AWS_ENDPOINT_URL=http://127.0.0.1:4566" in lines
    words = shlex.split(next(line for line in lines if "dynamodb query" in line))
    assert words[words.index("--table-name") + 1] == "objects"
    assert words[-1] == '{":day": {"S": "$(date -u +%F)"}}'
    assert "  aws s3 cp '/the repository/README.md' s3://uploads/" in lines
    python = next(line for line in lines if "import boto3" in line)
    compile(shlex.split(python)[-1], "the command shown", "exec")
    operate = "  tapstack" if installed else f"  env 'PYTHONPATH=/the repository' {sys.executable} -m operations"
    assert [line for line in lines if line.endswith("--function indexer")] == [
        f"{operate} {tool} --function indexer" for tool in ("audit", "backfill", "redrive")
    ]
    assert f"{operate} report --function indexer --scan" in lines
    [statement] = [shlex.split(line)[-1] for line in lines if " sql --function indexer --scan " in line]
    assert statement.startswith("SELECT key, ")


IMAGE: dict[str, Any] = {"content": {"type": "image/jpeg", "width": 1200, "height": 560}}


@pytest.mark.parametrize(
    ("width", "header"),
    [
        (None, "key size type content uploaded latency"),
        (98, "key size type content uploaded latency"),
        (97, "key size type content latency"),
        (74, "key size type content latency"),
        (73, "key size content latency"),
        (52, "key size content latency"),
        (51, "key size latency"),
    ],
)
def test_demo_table_on_a_narrow_terminal_omits_first_upload_time_then_type_then_content(
    width: int | None, header: str
) -> None:
    rows = report(row("lake.jpg", **IMAGE), row("waiting.txt"))
    lines = printed(output.show_rows, rows, width=width)
    assert lines[1].split() == header.split()
    assert all(cell_len(line) <= (width or 200) for line in nonempty(lines))
    shown = [line.split() for line in lines if "lake" in line or "waiting" in line]
    assert ["1200\N{MULTIPLICATION SIGN}560" in cells for cells in shown] == ["content" in header, False]
    assert ("-" in shown[1]) == ("content" in header)


def test_demo_table_shortens_the_content_type_rather_than_a_key_of_usual_length() -> None:
    key, long, content = "photos/report 2026.docx", "application/vnd.openxmlformats", {"type": "application/zip"}
    wrong = row(key, content_type=long, size_bytes=64_000, content=content, mismatch=True, extension="docx")
    lines = printed(output.show_rows, report(wrong), width=80)
    assert key in lines[3]
    assert "ZIP named .docx" in lines[3]
    assert max(map(cell_len, lines)) <= 80


def test_demo_table_escapes_control_characters_in_the_content() -> None:
    odd = row("a", content={"type": "x\x1b[2J"})
    assert r"x\x1b[2J" in printed(output.show_rows, report(odd), width=100)[3]
