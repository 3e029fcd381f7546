"""S3 and DynamoDB as botocore's clients show them, in memory: the real `storage`, and all above it, talks to these."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from lambda_code.events import NULL_VERSION
from tests.property.model.faults import Calls, Trouble
from tests.support.fakes import client_error

if TYPE_CHECKING:
    from tests.property.model.bucket import Address, Bucket

Item = dict[str, Any]


@dataclass
class S3:
    """HeadObject on a model bucket."""

    bucket: Bucket
    calls: Calls
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


# DynamoDB's grammar, as far as the function uses it.
_SET = re.compile(r"(#\w+) = (?:(:\w+)|if_not_exists\((#\w+), (:\w+)\))")
_EXPRESSION = re.compile(rf"SET ({_SET.pattern}(?:, {_SET.pattern})*)(?: REMOVE (#\w+(?:, #\w+)*))?")
_KEYS = ("object_id", "version_id")
_INDEX_KEYS = ("upload_day", "uploaded_at")


@dataclass
class DynamoDB:
    """UpdateItem on rows in memory, as strict as DynamoDB is with what is not right."""

    calls: Calls
    rows: dict[Address, Item] = field(default_factory=dict)  # by object_id and version_id
    watch: Callable[[Item, Item], None] = lambda _old, _new: None  # told of every write

    def update_item(self, **arguments: Any) -> dict[str, Any]:
        """SET name = value, SET name = if_not_exists(name, value), REMOVE; answers with the old row."""
        assert arguments["ReturnValues"] == "ALL_OLD"
        assert arguments["Key"].keys() == set(_KEYS)
        address = (arguments["Key"]["object_id"]["S"], arguments["Key"]["version_id"]["S"])
        with self.calls.one("UpdateItem"):
            old = self.rows.get(address, {})
            new = updated({**arguments["Key"], **old}, arguments)
            self.rows[address] = new
            self.watch(old, new)
        return {"Attributes": old} if old else {}


def updated(item: Item, arguments: Mapping[str, Any]) -> Item:
    """The item after an update expression; every part of it sees the item as it was before.

    Raises:
        ClientError: a ValidationException, for what DynamoDB refuses.
    """
    names, values = arguments["ExpressionAttributeNames"], arguments["ExpressionAttributeValues"]
    whole = _EXPRESSION.fullmatch(arguments["UpdateExpression"])
    if whole is None:
        raise _refused("syntax error")
    actions = _SET.findall(whole[1])
    removed = _removed(whole[0])
    new, paths = dict(item), []
    for name, value, guarded, default in actions:
        paths.append(name)
        new[names[name]] = values[value] if value else item.get(names[guarded], values[default])
    for name in removed:
        paths.append(name)
        new.pop(names[name], None)
    used = {each for action in actions for each in action if each} | set(removed)
    if used != names.keys() | values.keys():
        raise _refused(f"unused or undefined names or values: {used ^ (names.keys() | values.keys())}")
    if len(paths) != len(set(paths)) or len(names) != len(set(names.values())):
        raise _refused("two document paths overlap")
    if set(names.values()) & set(_KEYS):
        raise _refused("cannot update attribute: it is part of the key")
    if any(new[name] == {"S": ""} or "S" not in new[name] for name in _INDEX_KEYS if name in new):
        raise _refused("an index key must be a string that is not empty")
    return new


def _removed(expression: str) -> list[str]:
    _, _, removes = expression.partition(" REMOVE ")
    return removes.split(", ") if removes else []


def _refused(what: str) -> Exception:
    return client_error(400, "ValidationException", operation=f"UpdateItem ({what})")
