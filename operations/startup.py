"""Start of a command. The syntax of this module must be valid in all versions of Python 3."""

import importlib
import sys
from typing import NoReturn

MINIMUM = (3, 11)
"""Oldest supported version of Python."""


def start(name: str, module: str, *, packages: str) -> None:
    """Call the function `run` of a module. End the process with exit code 2 and one line if this is not possible.

    Args:
        name: the command's name, for error messages.
        module: full name of the module, which an old version of Python cannot parse.
        packages: file with the packages that the module needs, for error messages.
    """
    if sys.version_info[:2] < MINIMUM:
        current, minimum = [".".join(map(str, each)) for each in (sys.version_info[:3], MINIMUM)]
        _fail(name, "Python " + minimum + " or later is required, and this is Python " + current)
    try:
        run = importlib.import_module(module).run
    except ModuleNotFoundError as error:
        missing = str(error.name).partition(".")[0]
        if missing == module.partition(".")[0]:
            raise
        _fail(name, "the package " + missing + " is not installed: run pip install -r " + packages)
    except KeyboardInterrupt:  # The imports take about a second.
        _fail(name, "interrupted", code=130)
    run()


def _fail(name: str, problem: str, code: int = 2) -> NoReturn:
    sys.stderr.write(name + ": " + problem + "\n")
    sys.exit(code)
