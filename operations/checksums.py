"""Calculates MD5 checksums of downloaded files."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path


def md5_digest(path: Path) -> bytes:
    """Return the MD5 checksum of a file as 16 bytes. The file may be larger than the memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, partial(hashlib.md5, usedforsecurity=False)).digest()
