"""Adds the stack's S3 Inventory configuration to an existing bucket."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from operations.adopt import WAITS_SECONDS
from operations.errors import OperatorError
from operations.inventory_settings import inventory_configuration, inventory_differences

if TYPE_CHECKING:
    from operations.aws import Aws
    from operations.target import Target


class InventoryAdoption:
    """Implements `adopt --inventory`: adds the stack's S3 Inventory configuration to an existing bucket.

    Args:
        aws: client for AWS calls in the region of the stack.
        target: the deployed stack.
        bucket: name of the existing bucket.
        location: the field `inventory_location` of the settings document.
        sleep: function that waits for a number of seconds.

    Attributes:
        configured: whether the bucket has the inventory configuration.
        sent: whether a request to add the configuration was sent.
        changed: whether this run added the configuration, and a later read returned it.
    """

    def __init__(
        self, aws: Aws, target: Target, bucket: str, location: str, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.configured = self.sent = self.changed = False
        self._aws = aws
        self._account = target.account
        self._bucket = bucket
        self._wanted = inventory_configuration(target, location)
        self._sleep = sleep

    @property
    def removal_command(self) -> str:
        """AWS CLI command that removes only the stack's inventory configuration from the bucket."""
        return (
            f"aws s3api delete-bucket-inventory-configuration --bucket {self._bucket} --id {self._wanted['Id']} "
            f"--expected-bucket-owner {self._account}"
        )

    def examine(self) -> bool:
        """Return whether the bucket has the inventory configuration of the stack.

        Raises:
            OperatorError: the configuration cannot be read, or the bucket has another configuration with this ID.
        """
        identifier = self._wanted["Id"]
        actual = self._aws.inventory_configuration(self._bucket, self._account, identifier)
        self.configured = actual is not None
        if actual is not None and (differing := "; ".join(inventory_differences(actual, self._wanted))):
            raise OperatorError(
                f"the bucket {self._bucket!r} has another inventory configuration with the ID {identifier!r}, which "
                f"adopt does not replace: {differing}. If the configuration belongs to an earlier deployment of the "
                f"stack, delete it, and start adopt again: {self.removal_command}"
            )
        return self.configured

    def apply(self) -> None:
        """Add the inventory configuration if the bucket lacks it. Other inventory configurations are not changed.

        Raises:
            OperatorError: an AWS call failed, or the bucket has another configuration with the ID of the stack.
        """
        # S3 has no conditional write: this call replaces a configuration with the same ID that was added meanwhile.
        if self.examine():
            return
        self.sent = True
        self._aws.put_inventory_configuration(self._bucket, self._account, self._wanted)
        for seconds in WAITS_SECONDS:
            self._sleep(seconds)
            if self.examine():
                self.changed = True
                return
