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
    medians = {name: distribution([run[name] for run in runs]).median for name in runs[0]}
    rows = tuple((name, f"{seconds:.1f} s") for name, seconds in medians.items())
    return [
        Timing(what="nox -s unit property", seconds=[sum(run[each] for each in QUICK) for run in runs], at_most=15),
        Timing(what="nox", seconds=[sum(run.values()) for run in runs], at_most=60),
        Table(what="Duration of each nox session", columns=("session", "median"), rows=rows),
    ]


def _run() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        nox = [sys.executable, "-m", "nox", f"--report={report}"]
        if subprocess.run(nox, cwd=ROOT, check=False).returncode:  # noqa: S603 - our own arguments
            raise RuntimeError("nox failed: see its output above")
        results = json.loads(report.read_text(encoding="utf-8"))
    return {each["name"]: float(each["duration"]) for each in results["sessions"]}
