"""Benchmark of the project's checks: the duration of each default nox session, without the installation of packages."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Table, Timing, distribution
from benchmarks.subjects import ROOT

QUICK = ("unit", "property")


def sessions(*, rounds: int) -> list[Timing | Table]:
    """Run the default nox sessions repeatedly, and measure the seconds of each.

    Raises:
        RuntimeError: a session failed; its output is on the terminal.
    """
    # The first run of nox installs the environments and fills the caches, so its durations are discarded.
    runs = [_run() for _ in range(rounds + 1)][1:]
    rows = tuple(
        (f"nox session `{name}`", f"median {distribution([run[name] for run in runs]).median:.1f} s")
        for name in runs[0]
    )
    return [
        Timing(
            what="duration of `nox -s unit property`",
            seconds=[sum(run[each] for each in QUICK) for run in runs],
            at_most=15,
        ),
        Timing(what="duration of `nox`", seconds=[sum(run.values()) for run in runs], at_most=60),
        Table(what="Duration of each nox session", columns=("nox session", "median duration"), rows=rows),
    ]


def _run() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        nox = [sys.executable, "-m", "nox", f"--report={report}"]
        if subprocess.run(nox, cwd=ROOT, check=False).returncode:  # noqa: S603 - our own arguments
            raise RuntimeError("nox failed: see its output above")
        results = json.loads(report.read_text(encoding="utf-8"))
    return {each["name"]: float(each["duration"]) for each in results["sessions"]}
