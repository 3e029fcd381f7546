"""Reads manifests with a limit of their size, and writes files that only the user can read."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from operations.errors import OperatorError

MAX_MANIFEST_BYTES = 256 * 1024 * 1024
"""Largest size of a manifest: about a million files, each with a line of 200 bytes."""
LONGEST_NAME = 200
"""Number of characters of a file name that a temporary name contains. File systems limit names to 255 bytes."""


def read_limited(file: IO[bytes], place: str, *, limit: int = MAX_MANIFEST_BYTES) -> bytes:
    """Return the content of an open file.

    Args:
        file: the file.
        place: its path or URL for the error message.
        limit: largest size in bytes.

    Raises:
        OperatorError: the file is larger than the limit.
    """
    content = file.read(limit + 1)
    if len(content) > limit:
        raise OperatorError(f"{place} is damaged: it has more than {limit:,} bytes, the limit of a manifest.")
    return content


def read_manifest(path: Path) -> bytes:
    """Return the content of a manifest.

    Args:
        path: path of the manifest.

    Raises:
        OperatorError: the manifest is too large.
    """
    with path.open("rb") as file:
        return read_limited(file, str(path))


@contextmanager
def unfinished_file(path: Path) -> Iterator[Path]:
    """Context manager for a new file beside another one. If the caller does not rename it, it is deleted at the end.

    The name contains random characters, so that no other user can create a link with this name before.

    Args:
        path: path of the finished file.

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
