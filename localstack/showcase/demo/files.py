"""Finds the files to upload in the paths on the command line, and determines the object key and type of each."""

from __future__ import annotations

import mimetypes
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

KEY_BYTES = 1024
"""Maximum length of an S3 key, in bytes of UTF-8. https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""

PUT_BYTES = 5 * 1024**3
"""Maximum size of one PutObject, in bytes. https://docs.aws.amazon.com/AmazonS3/latest/userguide/upload-objects.html"""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file to upload. If `content_type` is None, S3 uses its default, binary/octet-stream."""

    path: Path
    key: str
    content_type: str | None


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A file or folder that cannot be uploaded, and the reason, such as "the path does not exist"."""

    path: Path
    reason: str


def find(paths: Sequence[Path]) -> tuple[list[Source], list[Problem]]:
    """Return the files to upload, and the files and folders that cannot be uploaded.

    Args:
        paths: files, and folders whose files are uploaded, including hidden files and targets of symbolic links. Files
            that are found twice are uploaded once.

    Returns:
        Two lists, in the order of `paths` and then of names. The object key of a file is its name. The object key of a
        file in a folder is its path, starting with the name of the folder, such as ``photos/2026/lake.jpg``.
    """
    sources: dict[str, Source] = {}
    problems: list[Problem] = []
    for given in paths:
        found = 0
        for entry in _walk(given):
            found += 1
            match entry:
                case Problem():
                    problems.append(entry)
                case Source():
                    if problem := _collision(entry, sources) or _key_problem(entry):
                        problems.append(problem)
                    else:
                        sources.setdefault(entry.key, entry)
        if not found:
            problems.append(Problem(path=given, reason="the folder contains no files"))
    return list(sources.values()), problems


def content_type(name: str) -> str | None:
    """Return the content type for a file name; None if the file extension is unknown.

    The result is the same as in the AWS CLI, for example application/x-tar for .tar.gz.
    """
    return mimetypes.guess_type(name)[0]


def decode(path: Path | str) -> str:
    """Return a path as the UTF-8 text that its bytes contain, independent of the locale.

    Bytes that are not valid UTF-8 become surrogates (PEP 383), which cannot be encoded.
    """
    return os.fsencode(path).decode("utf-8", errors="surrogateescape")


def _walk(given: Path) -> Iterator[Source | Problem]:
    """Yield a file, or all files in a folder. For anything else, such as a device, yield a `Problem`."""
    # The name of a folder such as "." or ".." is known only after the path is resolved.
    root = decode(given if given.name not in {"", ".."} else given.resolve()).rpartition("/")[2]
    todo: list[tuple[Path, str, frozenset[tuple[int, int]]]] = [(given, root, frozenset())]
    while todo:
        path, key, above = todo.pop()
        try:
            status = path.stat()
            if stat.S_ISDIR(status.st_mode):
                identity = (status.st_dev, status.st_ino)
                if identity in above:
                    yield Problem(path=path, reason="the symbolic link points to one of its parent folders")
                    continue
                # Sort in reverse order, because `pop` removes the last item of the list.
                inside = sorted(path.iterdir(), reverse=True)
                todo += [
                    (each, f"{key}/{decode(each.name)}" if key else decode(each.name), above | {identity})
                    for each in inside
                ]
            elif stat.S_ISREG(status.st_mode):
                yield _source(path, key, status.st_size)
            else:
                yield Problem(path=path, reason=f"the path is {_kind(status.st_mode)}, not a file")
        except FileNotFoundError:
            broken = "the target of the symbolic link does not exist"
            yield Problem(path=path, reason=broken if path.is_symlink() else "the path does not exist")
        except OSError as error:
            yield Problem(path=path, reason=f"the path cannot be read: {error.strerror}")


def _source(path: Path, key: str, size: int) -> Source | Problem:
    if size > PUT_BYTES:
        return Problem(path=path, reason=f"the file has {size} bytes; the maximum of one upload is {PUT_BYTES} (5 GiB)")
    return Source(path=path, key=key, content_type=content_type(path.name))


def _key_problem(source: Source) -> Problem | None:
    try:
        length = len(source.key.encode())
    except UnicodeEncodeError:
        reason = "the file name is not valid UTF-8, which S3 requires: rename the file"
        return Problem(path=source.path, reason=reason)
    if length > KEY_BYTES:
        return Problem(
            path=source.path,
            reason=f"the object key would have {length} bytes; the maximum of S3 is {KEY_BYTES}: specify a subfolder",
        )
    return None


def _collision(source: Source, taken: dict[str, Source]) -> Problem | None:
    other = taken.get(source.key)
    if other is None or _is_same_file(source.path, other.path):
        return None
    return Problem(
        path=source.path,
        reason=f"the file would have the same object key {source.key!r} as {str(other.path)!r}: "
        "specify a folder that contains both",
    )


def _is_same_file(first: Path, second: Path) -> bool:
    try:
        return first.samefile(second)
    except OSError:  # One of the files was deleted in the meantime.
        return False


def _kind(mode: int) -> str:
    kinds = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    return kinds.get(stat.S_IFMT(mode), "something else")
