"""Tests of the checks that an inventory contains all keys and versions of its bucket."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from operations.analytics.engine import Engine
from operations.aws.errors import translated_errors
from operations.errors import OperatorError
from operations.inventory.compare import UNSETTLED
from operations.inventory.coverage import (
    PAGES_BETWEEN,
    VERSIONS_PER_PAGE,
    Configuration,
    Listed,
    look_up_listed,
    read_configuration,
)
from operations.inventory.files import InventoryFile
from tests.support.inventory_tables import FakeInventory, listed, write_inventory
from tests.support.nonempty import nonempty
from tests.support.operations_fakes import START, TARGET, FakeAws, marker, version

if TYPE_CHECKING:
    from operations.listing import Version

CREATED = START + timedelta(days=30)
FILE = InventoryFile(key="inventory/uploads/indexer/data/a.parquet", size=1, md5="")
INVENTORY = FakeInventory(created=CREATED, files=(FILE,))
LAST_SETTLED_SECOND = int((CREATED - UNSETTLED - START).total_seconds()) - 1
KEYS = [f"{folder}/{number:03}" for folder in "abm" for number in range(300)] + [f"z/{each:04}" for each in range(3000)]
BUCKET = [version(key) for key in KEYS]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(spill=tmp_path_factory.mktemp("spill")) as engine:
        yield engine


class ConfiguredAws(FakeAws):
    """Fake of AWS in which S3 returns an inventory configuration or an error."""

    def __init__(self, configuration: Mapping[str, Any] | None = None, *, error: str = "") -> None:
        super().__init__()
        self.inventory = configuration
        self._error = error

    def inventory_configuration(self, bucket: str, owner: str, identifier: str) -> Mapping[str, Any] | None:
        if self._error:
            with translated_errors("read the inventory configuration"):
                response: Any = {
                    "Error": {"Code": self._error},
                    "ResponseMetadata": {"HTTPStatusCode": 403 if self._error == "AccessDenied" else 500},
                }
                raise ClientError(response, "GetBucketInventoryConfiguration")
        return super().inventory_configuration(bucket, owner, identifier)


class CountingAws(FakeAws):
    """Fake of AWS that counts the versions that the caller reads from each listing.

    Attributes:
        read: maps the key after which a listing starts to the number of its versions.
    """

    def __init__(self, versions: list[Version]) -> None:
        super().__init__(versions)
        self.read: Counter[str] = Counter()

    def versions(self, bucket: str, *, prefix: str = "", after: str = "", page: int = 1000) -> Iterator[Version]:
        self.read[after] = 0
        for each in super().versions(bucket, prefix=prefix, after=after, page=page):
            self.read[after] += 1
            yield each


def read(aws: FakeAws, *prefixes: str, versioned: bool = True, inventory: FakeInventory = INVENTORY) -> Configuration:
    return read_configuration(aws, inventory, TARGET.account, prefixes=prefixes or [""], versioned=versioned)


def look_up(engine: Engine, folder: Path, versions: list[Version], inventory: list[Version], *prefixes: str) -> Listed:
    """Look up the versions of a bucket in an inventory with other versions."""
    path = write_inventory(engine, folder / "inventory.parquet", map(listed, inventory))
    return look_up_listed(FakeAws(versions), engine, path, INVENTORY, prefixes=prefixes or [""])


@pytest.mark.parametrize("prefix", ["", "a", "reports/"])
def test_inventory_filter_is_refused_unless_it_includes_all_prefixes_of_the_audit(prefix: str) -> None:
    aws = ConfiguredAws({"IncludedObjectVersions": "All", "Filter": {"Prefix": "reports/2026/"}})
    with pytest.raises(
        OperatorError, match="has only keys with the prefix 'reports/2026/': compare these keys with --prefix"
    ):
        read(aws, prefix, "reports/2026/1")
    assert (
        read(aws, "reports/2026/0", "reports/2026/1").text()
        == "its configuration 'indexer' has the filter 'reports/2026/'"
    )


def test_filter_of_an_inventory_is_quoted_for_a_shell_in_the_remedy() -> None:
    aws = ConfiguredAws({"IncludedObjectVersions": "All", "Filter": {"Prefix": "a b/$(x)\x1b"}})
    with pytest.raises(OperatorError) as error:
        read(aws)
    assert "compare these keys with --prefix $'a b/$(x)\\x1b', or remove" in str(error.value)


def test_inventory_configuration_with_current_versions_is_refused_if_the_bucket_has_versioning() -> None:
    aws = ConfiguredAws({"IncludedObjectVersions": "Current"})
    with pytest.raises(OperatorError, match="'indexer' of the bucket 'uploads' includes only current versions, but"):
        read(aws)
    assert read(aws, versioned=False).text() == "its configuration 'indexer' has no filter"


@pytest.mark.parametrize(
    ("aws", "inventory", "reason"),
    [
        (ConfiguredAws(), INVENTORY, "the bucket has no configuration 'indexer'"),
        (ConfiguredAws(error="AccessDenied"), INVENTORY, "the permission s3:GetInventoryConfiguration is missing"),
        (ConfiguredAws(), replace(INVENTORY, files=()), "the manifest does not contain its ID"),
        (ConfiguredAws(), replace(INVENTORY, bucket="other"), "the manifest does not contain its ID"),
    ],
)
def test_unreadable_inventory_configuration_is_reported_with_the_reason(
    aws: FakeAws, inventory: FakeInventory, reason: str
) -> None:
    assert read(aws, inventory=inventory).text() == f"its configuration was not read, because {reason}"


def test_internal_error_of_the_request_for_an_inventory_configuration_is_raised() -> None:
    with pytest.raises(OperatorError, match="InternalError"):
        read(ConfiguredAws(error="InternalError"))


def test_configuration_id_of_an_empty_inventory_is_read_from_the_path_of_its_manifest() -> None:
    place = "s3://logs/inventory/uploads/weekly/2026-02-05T01-00Z/manifest.json"
    assert replace(INVENTORY, files=(), place=place).configuration_id == "weekly"
    assert replace(INVENTORY, files=(FILE, replace(FILE, key="x/uploads/b/data/c"))).configuration_id is None


@pytest.mark.parametrize("prefix", ["a/", "b/", "m/", "z/", "b/1", "z/0", "z/29", "z/2999"])
def test_listed_pages_detect_each_prefix_filter_of_an_inventory(engine: Engine, tmp_path: Path, prefix: str) -> None:
    inside = [each for each in BUCKET if each.key.startswith(prefix)]
    assert look_up(engine, tmp_path, BUCKET, inside).missing
    found = look_up(engine, tmp_path, BUCKET, inside, prefix)
    assert (found.missing, 0 < found.versions <= len(inside)) == ((), True)


def test_listed_pages_detect_a_missing_key_after_all_keys_of_a_large_inventory(engine: Engine, tmp_path: Path) -> None:
    inside = [version(f"a/{number:05}") for number in range(20_000)]
    assert look_up(engine, tmp_path, [*inside, version("b")], inside).missing == (version("b"),)


def test_listed_pages_contain_only_keys_with_the_compared_prefixes(engine: Engine, tmp_path: Path) -> None:
    inside = [each for each in BUCKET if each.key.startswith(("a/0", "m/"))]
    found = look_up(engine, tmp_path, BUCKET, inside, "a/0", "m/")
    assert (found.missing, found.versions) == ((), len(inside))
    assert {each.key[0] for each in look_up(engine, tmp_path, BUCKET, inside, "a/0", "b/", "m/").missing} == {"b"}
    assert look_up(engine, tmp_path, BUCKET, BUCKET[1:], "a/").missing == (BUCKET[0],)


def test_complete_inventory_lacks_no_listed_version(engine: Engine, tmp_path: Path) -> None:
    found = look_up(engine, tmp_path, BUCKET, BUCKET)
    assert found.missing == ()
    assert found.versions > 1000
    assert found.text() == f"{found.versions:,} of {found.versions:,} listed versions are in the inventory"


def test_complete_inventory_causes_one_list_request_for_each_page(engine: Engine, tmp_path: Path) -> None:
    aws = CountingAws([version(f"{number:05}") for number in range(20_000)])
    path = write_inventory(engine, tmp_path / "inventory.parquet", map(listed, aws.listed))
    assert look_up_listed(aws, engine, path, INVENTORY, prefixes=[""]).missing == ()
    assert len(aws.read) == PAGES_BETWEEN + 2
    assert max(aws.read.values()) == VERSIONS_PER_PAGE


def test_listed_pages_of_an_empty_bucket_contain_no_version_to_look_up(engine: Engine, tmp_path: Path) -> None:
    found = look_up(engine, tmp_path, [], [])
    assert found.text() == "S3 listed no version that is old enough for the inventory"
    assert look_up(engine, tmp_path, BUCKET[:5], []).missing == tuple(BUCKET[:5])


def test_listed_pages_detect_missing_earlier_versions_and_delete_markers(engine: Engine, tmp_path: Path) -> None:
    earlier = [version("a/000", "v0"), marker("a/001", "m0")]
    found = look_up(engine, tmp_path, [*BUCKET, *earlier], BUCKET)
    assert sorted(each.version_id for each in found.missing) == ["m0", "v0"]
    assert found.example() == "the inventory lacks a/000  v0"


@pytest.mark.parametrize(("etag", "latest"), [("e", LAST_SETTLED_SECOND), ("e-3", LAST_SETTLED_SECOND - 7 * 86_400)])
def test_recent_versions_and_multipart_uploads_of_the_week_before_are_not_looked_up(
    engine: Engine, tmp_path: Path, etag: str, latest: int
) -> None:
    young = version("0", etag=etag, seconds=latest + 1)
    assert look_up(engine, tmp_path, [young, *BUCKET], BUCKET).missing == ()
    old = version("0", etag=etag, seconds=latest)
    assert look_up(engine, tmp_path, [old, *BUCKET], BUCKET).missing == (old,)


def test_listing_for_an_inventory_continues_after_many_recent_versions(engine: Engine, tmp_path: Path) -> None:
    young = [version(f"0{number:05}", seconds=LAST_SETTLED_SECOND + 1) for number in range(2500)]
    for rest in nonempty((BUCKET[:1], BUCKET[:5])):
        assert look_up(engine, tmp_path, [*young, *rest], []).missing == tuple(rest)


def test_listed_pages_detect_missing_keys_between_existing_keys(engine: Engine, tmp_path: Path) -> None:
    assert look_up(engine, tmp_path, BUCKET, BUCKET[::2]).missing
