"""The command `python -m operations`: from arguments to a tool, and from what came of it to output and exit code."""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

from operations import program
from operations.audit import GRACE
from operations.aws import Aws
from operations.errors import OperatorError
from operations.options import parser
from operations.output import Progress, show
from operations.planning.capacity import CapacityTool
from operations.planning.cost import CostTool
from operations.target import Target, from_function, from_outputs, region_of
from operations.tools import AuditTool, BackfillTool, RedriveTool, Tool

COULD_NOT_RUN, INTERRUPTED = 2, 130
"""Exit codes beside those of the tools; argparse also ends with 2."""


def main(arguments: Sequence[str], *, connect: Callable[[str | None], Aws] = Aws.connect, grace: float = GRACE) -> int:
    """Run one tool and return the exit code.

    `connect` makes the AWS calls for a region (None: the shell's); `grace` is the audit's.
    """
    options = parser().parse_args(arguments)
    tool: Tool | None = None
    try:
        tool = _make(options, connect, grace)
        code = tool.run(Progress(sys.stderr))
    except OperatorError as error:
        return _ended_early(options, tool, str(error), COULD_NOT_RUN)
    except KeyboardInterrupt:
        return _ended_early(options, tool, "interrupted", INTERRUPTED)
    except Exception as bug:  # noqa: BLE001  its exit code must not be the one that says "differences found"
        traceback.print_exc()
        return _ended_early(options, tool, f"a bug of this tool: {type(bug).__name__}: {bug}", COULD_NOT_RUN)
    if options.json:
        _print_json(options, **tool.document(), summary=tool.summary())
    else:
        show([*tool.lines(), tool.summary()], sys.stdout)
    return code


def run() -> NoReturn:
    """Run the command as a program: with its arguments, its signals and its exit code."""
    program.run(main, reader_gone=COULD_NOT_RUN)


def _find(options: argparse.Namespace, connect: Callable[[str | None], Aws]) -> tuple[Aws, Target]:
    if options.function is None:
        target = from_outputs(options.stack_outputs)
        return connect(target.region), target
    aws = connect(region_of(options.function))
    return aws, from_function(options.function, aws)


def _make(options: argparse.Namespace, connect: Callable[[str | None], Aws], grace: float) -> Tool:
    if options.tool == "capacity":
        return CapacityTool(options)
    if options.tool == "cost":
        return CostTool(options)
    aws, target = _find(options, connect)
    if options.tool == "audit":
        return AuditTool(options, aws, target, grace=grace)
    if options.tool == "backfill":
        return BackfillTool(options, aws, target)
    return RedriveTool(options, aws, target)


def _ended_early(options: argparse.Namespace, tool: Tool | None, why: str, code: int) -> int:
    """Say why, and how to start again if anything was begun."""
    said = f"{options.tool}: {why}"
    if options.json:
        _print_json(options, error=why, **(tool.document() if tool else {}))
    elif tool:
        show(tool.lines(), sys.stdout)  # what was found by then
    show([said, *([f"{options.tool}: {tool.go_on()}"] if tool else [])], sys.stderr)
    return code


def _print_json(options: argparse.Namespace, **values: object) -> None:
    sys.stdout.write(json.dumps({"tool": options.tool, **values}, indent=2, ensure_ascii=False) + "\n")
    sys.stdout.flush()
