"""The tool `cache`: deletes the rows that `sql`, `report`, `export` and `audit` have cached."""

# ruff: noqa: D102  The class operations.tool.Tool documents the methods.

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from operations.output import count
from operations.tool import OK

if TYPE_CHECKING:
    from operations.analytics.snapshot import Cache
    from operations.output import Progress


class CacheTool:
    """Tool for `cache clear`."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._snapshots = self._bytes = 0

    def run(self, progress: Progress) -> int:
        with progress.step("delete"):
            self._snapshots, self._bytes = self._cache.clear()
        return OK

    def lines(self) -> list[str]:
        return []

    def summary(self) -> str:
        return f"cache: deleted {count(self._snapshots, 'snapshot')} ({self._bytes:,} bytes) in {self._cache.folder}"

    def document(self) -> dict[str, Any]:
        return {"folder": str(self._cache.folder), "snapshots": self._snapshots, "bytes": self._bytes}

    def resume_hint(self) -> str:
        return "run `tapstack cache clear` again"
