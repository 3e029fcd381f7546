"""Run the benchmarks and print the results: `nox -s bench`.

Absolute times depend on the machine and its current load, so compare the ratios.
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
from benchmarks.function import MEMORY_EVENTS, cold, inspecting, memory, warm
from benchmarks.latency import content_latency, end_to_end_latency
from benchmarks.listing import VERSIONS, listing
from benchmarks.measure import Comparison
from benchmarks.sessions import sessions
from benchmarks.subjects import ROOT, Subjects, prepare

if TYPE_CHECKING:
    from benchmarks.report import Result

DOCUMENT = ROOT / "docs" / "benchmarks.md"
QUICK_ROUNDS = 3
NAMES = ("cold", "warm", "memory", "inspector", "landing", "content", "deploy", "archive", "listing", "sessions")
DEFAULT_NAMES = NAMES[:-1]  # the benchmark `sessions` takes minutes, so it runs only on request


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line; the default of `given` is the command line of this process.

    Raises:
        SystemExit: an argument is invalid; the message on stderr gives the reason.
    """
    parser = argparse.ArgumentParser(prog="nox -s bench --", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"benchmarks to run: {', '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true", help="run few rounds, to check that the benchmarks work")
    parser.add_argument("--write", action="store_true", help=f"write all results into {DOCUMENT.name} and its chart")
    options = parser.parse_args(given)
    if unknown := [name for name in options.names if name not in NAMES]:
        parser.error(f"there is no benchmark {unknown[0]!r}: choose from {', '.join(NAMES)}")
    if options.write and (options.names or options.quick):
        parser.error("--write cannot be combined with names or --quick: the document shows one complete run")
    options.names = options.names or (NAMES if options.write else DEFAULT_NAMES)
    return options


def measured(subjects: Subjects, names: list[str], *, quick: bool) -> Iterator[Result]:
    """Run benchmarks and yield each result as soon as it is available.

    Args:
        subjects: the functions to measure.
        names: names of the benchmarks, from `NAMES`.
        quick: run `QUICK_ROUNDS` rounds, `memory` with a fiftieth of the events, and `listing` with a tenth of the
            versions.
    """

    def rounds(usual: int) -> int:
        return QUICK_ROUNDS if quick else usual

    benchmarks: dict[str, Callable[[], list[Result]]] = {
        "cold": lambda: [cold(subjects, rounds=rounds(25))],
        "warm": lambda: [warm(subjects, rounds=rounds(25), sampled=sampled) for sampled in (True, False)],
        "memory": lambda: [memory(subjects, events=MEMORY_EVENTS // (50 if quick else 1))],
        "inspector": lambda: [*inspecting(subjects, rounds=rounds(25))],
        "landing": lambda: [end_to_end_latency(rounds=rounds(12))],
        "content": lambda: [content_latency(rounds=rounds(20))],
        "deploy": lambda: [*deploying(rounds=rounds(11))],
        "archive": lambda: [*archive(subjects)],
        "listing": lambda: [*listing(rounds=rounds(5), versions=VERSIONS // (10 if quick else 1))],
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
        about = f"{day:%-d %B %Y}. Bars show the median ratio to the last bar of each group; lines show the quartiles."
        chart.write_themes(DOCUMENT.with_suffix(".svg"), lambda theme: chart.draw(compared, about=about, theme=theme))
        sys.stdout.write(f"results written to {DOCUMENT} and {DOCUMENT.with_suffix('.svg')}\n")


if __name__ == "__main__":
    main()
