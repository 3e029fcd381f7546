"""How long the whole stack takes to deploy: `python -m benchmarks.deploy [--rounds N] [--cold]`.

Each round is what somebody has who types `nox -s demo`: a process of its own, which has not imported Pulumi, and an
embedded emulator of its own, which has run nothing. It is timed from when the emulator is up until the stack is ready
to take an upload. The function's package is in the cache, as it is but for the first time; `--cold` builds it anew,
once, in a folder of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from statistics import median, quantiles

from localstack.deployment import PROGRAM, Progress
from localstack.emulator import Emulator, start

ROUNDS = 10

PARTS = ("imports", "program", "creation", "packaging", "waiting")
"""What a deployment consists of: the first three follow each other and are all of it, the others are in the third."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """The seconds that one resource took, from when all that it needs was there until it was; its client with it."""

    type: str
    name: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Round:
    """One deployment, in seconds.

    Attributes:
        emulator: from its start until it answers.
        imports: of Pulumi and those modules of its AWS provider that have the stack's resources.
        program: it runs and asks for its resources, whose creation has begun meanwhile.
        creation: from the program's end until the last resource is there.
        packaging: of that, the function's files become an archive.
        waiting: of that, threads ask whether something is there yet; several at once count several times.
        total: imports, program and creation: from when the emulator is up until the stack is ready.
        destroy: everything is deleted, and gone.
        resources: in the order in which they were there.
    """

    emulator: float
    imports: float
    program: float
    creation: float
    packaging: float
    waiting: float
    total: float
    destroy: float
    resources: tuple[Taken, ...]


@dataclass(frozen=True, kw_only=True)
class Deployments:
    """All rounds, and the seconds that the function's package took where nothing was in the cache."""

    rounds: tuple[Round, ...]
    cold_package: float | None = None

    def seconds(self, part: str) -> list[float]:
        """Those of each round: `total`, or any other of its attributes."""
        return [float(getattr(each, part)) for each in self.rounds]

    def resources(self) -> list[Taken]:
        """Every resource with the median of its seconds, the longest first."""
        seconds: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
        for each in self.rounds:
            for taken in each.resources:
                seconds[taken.type, taken.name].append(taken.seconds)
        medians = [Taken(type=type_, name=name, seconds=median(of)) for (type_, name), of in seconds.items()]
        return sorted(medians, key=lambda taken: -taken.seconds)


@dataclass
class Stopwatch:
    """Adds up the seconds of each phase, which may be entered by several threads at once; an engine's `phases`."""

    clock: Callable[[], float] = time.perf_counter
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        """Time one phase."""
        began = self.clock()
        try:
            yield
        finally:
            took = self.clock() - began
            with self._lock:
                self.seconds[phase] += took


def deploy_once() -> Round:
    """Deploy in this process, which has imported nothing of Pulumi, to a fresh emulator."""
    watch, taken = Stopwatch(), list[Taken]()

    def heard(progress: Progress) -> None:
        taken.append(Taken(type=progress.type, name=progress.name, seconds=progress.seconds))

    with _started(watch) as emulator:
        began = watch.clock()
        with watch("imports"):
            engine = import_module("localstack.in_process")
            provider = import_module("pulumi_aws")
            for module in sorted({known.split(":")[1].split("/")[0] for known in engine.PLANNERS}):
                # they are imported when they are first asked for anything
                getattr(getattr(provider, "lambda_" if module == "lambda" else module), "__all__", None)
        deployment = engine.deploy(
            emulator, stack="localstack", config_overrides={}, program=PROGRAM, on_resource=heard, phases=watch
        )
        total = watch.clock() - began
        with watch("destroy"):
            deployment.destroy()
    seconds = watch.seconds
    return Round(
        emulator=seconds["emulator"],
        imports=seconds["imports"],
        program=seconds["program"],
        creation=total - seconds["imports"] - seconds["program"],
        packaging=seconds["packaging"],
        waiting=seconds["waiting"],
        total=total,
        destroy=seconds["destroy"],
        resources=tuple(taken),
    )


def measure(rounds: int, *, cold: bool = False) -> Deployments:
    """Deploy so many times, and once more before that, uncounted: what is made only once is then there.

    Raises:
        subprocess.CalledProcessError: a deployment failed; its words are on standard error.
    """
    _in_a_process_of_its_own()
    return Deployments(
        rounds=tuple(_in_a_process_of_its_own() for _ in range(rounds)), cold_package=_package_anew() if cold else None
    )


def report(deployments: Deployments) -> str:
    """What was measured, as text."""
    lines = [f"{len(deployments.rounds)} deployments, seconds:     median  quartiles"]
    lines += [_line(part, deployments.seconds(part)) for part in ("total", *PARTS, "emulator", "destroy")]
    if deployments.cold_package is not None:
        lines.append(f"  the package, built anew {deployments.cold_package:11.2f}")
    lines += ["", "seconds of each resource (median); many are made at the same time"]
    lines += [f"{taken.seconds:8.3f}  {taken.type} {taken.name}" for taken in deployments.resources()]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; by default what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deploy", description="How long a deployment takes.")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how many deployments (default: %(default)s)")
    parser.add_argument("--cold", action="store_true", help="also build the function's package anew (needs PyPI)")
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)  # a round's own process
    options = parser.parse_args(arguments)
    said = json.dumps(asdict(deploy_once())) if options.once else report(measure(options.rounds, cold=options.cold))
    sys.stdout.write(f"{said}\n")
    return 0


@contextmanager
def _started(watch: Stopwatch) -> Iterator[Emulator]:
    starting = start("embedded")
    with watch("emulator"):
        emulator = starting.__enter__()
    try:
        yield emulator
    finally:
        starting.__exit__(None, None, None)


def _in_a_process_of_its_own() -> Round:
    command = [sys.executable, "-m", "benchmarks.deploy", "--once"]
    root = PROGRAM.parent
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=root)  # noqa: S603  our own
    read = json.loads(done.stdout)
    return Round(**{**read, "resources": tuple(Taken(**taken) for taken in read["resources"])})


def _package_anew() -> float:
    from tap_stack import build_lambda_package  # noqa: PLC0415  the program imports Pulumi, which nothing else here does

    with tempfile.TemporaryDirectory() as cache:
        began = time.perf_counter()
        build_lambda_package(PROGRAM.parent, Path(cache))
        return time.perf_counter() - began


def _line(part: str, seconds: Sequence[float]) -> str:
    inside = part in {"packaging", "waiting"}
    first, _, third = _quartiles(seconds)
    return f"  {'  ' * inside}{part:<{28 - 2 * inside}} {median(seconds):6.2f}  {first:.2f} to {third:.2f}"


def _quartiles(seconds: Iterable[float]) -> list[float]:
    known = list(seconds)
    return quantiles(known, method="inclusive") if len(known) > 1 else known * 3


if __name__ == "__main__":
    sys.exit(main())
