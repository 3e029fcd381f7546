"""Tests of `adopt --inventory` with boto3 clients that are connected to a fake bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from operations.adopt import WAITS_SECONDS
from operations.inventory_adoption import InventoryAdoption
from operations.inventory_settings import FIELDS
from tests.support.existing_bucket import ACCOUNT, LOCATION, AdoptingAws, Connection, ExistingBucket
from tests.support.operations_fakes import SETTINGS, TARGET
from tests.support.shell_commands import problems
from tests.unit.operations.test_adopt import DOCUMENT, denying, with_settings

if TYPE_CHECKING:
    from tests.unit.operations.conftest import Command

LOGS = "logs-of-the-stack"
STACK = {**SETTINGS, "inventory_location": f"s3://{LOGS}/inventory"}
ENTRY = {"name": "reports", "versioned": True, "prefixes": [], "rule": "r"}
REMOVAL = (
    f"aws s3api delete-bucket-inventory-configuration --bucket reports --id indexer --expected-bucket-owner {ACCOUNT}"
)


@pytest.fixture
def adopt(run: Command, connection: Connection) -> Command:
    run.aws = AdoptingAws(connection)
    run.aws.settings = {**STACK, "existing_buckets": [ENTRY]}
    connection.bucket = ExistingBucket(document=DOCUMENT)
    return run


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("adopt", "inventory_adoption"):
        monkeypatch.setattr(f"operations.{module}.WAITS_SECONDS", [0.0] * len(WAITS_SECONDS))


def test_adopt_inventory_without_apply_prints_the_price_and_changes_nothing(
    adopt: Command, connection: Connection
) -> None:
    assert adopt("adopt", "reports", "--inventory") == 1
    assert adopt.lines[-1].endswith(
        "dry run: --apply makes the change; the inventory configuration is missing: --apply adds it"
    )
    assert any("S3 Inventory charges $0.0025 per million object versions" in line for line in adopt.lines)
    assert connection.bucket.inventories == {}
    assert {name.partition(" ")[0] for name in connection.bucket.requests} == {"GET"}


def test_adopt_without_option_inventory_reads_no_inventory_configurations(
    adopt: Command, connection: Connection
) -> None:
    assert adopt("adopt", "reports", "--apply", "--json") == 0
    assert (adopt.document["inventory"], adopt.document["inventory_removal_command"]) == (None, "")
    assert not any("inventory" in name for name in connection.bucket.requests)


def test_adopt_inventory_adds_one_configuration_and_prints_its_removal_command(
    adopt: Command, connection: Connection
) -> None:
    assert adopt("adopt", "reports", "--inventory", "--apply") == 0
    assert adopt.lines[-1] == (
        "adopt: EventBridge was switched on for 'reports'; unchanged: 2 notifications; the inventory configuration was "
        "added"
    )
    assert f"to remove the inventory configuration again: {REMOVAL}" in adopt.lines
    assert problems(REMOVAL) == []
    assert list(connection.bucket.inventories) == ["indexer"]
    assert adopt("adopt", "reports", "--inventory", "--apply", "--json") == 0
    names = ("inventory", "inventory_sent", "inventory_changed", "inventory_removal_command")
    assert [adopt.document[name] for name in names] == [True, False, False, REMOVAL]
    assert connection.bucket.requests.count("PUT inventory") == 1
    assert adopt("adopt", "reports", "--inventory") == 0
    assert adopt.lines[-1].endswith("; the bucket has the inventory configuration")


def test_adopt_inventory_of_an_unindexed_bucket_prints_a_note_about_the_log_bucket_policy(
    adopt: Command,
) -> None:
    note = "note: S3 cannot write inventories of this bucket until it is an entry of existingBuckets"
    assert adopt("adopt", "reports", "--inventory", "--apply") == 0
    assert not any(line.startswith(note) for line in adopt.lines)
    adopt.aws.settings = STACK
    assert adopt("adopt", "reports", "--inventory", "--apply") == 0
    assert any(line.startswith(note) for line in adopt.lines)


@pytest.mark.parametrize("settings", [dict(SETTINGS), None])
def test_adopt_inventory_without_the_key_inventory_is_an_error_with_a_remedy(
    adopt: Command, connection: Connection, settings: dict[str, Any] | None
) -> None:
    adopt.aws.settings = settings
    assert adopt("adopt", "reports", "--inventory", "--apply") == 2
    assert "pulumi config set inventory true && pulumi up" in " ".join(adopt.errors)
    assert connection.bucket.requests == []


def test_adopt_adds_no_inventory_to_a_bucket_that_the_stack_cannot_index(
    adopt: Command, connection: Connection
) -> None:
    connection.bucket = with_settings(location=LOCATION % "us-west-2")
    assert adopt("adopt", "reports", "--inventory", "--apply") == 1
    assert adopt.lines[-1] == "adopt: the stack cannot index 'reports'; nothing was changed"
    assert not any("inventory" in name for name in connection.bucket.requests)


@pytest.mark.parametrize(
    ("request_name", "permission"),
    [("GET inventory", "s3:GetInventoryConfiguration"), ("PUT inventory", "s3:PutInventoryConfiguration")],
)
def test_denied_inventory_request_of_adopt_is_an_error_with_the_missing_permission(
    adopt: Command, connection: Connection, request_name: str, permission: str
) -> None:
    connection.bucket.before = denying(request_name)
    assert adopt("adopt", "reports", "--inventory", "--apply") == 2
    assert f"The permission {permission} is missing." in " ".join(adopt.errors)
    assert connection.bucket.inventories == {}


def test_adopt_reports_a_conflict_if_s3_does_not_return_the_added_inventory_configuration(
    adopt: Command, connection: Connection
) -> None:
    def forget(_number: int, name: str) -> None:
        if name == "PUT inventory":
            connection.bucket.inventories.clear()

    connection.bucket.after = forget
    assert adopt("adopt", "reports", "--inventory", "--apply") == 1
    assert any(line.startswith("conflict: S3 accepted the inventory configuration") for line in adopt.lines)
    assert adopt.lines[-1].endswith("; S3 does not return the inventory configuration yet")


def test_adopt_does_not_replace_another_inventory_configuration_with_the_same_id(
    adopt: Command, connection: Connection
) -> None:
    assert adopt("adopt", "reports", "--inventory", "--apply") == 0
    changed = connection.bucket.inventories["indexer"].replace(b"Daily", b"Weekly")
    connection.bucket = ExistingBucket(document=DOCUMENT, inventories={"indexer": changed})
    assert adopt("adopt", "reports", "--inventory", "--apply") == 2
    assert "the bucket 'reports' has another inventory configuration with the ID 'indexer'" in " ".join(adopt.errors)
    assert "Frequency: the value is 'Weekly', but the stack's value is 'Daily'" in " ".join(adopt.errors)
    assert REMOVAL in " ".join(adopt.errors)
    assert connection.bucket.inventories == {"indexer": changed}
    assert not any(name.startswith("PUT") for name in connection.bucket.requests)


def test_adopt_keeps_other_inventory_configurations_of_the_bucket(connection: Connection) -> None:
    connection.bucket = ExistingBucket(inventories={"theirs": b"<InventoryConfiguration/>"})
    aws = AdoptingAws(connection)
    adoption = InventoryAdoption(aws, TARGET, "reports", f"s3://{LOGS}/inventory", sleep=lambda _: None)
    adoption.examine()
    assert not adoption.configured
    adoption.apply()
    assert (adoption.configured, adoption.sent, adoption.changed) == (True, True, True)
    assert connection.bucket.inventories.keys() == {"theirs", "indexer"}
    assert connection.bucket.inventories["theirs"] == b"<InventoryConfiguration/>"
    added = aws.inventory_configuration("reports", ACCOUNT, "indexer")
    assert added == {
        "Id": "indexer",
        "IsEnabled": True,
        "IncludedObjectVersions": "All",
        "OptionalFields": list(FIELDS),
        "Schedule": {"Frequency": "Daily"},
        "Destination": {
            "S3BucketDestination": {
                "AccountId": ACCOUNT,
                "Bucket": f"arn:aws:s3:::{LOGS}",
                "Format": "Parquet",
                "Prefix": "inventory",
                "Encryption": {"SSES3": {}},
            }
        },
    }
