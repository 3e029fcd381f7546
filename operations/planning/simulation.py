"""A simulation of an upload's way: S3 → Lambda's asynchronous queue → the function's retries → DynamoDB.

Discrete events, in whole milliseconds: an agenda has a list of what is due for each millisecond, and a heap of the
milliseconds. With the 200,000 files of a large burst in it that is two and a half times as fast as simpy, whose
processes are generators (docs/capacity.md). The function's own retry code decides about every attempt.

Where there are too many files for that, one simulated file stands for several: rates, capacities and concurrency are
all divided by that number, never so far that less than fifty executions are left (`asking.scale_for`).
"""

from __future__ import annotations

import gc
import heapq
import math
import random
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from lambda_code.retry import ATTEMPT_SECONDS, RESERVE_SECONDS, next_wait
from operations.planning import limits
from operations.planning.distribution import Spread
from operations.planning.outcome import Outcome, Step
from operations.planning.scenario import Load, Settings, overloaded
from operations.planning.table import MINUTE_MS, Table

LEAD_SECONDS = 60  # of the everyday load before the burst
QUIET_SECONDS = 3600  # of the everyday load where there is no burst, or where it alone is too much
STEP_MS = 10_000  # between two points of the chart
LAST_INTERVAL = math.ceil(math.log2(limits.LONGEST_REQUEUE_SECONDS / limits.FIRST_REQUEUE_SECONDS))
INTERVALS_MS = [
    1000 * min(limits.LONGEST_REQUEUE_SECONDS, limits.FIRST_REQUEUE_SECONDS * 2**each)
    for each in range(LAST_INTERVAL + 1)
]


class File:
    """A file on its way to its row."""

    __slots__ = ("attempts", "of_burst", "queued", "requeued", "started", "tries", "until", "uploaded", "useful")

    def __init__(self, uploaded: int, queued: int, *, of_burst: bool) -> None:
        self.uploaded = uploaded
        self.queued = queued  # when Lambda accepted its event
        self.of_burst = of_burst
        self.requeued = 0  # throttled invocations since it was last tried
        self.tries = 0  # executions that failed
        self.attempts = 0  # writes of the execution that is under way
        self.started = 0
        self.useful = 0  # milliseconds of the execution that would have been needed had nothing been refused
        self.until = 0  # the last moment at which an attempt may start


Handler: TypeAlias = Callable[[File], None]


class Simulation:
    """One run. It is the same for the same seed."""

    def __init__(self, load: Load, settings: Settings, *, seed: int = 0, scale: int = 1) -> None:
        self._load = load
        self._settings = settings
        self._own_ms = settings.own_ms
        self._scale = scale
        # for chance, not for secrets: the same seed must give the same answer
        self._random = random.Random(seed)  # noqa: S311
        self._draw = self._random.random
        timing = settings.timing
        self._delivery = Spread(*timing.delivery)
        self._head = Spread(*timing.head)
        self._write_time = Spread(*timing.write)
        self._init = Spread(*timing.init)
        self._table = Table(
            write_capacity=settings.write_capacity,
            max_capacity=settings.max_capacity,
            on_demand=settings.on_demand,
            row_bytes=load.row_bytes,
            used_before=load.per_second,
            saved_seconds=settings.burst_capacity_seconds,
            one_for=scale,
        )
        self._now = 0
        self._agenda: dict[int, list[tuple[Handler, File]]] = {}
        self._times: list[int] = []
        self._limit = max(1, settings.concurrency // scale)
        self._running = self._warm = 0
        self._new_environments = self._may_grow = limits.SCALING_ENVIRONMENTS / scale
        self._grown_at = 0
        self._burst_starts = LEAD_SECONDS * 1000 if load.burst_files else 0
        self._burst_ends = self._burst_starts + round(load.burst_seconds * 1000)
        self._burst_left = 0
        self._overloaded = overloaded(load, settings)
        self._arriving = True
        self._step = Step(0)
        self._waiting = 0
        self.outcome = Outcome(scale=scale)

    def run(self, *, until_lost: bool = False, seconds: float | None = None) -> Outcome:
        """Run it to its end: until everything that arrived has its row or is in the failure queue.

        Args:
            until_lost: stop at the first event that ends in the failure queue.
            seconds: stop then; what is under way is `pending`.
        """
        nobody = File(0, 0, of_burst=False)
        self._at(0, self._everyday, nobody)
        if self._load.burst_files:
            self._at(self._burst_starts, self._burst, nobody)
        self._at(STEP_MS, self._chart, nobody)
        if self._table.scalings:
            self._at(MINUTE_MS, self._minute, nobody)
        with _without_collecting():
            self._work_off(None if seconds is None else round(seconds * 1000), until_lost=until_lost)
        return self._finished()

    def _work_off(self, stop: int | None, *, until_lost: bool) -> None:
        outcome, times, agenda = self.outcome, self._times, self._agenda
        while times:
            now = heapq.heappop(times)
            if stop is not None and now > stop:
                break
            self._now = now
            for handler, file in agenda.pop(now):
                handler(file)
            if until_lost and outcome.lost:
                break

    def _at(self, when: int, handler: Handler, file: File) -> None:
        due = self._agenda.get(when)
        if due is None:
            self._agenda[when] = [(handler, file)]
            heapq.heappush(self._times, when)
        else:
            due.append((handler, file))

    # -- uploads

    def _everyday(self, nobody: File) -> None:
        """An upload of the everyday load, and when the next will be; the first call is none."""
        rate = self._load.per_second / self._scale
        over = self._now >= self._burst_ends
        if over and (self._overloaded or not self._load.burst_files):
            over = self._now >= self._burst_ends + QUIET_SECONDS * 1000
        if not rate or (over and (self._burst_left == 0 or self._overloaded)):
            self._arriving = False
            return
        if self._now:
            self._arrive(of_burst=False)
        self._at(self._now + max(1, self._until_next(rate)), self._everyday, nobody)

    def _burst(self, nobody: File) -> None:
        if self._now >= self._burst_ends:
            return
        self._arrive(of_burst=True)
        self._at(self._now + self._until_next(self._load.burst_rate / self._scale), self._burst, nobody)

    def _until_next(self, rate: float) -> int:
        # the part of a millisecond is left to chance, so that the rate is true
        return int(self._random.expovariate(rate) * 1000 + self._draw())

    def _arrive(self, *, of_burst: bool) -> None:
        queued = self._now + self._delivery.draw(self._draw)
        file = File(self._now, queued, of_burst=of_burst)
        self.outcome.arrived += 1
        self._step.arrived += 1
        self._waiting += 1
        self._burst_left += of_burst
        self._at(queued, self._invoke, file)

    # -- Lambda

    def _invoke(self, file: File) -> None:
        """Lambda's try to run the function with an event of its queue."""
        now = self._now
        if self._running >= self._limit or (self._warm == 0 and not self._environment_to_come()):
            self.outcome.requeued += 1
            interval = INTERVALS_MS[min(file.requeued, LAST_INTERVAL)]
            file.requeued += 1
            self._requeue(file, int(interval * (1 - limits.REQUEUE_SPREAD * self._draw())))
            return
        file.requeued = 0
        self._running += 1
        outcome = self.outcome
        outcome.most_running = max(outcome.most_running, self._running)
        outcome.executions += 1
        file.started = now
        if self._warm:
            self._warm -= 1
        else:
            self._new_environments -= 1
            init = self._init.draw(self._draw)
            file.started += init
            # billed since August 2025, and needed, though not for every row
            self._bill(init, useful=init)
        settings = self._settings
        file.attempts = 0
        # as in Indexer.handle and call_with_retry: the last moment at which an attempt may start
        left = settings.timeout_seconds - RESERVE_SECONDS - ATTEMPT_SECONDS
        file.until = file.started + int(left * 1000)
        file.useful = self._own_ms + self._head.draw(self._draw)
        self._at(file.started + file.useful, self._write, file)

    def _environment_to_come(self) -> bool:
        """Whether Lambda may start another environment now."""
        passed = self._now - self._grown_at
        if passed:
            refill = passed / 1000 * self._may_grow / limits.SCALING_SECONDS
            self._new_environments = min(self._may_grow, self._new_environments + refill)
            self._grown_at = self._now
        return self._new_environments >= 1 or (self._may_grow < 1 and self._running == 0)

    def _requeue(self, file: File, wait: int) -> None:
        """Back into Lambda's queue, unless the event will be too old by then."""
        dies = file.queued + self._settings.event_age_seconds * 1000
        if self._now + wait > dies:
            self._at(max(self._now, dies), self._too_old, file)
        else:
            self._at(self._now + wait, self._invoke, file)

    def _too_old(self, file: File) -> None:
        self.outcome.too_old += 1
        self._end(file)
        self._step.failed += 1

    # -- the function

    def _write(self, file: File) -> None:
        """An attempt to write the row: the function's own code decides about the next."""
        now = self._now
        file.attempts += 1
        took = self._write_time.draw(self._draw)
        if self._table.write(now):
            file.useful += took
            self._at(now + took, self._written, file)
            return
        self.outcome.refused_writes += 1
        remaining = (file.until - now - took) / 1000
        pause = next_wait(file.attempts, remaining=remaining, rng=self._draw, policy=self._settings.retry_policy)
        if pause is None:
            self._at(now + took, self._failed, file)
        else:
            self._at(now + took + int(pause * 1000 + 0.5), self._write, file)

    def _written(self, file: File) -> None:
        self._release(file, useful=file.useful)
        self.outcome.rows += 1
        self.outcome.delays.append(self._now - file.uploaded)
        self._step.rows += 1
        self._end(file)

    def _failed(self, file: File) -> None:
        """The function raised: Lambda tries again after one and two minutes, then puts the event into the queue."""
        self._release(file, useful=0)
        self.outcome.failed_executions += 1
        file.tries += 1
        if file.tries > self._settings.async_retries:
            self.outcome.gave_up += 1
            self._step.failed += 1
            self._end(file)
        else:
            self._requeue(file, limits.RETRIES_AFTER_SECONDS[file.tries - 1] * 1000)

    def _release(self, file: File, *, useful: int) -> None:
        self._running -= 1
        self._warm += 1
        self._bill(self._now - file.started, useful=useful)

    def _bill(self, milliseconds: int, *, useful: int) -> None:
        self.outcome.billed_seconds += milliseconds / 1000
        self.outcome.useful_seconds += useful / 1000

    def _end(self, file: File) -> None:
        self._waiting -= 1
        if file.of_burst:
            self._burst_left -= 1
            if self._burst_left == 0 and self._now >= self._burst_ends:
                self.outcome.settled_seconds = (self._now - self._burst_starts) / 1000

    # -- clocks

    def _minute(self, nobody: File) -> None:
        for scaling in self._table.scalings:
            scaling.minute(self._now)
        if self._arriving or self._waiting or self._now < self._burst_ends:
            self._at(self._now + MINUTE_MS, self._minute, nobody)

    def _chart(self, nobody: File) -> None:
        step = self._step
        step.second, step.waiting, step.running = self._now / 1000, self._waiting, self._running
        self.outcome.steps.append(step)
        self._step = Step(0)
        if self._arriving or self._waiting or self._now < self._burst_ends:
            self._at(self._now + STEP_MS, self._chart, nobody)

    def _finished(self) -> Outcome:
        """The outcome, in files."""
        outcome, scale = self.outcome, self._scale
        outcome.pending = outcome.arrived - outcome.rows - outcome.lost
        for counted in (outcome, *outcome.steps):
            for name, value in vars(counted).items():
                if name not in {"scale", "settled_seconds", "delays", "steps", "second"}:
                    setattr(counted, name, value * scale)
        outcome.delays = array("q", sorted(outcome.delays))
        return outcome


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Half of the time would go into looking for cycles among half a million files, and there are none."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
