"""Results of an audit, and of the comparison of one object key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from operations.compare import Finding


@dataclass(kw_only=True)
class Counts:
    """Numbers of compared and omitted versions and rows.

    Attributes:
        keys: compared object keys.
        versions: compared object versions, without delete markers.
        markers: compared delete markers.
        not_indexed: versions and markers whose key does not match the filter of the bucket notification.
        too_young: versions, markers and rows that were not compared, because an inventory may lack their changes.
        rows: rows of the bucket.
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
        unlisted: old versions in the bucket that have a row and that the inventory lacks.
        heads: object versions whose row was compared with the response of a HEAD request.
        unreadable: object versions for which S3 returned no response to HEAD, because they were deleted or are lost.
        rechecked: versions that differed in the first comparison.
        findings: differences that remained in the second comparison, in key order.
        sent: events sent to the indexer.
    """

    unlisted: int = 0
    heads: int = 0
    unreadable: int = 0
    rechecked: int = 0
    findings: list[Finding] = field(default_factory=list)
    sent: int = 0


@dataclass
class ComparedKey:
    """The result of comparing the versions of one key with their rows.

    Attributes:
        findings: the differences.
        heads: versions compared with the response of a HEAD request.
        unreadable: versions for which S3 returned no response to HEAD.
        unlisted: old versions in the bucket that have a row and that the inventory lacks.
    """

    findings: list[Finding]
    heads: int = 0
    unreadable: int = 0
    unlisted: int = 0
