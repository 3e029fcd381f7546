"""Results of a HEAD request to S3: the response for an object, or the cause for which S3 returns no attributes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class DeleteMarker:
    """Head result of a delete marker, which contains at most the time of its creation."""

    last_modified: datetime | None = None  # UTC


@dataclass(frozen=True, kw_only=True)
class Unreadable:
    """Head result of an object that exists, but whose attributes S3 does not return."""

    encryption: str | None  # value of the row attribute `encryption`, if it is the cause; None if S3 lost the data


HeadResult = dict[str, Any] | DeleteMarker | Unreadable | None
"""Result of a HEAD request: botocore's response for an object, a delete marker, an unreadable object, or None if the
version does not exist."""
