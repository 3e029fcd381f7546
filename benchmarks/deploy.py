"""How long the whole stack takes to deploy, in parts and by resource.

Each round is what somebody has who types `nox -s demo`: a process of its own, which has not imported Pulumi, and an
embedded emulator of its own, which has run nothing. It is timed from when the emulator is up until the stack is ready
to take an upload. The function's package is in the cache, as it is but for the first time.

`python -m benchmarks.deploy` is one such round, which writes its figures as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from statistics import median

from benchmarks.measure import Table, Timing, distribution
from localstack.deployers.deploy import PROGRAM
from localstack.deployers.deployment import Progress
from localstack.emulators.emulator import start

PARTS = {
    "imports": "Pulumi and its AWS provider are imported",
    "program": "the program runs and asks for its resources",
    "creation": "from then on until the last one is there",
    "packaging": "in that, the function's files become an archive",
    "waiting": "in that, threads ask whether something is there",
    "emulator": "before, the emulator starts",
    "destroy": "afterwards, everything is deleted",
}
"""What a deployment consists of: the first three follow each other and are all of it."""


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
        resources: in the order in which they were there; each from when all that it needs was.
    """

    emulator: float
    imports: float
    program: float
    creation: float
    packaging: float
    waiting: float
    total: float
    destroy: float
    resources: tuple[Progress, ...]


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
            elapsed = self.clock() - began
            with self._lock:
                self.seconds[phase] += elapsed


def deploy_once() -> Round:
    """Deploy in this process, which has imported nothing of Pulumi, to a fresh emulator."""
    watch, created = Stopwatch(), list[Progress]()
    with ExitStack() as stack:
        with watch("emulator"):
            emulator = stack.enter_context(start("embedded"))
        began = watch.clock()
        with watch("imports"):
            deployer = import_module("localstack.deployers.in_process")
            provider = import_module("pulumi_aws")
            for module in sorted({known.split(":")[1].split("/")[0] for known in deployer.RESOURCE_HANDLERS}):
                # they are imported on first access
                getattr(getattr(provider, "lambda_" if module == "lambda" else module), "__all__", None)
        deployment = deployer.deploy(
            emulator, stack="localstack", config_overrides={}, program=PROGRAM, on_resource=created.append, phases=watch
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
        resources=tuple(created),
    )


def deploying(*, rounds: int) -> list[Timing | Table]:
    """Deploy so many times, and once more before that, uncounted: what is made only once is then there.

    Raises:
        subprocess.CalledProcessError: a deployment failed; its words are on standard error.
    """
    _in_a_process_of_its_own()
    done = [_in_a_process_of_its_own() for _ in range(rounds)]
    parts = {part: distribution([float(getattr(each, part)) for each in done]) for part in PARTS}
    seconds: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for each in done:
        for created in each.resources:
            seconds[created.type, created.name].append(created.seconds)
    medians = {(name, type_.split(":")[1]): median(of) for (type_, name), of in seconds.items()}
    return [
        Timing(what="deploy of the whole stack, embedded", seconds=[each.total for each in done], at_most=2),
        Table(
            what="Seconds of a deployment's parts",
            columns=("part", "median", "quartiles"),
            rows=(
                *((PARTS[part], f"{of.median:.2f}", f"{of.low:.2f} to {of.high:.2f}") for part, of in parts.items()),
                ("the function's package, built anew", f"{_package_anew():.2f}", "once"),
            ),
        ),
        Table(
            what="Seconds of each resource, many of which are made at the same time",
            columns=("resource", "type", "median"),
            rows=tuple(
                (name, type_, f"{medians[name, type_]:.3f}") for name, type_ in sorted(medians, key=medians.__getitem__)
            )[::-1],
        ),
    ]


def _in_a_process_of_its_own() -> Round:
    command = [sys.executable, "-m", "benchmarks.deploy"]
    root = PROGRAM.parent
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=root)  # noqa: S603  our own
    read = json.loads(done.stdout)
    return Round(**{**read, "resources": tuple(Progress(**created) for created in read["resources"])})


def _package_anew() -> float:
    from tap_stack import build_lambda_package  # noqa: PLC0415  the program imports Pulumi, which nothing else here does

    with tempfile.TemporaryDirectory() as cache:
        began = time.perf_counter()
        build_lambda_package(PROGRAM.parent, Path(cache))
        return time.perf_counter() - began


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(deploy_once())))
