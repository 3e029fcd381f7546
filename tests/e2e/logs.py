"""What a function wrote into its log group."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from tests.support.index import Index

Line: TypeAlias = dict[str, Any]


class Logs:
    """The log group of the function, from a moment on, read anew each time.

    `since` is that moment, in milliseconds since 1970.
    """

    def __init__(self, index: Index, group: str, since: int) -> None:
        self._index = index
        self._group = group
        self._since = since

    def lines(self) -> Iterator[Line]:
        """Every line of JSON; START, END and REPORT are Lambda's own."""
        pages = self._index.clients.logs.get_paginator("filter_log_events")
        for page in pages.paginate(logGroupName=self._group, startTime=self._since):
            for logged in page["events"]:
                if logged["message"].startswith("{"):
                    yield json.loads(logged["message"])

    def about(self, **fields: object) -> list[Line]:
        """The lines with these fields."""
        return [line for line in self.lines() if fields.items() <= line.items()]

    def wait_for(self, **fields: object) -> Line:
        """The line with these fields, as soon as there is one."""
        [line, *_] = self._index.until(lambda: self.about(**fields), f"a line with {fields} in {self._group}")
        return line
