from __future__ import annotations

import io
import shlex
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

import pytest
from rich.cells import cell_len
from rich.console import Console

from localstack.showcase.demo import output
from localstack.showcase.demo.output import MAX_TABLE_ROWS, PROBLEMS_SHOWN, SLOWEST_SHOWN
from tests.support.demo_fakes import problem, report, row, upload

T = TypeVar("T")


def printed(show: Callable[[T, Console], None], content: T, *, width: int | None = None) -> list[str]:
    """Return the lines that a terminal of this width shows, or those of a file if there is no width."""
    file = io.StringIO()
    show(content, Console(file=file, width=width, force_terminal=width is not None, color_system=None))
    return file.getvalue().splitlines()


def test_a_file_gets_every_row_whole_in_aligned_columns() -> None:
    long = "photos/" + "x" * 200 + ".jpg"
    lines = printed(output.show_rows, report(row("観測.txt"), row(long, seconds=12.3456)))
    assert lines[1].split() == ["key", "size", "type", "uploaded", "latency"]
    assert lines[2].split() == ["観測.txt", "1.5", "kB", "text/plain", "2026-11-22T14:03:07Z", "0.500", "s"]
    assert lines[3].split() == [long, "1.5", "kB", "text/plain", "2026-11-22T14:03:07Z", "12.346", "s"]
    assert len({cell_len(line) for line in lines[1:]}) == 1


def test_a_file_gets_all_of_many_rows() -> None:
    keys = [f"file-{number}" for number in range(5 * MAX_TABLE_ROWS)]
    lines = printed(output.show_rows, report(*map(row, keys)))
    assert [line.split()[0] for line in lines[2:]] == keys


MIN_WIDTHS = (output.MIN_WIDTH_WITH_TYPE, output.MIN_WIDTH_WITH_TIME)


@pytest.mark.parametrize("width", [200, 120, 80, *MIN_WIDTHS, *(width - 1 for width in MIN_WIDTHS), 32])
def test_a_table_fits_its_terminal(width: int) -> None:
    rows = [
        row("a"),
        row("photos/" + "長い名前" * 40 + ".jpg", content_type="application/vnd.openxmlformats-officedocument"),
        row("x\ny\x1b[2J" * 30, size_bytes=999_949_000, seconds=123.4),
    ]
    lines = printed(output.show_rows, report(*rows), width=width)
    assert len(lines) == 3 + len(rows)
    assert max(map(cell_len, lines)) <= width
    assert lines[4].split("  ")[0].endswith(".jpg")  # what is cut out is the middle


@pytest.mark.parametrize(
    ("width", "header"),
    [(80, "key size type uploaded latency"), (60, "key size uploaded latency"), (40, "key size latency")],
)
def test_a_narrow_table_gives_up_the_type_then_the_time_and_never_key_size_and_latency(width: int, header: str) -> None:
    assert printed(output.show_rows, report(row("a")), width=width)[1].split() == header.split()


def test_a_table_shows_keys_as_they_are_but_for_what_would_steer_the_terminal() -> None:
    rows = [row("[red]markup[/red] :smile:"), row("a\x1b[31mb"), row("観測メモ.txt")]
    lines = printed(output.show_rows, report(*rows), width=100)
    assert lines[3].startswith("[red]markup[/red] :smile: ")
    assert lines[4].startswith(r"a\x1b[31mb ")
    assert lines[5].startswith("観測メモ.txt ")


def test_many_rows_are_summed_up_by_type_on_a_terminal_with_the_slowest_one_by_one() -> None:
    rows = [row(f"{number}.txt", seconds=number / 1000) for number in range(MAX_TABLE_ROWS)]
    rows += [row("a.jpg", content_type="image/jpeg", size_bytes=10, seconds=9.0)]
    text = printed(output.show_rows, report(*rows), width=80)
    assert text[3].split() == ["text/plain", str(MAX_TABLE_ROWS), "60.0", "kB", "0.019", "s", "0.037", "s"]
    assert text[4].split() == ["image/jpeg", "1", "10", "B", "9.00", "s", "9.00", "s"]
    assert f"The {SLOWEST_SHOWN} slowest of {MAX_TABLE_ROWS + 1} rows" in text[6]
    slowest = ["a.jpg", *(f"{MAX_TABLE_ROWS - n}.txt" for n in range(1, SLOWEST_SHOWN))]
    assert [line.split()[0] for line in text[-SLOWEST_SHOWN:]] == slowest


def test_a_row_that_lacks_what_the_table_shows_does_not_break_it() -> None:
    odd = row("a", "wrong", uploaded_at=None, content_type="\n")
    assert "None" in printed(output.show_rows, report(odd))[2]


def test_the_summary_counts_right_rows_against_all_files_and_gives_percentiles() -> None:
    rows = [row(str(number), seconds=number / 10) for number in range(1, 20)] + [row("wrong", "etag differs")]
    assert printed(output.show_summary, report(*rows, missing=(upload("lost"),), not_tried=2))[1:5] == [
        "files       23, 30.0 kB",
        "correct     19 of 23 rows, compared with S3's HEAD of each object",
        "latency     p50 0.900 s, p95 1.80 s, from the end of an upload until its row is read",
        "deployed    43 resources in 1.50 s",
    ]


def test_without_a_row_there_is_no_table_and_no_latency() -> None:
    assert printed(output.show_rows, report()) == []
    assert not any("p50" in line for line in printed(output.show_summary, report()))


@pytest.mark.parametrize("width", [None, 40, 80])
def test_the_summary_gives_every_output_whole_in_any_terminal(width: int | None) -> None:
    text = "\n".join(printed(output.show_summary, report(row("a")), width=width))
    assert [each for output in report().outputs.items() for each in output if each not in text] == []


def test_trouble_names_every_row_that_is_wrong_or_missing_and_every_refusal() -> None:
    failed = report(
        row("fine"),
        row("bad\n", "etag is 1 in the row and 2 in S3", "size_bytes is 3 in the row and 4 in S3"),
        missing=(upload("lost"),),
        refused=(problem("given/big", "was rejected by S3: EntityTooLarge"),),
        not_tried=2,
    )
    assert printed(output.show_failures, failed) == [
        "Wrong rows",
        r"  bad\n: etag is 1 in the row and 2 in S3",
        r"  bad\n: size_bytes is 3 in the row and 4 in S3",
        "Missing rows",
        "  lost (version v1) was uploaded, but has no row",
        "Rejected uploads",
        "  given/big was rejected by S3: EntityTooLarge",
        "2 more files not uploaded, because no new rows appeared",
    ]


def test_problems_are_named_and_a_great_many_are_counted() -> None:
    lines = printed(output.show_problems, [problem(f"path-{number}") for number in range(PROBLEMS_SHOWN + 3)])
    assert lines[:2] == ["Not uploaded", "  path-0 does not exist"]
    assert lines[-1] == "  … and 3 more"
    assert len(lines) == PROBLEMS_SHOWN + 2
    assert printed(output.show_problems, []) == []


def test_an_error_keeps_its_lines_and_escapes_the_rest() -> None:
    assert printed(output.show_error, "first\nsecond\x1b") == ["demo: first", r"second\x1b"]


def test_a_kept_emulator_is_told_with_lines_for_the_shell() -> None:
    lines = printed(output.show_connection, report(), width=40)
    assert "endpoint: http://127.0.0.1:4566" in lines
    assert "  export AWS_ENDPOINT_URL=http://127.0.0.1:4566" in lines
    words = shlex.split(next(line for line in lines if "dynamodb query" in line))
    assert words[words.index("--table-name") + 1] == "objects"
    assert words[-1].startswith('{":day": {"S": "')
    shown_day = datetime.fromisoformat(words[-1].split('"')[5]).date()
    assert abs((shown_day - datetime.now(UTC).date()).days) <= 1
    python = next(line for line in lines if "import boto3" in line)
    compile(shlex.split(python)[-1], "the command shown", "exec")
