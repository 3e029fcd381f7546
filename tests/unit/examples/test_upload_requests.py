from __future__ import annotations

from typing import Any

import pytest

from examples.upload.errors import RefusedError
from examples.upload.upload_requests import Rules, problem_of, problem_of_prefix

RULES = Rules(prefix="in/", max_bytes=1000)
SUCCESS = {"name": "a.txt", "size": 1, "type": "text/plain"}


@pytest.mark.parametrize(
    "name", ["a.txt", 'she said "yes".txt', "観測.txt", "😀", ".hidden", "a..b", "<b>.txt", "x" * 255, "é" * 127, "$5"]
)
def test_a_name_is_kept_as_it_is(name: str) -> None:
    upload = RULES.validate({**SUCCESS, "name": name})
    key = RULES.new_key(upload)
    assert key.rpartition("/")[2] == name
    assert RULES.validate_key(key) == key
    assert len(key.encode()) <= 1024


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "no name"),
        (".", "no name"),
        ("..", "no name"),
        ("a/b", "slash"),
        ("a\\b", "slash"),
        ("a\nb", "control character"),
        ("a\x00", "control character"),
        ("\ud800", "control character"),
        ("a\u2028", "control character"),
        ("${filename}", "S3 would replace"),
        ("x${FileName}", "S3 would replace"),
        ("x" * 256, "has 256 bytes; at most 255"),
        ("é" * 128, "has 256 bytes; at most 255"),
    ],
)
def test_a_name_that_cannot_be_is_refused_with_the_reason(name: str, why: str) -> None:
    with pytest.raises(RefusedError, match=why):
        RULES.validate({**SUCCESS, "name": name})


@pytest.mark.parametrize("size", [-1, 1.0, "1", None, True, 1001])
def test_a_size_is_a_whole_number_within_the_limit(size: Any) -> None:  # noqa: ANN401  whatever JSON has
    with pytest.raises(RefusedError):
        RULES.validate({**SUCCESS, "size": size})


@pytest.mark.parametrize("kind", ["text", "text/", "/plain", "text/plain\r\nX: y", "a/b c", 1, None, "é/x"])
def test_a_type_is_a_media_type(kind: Any) -> None:  # noqa: ANN401  whatever JSON has
    with pytest.raises(RefusedError, match="media type"):
        RULES.validate({**SUCCESS, "type": kind})


@pytest.mark.parametrize("kind", ["image/svg+xml", "application/vnd.ms-excel", "text/plain; charset=utf-8"])
def test_a_media_type_is_kept(kind: str) -> None:
    assert RULES.validate({**SUCCESS, "type": kind}).type == kind


def test_a_file_of_unknown_type_is_bytes() -> None:
    assert RULES.validate({**SUCCESS, "type": ""}).type == "application/octet-stream"


@pytest.mark.parametrize("prefix", ["", "/", "a", "/a/", "a//b/", "a\n/", "${filename}/", "x" * 512 + "/"])
def test_a_prefix_is_a_folder(prefix: str) -> None:
    assert problem_of_prefix(prefix)


@pytest.mark.parametrize("prefix", ["uploads/", "a/b/", "é/"])
def test_a_folder_is_a_prefix(prefix: str) -> None:
    assert problem_of_prefix(prefix) is None


def test_the_longest_name_in_the_longest_folder_is_a_key_of_s3() -> None:
    longest = Rules(prefix="x" * 511 + "/")
    assert problem_of_prefix(longest.prefix) is None
    assert problem_of("y" * 255) is None
    assert len(longest.new_key(longest.validate({**SUCCESS, "name": "y" * 255})).encode()) <= 1024
