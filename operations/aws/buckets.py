"""AWS calls that read the settings of a bucket, and change its notification configuration or add an inventory.

All calls have the parameter ExpectedBucketOwner: S3 denies them if the bucket belongs to another account, for example
because another account has created a bucket with the name of a deleted one. The method `require_bucket_owner` adds this
parameter to the S3 calls of the other modules.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from lambda_common.errors import Reason
from lambda_common.retry import reason_for
from operations.aws.errors import error_code, translated_errors
from operations.bucket_notifications import EMPTY

DEFAULT_REGION = "us-east-1"
REGIONS = {None: DEFAULT_REGION, "": DEFAULT_REGION, "EU": "eu-west-1"}
"""Regions that GetBucketLocation returns by another name (S3 API Reference, GetBucketLocation)."""
UNSET = ("NoSuchBucketPolicy", "OwnershipControlsNotFoundError", "ServerSideEncryptionConfigurationNotFoundError")
"""Error codes for a setting that the bucket does not have."""
NOT_FOUND = "check the name of the bucket: `aws s3 ls` prints the buckets of the account"
SUCCESS = range(200, 300)


class BucketCalls:
    """The calls for one bucket. `Aws` creates the clients.

    The parameter `owner` of each call is the ID of the account to which the bucket must belong.
    """

    _s3: Any
    _kms: Any

    def require_bucket_owner(self, account: str) -> None:
        """Add the parameter ExpectedBucketOwner to all later S3 calls of this instance.

        Args:
            account: ID of the account to which the buckets must belong.
        """

        def add_owner(params: dict[str, Any], model: Any, **_: object) -> None:  # noqa: ANN401  botocore has no static types
            if "ExpectedBucketOwner" in model.input_shape.members:
                params.setdefault("ExpectedBucketOwner", account)

        self._s3.meta.events.register("provide-client-params.s3", add_owner)

    def bucket_location(self, bucket: str, owner: str) -> tuple[str, bool]:
        """Return the region of a bucket, and whether the bucket belongs to an account.

        Args:
            bucket: name of the bucket.
            owner: ID of the account.
        """
        with _errors(f"find the bucket {bucket!r}", "s3:GetBucketLocation"):
            try:
                response, owned = self._s3.get_bucket_location(Bucket=bucket, ExpectedBucketOwner=owner), True
            except ClientError as error:
                if reason_for(error) is not Reason.DENIED:
                    raise
                # If the same call succeeds without the expected owner, the owner was the reason for the denial.
                response, owned = self._s3.get_bucket_location(Bucket=bucket), False
        location = response.get("LocationConstraint")
        return REGIONS.get(location, location), owned

    def bucket_versioning(self, bucket: str, owner: str) -> str:
        """Return the versioning status of a bucket; `Disabled` if it was never set.

        Args:
            bucket: name of the bucket.
            owner: ID of the account.
        """
        with _errors(f"read the versioning of the bucket {bucket!r}", "s3:GetBucketVersioning"):
            response = self._s3.get_bucket_versioning(Bucket=bucket, ExpectedBucketOwner=owner)
        return str(response.get("Status", "Disabled"))

    def bucket_encryption(self, bucket: str, owner: str) -> Mapping[str, Any]:
        """Return the default encryption of a bucket as S3 returns it; empty if it has none.

        Args:
            bucket: name of the bucket.
            owner: ID of the account.
        """
        with _errors(f"read the encryption of the bucket {bucket!r}", "s3:GetEncryptionConfiguration"):
            response = _or_unset(self._s3.get_bucket_encryption, bucket, owner)
        rules = response.get("ServerSideEncryptionConfiguration", {}).get("Rules", ())
        return next((rule.get("ApplyServerSideEncryptionByDefault", {}) for rule in rules), {})

    def bucket_ownership(self, bucket: str, owner: str) -> str:
        """Return the object ownership of a bucket, such as `BucketOwnerEnforced`; `ObjectWriter` if it was never set.

        Args:
            bucket: name of the bucket.
            owner: ID of the account.
        """
        with _errors(f"read the object ownership of the bucket {bucket!r}", "s3:GetBucketOwnershipControls"):
            response = _or_unset(self._s3.get_bucket_ownership_controls, bucket, owner)
        rules = response.get("OwnershipControls", {}).get("Rules", ())
        return next((str(rule["ObjectOwnership"]) for rule in rules), "ObjectWriter")

    def bucket_policy(self, bucket: str, owner: str) -> Mapping[str, Any]:
        """Return the policy of a bucket; empty if it has none.

        Args:
            bucket: name of the bucket.
            owner: ID of the account.
        """
        with _errors(f"read the policy of the bucket {bucket!r}", "s3:GetBucketPolicy"):
            response = _or_unset(self._s3.get_bucket_policy, bucket, owner)
        policy: Mapping[str, Any] = json.loads(response.get("Policy", "{}"))
        return policy

    def key_metadata(self, key: str) -> Mapping[str, Any]:
        """Return KMS's description of a key.

        Args:
            key: ARN, ID or alias of the key.
        """
        remedy = "was the key deleted?"
        with translated_errors(f"describe the key {key!r}", not_found=remedy, permission="kms:DescribeKey"):
            metadata: Mapping[str, Any] = self._kms.describe_key(KeyId=key)["KeyMetadata"]
        return metadata

    def notification_document(self, bucket: str, owner: str) -> bytes:
        """Return the notification configuration of a bucket as the XML document of S3's response.

        Args:
            bucket: name of the bucket.
            owner: ID of the account.
        """
        body: list[bytes] = []

        def record(response_dict: Mapping[str, Any], **_: object) -> None:
            body[:] = [response_dict["body"]]

        with (
            _errors(f"read the notifications of the bucket {bucket!r}", "s3:GetBucketNotification"),
            self._handler("before-parse.s3.GetBucketNotificationConfiguration", record),
        ):
            self._s3.get_bucket_notification_configuration(Bucket=bucket, ExpectedBucketOwner=owner)
        return b"".join(body) or EMPTY

    def put_notification_document(self, bucket: str, owner: str, document: bytes) -> None:
        """Replace the notification configuration of a bucket, with exactly one request.

        S3 does not test the destinations. Otherwise, it would send a message to each queue and topic, and a destination
        that no longer exists would prevent the change.

        Args:
            bucket: name of the bucket.
            owner: ID of the account.
            document: the complete configuration in S3's XML format.
        """

        def replace(params: dict[str, Any], **_: object) -> None:
            params["body"] = document

        with (
            _errors(f"change the notifications of the bucket {bucket!r}", "s3:PutBucketNotification"),
            self._handler("before-call.s3.PutBucketNotificationConfiguration", replace),
            # A retry could replace a configuration that another writer has written since the first attempt.
            self._handler("needs-retry.s3.PutBucketNotificationConfiguration", _raise_error, first=True),
        ):
            self._s3.put_bucket_notification_configuration(
                Bucket=bucket,
                ExpectedBucketOwner=owner,
                NotificationConfiguration={},
                SkipDestinationValidation=True,
            )

    def inventory_configuration(self, bucket: str, owner: str, identifier: str) -> Mapping[str, Any] | None:
        """Return an inventory configuration of a bucket; None if it does not exist.

        Args:
            bucket: name of the bucket.
            owner: ID of the account.
            identifier: ID of the configuration.
        """
        arguments = {"Bucket": bucket, "ExpectedBucketOwner": owner, "Id": identifier}
        action = f"read the inventory configuration {identifier!r} of the bucket {bucket!r}"
        with _errors(action, "s3:GetInventoryConfiguration"):
            try:
                response: Mapping[str, Any] = self._s3.get_bucket_inventory_configuration(**arguments)
            except ClientError as error:
                if error_code(error) != "NoSuchConfiguration":
                    raise
                return None
        found: Mapping[str, Any] = response["InventoryConfiguration"]
        return found

    def put_inventory_configuration(self, bucket: str, owner: str, configuration: Mapping[str, Any]) -> None:
        """Add an inventory configuration to a bucket, or replace the one with the same ID.

        Args:
            bucket: name of the bucket.
            owner: ID of the account.
            configuration: the configuration in the format of the S3 API.
        """
        identifier = configuration["Id"]
        action = f"add the inventory configuration {identifier!r} to the bucket {bucket!r}"
        with _errors(action, "s3:PutInventoryConfiguration"):
            self._s3.put_bucket_inventory_configuration(
                Bucket=bucket, ExpectedBucketOwner=owner, Id=identifier, InventoryConfiguration=configuration
            )

    @contextmanager
    def _handler(self, event: str, handler: Any, *, first: bool = False) -> Iterator[None]:  # noqa: ANN401  handlers have different parameters
        """Register a handler for an event of the S3 client until the end of the context."""
        events = self._s3.meta.events
        (events.register_first if first else events.register)(event, handler)
        try:
            yield
        finally:
            events.unregister(event, handler)


def _raise_error(response: Any, caught_exception: Exception | None, operation: Any, **_: object) -> None:  # noqa: ANN401  botocore has no static types
    """Raise the error of an attempt before botocore decides whether to try again."""
    if caught_exception is not None:
        raise caught_exception
    http, parsed = response
    if http.status_code not in SUCCESS:
        raise ClientError(parsed, operation.name)


def _errors(action: str, permission: str) -> Any:  # noqa: ANN401  contextlib's type is private
    return translated_errors(action, not_found=NOT_FOUND, permission=permission)


def _or_unset(call: Any, bucket: str, owner: str) -> Mapping[str, Any]:  # noqa: ANN401  boto3's methods have no static type
    """Return the response of a call that reads a setting; empty if the bucket does not have the setting."""
    try:
        response: Mapping[str, Any] = call(Bucket=bucket, ExpectedBucketOwner=owner)
    except ClientError as error:
        if error_code(error) not in UNSET:
            raise
        return {}
    return response
