"""Finds the files to upload in the paths on the command line, and determines the object key and type of each."""

from __future__ import annotations

import mimetypes
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
    """A file or folder that cannot be uploaded, and the reason, such as "does not exist"."""

    path: Path
    reason: str


def find(paths: Sequence[Path]) -> tuple[list[Source], list[Problem]]:
    """Return the files to upload, and the files and folders that cannot be uploaded.

    Args:
        paths: files, and folders whose files are uploaded, including hidden files and targets of symbolic links. Files
            that are found twice are uploaded once.

    Returns:
        Two lists, in the order of `paths` and then of names. The key of a file is its name or, for a file in a folder,
        its path from the folder's name on, such as ``photos/2026/lake.jpg``.
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
            problems.append(Problem(path=given, reason="is a folder without files"))
    return list(sources.values()), problems


def content_type(name: str) -> str | None:
    """Return the content type for a file name, or None. It is that of the AWS CLI: application/x-tar for .tar.gz."""
    return mimetypes.guess_type(name)[0]


def _walk(given: Path) -> Iterator[Source | Problem]:
    """Yield a file, or all files in a folder. Everything else, such as a device, is yielded as a problem."""
    # The name of a folder such as "." or ".." is known only after the path is resolved.
    root = given.name if given.name not in {"", ".."} else given.resolve().name
    todo: list[tuple[Path, str, frozenset[tuple[int, int]]]] = [(given, root, frozenset())]
    while todo:
        path, key, above = todo.pop()
        try:
            status = path.stat()
            if stat.S_ISDIR(status.st_mode):
                identity = (status.st_dev, status.st_ino)
                if identity in above:
                    yield Problem(path=path, reason="is a symbolic link to one of its parent folders")
                    continue
                inside = sorted(path.iterdir(), reverse=True)  # reversed, because the last item is processed first
                todo += [(each, f"{key}/{each.name}" if key else each.name, above | {identity}) for each in inside]
            elif stat.S_ISREG(status.st_mode):
                yield _source(path, key, status.st_size)
            else:
                yield Problem(path=path, reason=f"is {_kind(status.st_mode)}, not a file")
        except FileNotFoundError:
            yield Problem(path=path, reason="is a broken symbolic link" if path.is_symlink() else "does not exist")
        except OSError as error:
            yield Problem(path=path, reason=f"cannot be read: {error.strerror}")


def _source(path: Path, key: str, size: int) -> Source | Problem:
    if size > PUT_BYTES:
        return Problem(path=path, reason=f"has {size} bytes; the maximum of one upload is {PUT_BYTES} (5 GiB)")
    return Source(path=path, key=key, content_type=content_type(path.name))


def _key_problem(source: Source) -> Problem | None:
    try:
        length = len(source.key.encode())
    except UnicodeEncodeError:
        return Problem(path=source.path, reason="has a name that is not valid UTF-8, which S3 requires: rename it")
    if length > KEY_BYTES:
        return Problem(
            path=source.path,
            reason=f"would have a key of {length} bytes; the maximum of S3 is {KEY_BYTES}: specify a subfolder",
        )
    return None


def _collision(source: Source, taken: dict[str, Source]) -> Problem | None:
    other = taken.get(source.key)
    if other is None or source.path.samefile(other.path):
        return None
    return Problem(
        path=source.path,
        reason=f"would have the same key {source.key!r} as {str(other.path)!r}: specify a folder that contains both",
    )


def _kind(mode: int) -> str:
    kinds = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    return kinds.get(stat.S_IFMT(mode), "something else")
