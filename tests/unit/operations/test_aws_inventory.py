"""Tests of the AWS calls for inventories and for exports of an earlier time, with moto and with stubbed responses."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber

from operations.errors import OperatorError
from operations.inventory.files import verify
from operations.inventory.places import RemotePlace
from tests.support.export_folder import ID, TABLE_ARN
from tests.support.inventory_folder import BUCKET, CONFIGURATION, CREATED, LOG_BUCKET, WrittenInventory, write_inventory
from tests.support.nonempty import nonempty
from tests.support.operations_fakes import version

if TYPE_CHECKING:
    from operations.aws import Aws

LOCATION = f"s3://{LOG_BUCKET}/inventory"
CONFIGURATION_URL = f"{LOCATION}/{BUCKET}/{CONFIGURATION}"
EARLIEST, LATEST = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)


@pytest.fixture
def dynamodb(clients: dict[str, Any]) -> Iterator[Stubber]:
    """Fixture: stub for responses of DynamoDB."""
    with Stubber(clients["dynamodb"]) as stubber:
        yield stubber


def put(clients: dict[str, Any], folder: Path) -> None:
    """Upload all files of a local folder to the bucket that contains the inventories."""
    for path in nonempty([each for each in folder.rglob("*") if each.is_file()]):
        clients["s3"].put_object(Bucket=LOG_BUCKET, Key=str(path.relative_to(folder)), Body=path.read_bytes())


@pytest.fixture
def written(clients: dict[str, Any], tmp_path: Path) -> list[WrittenInventory]:
    """Fixture: three inventories in S3. The newest is incomplete, because it has no checksum."""
    clients["s3"].create_bucket(Bucket=LOG_BUCKET)
    inventories = [
        write_inventory(tmp_path / "s3", [version("a")], created=CREATED + timedelta(days=day)) for day in range(3)
    ]
    (inventories[2].folder / "manifest.checksum").unlink()
    put(clients, tmp_path / "s3")
    return inventories


@pytest.mark.parametrize(
    "url", [LOCATION, f"{LOCATION}/", f"s3://{LOG_BUCKET}", f"{LOCATION}/{BUCKET}", f"{CONFIGURATION_URL}/"]
)
def test_newest_complete_inventory_below_an_s3_url_is_found_and_downloaded(
    aws: Aws, written: list[WrittenInventory], tmp_path: Path, url: str
) -> None:
    place = RemotePlace(aws, url, bucket=BUCKET)
    inventory, notes = place.newest(BUCKET)
    assert inventory.created == CREATED + timedelta(days=1)
    reason = "has no manifest.checksum, so S3 has not finished the inventory, or the file was deleted"
    assert notes == [f"note: {CONFIGURATION_URL}/2026-02-07T01-00Z {reason}; an older inventory was used"]
    sizes: list[int] = []
    paths = place.data_files(inventory, tmp_path, sizes.append)
    assert [path.read_bytes() for path in paths] == [path.read_bytes() for path in written[1].data]
    assert sum(sizes) == inventory.size
    verify(list(zip(inventory.files, paths, strict=True)), lambda _: None)


@pytest.mark.parametrize("name", ["", "/", "/manifest.json", "/manifest.checksum"])
def test_s3_url_of_one_inventory_selects_only_this_inventory(
    aws: Aws, written: list[WrittenInventory], name: str
) -> None:
    place = RemotePlace(aws, f"{CONFIGURATION_URL}/{written[0].folder.name}{name}", bucket=BUCKET)
    inventory, notes = place.newest(BUCKET)
    assert (inventory.created, notes) == (CREATED, [])
    incomplete = RemotePlace(aws, f"{CONFIGURATION_URL}/{written[2].folder.name}{name}", bucket=BUCKET)
    with pytest.raises(OperatorError, match=r"2026-02-07T01-00Z has no manifest.checksum, so S3 has not finished"):
        incomplete.newest(BUCKET)


def test_inventory_of_the_audited_bucket_is_selected_below_an_s3_url_with_several_buckets(
    aws: Aws, clients: dict[str, Any], written: list[WrittenInventory], tmp_path: Path
) -> None:
    assert written
    write_inventory(tmp_path / "other", [version("a")], bucket="another", created=CREATED + timedelta(days=9))
    put(clients, tmp_path / "other")
    assert RemotePlace(aws, LOCATION, bucket=BUCKET).newest(BUCKET)[0].bucket == BUCKET
    with pytest.raises(OperatorError, match="'another'"):
        RemotePlace(aws, f"{LOCATION}/another", bucket=BUCKET).newest(BUCKET)[0].check(BUCKET, versioned=True)


@pytest.mark.usefixtures("written")
def test_s3_url_without_an_inventory_is_an_error(aws: Aws) -> None:
    with pytest.raises(
        OperatorError, match="s3://log-bucket/x has no inventory: give a folder or an s3:// URL that contains"
    ):
        RemotePlace(aws, f"s3://{LOG_BUCKET}/x", bucket=BUCKET).newest(BUCKET)


def test_missing_inventory_bucket_is_an_error_with_a_remedy(aws: Aws) -> None:
    with pytest.raises(
        OperatorError, match=r"cannot list s3://log-bucket/inventory/(.|\n)*The inventories of the stack are in its"
    ):
        RemotePlace(aws, LOCATION, bucket=BUCKET).newest(BUCKET)


def test_deleted_data_file_of_an_inventory_is_an_error_with_its_url(
    aws: Aws, clients: dict[str, Any], written: list[WrittenInventory], tmp_path: Path
) -> None:
    place = RemotePlace(aws, LOCATION, bucket=BUCKET)
    inventory, _ = place.newest(BUCKET)
    key = inventory.files[0].key
    clients["s3"].delete_object(Bucket=LOG_BUCKET, Key=key)
    assert written[1].data[0].name in key
    with pytest.raises(
        OperatorError, match=f"cannot download s3://log-bucket/{key}(.|\n)*The inventory lists this file, but"
    ):
        place.data_files(inventory, tmp_path, lambda _: None)


@pytest.mark.usefixtures("written")
def test_inventory_requests_contain_the_account_that_must_own_the_bucket(
    aws: Aws, clients: dict[str, Any], tmp_path: Path
) -> None:
    owners: list[object] = []
    clients["s3"].meta.events.register(
        "before-parameter-build.s3", lambda params, **_: owners.append(params.get("ExpectedBucketOwner"))
    )
    aws.require_bucket_owner("123456789012")
    place = RemotePlace(aws, LOCATION, bucket=BUCKET)
    place.data_files(place.newest(BUCKET)[0], tmp_path, lambda _: None)
    assert set(owners) == {"123456789012"}


def test_recovery_window_is_the_earliest_and_the_latest_restorable_time(aws: Aws, dynamodb: Stubber) -> None:
    window = {
        "PointInTimeRecoveryStatus": "ENABLED",
        "EarliestRestorableDateTime": EARLIEST,
        "LatestRestorableDateTime": LATEST,
    }
    description = {"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": window}
    expected = {"TableName": "objects"}
    dynamodb.add_response("describe_continuous_backups", {"ContinuousBackupsDescription": description}, expected)
    assert aws.recovery_window("objects") == (EARLIEST, LATEST)


def test_recovery_window_of_a_table_without_point_in_time_recovery_is_none(aws: Aws, dynamodb: Stubber) -> None:
    disabled = {"PointInTimeRecoveryStatus": "DISABLED"}
    description = {"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": disabled}
    dynamodb.add_response("describe_continuous_backups", {"ContinuousBackupsDescription": description})
    assert aws.recovery_window("objects") is None


def test_denied_request_for_the_recovery_window_is_an_error_with_the_missing_permission(
    aws: Aws, dynamodb: Stubber
) -> None:
    dynamodb.add_client_error("describe_continuous_backups", "AccessDeniedException", http_status_code=400)
    with pytest.raises(OperatorError, match="The permission dynamodb:DescribeContinuousBackups is missing"):
        aws.recovery_window("objects")


def test_table_export_of_an_earlier_time_is_requested_with_this_time(aws: Aws, dynamodb: Stubber) -> None:
    description = {"ExportArn": f"{TABLE_ARN}/export/{ID}", "ExportStatus": "IN_PROGRESS"}
    dynamodb.add_response("export_table_to_point_in_time", {"ExportDescription": description})
    requests: list[dict[str, Any]] = []
    dynamodb.client.meta.events.register(
        "before-parameter-build.dynamodb.ExportTableToPointInTime", lambda params, **_: requests.append(dict(params))
    )
    aws.start_export(TABLE_ARN, bucket="exports", prefix="exports/now", owner="123456789012", time=CREATED)
    assert [each["ExportTime"] for each in requests] == [CREATED]
