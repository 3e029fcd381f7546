"""Fake of botocore's S3 client for a model bucket."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from lambda_code.events import NULL_VERSION
from tests.property.model.faults import FaultKind, FaultyCalls
from tests.support.fakes import client_error

if TYPE_CHECKING:
    from tests.property.model.bucket import Address, Bucket


@dataclass
class S3:
    """HeadObject requests to a model bucket."""

    bucket: Bucket
    calls: FaultyCalls
    now: Callable[[], datetime]
    hidden: set[Address] = field(default_factory=set)  # object versions that exist, although HEAD returned 404
    absent: set[Address] = field(default_factory=set)  # object versions that did not exist when HEAD returned 404

    def head_object(self, **arguments: Any) -> dict[str, Any]:
        """Return the headers of an object, or raise status 404, or 405 for the version ID of a delete marker."""
        key, version_id = arguments["Key"], arguments.get("VersionId")
        with self.calls.call("HeadObject", key) as fault:
            version = self.bucket.current(key) if version_id is None else self.bucket.at((key, version_id))
            if version is None:
                self.absent.add((key, version_id or NULL_VERSION))
                raise client_error(404, operation="HeadObject")
            if version.marker:
                raise self._marker(405 if version_id else 404, version.last_modified)
            if version.readable and version.readable > self.now():
                self.hidden.add(version.address)
                self.calls.injected["not readable yet"] += 1
                raise client_error(404, operation="HeadObject")
            response = version.head()
            if fault is FaultKind.INCOMPLETE:
                del response["ETag"]
        return {**response, "ResponseMetadata": {"HTTPStatusCode": 200}}

    @staticmethod
    def _marker(status: int, last_modified: datetime) -> Exception:
        error = client_error(status, operation="HeadObject")
        headers = {"x-amz-delete-marker": "true"}
        if status == 405:
            headers |= {"allow": "DELETE", "last-modified": format_datetime(last_modified, usegmt=True)}
        error.response["ResponseMetadata"]["HTTPHeaders"] = headers
        return error
