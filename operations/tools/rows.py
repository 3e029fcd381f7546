"""Creates the tools that read the rows of a table. The command imports this module, and thus DuckDB, only for them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from operations.analytics.snapshot import Cache, cache_folder
from operations.analytics.source import Source
from operations.s3_url import SCHEME
from operations.tools.cache import CacheTool
from operations.tools.export import ExportTool
from operations.tools.report import ReportTool
from operations.tools.sql import SqlTool

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from operations.analytics.athena import Athena
    from operations.aws import Aws
    from operations.settings_document import ExpectedSettings
    from operations.target import Target
    from operations.tool import Tool

TOOLS: Mapping[str, Callable[[argparse.Namespace, Source, Cache, Athena | None], Tool]] = {
    "report": ReportTool,
    "sql": SqlTool,
    "export": ExportTool,
}


def open_cache(folder: Path | None) -> Cache:
    """Return the cache in a folder; None selects the cache folder of the environment."""
    return Cache(folder or cache_folder(os.environ))


def create(
    options: argparse.Namespace,
    folder: Path | None,
    *,
    connect: Callable[[str | None], Aws],
    find_stack: Callable[[], tuple[Aws, Target, ExpectedSettings | None]],
) -> Tool:
    """Create a tool that uses the cache. Of the sources of rows, only an existing export needs no stack.

    Args:
        options: the parsed options of the tool.
        folder: the cache folder; None selects that of the environment.
        connect: creates the AWS clients for a region; the region None selects the environment's region.
        find_stack: finds the stack that the options name.
    """
    cache = open_cache(folder)
    if options.tool == "cache":
        return CacheTool(cache)
    create_tool = TOOLS[options.tool]
    if options.function is None and options.stack_outputs is None:
        remote = options.from_export.startswith(SCHEME)
        return create_tool(options, Source(options, connect(None) if remote else None, None, None, cache), cache, None)
    aws, target, expected = find_stack()
    source = Source(options, aws, target, expected, cache)
    return create_tool(options, source, cache, _create_athena(options, aws, expected))


def _create_athena(options: argparse.Namespace, aws: Aws, expected: ExpectedSettings | None) -> Athena | None:
    """Return the stack's Athena workgroup if the tool uses it; `export` uses it if it exists."""
    has_athena = expected is not None and expected.athena_workgroup != ""
    if not (has_athena if options.tool == "export" else options.athena):
        return None
    from operations.analytics.athena import Athena  # noqa: PLC0415  the import takes 0.1 s, and few tools need it

    return Athena(aws, expected)
