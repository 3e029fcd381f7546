"""`nox -s bench`: measures, and tells what was measured.

The numbers are those of this run, on this machine, beside whatever else it does: read the ratios.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from benchmarks import chart, report
from benchmarks.archive import archive
from benchmarks.deploy import deploying
from benchmarks.function import MEMORY_EVENTS, cold, memory, warm
from benchmarks.lab import ROOT, Lab, prepare
from benchmarks.latency import landing
from benchmarks.measure import Comparison
from benchmarks.sessions import sessions

if TYPE_CHECKING:
    from benchmarks.report import Result

DOCUMENT = ROOT / "docs" / "benchmarks.md"
QUICK = 3  # rounds
NAMES = ("cold", "warm", "memory", "landing", "deploy", "archive", "sessions")
UNASKED = NAMES[:-1]  # the sessions take minutes


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """What was asked for.

    Raises:
        SystemExit: it makes no sense, and why.
    """
    parser = argparse.ArgumentParser(prog="nox -s bench --", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to measure: {', '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true", help="few rounds: to see that it works, not to quote")
    parser.add_argument("--write", action="store_true", help=f"write it all into {DOCUMENT.name}, and its chart")
    asked = parser.parse_args(given)
    if unknown := [name for name in asked.names if name not in NAMES]:
        parser.error(f"there is no benchmark {unknown[0]!r}: choose from {', '.join(NAMES)}")
    if asked.write and (asked.names or asked.quick):
        parser.error("--write goes with nothing else: the document shows one whole run")
    asked.names = asked.names or (NAMES if asked.write else UNASKED)
    return asked


def measured(lab: Lab, names: list[str], *, quick: bool) -> Iterator[Result]:
    """Each result as soon as it is there."""

    def rounds(usual: int) -> int:
        return QUICK if quick else usual

    benchmarks: dict[str, Callable[[], list[Result]]] = {
        "cold": lambda: [cold(lab, rounds=rounds(25))],
        "warm": lambda: [warm(lab, rounds=rounds(25), sampled=sampled) for sampled in (True, False)],
        "memory": lambda: [memory(lab, events=MEMORY_EVENTS // (50 if quick else 1))],
        "landing": lambda: [landing(rounds=rounds(12))],
        "deploy": lambda: [*deploying(rounds=rounds(11))],
        "archive": lambda: [*archive(lab)],
        "sessions": lambda: [*sessions(rounds=1 if quick else 3)],
    }
    for name in names:
        yield from benchmarks[name]()


def main() -> None:
    """Measure what was asked for; write it down if that was asked for too."""
    asked = arguments()
    lab, results = prepare(), []
    for result in measured(lab, asked.names, quick=asked.quick):
        sys.stdout.write("\n".join(report.lines(result)) + "\n\n")
        sys.stdout.flush()
        results.append(result)
    if asked.write:
        day = datetime.now(UTC).date()
        report.write(results, DOCUMENT, day=day, python=lab.version)
        compared = [each for each in results if isinstance(each, Comparison)]
        picture = chart.draw(compared, about=f"{day:%-d %B %Y}; medians and quartiles of the ratio to the last of each")
        DOCUMENT.with_suffix(".svg").write_text(picture, encoding="utf-8")
        sys.stdout.write(f"written into {DOCUMENT} and {DOCUMENT.with_suffix('.svg')}\n")


if __name__ == "__main__":
    main()
