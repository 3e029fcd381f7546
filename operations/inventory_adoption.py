"""Adds the inventory configuration of a stack to an existing bucket."""

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
    """Adds the stack's inventory configuration to a bucket that lacks it.

    Args:
        aws: the AWS calls, for the region of the stack.
        target: the deployed stack.
        bucket: name of the existing bucket.
        location: the field `inventory_location` of the settings document.
        sleep: waits for a number of seconds.

    Attributes:
        configured: whether the bucket has the configuration.
        sent: whether a request to add the configuration was sent.
        changed: whether this run added the configuration, and S3 returned it.
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
        """The command of the AWS CLI that removes the configuration, and leaves all others unchanged."""
        return (
            f"aws s3api delete-bucket-inventory-configuration --bucket {self._bucket} --id {self._wanted['Id']} "
            f"--expected-bucket-owner {self._account}"
        )

    def examine(self) -> bool:
        """Read the configuration with the ID of the stack, and return whether the bucket has it.

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
        """Add the configuration unless the bucket has it. S3 does not change the other configurations of the bucket.

        Raises:
            OperatorError: an AWS call failed, or the bucket has another configuration with the ID of the stack.
        """
        # S3 has no conditional write: a configuration that another writer adds after this read is replaced.
        if self.examine():
            return
        self.sent = True
        self._aws.put_inventory_configuration(self._bucket, self._account, self._wanted)
        for seconds in WAITS_SECONDS:
            self._sleep(seconds)
            if self.examine():
                self.changed = True
                return
