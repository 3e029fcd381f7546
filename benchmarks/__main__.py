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
from benchmarks.latency import end_to_end_latency
from benchmarks.measure import Comparison
from benchmarks.sessions import sessions
from benchmarks.subjects import ROOT, Subjects, prepare

if TYPE_CHECKING:
    from benchmarks.report import Result

DOCUMENT = ROOT / "docs" / "benchmarks.md"
QUICK = 3  # rounds
NAMES = ("cold", "warm", "memory", "landing", "deploy", "archive", "sessions")
DEFAULT_NAMES = NAMES[:-1]  # the sessions take minutes


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line.

    Raises:
        SystemExit: it is invalid; the message says why.
    """
    parser = argparse.ArgumentParser(prog="nox -s bench --", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to measure: {', '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true", help="few rounds: to see that it works, not to quote")
    parser.add_argument("--write", action="store_true", help=f"write it all into {DOCUMENT.name}, and its chart")
    options = parser.parse_args(given)
    if unknown := [name for name in options.names if name not in NAMES]:
        parser.error(f"there is no benchmark {unknown[0]!r}: choose from {', '.join(NAMES)}")
    if options.write and (options.names or options.quick):
        parser.error("--write goes with nothing else: the document shows one whole run")
    options.names = options.names or (NAMES if options.write else DEFAULT_NAMES)
    return options


def measured(subjects: Subjects, names: list[str], *, quick: bool) -> Iterator[Result]:
    """Run the named benchmarks; yield each result as soon as it exists."""

    def rounds(usual: int) -> int:
        return QUICK if quick else usual

    benchmarks: dict[str, Callable[[], list[Result]]] = {
        "cold": lambda: [cold(subjects, rounds=rounds(25))],
        "warm": lambda: [warm(subjects, rounds=rounds(25), sampled=sampled) for sampled in (True, False)],
        "memory": lambda: [memory(subjects, events=MEMORY_EVENTS // (50 if quick else 1))],
        "landing": lambda: [end_to_end_latency(rounds=rounds(12))],
        "deploy": lambda: [*deploying(rounds=rounds(11))],
        "archive": lambda: [*archive(subjects)],
        "sessions": lambda: [*sessions(rounds=1 if quick else 3)],
    }
    for name in names:
        yield from benchmarks[name]()


def main() -> None:
    """Run the benchmarks, and write the document if requested."""
    options = arguments()
    subjects, results = prepare(), []
    for result in measured(subjects, options.names, quick=options.quick):
        sys.stdout.write("\n".join(report.lines(result)) + "\n\n")
        sys.stdout.flush()
        results.append(result)
    if options.write:
        day = datetime.now(UTC).date()
        report.write(results, DOCUMENT, day=day, python=subjects.version)
        compared = [each for each in results if isinstance(each, Comparison)]
        picture = chart.draw(compared, about=f"{day:%-d %B %Y}; medians and quartiles of the ratio to the last of each")
        DOCUMENT.with_suffix(".svg").write_text(picture, encoding="utf-8")
        sys.stdout.write(f"written into {DOCUMENT} and {DOCUMENT.with_suffix('.svg')}\n")


if __name__ == "__main__":
    main()
