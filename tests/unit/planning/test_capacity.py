"""The output of the tool, and its exit codes."""

from __future__ import annotations

import json
import re
from array import array
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from xml.etree import ElementTree as ET

import pytest

from operations.planning import capacity
from operations.planning.outcome import SimulationOutcome

if TYPE_CHECKING:
    from tests.unit.planning.conftest import Command

CARRIED = ("capacity", "--per-day=50000", "--write-capacity=5")
WASTED = ("capacity", "--per-day=1000", "--burst=40/s", "--write-capacity=4", "--no-burst-capacity")
# Ten times what four units write, by a function that has hardly time to retry.
LOST = (*WASTED, "--burst-seconds=20", "--timeout-seconds=10", "--async-retries=0")


def test_a_load_that_is_carried_ends_well_without_asking_aws(run: Command) -> None:
    assert run(*CARRIED) == 0
    assert run.lines[-1].startswith("capacity: nothing is lost: every one of ")
    values = {line.split("  ")[0]: line for line in run.lines[:-1]}
    assert list(values) == ["load", "stack", "holds", "delay", "retries", "Lambda", "lost"]
    assert "50,000 files a day (0.58/s), rows of 600 bytes" in values["load"]
    assert "writeCapacity 5; 1,000 executions at most" in values["stack"]
    assert "5.0 rows a second for good" in values["holds"]
    assert values["lost"].endswith("nothing")


def test_a_load_that_loses_ends_with_1_and_names_the_smallest_change(run: Command) -> None:
    assert run(*LOST) == 1
    assert "would end in the failure queue; the smallest change with which nothing is lost: " in run.lines[-1]
    assert any(line.startswith("lost ") and "failed too often" in line for line in run.lines)
    [head] = [number for number, line in enumerate(run.lines) if line.startswith("what loses nothing")]
    assert run.lines[-1].endswith(run.lines[head + 1].split("  ")[0].strip())


def test_an_everyday_load_that_is_too_much_ends_with_1(run: Command) -> None:
    assert run("capacity", "--per-day=100000", "--write-capacity=1") == 1
    assert "note: the load of every day alone is too much: what waits only grows" in run.output
    assert "the smallest change with which nothing is lost: writeCapacity " in run.output


def test_where_nothing_is_lost_but_much_is_billed_for_nothing_it_says_what_helps(run: Command) -> None:
    assert run(*WASTED) == 0
    _, change, billed = run.lines[-1].partition("; with reservedConcurrency ")
    assert change
    less, more = (int(number.replace(",", "")) for number in re.findall(r"([\d,]+) s\b", billed))
    assert less < more / 2


def test_for_machines_there_is_one_document_with_everything(run: Command) -> None:
    assert run(*LOST, "--json") == 1
    document = json.loads(run.output)
    assert document["tool"] == "capacity"
    assert document["files"] == document["rows"] + document["lost"]
    assert document["lost"] == document["gave_up"] + document["too_old"] > 0
    assert {change["lost"] for change in document["changes"]} == {0}


def test_percentiles_are_those_of_the_sorted_delays(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    # an odd number below 100, so that an index from the end is another one
    outcome = SimulationOutcome(arrived=99, rows=99, delays=array("q", range(0, 9900, 100)))
    monkeypatch.setattr(capacity, "simulate", lambda *_, **__: outcome)
    run(*CARRIED)
    assert "p50 4.9 s, p95 9.4 s, p99 9.8 s, longest 9.8 s" in run.output
    run(*CARRIED, "--json")
    assert json.loads(run.output)["delay_seconds"] == {"p50": 4.9, "p95": 9.4, "p99": 9.8, "longest": 9.8}


def test_the_same_question_has_the_same_answer_and_another_seed_another(run: Command) -> None:
    outputs = []
    for seed in ("7", "7", "8"):
        run(*CARRIED, "--seed", seed)
        outputs.append(run.output)
    assert outputs[0] == outputs[1] != outputs[2]


def test_a_chart_is_drawn(run: Command, tmp_path: Path) -> None:
    path = tmp_path / "chart.svg"
    assert run(*CARRIED, "--chart", str(path)) == 0
    svg = ET.parse(path)  # noqa: S314  our own
    assert {"50,000 files a day", "files without a row"} <= {text.text for text in svg.iter() if text.text}


def test_what_is_measured_may_be_said(run: Command) -> None:
    run(*CARRIED, "--json", "--delivery-ms=0", "--head-ms=0", "--write-ms=4000", "--init-ms=0")
    assert json.loads(run.output)["delay_seconds"]["p50"] == pytest.approx(4, rel=0.1)


@pytest.mark.parametrize(
    ("argument", "error"),
    [
        ("--per-day=-1", "'-1' is out of bounds: give a whole number of 0 to 1,000,000,000 files a day"),
        ("--per-day=many", "'many' is out of bounds"),
        ("--burst=500/m", "'500/m' is no rate of a burst: give 0.01 to 100,000 a second, such as 500/s"),
        ("--burst=0", "'0' is no rate of a burst"),
        ("--write-capacity=40001", "'40001' is out of bounds: give a whole number of 1 to 40,000 units"),
        ("--timeout-seconds=5", "'5' is out of bounds: give a whole number of 10 to 900 seconds"),
        ("--row-bytes=1.5", "'1.5' is out of bounds"),
        ("--chart=chart.png", "'chart.png' does not end with .svg"),
    ],
)
def test_bad_input_names_the_value_the_limit_and_the_remedy(
    run: Command, capsys: pytest.CaptureFixture[str], argument: str, error: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(*CARRIED, argument)
    assert ended.value.code == 2
    assert error in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ("--reserved-concurrency=2000", "--reserved-concurrency 2000: the account has 1000 executions"),
        ("--max-capacity=4", "--max-capacity 4: it is less than --write-capacity 5: a ceiling is above it"),
        ("--per-day=0", "--per-day 0 without a --burst: nothing arrives"),
        (
            "--burst=10000/s --burst-seconds=600 --account-concurrency=10",
            "files to simulate one by one, and 1,000,000 are the most: give a shorter burst",
        ),
        ("--chart=/no/such/chart.svg", "--chart /no/such/chart.svg: there is no folder /no/such"),
    ],
)
def test_what_cannot_be_simulated_is_said_with_a_remedy(run: Command, arguments: str, error: str) -> None:
    assert run(*CARRIED, *arguments.split()) == 2
    assert error in run.errors


def test_an_interrupted_run_ends_with_130(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(capacity, "simulate", interrupt)
    assert run(*CARRIED) == 130
    assert run.errors.splitlines() == ["capacity: interrupted", "capacity: nothing was changed; start it again"]
