"""Tests of the tool `report`: formats, filters, options and errors, with untrusted object keys and with few rows."""

from __future__ import annotations

import json
import os
import re
import tempfile
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
import pytest

from operations.analytics.cells import SIZE_CLASSES, cell, duration, size
from operations.analytics.charts import last_days, last_months, shortened, ticks
from operations.analytics.engine import Engine
from operations.analytics.sections import SECTIONS, ColumnKind
from operations.command import main
from operations.planning.prices import GB, STORAGE_CLASSES
from tests.support.attack_keys import ATTACK_KEYS
from tests.support.export_folder import write_export
from tests.support.generated_bucket import GeneratedBucket
from tests.support.nonempty import nonempty

CHECKSUM = ("CRC64NVME", "ynIoRb1s2ao=", "FULL_OBJECT")


class Parsed(HTMLParser):
    """HTML parser that collects the elements, texts and attributes of a document."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


def attacked_bucket() -> GeneratedBucket:
    """Return a bucket whose object keys, content types, principals and detected types are attack strings."""
    bucket = GeneratedBucket("uploads")
    for number, key in enumerate(ATTACK_KEYS):
        facts: dict[str, Any] = {"content": key, "mismatch": True} if number % 2 else {}
        bucket.upload(key, size=1000, content_type=key, storage_class=key, checksum=CHECKSUM, **facts)
    for key in ATTACK_KEYS[::3]:
        bucket.upload(key, size=1)
        bucket.delete_version(key, 1, by=key)
    bucket.delete(ATTACK_KEYS[0], by="AWS:AIDA1")
    return bucket


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fixture: table export with the rows of a bucket whose texts are attack strings."""
    return write_export(tmp_path_factory.mktemp("export"), attacked_bucket().items)


@pytest.fixture(scope="module")
def page(attacked: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Fixture: HTML report about a bucket whose texts are attack strings."""
    file = tmp_path_factory.mktemp("report") / "report.html"
    options = [f"--from-export={attacked}", "--top=1000", f"--html={file}", "--json"]
    assert main(["report", *options], cache=file.parent) == 0
    return file.read_text(encoding="utf-8")


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], attacked: Path) -> Run:
    """Fixture: function that runs the tool `report`, and returns its exit code, output and error messages."""

    def run(*arguments: str, export: Path = attacked) -> tuple[int, str, str]:
        code = main(["report", f"--from-export={export}", *arguments], cache=attacked.parent / "cache")
        return (code, *capsys.readouterr())

    return run


def tables(document: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(document)["tables"]
    return found


def test_html_report_contains_untrusted_object_keys_only_as_text(page: str) -> None:
    parsed = Parsed(page)
    svg = {"svg", "g", "rect", "line", "text"}
    assert {"script", "img", "a", "link", "iframe"}.isdisjoint(parsed.tags)
    page_parts = {"html", "head", "meta", "title", "style", "body", "header", "main", "section", "div", "figure"}
    text_parts = {"h1", "h2", "ul", "li", "p", "figcaption", "bdi"}
    table_parts = {"table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert set(parsed.tags) <= page_parts | text_parts | table_parts | svg
    assert not [name for name, _ in parsed.attributes if name.startswith("on")]
    assert "<script>alert(1)</script>.html" in parsed.texts
    assert "{{ 7 * 7 }}{% raw %}" in parsed.texts


def test_html_report_loads_no_files_and_contains_no_control_characters(page: str) -> None:
    assert not re.search(r"""(?:src|href)\s*=|url\(|@import""", page.replace("img src=x", ""))
    assert "default-src 'none'" in page
    controls = {each for each in page if unicodedata.category(each) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}
    assert controls == {"\n"}


def test_html_report_has_a_captioned_table_for_each_section_and_hides_charts_from_screen_readers(page: str) -> None:
    assert page.count("<caption") == page.count("<table>") == len(SECTIONS)
    for svg in nonempty(re.findall(r"<svg.*?</svg>", page, re.DOTALL)):
        assert ET.fromstring(svg).attrib["aria-hidden"] == "true"  # noqa: S314  the report itself wrote the element


def test_terminal_report_escapes_control_characters_and_markup_in_object_keys(run: Run) -> None:
    code, output, _ = run("--top=1000")
    assert code == 0
    assert {each for each in output if not each.isprintable()} == {"\n"}
    joined = re.sub(r"\s", "", output)
    for key in ("[red]markup[/red]", "\\x1b[2J\\x1b[31mred", "\\u202egpj.exe"):
        assert key in joined


def test_json_report_contains_object_keys_unchanged(run: Run) -> None:
    _, output, _ = run("--top=1000", "--json")
    keys = {row["key"] for row in tables(output)["newest"]["rows"]}
    assert keys == {*ATTACK_KEYS} - {ATTACK_KEYS[0]}


@pytest.mark.parametrize("key", ["' OR '1'='1", "'; DROP TABLE objects; --", "[red]", "%"])
@pytest.mark.slow
def test_report_filter_that_contains_sql_matches_only_keys_with_this_text(run: Run, key: str) -> None:
    code, output, errors = run(f"--prefix={key}", "--json")
    selected = [each for each in ATTACK_KEYS if each.startswith(key)]
    found = [row["key"] for row in tables(output)["newest"]["rows"]] if code == 0 else []
    assert found == selected[: len(found)]
    assert ("no object key begins with this text" in errors) == (not selected)
    code, _, errors = run(f"--bucket={key}")
    assert code == 2
    assert "no row has this bucket. The buckets with rows are: uploads" in errors


def test_terminal_report_prints_the_number_of_omitted_rows_of_a_table(run: Run) -> None:
    _, output, _ = run("--top=1")
    largest = output.partition("LARGEST OBJECTS\n")[2].partition("\n\n")[0].splitlines()
    assert largest[-1] == f"  further rows: {len(ATTACK_KEYS) - 2}"


def test_html_report_contains_a_bucket_that_all_rows_of_a_table_have_only_in_the_caption(page: str) -> None:
    captions = re.findall(r"<caption[^>]*>(Largest objects.*?)</caption>", page)
    rows = len(ATTACK_KEYS) - 1
    assert captions == [f"Largest objects: {rows} of {rows} rows, bucket <bdi>uploads</bdi>"]
    assert '<th scope="col">Bucket</th>' not in page


def test_chart_labels_contain_the_complete_titles_of_size_classes() -> None:
    assert [shortened(each) for each in SIZE_CLASSES.values()] == list(SIZE_CLASSES.values())


LONG_KEY = f"invoices/2026/{'measurement-' * 15}.csv"


def long_key_report(run: Run, folder: Path, *buckets: str) -> list[str]:
    """Return the lines of a text report about one object with a long key in each bucket."""
    rows = []
    for name in buckets:
        bucket = GeneratedBucket(name)
        bucket.upload(LONG_KEY, size=5_000, content_type="text/csv")
        rows += bucket.items
    _, output, _ = run(export=write_export(folder, rows))
    return output.splitlines()


def test_text_report_in_a_pipe_has_each_row_in_one_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    lines = long_key_report(run, tmp_path, "uploads")
    assert lines[lines.index("LARGEST OBJECTS") + 3].startswith(f"{LONG_KEY}  4.88 KiB  text/csv  ")


def test_text_report_prints_the_bucket_once_if_all_rows_of_a_table_have_the_same_bucket(
    run: Run, tmp_path: Path
) -> None:
    name = "tapstack-prod-uploads-123456789012-us-east-1"
    lines = long_key_report(run, tmp_path, name)
    place = lines.index("LARGEST OBJECTS")
    assert lines[place + 1] == f"bucket {name}"
    assert lines[place + 2].split()[:2] == ["Key", "Size"]


def test_text_report_has_a_column_for_the_bucket_if_a_table_has_several_buckets(run: Run, tmp_path: Path) -> None:
    lines = long_key_report(run, tmp_path, "uploads", "reports")
    assert lines[lines.index("LARGEST OBJECTS") + 1].split()[:3] == ["Bucket", "Key", "Size"]


def test_text_report_on_a_narrow_terminal_does_not_divide_times(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = long_key_report(run, tmp_path, f"uploads-{'a' * 40}", f"uploads-{'b' * 40}")
    row = lines[lines.index("LARGEST OBJECTS") + 2]
    assert re.search(r" 4.88 KiB .* \d{4}-\d\d-\d\d \d\d:\d\d:\d\d$", row)


@pytest.mark.parametrize("rows", [0, 1])
def test_html_report_of_a_table_with_no_row_or_one_row_is_complete(run: Run, tmp_path: Path, rows: int) -> None:
    bucket = GeneratedBucket("uploads")
    for _ in range(rows):
        bucket.upload("a.txt", size=0)
    export = write_export(tmp_path, bucket.items)
    code, output, errors = run(f"--html={tmp_path / 'report.html'}", export=export)
    assert (code, errors) == (0, "")
    plural = "0 rows" if rows == 0 else "1 row"
    assert output.splitlines()[-1] == f"report: {plural}; wrote {tmp_path / 'report.html'}"
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert ("No rows." in text, "<caption" in text) == (True, rows == 1)
    assert f"{rows:,} current object" in output


def test_report_prints_its_filters(run: Run) -> None:
    _, output, _ = run("--since=2026-01-31", "--until=2026-02-01T01:00:00+01:00", "--bucket=uploads", "--prefix=\t")
    lines = output.splitlines()
    assert lines[2] == (
        "selected rows: since 2026-01-31 00:00:00 UTC, until 2026-02-01 00:00:00 UTC, bucket uploads, prefix '\\t'"
    )


def test_price_of_noncurrent_versions_includes_minimum_sizes_and_metadata_of_each_storage_class(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    bucket = GeneratedBucket("uploads")
    for name in (*STORAGE_CLASSES, "OUTPOSTS"):
        for number in range(2):
            bucket.upload(f"{name}-{number}", size=GB * 100 * number, storage_class=name)
            bucket.upload(f"{name}-{number}", size=GB)
    bucket.delete("k" * 1000, by="AWS:AIDA1")
    export = write_export(tmp_path, bucket.items)
    page = tmp_path / "report.html"
    _, output, _ = run("--json", f"--html={page}", export=export)
    billed = {row["storage_class"]: row for row in tables(output)["noncurrent_prices"]["rows"] if row["bytes"] > 1000}
    least, metadata = 128 * 1024 / GB, 8 * 1024 / GB * 0.023
    prices = {
        "INTELLIGENT_TIERING": 2.3,
        "STANDARD": 2.3,
        "STANDARD_IA": (100 + least) * 0.0125,
        "ONEZONE_IA": (100 + least) * 0.01,
        "GLACIER_IR": (100 + least) * 0.004,
        "GLACIER": (100 + 2 * 32 * 1024 / GB) * 0.0036 + 2 * metadata,
        "DEEP_ARCHIVE": (100 + 2 * 32 * 1024 / GB) * 0.00099 + 2 * metadata,
    }
    found = {name: row["dollars_per_month"] for name, row in billed.items()}
    assert found.pop("OUTPOSTS") is None
    assert found == pytest.approx(prices, rel=1e-12)
    assert list(found) == list(prices)
    assert billed["GLACIER"]["billed_bytes"] == 100 * GB + 2 * 40 * 1024
    marker = 1000 / GB * 0.023
    total = json.loads(output)["noncurrent_dollars_per_month"]
    assert total == pytest.approx(sum(prices.values()) + marker, rel=1e-12)
    sentence = "$7.71 per month for noncurrent versions and delete markers (list price, us-east-1)"
    assert sentence in page.read_text(encoding="utf-8")
    _, output, _ = run(export=export)
    assert sentence in output
    rows = output.partition("PRICE OF NONCURRENT")[2].splitlines()
    assert [line.split()[-1] for line in rows[2:11]] == [
        *("$2.30", "$2.30", "$1.25", "$1.00", "$0.40", "$0.36", "$0.10"),
        *("$0.01", "-"),
    ]


def test_report_to_a_file_in_a_missing_folder_fails_before_the_export_is_read(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "missing" / "report.html"
    code, output, errors = run(f"--html={file}", export=Path("/nowhere"))
    assert (code, output) == (2, "")
    assert errors.splitlines()[0] == (f"report: cannot write {file}: there is no folder {file.parent}. Create it")


def test_interrupted_report_exits_with_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    execute = Engine.execute

    def interrupted(engine: Engine, sql: str, parameters: Sequence[object] = ()) -> duckdb.DuckDBPyConnection:
        if sql.startswith("WITH objects"):
            raise KeyboardInterrupt
        return execute(engine, sql, parameters)

    monkeypatch.setattr(Engine, "execute", interrupted)
    code, output, errors = run()
    assert (code, output) == (130, "")
    hint = "the rows of the table are in the cache, and the next run can use them (--max-age)"
    assert errors == f"report: interrupted\nreport: {hint}\n"


def test_report_to_a_folder_or_device_fails_before_the_export_is_read(run: Run, tmp_path: Path) -> None:
    for path in nonempty((tmp_path, Path("/dev/full"))):
        code, output, errors = run(f"--html={path}", export=Path("/nowhere"))
        assert (code, output) == (2, "")
        assert errors == f"report: cannot write {path}: it is a folder or a device: give the name of a file\n"


def test_failed_write_of_a_report_keeps_the_earlier_file_and_prints_a_remedy(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, part = tmp_path / "report.html", tmp_path / "part"
    page.write_text("earlier", encoding="utf-8")
    part.symlink_to("/dev/full")
    monkeypatch.setattr(tempfile, "mkstemp", lambda **_: (os.open(part, os.O_WRONLY), str(part)))
    code, _, errors = run(f"--html={page}")
    assert code == 2
    assert f"cannot write {page}: No space left on device; give a file in a writable folder with enough space" in errors
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]
    assert page.read_text(encoding="utf-8") == "earlier"


def test_report_of_a_missing_export_is_an_error_with_the_path_of_the_missing_file(run: Run) -> None:
    code, _, errors = run(export=Path("/nowhere"))
    assert code == 2
    assert errors.startswith("report: /nowhere does not exist: give the folder of an export")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (duckdb.OutOfMemoryException("full"), "cannot calculate the report: full"),
        (duckdb.IOException("disk full"), "cannot calculate the report: disk full"),
    ],
)
def test_duckdb_error_during_a_report_is_printed_with_a_remedy(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    monkeypatch.setattr("operations.tools.report.create_report", mock.Mock(side_effect=error))
    code, output, errors = run()
    assert (code, output) == (2, "")
    assert message in errors


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--top=0", "'0' is not a number of rows: give 1 to 1000"),
        ("--top=1001", "'1001' is not a number of rows: give 1 to 1000"),
    ],
)
def test_invalid_report_option_is_rejected_with_the_allowed_values(
    capsys: pytest.CaptureFixture[str], option: str, message: str
) -> None:
    with pytest.raises(SystemExit):
        main(["report", "--from-export=x", option])
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.00 KiB"),
        (10 * 1024, "10.0 KiB"),
        (5 * 1024**4, "5.00 TiB"),
        (2**70, "1,024 EiB"),
    ],
)
def test_formatted_size_has_three_digits_and_a_binary_unit(number: int, text: str) -> None:
    assert size(number) == text


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0, "0 ms"), (-5, "-5 ms"), (1500, "1.5 s"), (3_600_000, "1:00:00"), (-90_000, "-0:01:30")],
)
def test_formatted_duration_has_a_unit_that_suits_its_length(milliseconds: int, text: str) -> None:
    assert duration(milliseconds) == text


def test_missing_and_empty_values_in_a_report_are_displayed_as_texts() -> None:
    assert [cell(value, ColumnKind.TEXT) for value in (None, "")] == ["-", "(empty)"]


@pytest.mark.parametrize("kind", [ColumnKind.NUMBER, ColumnKind.BYTES])
@pytest.mark.parametrize("top", [0, 1, 7, 999, 1000, 1001, 5 * 1024**4, 2**64])
def test_axis_ticks_of_a_chart_begin_at_zero_and_include_the_largest_value(kind: ColumnKind, top: int) -> None:
    found = ticks(top, kind)
    assert found[0] == 0
    assert found[-1] >= top
    assert 2 <= len(found) <= 5
    assert found == sorted(set(found))


def test_charts_contain_the_last_days_and_months_without_gaps() -> None:
    days: Sequence[date] = last_days(date(2026, 3, 1))
    assert (len(days), days[-2], days[-1]) == (31, date(2026, 2, 28), date(2026, 3, 1))
    months = last_months(date(2026, 1, 1))
    assert (len(months), months[-2], months[0]) == (24, date(2025, 12, 1), date(2024, 2, 1))
    assert last_days(date.min) == [date.min]
    assert last_months(date.min) == [date.min]


def test_long_label_of_a_chart_bar_is_shortened_to_its_end() -> None:
    assert shortened("text/csv") == "text/csv"
    assert shortened("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet") == "…readsheetml.sheet"
