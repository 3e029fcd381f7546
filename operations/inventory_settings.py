"""Defines the S3 Inventory configuration of a stack, and compares it with a bucket's configuration in AWS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from operations.s3_url import split_s3_url
from operations.setting_findings import REFRESH, SettingsReport, differ

if TYPE_CHECKING:
    from operations.aws import Aws
    from operations.settings_document import ExpectedSettings
    from operations.target import Target

FIELDS = ("Size", "LastModifiedDate", "StorageClass", "ETag", "EncryptionStatus", "ChecksumAlgorithm")
"""Optional fields in the inventories. `tap_stack` configures the same fields for the upload bucket."""


def inventory_id(target: Target) -> str:
    """Return the ID of the stack's inventory configurations: the project and the environment, as in resource names."""
    return target.function.removesuffix("-indexer")


def inventory_configuration(target: Target, location: str) -> dict[str, Any]:
    """Return the inventory configuration that the stack requires, in the format of the S3 API.

    Args:
        target: the deployed stack.
        location: the field `inventory_location` of the settings document, such as `s3://BUCKET/inventory`.
    """
    bucket, prefix = split_s3_url(location)
    destination = {
        "AccountId": target.account,
        "Bucket": f"arn:{target.function_arn.split(':')[1]}:s3:::{bucket}",
        "Format": "Parquet",
        "Prefix": prefix,
        "Encryption": {"SSES3": {}},
    }
    return {
        "Id": inventory_id(target),
        "IsEnabled": True,
        "IncludedObjectVersions": "All",
        "OptionalFields": list(FIELDS),
        "Schedule": {"Frequency": "Daily"},
        "Destination": {"S3BucketDestination": destination},
    }


def inventory_differences(actual: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    """Yield a text for each setting that differs between two inventory configurations.

    Args:
        actual: the bucket's configuration in AWS.
        wanted: the configuration that the stack requires.
    """
    found, expected = _settings(actual), _settings(wanted)
    yield from (f"{name}: {differ(found[name], value)}" for name, value in expected.items() if found[name] != value)


def compare_inventory(aws: Aws, expected: ExpectedSettings, report: SettingsReport) -> None:
    """Add a finding for each difference between the upload bucket's inventory configuration and the required one.

    Args:
        aws: client for AWS calls in the region of the stack.
        expected: settings document of the stack. Without an inventory location, nothing is compared.
        report: report to which the findings are added.

    Raises:
        OperatorError: the configuration cannot be read.
    """
    if not expected.inventory_location:
        return
    target, bucket = expected.target(), expected.bucket
    wanted = inventory_configuration(target, expected.inventory_location)
    actual = aws.inventory_configuration(bucket, expected.account, wanted["Id"])
    name = f"the inventory configuration {wanted['Id']!r} of the bucket {bucket!r}"
    if actual is None:
        report.add("inventory", f"{name} does not exist, so S3 writes no inventories", REFRESH)
        return
    for difference in inventory_differences(actual, wanted):
        report.add("inventory", f"{name}: {difference}", REFRESH)


def _settings(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of an inventory configuration that are compared, with its optional fields sorted."""
    destination = configuration.get("Destination", {}).get("S3BucketDestination", {})
    return {
        "IsEnabled": configuration.get("IsEnabled"),
        "IncludedObjectVersions": configuration.get("IncludedObjectVersions"),
        "OptionalFields": ", ".join(sorted(configuration.get("OptionalFields", ()))) or None,
        "Frequency": configuration.get("Schedule", {}).get("Frequency"),
        "Filter": configuration.get("Filter"),
        **{name: destination.get(name) for name in ("AccountId", "Bucket", "Format", "Prefix")},
        "Encryption": ", ".join(destination.get("Encryption") or ()) or None,
    }
