"""Benchmark of a deployment of the whole stack: total duration, duration of each phase and of each resource.

Each round uses a new process, which has not imported Pulumi, and a new embedded emulator, as `nox -s demo` does. The
total duration begins when the emulator is ready, and ends when the stack is ready for uploads. The indexer's package is
in the cache, as in every deployment except the first.

`python -m benchmarks.deploy` runs one round and prints its results as JSON.
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

SLOWEST = 10
"""Number of resources whose creation time is reported."""
PARTS = {
    "imports": "import of the Python modules of Pulumi and its AWS provider",
    "program": "run of the Pulumi program, which registers the resources",
    "creation": "creation of the resources that remain after the Pulumi program ends",
    "packaging": "packaging of the indexer's files, during the creation of resources",
    "waiting": "time spent waiting until created resources are ready, during the creation of resources",
    "emulator": "start of the emulator, which is not part of the total duration",
    "destroy": "deletion of the whole stack, which is not part of the total duration",
}
"""Labels of the phases of a deployment. The first three run one after the other and add up to the total duration."""


@dataclass(frozen=True, kw_only=True)
class Round:
    """Durations of one deployment, in seconds.

    Attributes:
        emulator: from the start of the emulator until its first response.
        imports: import of Pulumi and of the modules of its AWS provider that the stack uses.
        program: run of the Pulumi program; the creation of resources begins during it.
        creation: from the end of the program until the last resource exists.
        packaging: part of `creation`: packaging of the indexer's files.
        waiting: part of `creation`: polls of resources that are not ready, summed over all threads.
        total: sum of `imports`, `program` and `creation`.
        destroy: deletion of the whole stack.
        resources: duration of each resource since its dependencies exist, in order of completion.
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
    """Adds up the duration of each phase of a deployment, in seconds; several threads can measure the same phase."""

    clock: Callable[[], float] = time.perf_counter
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        """Context manager: add the duration of its block to a phase."""
        began = self.clock()
        try:
            yield
        finally:
            elapsed = self.clock() - began
            with self._lock:
                self.seconds[phase] += elapsed


def deploy_once() -> Round:
    """Deploy to a new emulator in this process, which must not have imported Pulumi before."""
    watch, created = Stopwatch(), list[Progress]()
    with ExitStack() as stack:
        with watch("emulator"):
            emulator = stack.enter_context(start("embedded"))
        began = watch.clock()
        with watch("imports"):
            deployer = import_module("localstack.deployers.in_process")
            provider = import_module("pulumi_aws")
            for module in sorted({known.split(":")[1].split("/")[0] for known in deployer.RESOURCE_HANDLERS}):
                # `pulumi_aws` imports its modules lazily, on the first access to an attribute of the module.
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
    """Measure a number of deployments, after an unmeasured one that fills the caches.

    Raises:
        subprocess.CalledProcessError: a deployment failed; its error message is on stderr.
    """
    _deploy_in_new_process()
    done = [_deploy_in_new_process() for _ in range(rounds)]
    parts = {part: distribution([float(getattr(each, part)) for each in done]) for part in PARTS}
    seconds: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for each in done:
        for created in each.resources:
            seconds[created.type, created.name].append(created.seconds)
    medians = {(name, type_.split(":")[1]): median(of) for (type_, name), of in seconds.items()}
    return [
        Timing(
            what="deployment of the stack on the embedded emulator", seconds=[each.total for each in done], at_most=2
        ),
        Table(
            what="Duration of each phase of a deployment",
            columns=("part", "median", "quartiles"),
            rows=(
                *(
                    (PARTS[part], f"{of.median:.2f} s", f"{of.low:.2f} to {of.high:.2f} s")
                    for part, of in parts.items()
                ),
                ("build of the indexer's package without the cache", f"{_package_uncached():.2f} s", "measured once"),
            ),
        ),
        Table(
            what=f"Creation time of the {SLOWEST} slowest resources (many are created concurrently)",
            columns=("resource", "type", "median"),
            rows=tuple(
                (name, type_, f"{medians[name, type_]:.3f} s")
                for name, type_ in sorted(medians, key=medians.__getitem__, reverse=True)[:SLOWEST]
            ),
        ),
    ]


def _deploy_in_new_process() -> Round:
    command = [sys.executable, "-m", "benchmarks.deploy"]
    root = PROGRAM.parent
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=root)  # noqa: S603  our own
    read = json.loads(done.stdout)
    return Round(**{**read, "resources": tuple(Progress(**created) for created in read["resources"])})


def _package_uncached() -> float:
    from tap_stack import build_lambda_package  # noqa: PLC0415  the program imports Pulumi, which nothing else here does

    with tempfile.TemporaryDirectory() as cache:
        began = time.perf_counter()
        build_lambda_package(PROGRAM.parent, Path(cache))
        return time.perf_counter() - began


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(deploy_once())))
