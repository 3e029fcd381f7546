"""The function against what an engineer would otherwise write: its cold start, its CPU per event, its memory."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from benchmarks.measure import OURS, Comparison, interleave
from benchmarks.subjects import fake_aws
from benchmarks.worker import resident_kilobytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.subjects import Subject, Subjects, Worker

MILLI = 1000
EVENTS_A_TURN = 200
WARM_UP = 500  # events: the specialising interpreter, botocore's caches and the connections have settled by then
MEMORY_EVENTS = 50_000
MEMORY_STEPS = 10
MEMORY_ORDER = 50  # events that the measuring process itself holds at a time
KILOBYTES_A_MEGABYTE = 1024


def cold(subjects: Subjects, *, rounds: int) -> Comparison:
    """CPU from the start of the handler's import to its end, each time in a new process."""

    def start(subject: Subject) -> Callable[[], float]:
        return lambda: subjects.cold_start(subject)["cpu_seconds"] * MILLI

    compared = (subjects.ours, subjects.powertools, subjects.bare)
    return Comparison(
        what="cold start, CPU",
        unit="ms",
        turns=interleave({each.name: start(each) for each in compared}, rounds=rounds),
        base=subjects.bare.name,
        at_most=1.3,
        below=(subjects.powertools.name,),
    )


def warm(subjects: Subjects, *, rounds: int, sampled: bool) -> Comparison:
    """CPU per event of processes that have long been warm; the trace sampled, or not."""
    with ExitStack() as stack:
        aws = stack.enter_context(fake_aws())
        compared = (subjects.ours, subjects.powertools, subjects.plain)
        workers = {each.name: stack.enter_context(subjects.warm(each, port=aws.port)) for each in compared}

        def turn(worker: Worker) -> Callable[[], float]:
            return lambda: worker.work(EVENTS_A_TURN, sampled=sampled)["cpu_seconds"] * MILLI / EVENTS_A_TURN

        for name, worker in workers.items():
            before = aws.traces()
            worker.work(WARM_UP, sampled=sampled)
            if (aws.traces() > before) != (sampled and name != subjects.plain.name):
                raise RuntimeError(f"{name} sent {aws.traces() - before} traces: that is not what is to be measured")
        turns = interleave({name: turn(worker) for name, worker in workers.items()}, rounds=rounds)
    return Comparison(
        what=f"warm event, CPU ({'trace sampled' if sampled else 'trace not sampled'})",
        unit="ms",
        turns=turns,
        base=subjects.plain.name,
        at_most=1.15,
        below=(subjects.powertools.name,),
    )


def memory(subjects: Subjects, *, events: int = MEMORY_EVENTS) -> Comparison:
    """Memory in RAM along so many events, half of their traces sampled, against the same process after a tenth."""
    if not resident_kilobytes():
        raise RuntimeError("how much memory a process has in RAM can only be read on Linux: leave `memory` out")
    with fake_aws() as aws, subjects.warm(subjects.ours, port=aws.port) as worker:
        levels = []
        for _ in range(MEMORY_STEPS):
            for sampled in [True, False] * (events // MEMORY_STEPS // MEMORY_ORDER // 2):
                worker.work(MEMORY_ORDER, sampled=sampled)
            level = worker.work(0, sampled=False)["resident_kilobytes"]
            levels.append(level / KILOBYTES_A_MEGABYTE)
    return Comparison(
        what=f"memory after {events:,} events",
        unit="MB",
        turns={OURS: levels[-1:], f"after {events // MEMORY_STEPS:,}": levels[:1]},
        base=f"after {events // MEMORY_STEPS:,}",
        at_most=1.01,
        notes=("every tenth: " + ", ".join(f"{level:.1f}" for level in levels) + " MB",),
    )
