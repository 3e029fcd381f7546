"""Reads manifests up to a size limit, and creates files that only the user can read."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from operations.errors import OperatorError

MAX_MANIFEST_BYTES = 256 * 1024 * 1024
"""Maximum size of a manifest in bytes. It is sufficient for about a million files, with 200 bytes for each file."""
LONGEST_NAME = 200
"""Number of characters of a file name that are part of its temporary name. File systems limit names to 255 bytes."""


def read_limited(file: IO[bytes], place: str, *, limit: int = MAX_MANIFEST_BYTES) -> bytes:
    """Return the content of an open file, up to a size limit.

    Args:
        file: the open binary file.
        place: path or URL of the file, for the error message.
        limit: maximum size in bytes.

    Raises:
        OperatorError: the file is larger than the limit.
    """
    content = file.read(limit + 1)
    if len(content) > limit:
        raise OperatorError(f"{place} is damaged: it has more than {limit:,} bytes, the limit of a manifest.")
    return content


def read_manifest(path: Path) -> bytes:
    """Return the content of a manifest file.

    Args:
        path: path of the manifest.

    Raises:
        OperatorError: the manifest is too large.
    """
    with path.open("rb") as file:
        return read_limited(file, str(path))


@contextmanager
def unfinished_file(path: Path) -> Iterator[Path]:
    """Context manager that creates a temporary file, and deletes it on exit unless the caller has renamed it.

    The name contains random characters. Otherwise, another user could create a link with this name in advance.

    Args:
        path: path to which the caller renames the file when it is complete.

    Yields:
        The path of the unfinished file, which only the user can read.

    Raises:
        OSError: the file cannot be created.
    """
    beginning = path.name.encode()[:LONGEST_NAME].decode(errors="ignore")
    descriptor, name = tempfile.mkstemp(prefix=f".{beginning}.", suffix=".part", dir=path.parent)
    os.close(descriptor)
    part = Path(name).absolute()
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)
