"""``python -m localstack.image``: build the Docker images of the emulator, unless they are up to date."""

from __future__ import annotations

import argparse
import sys
import time

from localstack.errors import EmulatorError
from localstack.image import build, registry


def main() -> int:
    """Build the Docker images of the emulator that are missing or out of date; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m localstack.image", description=__doc__.partition(": ")[2])
    parser.add_argument("--again", action="store_true", help="build all images, even those that are up to date")
    options = parser.parse_args()
    begun = time.monotonic()

    def report(sentence: str) -> None:
        sys.stdout.write(f"{time.monotonic() - begun:6.1f} s  {sentence}\n")
        sys.stdout.flush()

    try:
        build.ensure(report, rebuild=options.again)
        report(f"{registry.publish(build.RUNTIME.name)} is the image of the Lambda runtime")
    except EmulatorError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    report(f"done: {build.EMULATOR.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
