"""Reads the log group of the indexer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from tests.support.index import Index

Line: TypeAlias = dict[str, Any]


class LogGroup:
    """Log messages of a stack's indexer since the start of the tests; each method reads them again."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._name = index.outputs["log_group_name"]

    def messages(self) -> Iterator[str]:
        """Yield every log message."""
        pages = self._index.clients.logs.get_paginator("filter_log_events")
        for page in pages.paginate(logGroupName=self._name, startTime=self._index.since):
            for event in page["events"]:
                yield event["message"]

    def lines(self) -> Iterator[Line]:
        """Yield every JSON line of the log, without Lambda's START, END and REPORT lines."""
        return (json.loads(message) for message in self.messages() if message.startswith("{"))

    def matching(self, **fields: object) -> list[Line]:
        """Return the JSON log lines with these field values."""
        return [line for line in self.lines() if fields.items() <= line.items()]

    def wait_for(self, **fields: object) -> Line:
        """Wait for a JSON log line with these field values."""
        [line, *_] = self._index.wait_until(lambda: self.matching(**fields), f"a line with {fields} in {self._name}")
        return line
