"""S3 and DynamoDB as botocore's clients show them, in memory: the real `storage`, and all above it, talks to these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from lambda_code.events import NULL_VERSION
from tests.property.model.faults import FaultyCalls, Trouble
from tests.support.fakes import client_error
from tests.support.update_expressions import Item, updated

if TYPE_CHECKING:
    from tests.property.model.bucket import Address, Bucket


@dataclass
class S3:
    """HeadObject on a model bucket."""

    bucket: Bucket
    calls: FaultyCalls
    now: Callable[[], datetime]
    hidden: set[Address] = field(default_factory=set)  # answered with 404 although they were there
    gone: set[Address] = field(default_factory=set)  # answered with 404 because they were not

    def head_object(self, **arguments: Any) -> dict[str, Any]:
        """An object is 200; a marker 405 if it is asked for, 404 if it is just in the way; all else 404."""
        key, version_id = arguments["Key"], arguments.get("VersionId")
        with self.calls.one("HeadObject") as trouble:
            version = self.bucket.current(key) if version_id is None else self.bucket.at((key, version_id))
            if version is None:
                self.gone.add((key, version_id or NULL_VERSION))
                raise client_error(404, operation="HeadObject")
            if version.marker:
                raise self._marker(405 if version_id else 404, version.last_modified)
            if version.readable and version.readable > self.now():
                self.hidden.add(version.address)
                self.calls.injected["not readable yet"] += 1
                raise client_error(404, operation="HeadObject")
            answer = version.head()
            if trouble is Trouble.INCOMPLETE:
                del answer["ETag"]
        return {**answer, "ResponseMetadata": {"HTTPStatusCode": 200}}

    @staticmethod
    def _marker(status: int, last_modified: datetime) -> Exception:
        error = client_error(status, operation="HeadObject")
        headers = {"x-amz-delete-marker": "true"}
        if status == 405:
            headers |= {"allow": "DELETE", "last-modified": format_datetime(last_modified, usegmt=True)}
        error.response["ResponseMetadata"]["HTTPHeaders"] = headers
        return error


@dataclass
class DynamoDB:
    """UpdateItem on rows in memory, as strict as DynamoDB is with what is not right."""

    calls: FaultyCalls
    rows: dict[Address, Item] = field(default_factory=dict)  # by object_id and version_id
    watch: Callable[[Item, Item], None] = lambda _old, _new: None  # told of every write

    def update_item(self, **arguments: Any) -> dict[str, Any]:
        """SET name = value, SET name = if_not_exists(name, value), REMOVE; answers with the old row."""
        assert arguments["ReturnValues"] == "ALL_OLD"
        assert arguments["Key"].keys() == {"object_id", "version_id"}
        address = (arguments["Key"]["object_id"]["S"], arguments["Key"]["version_id"]["S"])
        with self.calls.one("UpdateItem"):
            old = self.rows.get(address, {})
            new = updated({**arguments["Key"], **old}, arguments)
            self.rows[address] = new
            self.watch(old, new)
        return {"Attributes": old} if old else {}
