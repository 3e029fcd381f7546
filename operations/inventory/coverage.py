"""Checks that an inventory has all keys of its bucket.

If the inventory configuration has a prefix filter, the inventory lacks keys. The comparison does not find a key that
also has no row. The first check reads the filter of the configuration. However, the configuration can have been changed
or deleted after the creation of the inventory. The second check lists some pages of the bucket: the inventory must have
each listed version that is older than the unsettled period. The first page and the page after the last key of the
inventory find each prefix filter. The pages between them find other gaps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from operations.analytics.engine import literal, parquet
from operations.analytics.engine_errors import translated_errors
from operations.aws.errors import is_denied
from operations.errors import OperatorError
from operations.inventory.compare import UNSETTLED
from operations.output import count, quoted, visible
from operations.pool import map_in_order

if TYPE_CHECKING:
    from operations.analytics.engine import Engine
    from operations.aws import Aws
    from operations.inventory.files import Inventory
    from operations.listing import Version

PAGES_BETWEEN = 4
"""Number of listed pages between the first page and the page after the last key of the inventory."""
VERSIONS_PER_PAGE, MAX_VERSIONS = 1000, 10_000
"""Number of versions per page, and maximum number of versions to list until one is old enough for the inventory."""
MULTIPART = "-"
"""Part of the ETag of a multipart upload. S3 lists the time at which such an upload started, not its completion."""
LONGEST_UPLOAD = timedelta(days=7)
"""Maximum duration of a multipart upload in the check. The stack's bucket aborts longer uploads."""


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """S3 inventory configuration that has produced an inventory.

    Attributes:
        identifier: ID of the configuration; None if the manifest does not contain the ID.
        values: configuration in the format of the S3 API; None if it was not read.
        reason: reason for which the configuration was not read; empty if it was read.
        denied: whether AWS denied the request for the configuration.
    """

    identifier: str | None
    values: Mapping[str, Any] | None = None
    reason: str = ""
    denied: bool = False

    @property
    def filter(self) -> str:
        """Prefix of the keys that the configuration includes; empty if the configuration has no filter."""
        return str((self.values or {}).get("Filter", {}).get("Prefix", ""))

    def text(self) -> str:
        """Return the result of the check as a part of a sentence."""
        if self.values is None:
            return f"its configuration was not read, because {self.reason}"
        return f"its configuration {self.identifier!r} has " + (
            f"the filter {self.filter!r}" if self.filter else "no filter"
        )


@dataclass(frozen=True, kw_only=True)
class Listed:
    """Result of looking up listed versions in an inventory.

    Attributes:
        versions: number of listed versions that the inventory must have.
        missing: listed versions that the inventory lacks.
    """

    versions: int
    missing: tuple[Version, ...]

    def text(self) -> str:
        """Return the result of the check as a part of a sentence."""
        if not self.versions:
            return "S3 listed no version that is old enough for the inventory"
        found = self.versions - len(self.missing)
        return f"{found:,} of {count(self.versions, 'listed version')} are in the inventory"

    def example(self) -> str:
        """Return a message with the first version that the inventory lacks."""
        [first, *_] = self.missing
        return f"the inventory lacks {visible(first.key)}  {first.version_id}"


def read_configuration(
    aws: Aws, inventory: Inventory, owner: str, *, prefixes: Sequence[str], versioned: bool
) -> Configuration:
    """Read the configuration of an inventory, and check that it includes all versions of the compared keys.

    Args:
        aws: client for the AWS calls.
        inventory: content of the inventory's manifest.
        owner: ID of the account that owns the bucket.
        prefixes: prefixes of the keys to compare.
        versioned: whether the bucket has ever had versioning.

    Raises:
        OperatorError: the configuration excludes keys or versions, or an AWS call failed.
    """
    identifier = inventory.configuration_id
    if identifier is None:
        return Configuration(identifier=None, reason="the manifest does not contain its ID")
    name = f"the inventory configuration {identifier!r} of the bucket {inventory.bucket!r}"
    try:
        values = aws.inventory_configuration(inventory.bucket, owner, identifier)
    except OperatorError as error:
        if not is_denied(error):
            raise
        reason = "the permission s3:GetInventoryConfiguration is missing"
        return Configuration(identifier=identifier, reason=reason, denied=True)
    if values is None:
        return Configuration(identifier=identifier, reason=f"the bucket has no configuration {identifier!r}")
    found = Configuration(identifier=identifier, values=values)
    if not all(each.startswith(found.filter) for each in prefixes):
        raise OperatorError(
            f"{name} has a filter, so {inventory.place} has only keys with the prefix {found.filter!r}: compare "
            f"these keys with --prefix {quoted(found.filter)}, or remove the filter and use the next inventory, or run "
            "audit without --from-inventory."
        )
    if versioned and values.get("IncludedObjectVersions") == "Current":
        raise OperatorError(
            f"{name} includes only current versions, but the bucket has versioning: include all versions and use the "
            "next inventory, or run audit without --from-inventory."
        )
    return found


def look_up_listed(aws: Aws, engine: Engine, path: Path, inventory: Inventory, *, prefixes: Sequence[str]) -> Listed:
    """List some pages of the bucket, and look up their versions in the inventory.

    Args:
        aws: client for the AWS calls.
        engine: DuckDB engine.
        path: Parquet file into which `load` has written the inventory.
        inventory: content of the inventory's manifest.
        prefixes: prefixes of the keys to compare.

    Raises:
        OperatorError: the bucket cannot be listed.
    """
    source, limit = parquet(path), inventory.created - UNSETTLED
    compared = [f"starts_with(key, {literal(each)})" for each in prefixes]
    columns = ", ".join(f"max(key) FILTER ({each})" for each in compared)
    # The versions with the smallest hash values are a random sample.
    random = f"min_by(key, hash(key, version_id), {PAGES_BETWEEN}) FILTER ({' OR '.join(compared) or 'false'})"
    with translated_errors("read the keys of the inventory"):
        [(between, *last)] = engine.rows(f"SELECT {', '.join(filter(None, [random, columns]))} FROM {source}")  # noqa: S608  the parts are quoted literals and constants

    def page(start: tuple[str, str]) -> list[Version]:
        prefix, after = start
        listed = aws.versions(inventory.bucket, prefix=prefix, after=after, page=VERSIONS_PER_PAGE)
        settled: list[Version] = []
        for number, each in enumerate(islice(listed, MAX_VERSIONS), 1):
            settled += [each] * (each.last_modified < limit - LONGEST_UPLOAD * (MULTIPART in each.etag))
            if number % VERSIONS_PER_PAGE == 0 and settled:
                break
        return settled

    ends = [(prefix, key or "") for prefix, key in zip(prefixes, last, strict=True)]
    inner = [(next(filter(key.startswith, prefixes)), key) for key in between or ()]
    starts = sorted({*((prefix, "") for prefix in prefixes), *ends, *inner})
    versions = {(each.key, each.version_id): each for _, found in map_in_order(page, starts) for each in found}
    if not versions:
        return Listed(versions=0, missing=())
    names = "SELECT unnest(?) AS key, unnest(?) AS version_id"
    sql = f"SELECT key, version_id FROM {source} SEMI JOIN ({names}) AS listed USING (key, version_id)"  # noqa: S608  the values are parameters
    with translated_errors("look up listed versions in the inventory"):
        found = set(engine.rows(sql, [list(each) for each in zip(*versions, strict=True)]))
    return Listed(
        versions=len(versions), missing=tuple(each for address, each in versions.items() if address not in found)
    )
