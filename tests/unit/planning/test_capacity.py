"""The tool: what it prints, and how it ends."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NoReturn
from xml.etree import ElementTree as ET

import pytest

from operations.command import main
from operations.planning import capacity

CALM = ("--per-day", "50000", "--write-capacity", "5")
# Ten times what four units write, for a function that has hardly time to try again.
HASTY = (
    *("--per-day", "1000", "--burst", "40/s", "--burst-seconds", "20", "--write-capacity", "4", "--no-burst-capacity"),
    *("--timeout-seconds", "10", "--async-retries", "0"),
)


def refuse(_: object) -> NoReturn:
    raise AssertionError("AWS was asked")


def run(*arguments: str) -> int:
    return main(["capacity", *arguments], connect=refuse)


def test_a_load_that_is_carried_ends_well_without_asking_aws(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*CALM) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("capacity: nothing is lost: every one of ")
    told = {line.split("  ")[0]: line for line in lines[:-1]}
    assert list(told) == ["load", "stack", "holds", "delay", "retries", "Lambda", "lost"]
    assert "50,000 files a day (0.58/s), rows of 600 bytes" in told["load"]
    assert "writeCapacity 5; 1,000 executions at most" in told["stack"]
    assert "5.0 rows a second for good" in told["holds"]
    assert told["lost"].endswith("nothing")


def test_a_load_that_loses_ends_with_1_and_names_the_smallest_change(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*HASTY) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "would end in the failure queue; the smallest change with which nothing is lost: " in lines[-1]
    assert any(line.startswith("lost ") and "failed too often" in line for line in lines)
    [head] = [number for number, line in enumerate(lines) if line.startswith("what loses nothing")]
    assert lines[-1].endswith(lines[head + 1].split("  ")[0].strip())


def test_an_everyday_load_that_is_too_much_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--per-day", "100000", "--write-capacity", "1") == 1
    said = capsys.readouterr().out
    assert "note: the load of every day alone is too much: what waits only grows" in said
    assert "the smallest change with which nothing is lost: writeCapacity " in said


def test_where_nothing_is_lost_but_much_is_billed_for_nothing_it_says_what_helps(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("--per-day", "1000", "--burst", "40/s", "--write-capacity", "4", "--no-burst-capacity") == 0
    said = capsys.readouterr().out.splitlines()[-1]
    assert "; with reservedConcurrency " in said
    less, billed = (
        int(word.replace(",", "")) for word in re.findall(r"([\d,]+) s\b", said.split("Lambda would bill")[1])
    )
    assert less < billed / 2


def test_for_machines_there_is_one_document_with_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*HASTY, "--json") == 1
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert told["tool"] == "capacity"
    assert told["files"] == told["rows"] + told["lost"]
    assert told["lost"] == told["gave_up"] + told["too_old"] > 0
    assert set(told["delay_seconds"]) == {"p50", "p95", "p99", "longest"}
    assert told["changes"]
    assert all(change["lost"] == 0 for change in told["changes"])


def test_the_same_question_has_the_same_answer_and_another_seed_another(capsys: pytest.CaptureFixture[str]) -> None:
    answers = []
    for seed in ("7", "7", "8"):
        run(*CALM, "--seed", seed)
        answers.append(capsys.readouterr().out)
    assert answers[0] == answers[1] != answers[2]


def test_a_chart_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / "chart.svg"
    assert run(*CALM, "--chart", str(path)) == 0
    svg = ET.parse(path)  # noqa: S314  our own
    assert {"50,000 files a day", "files without a row"} <= {text.text for text in svg.iter() if text.text}


def test_what_is_measured_may_be_said(capsys: pytest.CaptureFixture[str]) -> None:
    run(*CALM, "--json", "--delivery-ms", "0", "--head-ms", "0", "--write-ms", "4000", "--init-ms", "0")
    assert json.loads(capsys.readouterr().out)["delay_seconds"]["p50"] == pytest.approx(4, rel=0.1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--per-day", "-1"), "'-1' is out of bounds: give a whole number of 0 to 1,000,000,000 files a day"),
        (("--per-day", "many"), "'many' is out of bounds"),
        (
            (*CALM, "--burst", "500/m"),
            "'500/m' is no rate of a burst: give 0.01 to 100,000 a second, such as 500/s",
        ),
        ((*CALM, "--burst", "0"), "'0' is no rate of a burst"),
        ((*CALM, "--write-capacity", "40001"), "'40001' is out of bounds: give a whole number of 1 to 40,000 units"),
        ((*CALM, "--timeout-seconds", "5"), "'5' is out of bounds: give a whole number of 10 to 900 seconds"),
        ((*CALM, "--row-bytes", "1.5"), "'1.5' is out of bounds"),
        ((*CALM, "--chart", "chart.png"), "'chart.png' does not end with .svg"),
    ],
)
def test_bad_input_names_the_value_the_limit_and_the_remedy(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((*CALM, "--reserved-concurrency", "2000"), "--reserved-concurrency 2000: the account has 1000 executions"),
        (
            (*CALM, "--max-capacity", "4"),
            "--max-capacity 4: it is less than --write-capacity 5: a ceiling is above it",
        ),
        (("--per-day", "0"), "--per-day 0 without a --burst: nothing arrives"),
        (
            (*CALM, "--burst", "10000/s", "--burst-seconds", "600", "--account-concurrency", "10"),
            "files to simulate one by one, and 1,000,000 are the most: give a shorter burst",
        ),
        (
            (*CALM, "--chart", "/no/such/folder/chart.svg"),
            "--chart /no/such/folder/chart.svg: there is no folder /no/such/folder",
        ),
    ],
)
def test_what_cannot_be_simulated_is_said_with_a_remedy(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert run(*arguments) == 2
    assert said in capsys.readouterr().err


def test_an_interrupted_run_ends_with_130(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(capacity, "simulate", interrupt)
    assert run(*CALM) == 130
    assert capsys.readouterr().err.splitlines() == [
        "capacity: interrupted",
        "capacity: nothing was changed; start it again",
    ]
