from __future__ import annotations

from typing import Any

import pytest

from examples.upload.errors import RefusedError
from examples.upload.upload_requests import Rules, problem_of, problem_of_prefix

RULES = Rules(prefix="in/", max_bytes=1000)
VALID = {"name": "a.txt", "size": 1, "type": "text/plain"}


@pytest.mark.parametrize(
    "name", ["a.txt", 'she said "yes".txt', "観測.txt", "😀", ".hidden", "a..b", "<b>.txt", "x" * 255, "é" * 127, "$5"]
)
def test_upload_request_keeps_a_valid_file_name_in_the_key(name: str) -> None:
    key = RULES.new_key(RULES.validate({**VALID, "name": name}))
    assert key.rpartition("/")[2] == name
    assert RULES.validate_key(key) == key
    assert len(key.encode()) <= 1024


@pytest.mark.parametrize("size", [0, 1, 999, 1000])
def test_upload_request_of_at_most_the_maximum_size_is_accepted(size: int) -> None:
    assert RULES.validate({**VALID, "size": size}).size == size


@pytest.mark.parametrize(("prefix", "other"), [("a.b/", "a-b/"), ("a+/", "aa/"), ("(a)/", "a/"), ("[a]/", "a/")])
def test_upload_prefix_with_regular_expression_characters_matches_only_itself(prefix: str, other: str) -> None:
    rules = Rules(prefix=prefix)
    key = rules.new_key(rules.validate(VALID))
    assert rules.validate_key(key) == key
    with pytest.raises(RefusedError, match="did not issue"):
        rules.validate_key(key.replace(prefix, other))


REFUSED: dict[str, tuple[str, list[Any]]] = {
    "no name": ("name", ["", ".", ".."]),
    "slash": ("name", ["a/b", "a\\b"]),
    "control character": ("name", ["a\nb", "a\x00", "\ud800", "a\u2028"]),
    "S3 would replace": ("name", ["${filename}", "x${FileName}"]),
    "has 256 bytes; at most 255": ("name", ["x" * 256, "é" * 128]),
    "size|bytes": ("size", [-1, 1.0, "1", None, True, 1001]),
    "media type": ("type", ["text", "text/", "/plain", "text/plain\r\nX: y", "a/b c", 1, None, "é/x"]),
}
"""Maps the reason of a rejection to a field of the upload request and its invalid values."""


@pytest.mark.parametrize(
    ("reason", "field", "value"),
    [(reason, field, value) for reason, (field, values) in REFUSED.items() for value in values],
)
def test_upload_request_with_an_invalid_value_is_rejected_with_the_reason(reason: str, field: str, value: Any) -> None:  # noqa: ANN401  whatever JSON has
    with pytest.raises(RefusedError, match=reason):
        RULES.validate({**VALID, field: value})


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("image/svg+xml", "image/svg+xml"),
        ("application/vnd.ms-excel", "application/vnd.ms-excel"),
        ("text/plain; charset=utf-8", "text/plain; charset=utf-8"),
        ("", "application/octet-stream"),
    ],
)
def test_upload_request_keeps_a_media_type_and_has_a_binary_default(given: str, kept: str) -> None:
    assert RULES.validate({**VALID, "type": given}).type == kept


@pytest.mark.parametrize("prefix", ["", "/", "a", "/a/", "a//b/", "a\n/", "${filename}/", "x" * 512 + "/"])
def test_upload_prefix_that_is_not_a_valid_folder_is_rejected(prefix: str) -> None:
    assert problem_of_prefix(prefix)


@pytest.mark.parametrize("prefix", ["uploads/", "a/b/", "é/", "x" * 511 + "/"])
def test_upload_prefix_that_is_a_valid_folder_is_accepted(prefix: str) -> None:
    assert problem_of_prefix(prefix) is None
    assert problem_of("y" * 255) is None
    rules = Rules(prefix=prefix)
    assert len(rules.new_key(rules.validate({**VALID, "name": "y" * 255})).encode()) <= 1024
