"""The command `tapstack`: parses the arguments, runs a tool and prints its report."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from operations import program
from operations.analytics.options import SOURCE_TOOLS
from operations.audit import GRACE
from operations.aws import Aws
from operations.discovery import from_function, from_settings, stack_and_queue
from operations.errors import OperatorError
from operations.notification import notification, region_of_topic
from operations.options import parse
from operations.output import Progress, json_text, print_lines
from operations.planning.capacity import CapacityTool
from operations.planning.cost import CostTool
from operations.target import Target, from_outputs, region_from_arn
from operations.tool import FAILED, INTERRUPTED, Tool
from operations.tools.adopt import AdoptTool
from operations.tools.audit import AuditTool
from operations.tools.backfill import BackfillTool
from operations.tools.inspection import InspectionTool
from operations.tools.redrive import RedriveTool
from operations.tools.restore_rows import RestoreRowsTool
from operations.version import NAME

if TYPE_CHECKING:
    from operations.settings_document import ExpectedSettings

STACK_TOOLS: Mapping[str, Callable[[argparse.Namespace, Aws, Target, ExpectedSettings | None], Tool]] = {
    "restore-rows": RestoreRowsTool,
    "adopt": AdoptTool,
    "backfill": InspectionTool,
}
"""The tools that need the names of the stack's resources and the settings document; `backfill` only with --inspect."""

PACKAGES = "requirements-operations.txt"
"""File with the packages that the tools need."""
PLANNING_TOOLS: Mapping[str, Callable[[argparse.Namespace], Tool]] = {"capacity": CapacityTool, "cost": CostTool}
"""The tools that need no access to AWS."""


def main(
    arguments: Sequence[str],
    *,
    connect: Callable[[str | None], Aws] = Aws.connect,
    grace: float = GRACE,
    cache: Path | None = None,
) -> int:
    """Run one tool and return the exit code.

    Args:
        arguments: the command-line arguments without the program name.
        connect: creates the AWS clients for a region; the region None selects the environment's region.
        grace: seconds between the two comparisons of the audit.
        cache: the cache folder; None selects that of the environment.
    """
    options = parse(arguments)
    tool, reason = None, ""
    try:
        tool = _create_tool(options, connect, grace, cache)
        code = tool.run(Progress(sys.stderr))
    except OperatorError as error:
        code, reason = FAILED, str(error)
    except KeyboardInterrupt:
        code, reason = INTERRUPTED, "interrupted"
    except program.OutputError:  # Standard output is closed or full: `operations.program.run` reports this error.
        raise
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        code, reason = FAILED, f"the package {package} is not installed: run pip install -r {PACKAGES}"
    except Exception as bug:  # noqa: BLE001  Python's exit code for a traceback would mean "differences found"
        traceback.print_exc()
        code, reason = FAILED, f"a bug in this tool: {type(bug).__name__}: {bug}"
    # The message is published before the results are printed, because stdout may be closed or on a full disk.
    unpublished = _notify(options, tool, code, reason, connect)
    if reason or tool is None:
        _report_error(options, tool, reason)
    elif options.json:
        _print_json(options, **tool.document(), summary=tool.summary())
    else:
        print_lines([*tool.lines(), *filter(None, [tool.summary()])], sys.stdout)
    if unpublished:
        print_lines([f"{options.tool}: {unpublished}"], sys.stderr)
        return FAILED
    return code


def run() -> NoReturn:
    """Run the command with the arguments of the process, and exit with its exit code."""
    program.run(main, name=NAME, failure_code=FAILED)


def _outputs_and_aws(options: argparse.Namespace, connect: Callable[[str | None], Aws]) -> tuple[Target | None, Aws]:
    outputs = None if options.stack_outputs is None else from_outputs(options.stack_outputs)
    return outputs, connect(outputs.region if outputs else region_from_arn(options.function))


def _find_stack(
    options: argparse.Namespace, connect: Callable[[str | None], Aws]
) -> tuple[Aws, Target, ExpectedSettings | None]:
    outputs, aws = _outputs_and_aws(options, connect)
    return (aws, *from_settings(options.function, outputs, aws))


def _find_queue(options: argparse.Namespace, connect: Callable[[str | None], Aws]) -> tuple[Aws, Target, str]:
    outputs, aws = _outputs_and_aws(options, connect)
    return (aws, *stack_and_queue(options.function, outputs, aws))


def _find_target(options: argparse.Namespace, connect: Callable[[str | None], Aws]) -> tuple[Aws, Target]:
    outputs, aws = _outputs_and_aws(options, connect)
    return aws, outputs or from_function(options.function, aws)


def _create_tool(
    options: argparse.Namespace, connect: Callable[[str | None], Aws], grace: float, cache: Path | None
) -> Tool:
    if (planned := PLANNING_TOOLS.get(options.tool)) is not None:
        return planned(options)
    if options.tool in (*SOURCE_TOOLS, "cache"):
        from operations.tools import rows  # noqa: PLC0415  the import of DuckDB takes time, and only these tools need it

        return rows.create(options, cache, connect=connect, find_stack=lambda: _find_stack(options, connect))
    if options.tool == "audit":
        aws, target, expected = _find_stack(options, connect)
        aws.require_bucket_owner(target.account)
        snapshotter = None
        if options.from_inventory is not None:
            from operations.inventory.source import Snapshotter  # noqa: PLC0415  this module imports DuckDB, which is slow
            from operations.tools.rows import open_cache  # noqa: PLC0415  see above

            snapshotter = Snapshotter(options, aws, target, expected, open_cache(cache))
        return AuditTool(options, aws, target, expected, snapshotter, grace=grace)
    if options.tool == "redrive":
        return RedriveTool(options, *_find_queue(options, connect))
    if options.tool == "backfill" and not options.inspect:
        aws, target = _find_target(options, connect)
        aws.require_bucket_owner(target.account)
        return BackfillTool(options, aws, target)
    return STACK_TOOLS[options.tool](options, *_find_stack(options, connect))


def _notify(
    options: argparse.Namespace, tool: Tool | None, code: int, reason: str, connect: Callable[[str | None], Aws]
) -> str:
    """Publish a message about the result of an audit with the option --notify, and return the error message if any.

    If the result requires no message, the topic is only checked: otherwise the first message would be lost.
    """
    topic = getattr(options, "notify", None)
    lines = [f"{options.tool}: {reason}"] * bool(reason)
    if isinstance(tool, AuditTool) and (options.all_buckets or not reason):
        lines += tool.lines_without_keys()
    message = notification(str(options.function or options.stack_outputs), code, lines) if topic else None
    try:
        if topic:
            aws = connect(region_of_topic(topic))
            if message:
                aws.publish(topic, message.subject, message.text)
            else:
                aws.check_topic(topic)
    except OperatorError as error:
        return str(error)
    return ""


def _report_error(options: argparse.Namespace, tool: Tool | None, reason: str) -> None:
    """Print why a tool stopped. If it had started, also print its results so far and how to continue."""
    lines = [reason, *filter(None, [tool.resume_hint()])] if tool else [reason]
    try:
        if options.json:
            _print_json(options, error=reason, **(tool.document() if tool else {}))
        elif tool:
            print_lines(tool.lines(), sys.stdout)
    finally:  # The results cannot be printed if the disk is full; the reason is still printed.
        print_lines([f"{options.tool}: {line}" for line in lines], sys.stderr)


def _print_json(options: argparse.Namespace, **values: object) -> None:
    document = {"tool": options.tool, "schema": options.schema, **values}
    sys.stdout.write(json_text(document, indent=2) + "\n")
    sys.stdout.flush()
