"""The outcome of one record, as the indexer decides it and telemetry reports it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lambda_code.errors import RecordError


class Result(StrEnum):
    """The result of one record; also the word in the log."""

    INDEXED = "indexed"  # the row was written, and it changed
    DUPLICATE = "duplicate"  # the row already had all of it
    DELETED = "deleted"  # the row now records that the version was deleted, or that it is a delete marker
    GONE = "gone"  # the object cannot be read (any more, or yet): the row has the attributes of the event
    IGNORED = "ignored"  # the event changes no attribute of a row
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of one record with its address and its cost. Times are in milliseconds."""

    result: Result
    request_id: str
    index: int | None = None  # None: the event as a whole
    bucket: str | None = None
    key: str | None = None
    version_id: str | None = None
    event_name: str | None = None
    attempts: int = 0  # of all AWS calls together
    retries: int = 0  # the attempts that were not the first of their call
    duration_ms: float = 0.0
    head_ms: float = 0.0
    write_ms: float = 0.0
    indexing_delay_ms: float | None = None  # from the event's time to the write of the row, of an indexed record
    error: RecordError | None = None

    @property
    def name(self) -> str:
        """The record's name in the error that the handler raises."""
        where = "the event" if self.index is None else f"record {self.index}"
        return where if self.key is None else f"{where} (key {self.key!r})"
