"""The tool `capacity`: what a stack will carry, what it would lose, and what to change."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from operations.errors import OperatorError
from operations.output import columns, count
from operations.planning.advice import Change, changes, thrift
from operations.planning.chart import Line, Panel, draw
from operations.planning.estimates import files_of, scale_for, simulate, sustained
from operations.planning.options import load_of, settings_of
from operations.planning.scenario import overloaded

if TYPE_CHECKING:
    from operations.output import Progress
    from operations.planning.outcome import Outcome
    from operations.planning.scenario import Load, Settings

NOTHING_LOST, LOSES = 0, 1
MOST_FILES = 1_000_000  # simulated ones: minutes, and a gigabyte
MUCH = 0.5  # of Lambda's time for nothing: worth a remark
SHARES = ((0.50, "p50"), (0.95, "p95"), (0.99, "p99"), (1.0, "longest"))


class CapacityTool:
    """`capacity --per-day N [--burst N/s …]`."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._load = load_of(options)
        self._settings = settings_of(options)
        self._seed: int = options.seed
        self._chart: Path | None = options.chart
        self._outcome: Outcome | None = None
        self._held = 0.0
        self._changes: list[Change] = []
        self._thrift: Change | None = None
        _check(self._load, self._settings)
        if self._chart is not None and not self._chart.parent.is_dir():
            raise OperatorError(
                f"--chart {self._chart}: there is no folder {self._chart.parent}: make it, or name another"
            )

    def run(self, progress: Progress) -> int:  # noqa: D102  see Tool
        with progress.step("simulations") as done:
            self._outcome = simulate(self._load, self._settings, seed=self._seed)
            done(1)
            self._held = sustained(self._load, self._settings, seed=self._seed)
            done(1)
            if self._loses:
                for change in changes(self._load, self._settings, seed=self._seed, tried=lambda: done(1)):
                    self._changes.append(change)
            elif self._outcome.wasted > MUCH:
                self._thrift = thrift(self._load, self._settings, seed=self._seed, tried=lambda: done(1))
        if self._chart is not None:
            try:
                self._chart.write_text(_drawn(self._load, self._settings, self._outcome), encoding="utf-8")
            except OSError as error:
                raise OperatorError(
                    f"--chart {self._chart}: {error.strerror}; name a file that can be written"
                ) from error
        return LOSES if self._loses else NOTHING_LOST

    @property
    def _loses(self) -> bool:
        return self._outcome is not None and (self._outcome.lost > 0 or overloaded(self._load, self._settings))

    def lines(self) -> list[str]:  # noqa: D102  see Tool
        outcome = self._outcome
        if outcome is None:
            return []
        delays = ", ".join(f"{name} {_seconds(outcome.delay(share))}" for share, name in SHARES)
        retries = (
            f"{count(outcome.refused_writes, 'write')} refused by the table; {outcome.failed_executions:,} failed "
        )
        retries += f"of {count(outcome.executions, 'execution')}; {outcome.requeued:,} waits for concurrency"
        billed = f"{outcome.billed_seconds:,.0f} s billed, {outcome.wasted:.1%} of it for nothing; "
        billed += f"{outcome.most_running:,} executions at once"
        lines = columns(
            [
                ("load", _told_load(self._load)),
                ("stack", _told_settings(self._settings)),
                ("holds", f"{self._held:,.1f} rows a second for good"),
                ("delay", f"upload to row: {delays}"),
                ("retries", retries),
                ("Lambda", billed),
                ("lost", _told_lost(outcome)),
            ]
        )
        if overloaded(self._load, self._settings):
            lines.append("note: the load of every day alone is too much: what waits only grows. An hour was simulated")
        if outcome.scale > 1:
            lines.append(f"note: one simulated file stands for {outcome.scale}")
        if self._changes:
            head = ("what loses nothing", "longest delay", "Lambda for nothing")
            rows = [
                (each.name, _seconds(each.outcome.delay(1.0)), f"{each.outcome.wasted:.1%}") for each in self._changes
            ]
            lines += ["", *columns([head, *rows])]
        return lines

    def summary(self) -> str:  # noqa: D102  see Tool
        outcome = self._outcome
        if outcome is None:
            return "capacity: nothing was simulated"
        files = count(outcome.arrived, "file")
        if not self._loses:
            said = f"capacity: nothing is lost: every one of {files} gets its row"
            if self._thrift is not None and self._thrift.outcome.wasted < outcome.wasted:
                billed, less = outcome.billed_seconds, self._thrift.outcome.billed_seconds
                said += f"; with {self._thrift.name} Lambda would bill {less:,.0f} s instead of {billed:,.0f} s"
            return said
        lost = f"{outcome.lost:,} of {files} would end in the failure queue"
        if not outcome.lost:
            lost = f"more than {self._held:,.1f} files a second arrive every day, so that what waits only grows"
        if not self._changes:
            return f"capacity: {lost}; no change of one setting prevents it: spread the load, or change several"
        return f"capacity: {lost}; the smallest change with which nothing is lost: {self._changes[0].name}"

    def document(self) -> dict[str, Any]:  # noqa: D102  see Tool
        outcome = self._outcome
        if outcome is None:
            return {}
        return {
            "rows_per_second_held": round(self._held, 2),
            "overloaded": overloaded(self._load, self._settings),
            **_as_json(outcome),
            "thrift": self._thrift and {"change": self._thrift.name, **_as_json(self._thrift.outcome)},
            "changes": [{"change": each.name, **_as_json(each.outcome)} for each in self._changes],
        }

    def go_on(self) -> str:  # noqa: D102  see Tool
        return "nothing was changed; start it again"


def _check(load: Load, settings: Settings) -> None:
    reserved, account = settings.reserved_concurrency, settings.account_concurrency
    if reserved is not None and reserved > account:
        raise OperatorError(
            f"--reserved-concurrency {reserved}: the account has {account} executions (--account-concurrency): "
            "reserve fewer, or have AWS raise the account's"
        )
    if settings.max_capacity is not None and settings.max_capacity < settings.write_capacity:
        raise OperatorError(
            f"--max-capacity {settings.max_capacity}: it is less than --write-capacity {settings.write_capacity}: "
            "a ceiling is above it"
        )
    if load.per_day == 0 and not load.burst_files:
        raise OperatorError("--per-day 0 without a --burst: nothing arrives, so there is nothing to tell; name a load")
    files = files_of(load) / scale_for(load, settings)
    if files > MOST_FILES:
        raise OperatorError(
            f"this load has {files:,.0f} files to simulate one by one, and {MOST_FILES:,} are the most: "
            "give a shorter burst, or more concurrency, of which parts can be simulated for the whole"
        )


def _told_load(load: Load) -> str:
    everyday = f"{load.per_day:,.0f} files a day ({load.per_second:,.2f}/s), rows of {load.row_bytes:,} bytes"
    if not load.burst_files:
        return everyday
    return f"{everyday}; a burst of {load.burst_rate:,g}/s for {load.burst_seconds:,g} s: {load.burst_files:,.0f} files"


def _told_settings(settings: Settings) -> str:
    capacity = "on demand" if settings.on_demand else f"writeCapacity {settings.write_capacity}"
    if settings.max_capacity is not None and not settings.on_demand:
        capacity += f", maxCapacity {settings.max_capacity}"
    executions = f"{settings.concurrency:,} executions at most"
    if settings.reserved_concurrency is not None:
        executions += " (reserved)"
    return f"{capacity}; {executions}, time-out {settings.timeout_seconds} s, {settings.memory_mb:,} MB"


def _told_lost(outcome: Outcome) -> str:
    if not outcome.lost:
        return "nothing"
    parts = [f"{outcome.gave_up:,} failed too often"] * (outcome.gave_up > 0)
    parts += [f"{outcome.too_old:,} waited too long"] * (outcome.too_old > 0)
    return f"{count(outcome.lost, 'event')} ({outcome.lost / outcome.arrived:.1%}): {', '.join(parts)}"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    if seconds < 120:  # noqa: PLR2004  two minutes: below it people think in seconds
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min"


def _as_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "files": outcome.arrived,
        "rows": outcome.rows,
        "lost": outcome.lost,
        "gave_up": outcome.gave_up,
        "too_old": outcome.too_old,
        "delay_seconds": {name: outcome.delay(share) for share, name in SHARES},
        "executions": outcome.executions,
        "failed_executions": outcome.failed_executions,
        "refused_writes": outcome.refused_writes,
        "requeued": outcome.requeued,
        "most_running": outcome.most_running,
        "billed_seconds": round(outcome.billed_seconds, 1),
        "wasted_share": round(outcome.wasted, 4),
        "burst_settled_seconds": outcome.settled_seconds,
        "files_per_simulated_file": outcome.scale,
    }


def _drawn(load: Load, settings: Settings, outcome: Outcome) -> str:
    minutes = [0.0, *(step.second / 60 for step in outcome.steps)]

    def line(name: str, values: list[float]) -> Line:
        return Line(name, list(zip(minutes, [0.0, *values], strict=True)))

    seconds = outcome.steps[0].second if outcome.steps else 1
    steps = outcome.steps
    return draw(
        f"{load.per_day:,.0f} files a day"
        + (f", and a burst of {load.burst_rate:,g}/s for {load.burst_seconds:,g} s" if load.burst_files else ""),
        [
            Panel(
                "a second",
                [
                    line("uploads", [step.arrived / seconds for step in steps]),
                    line("rows", [step.rows / seconds for step in steps]),
                    line("into the failure queue", [step.failed / seconds for step in steps]),
                ],
            ),
            Panel("files without a row", [line("waiting", [step.waiting for step in steps])]),
            Panel("executions", [line("at once", [step.running for step in steps])]),
        ],
        about=_told_settings(settings),
        axis="minutes",
    )
