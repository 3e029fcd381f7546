"""The tool `capacity`: simulates a load, and reports the sustained rate, lost events, and changes that prevent loss."""

# ruff: noqa: D102  The class operations.tool.Tool documents the methods.

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from operations.errors import OperatorError
from operations.output import columns, count
from operations.planning.advice import Advisor, SettingChange
from operations.planning.bill import monthly_difference
from operations.planning.chart import Line, Panel, draw
from operations.planning.estimates import (
    MAX_SIMULATED_FILES,
    choose_scale,
    estimated_files,
    measure_sustained_rate,
    simulate,
)
from operations.planning.options import capacity_settings, load_from_options
from operations.planning.savings import Saving, describe_savings, savings, savings_as_json, signed_dollars
from operations.planning.scenario import ON_DEMAND, overloaded
from operations.planning.table import ALL
from operations.tool import FINDINGS, OK

if TYPE_CHECKING:
    from operations.output import Progress
    from operations.planning.outcome import SimulationOutcome
    from operations.planning.scenario import Load, StackSettings

FILES_LIMIT = 2 * MAX_SIMULATED_FILES
"""Maximum number of files in one simulation. A low concurrency can require more than `MAX_SIMULATED_FILES`."""
WASTE_THRESHOLD = 0.5
"""Wasted share of the billed Lambda time above which the tool suggests a lower reserved concurrency."""
PERCENTILES = ((0.50, "p50"), (0.95, "p95"), (0.99, "p99"), (1.0, "longest"))


class CapacityTool:
    """Tool for `capacity --per-day N [--burst N/s …]`."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._load = load_from_options(options)
        self._settings, self._notes = capacity_settings(options)
        self._seed: int = options.seed
        self._chart: Path | None = options.chart
        self._outcome: SimulationOutcome | None = None
        self._sustained_rate = 0.0
        self._changes: list[SettingChange] = []
        self._cheaper: SettingChange | None = None
        self._savings: list[Saving] = []
        self._search_complete = True
        _check(self._load, self._settings)
        if self._chart is not None and not self._chart.parent.is_dir():
            raise OperatorError(
                f"--chart {self._chart}: the folder {self._chart.parent} does not exist: create it or give another path"
            )

    def run(self, progress: Progress) -> int:
        with progress.step("simulated events") as advance:
            self._outcome = simulate(self._load, self._settings, seed=self._seed, on_events=advance)
            self._sustained_rate = measure_sustained_rate(
                self._load, self._settings, seed=self._seed, on_events=advance
            )
            advisor = Advisor(self._load, self._settings, seed=self._seed, on_events=advance)
            self._search_complete = False
            if self._loses_events:
                for change in advisor.changes():  # After an interruption, the tool reports the changes found so far.
                    self._changes.append(change)
            else:
                if self._outcome.wasted_share > WASTE_THRESHOLD:
                    self._cheaper = advisor.reserved_concurrency()
                for saving in savings(self._load, self._settings):
                    if advisor.loses_no_event(saving.settings):
                        self._savings.append(saving)
            self._search_complete = not advisor.stopped
        if self._chart is not None:
            try:
                self._chart.write_text(_draw_chart(self._load, self._settings, self._outcome), encoding="utf-8")
            except OSError as error:
                raise OperatorError(
                    f"--chart {self._chart}: {error.strerror}; give the path of a writable file"
                ) from error
        return FINDINGS if self._loses_events else OK

    @property
    def _loses_events(self) -> bool:
        return self._outcome is not None and (self._outcome.lost > 0 or overloaded(self._load, self._settings))

    def lines(self) -> list[str]:
        outcome = self._outcome
        if outcome is None:
            return []
        delays = ", ".join(f"{name} {_format_seconds(outcome.delay(quantile))}" for quantile, name in PERCENTILES)
        retries = (
            f"{count(outcome.refused_writes, 'write')} throttled by DynamoDB; {outcome.failed_executions:,} of "
            f"{count(outcome.executions, 'execution')} failed; "
            f"{count(outcome.requeued, 'invocation')} delayed by a lack of concurrency"
        )
        billed = f"{outcome.billed_seconds:,.0f} s billed, of which {outcome.wasted_share:.1%} wasted; "
        billed += f"at most {outcome.max_running:,} concurrent executions"
        lines = columns(
            [
                ("load", _describe_load(self._load)),
                ("stack", _describe_settings(self._settings)),
                ("sustains", f"{self._sustained_rate:,.1f} rows per second"),
                ("delay", f"upload to row: {delays}"),
                ("retries", retries),
                ("Lambda", billed),
                *[("content", _describe_content(outcome, self._settings))] * self._settings.inspect_content,
                ("lost", _describe_lost(outcome)),
            ]
        )
        if overloaded(self._load, self._settings):
            lines.append(
                "note: the everyday load exceeds the sustained rate, so the backlog only grows; "
                "the simulated uploads end after one hour"
            )
        content_rate = self._settings.contents_per_second(self._load.row_bytes)
        if self._settings.inspect_content and self._load.per_second > content_rate:
            lines.append(
                f"note: the everyday load exceeds {content_rate:,.1f} files per second, the rate of the inspector with "
                "this capacity, so content is written later and later. A table of more than 10 GB has more partitions, "
                "and so a higher rate"
            )
        lines += [f"note: {note}" for note in self._notes]
        if outcome.scale > 1:
            lines.append(f"note: one simulated file represents {outcome.scale} files")
        if not self._search_complete:
            lines.append(
                "note: the search for changes was stopped early, so the changes can be larger than necessary, and "
                "others can exist: simulate single changes with the options of this tool"
            )
        if self._changes:
            head = (
                "change that prevents event loss",
                "longest delay",
                "wasted Lambda time",
                "monthly bill without bursts",
            )
            rows = [
                (
                    each.name,
                    _format_seconds(each.outcome.delay(1.0)),
                    f"{each.outcome.wasted_share:.1%}",
                    signed_dollars(self._difference(each)),
                )
                for each in self._changes
            ]
            lines += ["", *columns([head, *rows])]
        return [*lines, *describe_savings(self._savings)]

    def _difference(self, change: SettingChange) -> float:
        return monthly_difference(self._load, self._settings, change.settings)

    def summary(self) -> str:
        outcome = self._outcome
        if outcome is None:
            return "capacity: the simulation did not finish"
        files = count(outcome.arrived, "file")
        if not self._loses_events:
            message = f"capacity: no event is lost: each of {files} gets a row"
            if self._cheaper is not None and self._cheaper.outcome.wasted_share < outcome.wasted_share:
                billed, less = outcome.billed_seconds, self._cheaper.outcome.billed_seconds
                message += f"; with {self._cheaper.name} Lambda would bill {less:,.0f} s instead of {billed:,.0f} s"
            return message
        lost = f"{outcome.lost:,} of {files} would go to the failure queue"
        if not outcome.lost:
            lost = f"the everyday load exceeds {self._sustained_rate:,.1f} files per second, so the backlog only grows"
        if not self._changes and not self._search_complete:
            return f"capacity: {lost}; the search for a change that prevents this was stopped early"
        if not self._changes:
            return (
                f"capacity: {lost}; no change of one setting prevents this: reduce the load, or change several settings"
            )
        return f"capacity: {lost}; the smallest change that prevents this: {self._changes[0].name}"

    def document(self) -> dict[str, Any]:
        outcome = self._outcome
        if outcome is None:
            return {}
        return {
            "sustained_rows_per_second": round(self._sustained_rate, 2),
            "overloaded": overloaded(self._load, self._settings),
            **_as_json(outcome),
            "content": _content_as_json(outcome, self._settings) if self._settings.inspect_content else None,
            "lower_concurrency": self._cheaper and {"change": self._cheaper.name, **_as_json(self._cheaper.outcome)},
            "search_complete": self._search_complete,
            "changes": [
                {
                    "change": each.name,
                    "monthly_difference": round(self._difference(each), 2),
                    **_as_json(each.outcome),
                }
                for each in self._changes
            ],
            "savings": savings_as_json(self._savings),
            "notes": list(self._notes),
        }

    def resume_hint(self) -> str:
        return "nothing was changed; start the tool again"


def _check(load: Load, settings: StackSettings) -> None:
    reserved, account = settings.reserved_concurrency, settings.account_concurrency
    if reserved is not None and reserved > account:
        raise OperatorError(
            f"reservedConcurrency {reserved} exceeds the account's concurrency of {account}: if the quota of your "
            "account is higher, give it with --account-concurrency; otherwise reserve less with --reserved-concurrency"
        )
    if load.per_day == 0 and not load.burst_files:
        raise OperatorError("--per-day 0 without --burst is an empty load: give a higher --per-day, or a --burst")
    files = estimated_files(load) / choose_scale(load, settings)
    if files > FILES_LIMIT:
        raise OperatorError(
            f"this load requires the simulation of {files:,.0f} files, and the limit is {FILES_LIMIT:,}: "
            "give a shorter burst, or a higher concurrency, so that one simulated file can represent several"
        )


def _describe_load(load: Load) -> str:
    everyday = f"{load.per_day:,.0f} files per day ({load.per_second:,.2f}/s), rows of {load.row_bytes:,} bytes"
    if not load.burst_files:
        return everyday
    return f"{everyday}; a burst of {load.burst_rate:,g}/s for {load.burst_seconds:,g} s: {load.burst_files:,.0f} files"


def _describe_settings(settings: StackSettings) -> str:
    capacity = f"billing {ON_DEMAND}" if settings.on_demand else f"writeCapacity {settings.write_capacity}"
    for key, value in (("maxCapacity", settings.max_capacity), ("maxOnDemandWrites", settings.max_on_demand_writes)):
        if value is not None:
            capacity += f", {key} {value}"
    if settings.index_projection != ALL:
        capacity += f", indexProjection {settings.index_projection}"
    executions = f"at most {settings.concurrency:,} concurrent executions"
    if settings.reserved_concurrency is not None:
        executions += " (reserved)"
    if not settings.inspect_content:
        capacity += ", inspectContent false"
    return f"{capacity}; {executions}, timeout {settings.timeout_seconds} s, {settings.memory_mb:,} MB"


def _describe_content(outcome: SimulationOutcome, settings: StackSettings) -> str:
    delays = ", ".join(f"{name} {_format_seconds(outcome.content_delay(quantile))}" for quantile, name in PERCENTILES)
    failed = f"; {count(outcome.contents_failed, 'row')} without content" if outcome.contents_failed else ""
    return (
        f"upload to content: {delays}; at most {settings.inspected_per_second:,.0f} files per second; "
        f"{count(outcome.refused_contents, 'write')} throttled{failed}"
    )


def _describe_lost(outcome: SimulationOutcome) -> str:
    if not outcome.lost:
        return "no event"
    parts = [f"{count(outcome.retries_exhausted, 'event')} failed at every attempt"] * (outcome.retries_exhausted > 0)
    parts += [f"{count(outcome.too_old, 'event')} exceeded the maximum event age"] * (outcome.too_old > 0)
    return f"{count(outcome.lost, 'event')} ({outcome.lost / outcome.arrived:.1%}): {', '.join(parts)}"


def _format_seconds(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    if seconds < 120:  # noqa: PLR2004  Durations below two minutes are easier to read in seconds.
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min"


def _as_json(outcome: SimulationOutcome) -> dict[str, Any]:
    return {
        "files": outcome.arrived,
        "rows": outcome.rows,
        "lost": outcome.lost,
        "retries_exhausted": outcome.retries_exhausted,
        "too_old": outcome.too_old,
        "delay_seconds": {name: outcome.delay(quantile) for quantile, name in PERCENTILES},
        "executions": outcome.executions,
        "failed_executions": outcome.failed_executions,
        "refused_writes": outcome.refused_writes,
        "requeued": outcome.requeued,
        "max_concurrent_executions": outcome.max_running,
        "billed_seconds": round(outcome.billed_seconds, 1),
        "wasted_share": round(outcome.wasted_share, 4),
        "burst_settled_seconds": outcome.settled_seconds,
        "files_per_simulated_file": outcome.scale,
    }


def _content_as_json(outcome: SimulationOutcome, settings: StackSettings) -> dict[str, Any]:
    return {
        "files_per_second": round(settings.inspected_per_second, 2),
        "rows": outcome.contents,
        "failed": outcome.contents_failed,
        "delay_seconds": {name: outcome.content_delay(quantile) for quantile, name in PERCENTILES},
        "refused_writes": outcome.refused_contents,
        "billed_seconds": round(outcome.inspected_seconds, 1),
    }


def _draw_chart(load: Load, settings: StackSettings, outcome: SimulationOutcome) -> str:
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
                    line("lost events", [step.failed / seconds for step in steps]),
                ],
            ),
            Panel("files without a row", [line("waiting", [step.waiting for step in steps])]),
            Panel("executions", [line("at once", [step.running for step in steps])]),
        ],
        about=_describe_settings(settings),
        axis="minutes",
    )
