"""Data classes for the results of an audit and of the comparison of one object key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from operations.compare import Finding


@dataclass(kw_only=True)
class Counts:
    """Numbers of object versions and rows that an audit compared or omitted.

    Attributes:
        keys: compared object keys.
        versions: compared object versions, without delete markers.
        markers: compared delete markers.
        not_indexed: versions and delete markers that the filter of the bucket notification excludes.
        too_young: versions, delete markers and rows that are too new for a comparison with the inventory.
        rows: rows of the bucket in the table.
        without_content: rows of existing objects whose content the inspector has not described.
    """

    keys: int = 0
    versions: int = 0
    markers: int = 0
    not_indexed: int = 0
    too_young: int = 0
    rows: int = 0
    without_content: int = 0


@dataclass(kw_only=True)
class AuditReport(Counts):
    """The results of an audit.

    Attributes:
        unlisted: number of versions that the inventory lacks although the bucket and the table contain them.
        heads: object versions whose row was compared with the response of a HEAD request.
        unreadable: object versions for which S3 returned no response to HEAD, because they were deleted or are lost.
        rechecked: versions that differed in the first comparison.
        findings: differences that the second comparison confirmed, in key order.
        sent: number of events that were sent to the indexer.
    """

    unlisted: int = 0
    heads: int = 0
    unreadable: int = 0
    rechecked: int = 0
    findings: list[Finding] = field(default_factory=list)
    sent: int = 0


@dataclass
class ComparedKey:
    """Result of the comparison of one object key: its versions with their rows.

    Attributes:
        findings: the differences.
        heads: number of versions that were compared with the response of a HEAD request.
        unreadable: number of versions for which a HEAD request returned no attributes.
        unlisted: number of versions that the inventory lacks although the bucket and the table contain them.
    """

    findings: list[Finding]
    heads: int = 0
    unreadable: int = 0
    unlisted: int = 0
