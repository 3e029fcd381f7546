"""The model's table is as strict as DynamoDB, or the model would accept what AWS refuses."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.update_expressions import updated

OLD = {"object_id": {"S": "b/k"}, "version_id": {"S": "v1"}, "a": {"S": "old"}}


def update(expression: str, names: dict[str, str], **values: str) -> dict[str, Any]:
    arguments = {
        "UpdateExpression": expression,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": {f":{name}": {"S": value} for name, value in values.items()},
    }
    return updated(OLD, arguments)


def test_what_is_there_stays_if_it_is_only_set_where_nothing_is() -> None:
    expression = "SET #0 = if_not_exists(#0, :x), #1 = if_not_exists(#1, :y)"
    assert update(expression, {"#0": "a", "#1": "b"}, x="new", y="new") == {**OLD, "b": {"S": "new"}}


def test_what_is_removed_is_gone_and_what_is_set_is_set() -> None:
    assert update("SET #0 = :x REMOVE #1, #2", {"#0": "b", "#1": "a", "#2": "c"}, x="new") == {
        "object_id": {"S": "b/k"},
        "version_id": {"S": "v1"},
        "b": {"S": "new"},
    }


@pytest.mark.parametrize(
    ("expression", "names", "values"),
    [
        pytest.param("SET #0 := :x", {"#0": "a"}, {"x": "1"}, id="syntax"),
        pytest.param("SET #0 = :x REMOVE", {"#0": "a"}, {"x": "1"}, id="an empty REMOVE"),
        pytest.param("SET #0 = :x", {"#0": "a"}, {"x": "1", "y": "2"}, id="a value that is not used"),
        pytest.param("SET #0 = :x", {"#0": "a", "#1": "b"}, {"x": "1"}, id="a name that is not used"),
        pytest.param("SET #0 = :x, #0 = :y", {"#0": "a"}, {"x": "1", "y": "2"}, id="one attribute twice"),
        pytest.param("SET #0 = :x REMOVE #1", {"#0": "a", "#1": "a"}, {"x": "1"}, id="one attribute by two names"),
        pytest.param("SET #0 = :x", {"#0": "version_id"}, {"x": "1"}, id="part of the key"),
        pytest.param("SET #0 = :x", {"#0": "upload_day"}, {"x": ""}, id="an empty key of the index"),
    ],
)
def test_what_dynamodb_refuses_is_refused(expression: str, names: dict[str, str], values: dict[str, str]) -> None:
    with pytest.raises(ClientError, match="ValidationException"):
        update(expression, names, **values)
