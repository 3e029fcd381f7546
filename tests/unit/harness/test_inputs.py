from __future__ import annotations

import pytest

from localstack.deployers.resources.inputs import InputError, Inputs


def test_resource_inputs_that_were_not_read_are_reported_as_unused() -> None:
    inputs = Inputs(
        {"name": "a", "size": 1, "colour": "red", "shape": None, "age": None}
    )  # An input with the value None counts as absent.
    assert inputs.get("name") == "a"
    assert inputs.select(Size="size", Weight="weight", Shape="shape") == {"Size": 1}
    assert inputs.unused() == ["colour"]


@pytest.mark.parametrize("value", [False, 0, "", []])
def test_falsy_resource_inputs_other_than_none_count_as_values(value: object) -> None:
    assert Inputs({"flag": value}).unused() == ["flag"]
    assert Inputs({"flag": value}).select(Flag="flag") == {"Flag": value}


def test_unused_nested_resource_inputs_are_reported_with_full_path() -> None:
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
def test_resource_input_get_rejects_an_object_value(value: object) -> None:
    with pytest.raises(InputError, match=r"^tracing is an object where a plain value was expected"):
        Inputs({"tracing": value}).get("tracing")


def test_resource_input_mapping_converts_values_to_strings_and_marks_input_as_used() -> None:
    inputs = Inputs({"tags": {"Cost": 7, "Owner": "me"}})
    assert inputs.mapping("tags") == {"Cost": "7", "Owner": "me"}
    assert inputs.mapping("labels") == {}
    assert inputs.unused() == []


def test_error_for_a_missing_resource_input_contains_its_path_and_cause() -> None:
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
def test_error_for_a_resource_input_of_a_wrong_type_contains_its_path(method: str, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        getattr(Inputs({"wrong": 7, "wrongs": [7]}), method)(name)
