"""Validation of upload requests, and keys of new objects, as pure functions."""

from __future__ import annotations

import re
import unicodedata
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from examples.upload.errors import RefusedError

MEGABYTE = 1_000_000
MAX_NAME_BYTES = 255
"""Maximum length of a file name in UTF-8, as in most file systems.

An object key, which consists of prefix, ID and file name, has at most 1,024 bytes (S3 User Guide, "Naming Amazon S3
objects").
"""
MAX_PREFIX_BYTES = 512
MAX_POST_BYTES = 5 * 1024**3
"""Maximum size of an object that is uploaded in one request (S3 User Guide, "Uploading objects")."""

NO_TYPE = "application/octet-stream"
"""Media type of a file if the browser sends none."""

_TYPE = re.compile(r"[\w!#$&^.+-]{1,127}/[\w!#$&^.+-]{1,127}(?:; ?charset=[\w-]{1,40})?", re.ASCII)
"""Regular expression of a media type (RFC 6838, section 4.2)."""
_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_INVISIBLE = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode categories that file names must not have: control characters, surrogates, line and paragraph separators."""


@dataclass(frozen=True, kw_only=True)
class UploadRequest:
    """A file that the page requests to upload: its name, its size in bytes, and its media type."""

    name: str
    size: int
    type: str


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Limits of an upload: prefix of the key, maximum size in bytes, and validity of a form in seconds."""

    prefix: str = "uploads/"
    max_bytes: int = 50 * MEGABYTE
    seconds: int = 900

    def validate(self, body: object) -> UploadRequest:
        """Validate the JSON body of an upload request.

        Raises:
            RefusedError: a value is missing or invalid; the message gives the value and what is allowed.
        """
        if not isinstance(body, Mapping):
            raise RefusedError("bad-request", "Send a JSON object with name, size and type.")
        name, size, kind = body.get("name"), body.get("size"), body.get("type", "")
        problem = problem_of(name) if isinstance(name, str) else "The name must be a string."
        if not isinstance(name, str) or problem:
            raise RefusedError("bad-name", str(problem))
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise RefusedError("bad-size", "The size must be a whole number of bytes.")
        if size > self.max_bytes:
            raise RefusedError(
                "too-large",
                f"The file has {size:,} bytes; at most {self.max_bytes:,} are allowed.",
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            )
        if not isinstance(kind, str) or (kind and not _TYPE.fullmatch(kind)):
            raise RefusedError("bad-type", "The type must be a media type, such as image/png, or empty.")
        return UploadRequest(name=name, size=size, type=kind or NO_TYPE)

    def new_key(self, upload: UploadRequest) -> str:
        """Return a new object key that cannot be guessed; it ends with the name of the file."""
        return f"{self.prefix}{uuid.uuid4()}/{upload.name}"

    def validate_key(self, key: str) -> str:
        """Return the object key if it has the format of `new_key`.

        Raises:
            RefusedError: the key has another format.
        """
        if not re.fullmatch(f"{re.escape(self.prefix)}{_ID}/[^/]+", key) or problem_of(key.rpartition("/")[2]):
            raise RefusedError("bad-key", "This server did not issue this key.", HTTPStatus.NOT_FOUND)
        return key


def problem_of(name: str) -> str | None:
    """Return a message to the page's user if a file with this name cannot be uploaded, otherwise None."""
    if not name or name in {".", ".."}:
        return "The file has no name."
    if "/" in name or "\\" in name:
        return "The file's name has a slash in it: rename the file."
    if "${filename}" in name.lower():
        return "The file's name has ${filename} in it, which S3 would replace: rename the file."
    if any(unicodedata.category(each) in _INVISIBLE for each in name):
        return "The file's name has an invisible control character in it: rename the file."
    length = len(name.encode())
    if length > MAX_NAME_BYTES:
        return f"The file's name has {length} bytes; at most {MAX_NAME_BYTES} are allowed: rename the file."
    return None


def problem_of_prefix(prefix: str) -> str | None:
    """Return a message to the operator if the prefix of the object keys is invalid, otherwise None."""
    if not prefix.endswith("/") or prefix.startswith("/") or "//" in prefix or not prefix.isprintable():
        return f"{prefix!r} is not a valid prefix: give a folder such as uploads/, without a slash at the beginning"
    if "${filename}" in prefix.lower():
        return f"the prefix {prefix!r} contains ${{filename}}, which S3 would replace: give another prefix"
    length = len(prefix.encode())
    if length > MAX_PREFIX_BYTES:
        return f"the prefix {prefix!r} has {length} bytes; at most {MAX_PREFIX_BYTES} are allowed"
    return None
