from __future__ import annotations

import pytest

from localstack.deployers.resources.inputs import InputError, Inputs


def test_what_was_taken_is_used_and_the_rest_is_not() -> None:
    inputs = Inputs({"name": "a", "size": 1, "colour": "red", "shape": None, "age": None})  # None is as good as absent
    assert inputs.get("name") == "a"
    assert inputs.select(Size="size", Weight="weight", Shape="shape") == {"Size": 1}
    assert inputs.unused() == ["colour"]


@pytest.mark.parametrize("value", [False, 0, "", []])
def test_values_that_look_like_nothing_count(value: object) -> None:
    assert Inputs({"flag": value}).unused() == ["flag"]
    assert Inputs({"flag": value}).select(Flag="flag") == {"Flag": value}


def test_nested_leftovers_are_named_with_their_whole_path() -> None:
    inputs = Inputs({"rules": [{"filter": {"prefix": "a", "tag": {"key": "k"}}}, {"id": "b"}]})
    first, second = inputs.children("rules")
    where = first.child("filter")
    assert where is not None
    where.get("prefix")
    assert inputs.unused() == ["rules[0].filter.tag", "rules[1].id"]
    second.get("id")
    tag = where.child("tag")
    assert tag is not None
    assert inputs.unused() == ["rules[0].filter.tag.key"]


@pytest.mark.parametrize("value", [{"mode": "Active"}, [{"mode": "Active"}], [[1]]])
def test_an_object_cannot_be_taken_whole(value: object) -> None:
    with pytest.raises(InputError, match=r"^tracing is an object where a plain value was expected"):
        Inputs({"tracing": value}).get("tracing")


def test_keys_that_are_data_are_taken_as_texts() -> None:
    inputs = Inputs({"tags": {"Cost": 7, "Owner": "me"}})
    assert inputs.mapping("tags") == {"Cost": "7", "Owner": "me"}
    assert inputs.mapping("labels") == {}
    assert inputs.unused() == []


def test_what_is_needed_and_missing_is_named_with_the_likely_reason() -> None:
    [rule] = Inputs({"rules": [{}]}).children("rules")
    with pytest.raises(InputError, match=r"the input rules\[0\]\.arn is missing: .* output that another resource"):
        rule.require("arn")


@pytest.mark.parametrize(
    ("method", "name", "message"),
    [
        ("child", "wrong", "^wrong is not an object: 7$"),
        ("children", "wrong", "^wrong is not a list: 7$"),
        ("children", "wrongs", r"^wrongs\[0\] is not an object: 7$"),
        ("mapping", "wrong", "^wrong is not an object: 7$"),
    ],
)
def test_a_wrong_shape_is_named(method: str, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        getattr(Inputs({"wrong": 7, "wrongs": [7]}), method)(name)
