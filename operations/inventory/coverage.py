"""Checks that an inventory has all keys of its bucket: by its configuration, and by a listing of parts of the bucket.

An inventory whose configuration has a filter is valid, but lacks keys. If such keys have no row, the comparison does
not miss them. The configuration shows its filter, but it can have been deleted or changed since the inventory.
Therefore, some pages of the bucket are listed, too: each version that is older than the unsettled period must be in the
inventory. The pages at the beginning of the bucket and after the last key of the inventory find each filter of a
prefix. The pages between them find other gaps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from operations.analytics.engine import literal, parquet, translated_errors
from operations.aws.errors import is_denied
from operations.errors import OperatorError
from operations.inventory.compare import UNSETTLED
from operations.output import count, visible
from operations.pool import map_in_order

if TYPE_CHECKING:
    from operations.analytics.engine import Engine
    from operations.aws import Aws
    from operations.inventory.files import Inventory
    from operations.listing import Version

PAGES_BETWEEN = 4
"""Number of listed pages between the first and the last key."""
VERSIONS_PER_PAGE, MAX_VERSIONS = 1000, 10_000
"""Versions of one page, and maximum number of listed versions until one is old enough to be in the inventory."""
MULTIPART = "-"
"""Part of the ETag of a multipart upload, whose time is that of its beginning and not that of its completion."""


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """The inventory configuration of an inventory.

    Attributes:
        identifier: ID of the configuration; None if the inventory does not contain it.
        values: the configuration in the format of the S3 API; None if it cannot be read.
        reason: why it was not read; empty if it was read.
        denied: whether AWS denied the request.
    """

    identifier: str | None
    values: Mapping[str, Any] | None = None
    reason: str = ""
    denied: bool = False

    @property
    def filter(self) -> str:
        """Prefix of the keys in the inventories; empty if there is no filter."""
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
    """The result of looking up listed versions in an inventory.

    Attributes:
        versions: number of listed versions that the inventory must have.
        missing: those of them that the inventory lacks.
    """

    versions: int
    missing: tuple[Version, ...]

    def text(self) -> str:
        """Return the result of the check as a part of a sentence."""
        if not self.versions:
            return "no listed version is old enough to be in the inventory"
        found = self.versions - len(self.missing)
        return f"{found:,} of {count(self.versions, 'listed version')} are in the inventory"

    def example(self) -> str:
        """Return a line with a version that the inventory lacks."""
        [first, *_] = self.missing
        return f"the inventory lacks {visible(first.key)}  {first.version_id}"


def read_configuration(
    aws: Aws, inventory: Inventory, owner: str, *, prefixes: Sequence[str], versioned: bool
) -> Configuration:
    """Read the configuration of an inventory, and check that it includes all versions of the keys.

    Args:
        aws: the AWS calls.
        inventory: the inventory.
        owner: ID of the account of the bucket.
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
            f"{name} has a filter, so {inventory.place} has only keys with the prefix {found.filter!r}: compare these "
            f"with --prefix {found.filter}, or remove the filter and use the next inventory, or run audit without "
            "--from-inventory."
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
        aws: the AWS calls.
        engine: the engine.
        path: Parquet file of the loaded inventory.
        inventory: the facts about the inventory.
        prefixes: prefixes of the keys to compare.

    Raises:
        OperatorError: the bucket cannot be listed.
    """
    source, limit = parquet(path), inventory.created - UNSETTLED
    compared = [f"starts_with(key, {literal(each)})" for each in prefixes]
    columns = ", ".join(f"max(key) FILTER ({each})" for each in compared)
    # The smallest hash values belong to random keys.
    random = f"min_by(key, hash(key, version_id), {PAGES_BETWEEN}) FILTER ({' OR '.join(compared) or 'false'})"
    with translated_errors("read the keys of the inventory"):
        [(between, *last)] = engine.rows(f"SELECT {', '.join(filter(None, [random, columns]))} FROM {source}")  # noqa: S608  literals

    def page(start: tuple[str, str]) -> list[Version]:
        prefix, after = start
        listed = aws.versions(inventory.bucket, prefix=prefix, after=after, page=VERSIONS_PER_PAGE)
        settled: list[Version] = []
        for number, each in enumerate(islice(listed, MAX_VERSIONS)):
            if number % VERSIONS_PER_PAGE == 0 and settled:
                break
            settled += [each] * (each.last_modified < limit and MULTIPART not in each.etag)
        return settled

    ends = [(prefix, key or "") for prefix, key in zip(prefixes, last, strict=True)]
    inner = [(next(filter(key.startswith, prefixes)), key) for key in between or ()]
    starts = sorted({*((prefix, "") for prefix in prefixes), *ends, *inner})
    versions = {(each.key, each.version_id): each for _, found in map_in_order(page, starts) for each in found}
    if not versions:
        return Listed(versions=0, missing=())
    names = "SELECT unnest(?) AS key, unnest(?) AS version_id"
    sql = f"SELECT key, version_id FROM {source} SEMI JOIN ({names}) AS listed USING (key, version_id)"  # noqa: S608  no value of a user
    with translated_errors("look up listed versions in the inventory"):
        found = set(engine.rows(sql, [list(each) for each in zip(*versions, strict=True)]))
    return Listed(
        versions=len(versions), missing=tuple(each for address, each in versions.items() if address not in found)
    )
