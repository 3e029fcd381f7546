"""From paths on the command line to what S3 shall store: which files, under which keys, as which types."""

from __future__ import annotations

import mimetypes
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

KEY_BYTES = 1024
"""Longest key S3 takes, in bytes of UTF-8. https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""

PUT_BYTES = 5 * 1024**3
"""Largest object a single PutObject takes. https://docs.aws.amazon.com/AmazonS3/latest/userguide/upload-objects.html"""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file to upload. If `content_type` is None, S3 uses its default, binary/octet-stream."""

    path: Path
    key: str
    content_type: str | None


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something that cannot be uploaded, and why: `reason` continues a sentence that begins with the path."""

    path: Path
    reason: str


def find(paths: Sequence[Path]) -> tuple[list[Source], list[Problem]]:
    """Return the files that `paths` name, and what of them cannot be uploaded.

    A file's key is its name; a folder keeps its own name in front, as when it is dragged into the S3 console:
    ``photos/2026/lake.jpg``. Folders are walked in the order of their names, hidden files and what symbolic links
    point to included. A path given twice counts once.
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
            problems.append(Problem(path=given, reason="is a folder without any file in it"))
    return list(sources.values()), problems


def content_type(name: str) -> str | None:
    """Return the type that the AWS CLI would give a file of this name: so ``.tar.gz`` is application/x-tar."""
    return mimetypes.guess_type(name)[0]


def _walk(given: Path) -> Iterator[Source | Problem]:
    """Yield each file below a path, or the path itself, and whatever is neither a file nor a folder as a problem."""
    # "." and ".." have a name only once resolved; any other path is called what the user called it
    root = given.name if given.name not in {"", ".."} else given.resolve().name
    todo: list[tuple[Path, str, frozenset[tuple[int, int]]]] = [(given, root, frozenset())]
    while todo:
        path, key, above = todo.pop()
        try:
            status = path.stat()
            if stat.S_ISDIR(status.st_mode):
                identity = (status.st_dev, status.st_ino)
                if identity in above:
                    yield Problem(path=path, reason="leads back to a folder that it is in")
                    continue
                inside = sorted(path.iterdir(), reverse=True)  # the last one pushed is the first one out
                todo += [(each, f"{key}/{each.name}" if key else each.name, above | {identity}) for each in inside]
            elif stat.S_ISREG(status.st_mode):
                yield _source(path, key, status.st_size)
            else:
                yield Problem(path=path, reason=f"is {_kind(status.st_mode)}, not a file")
        except FileNotFoundError:
            yield Problem(path=path, reason="points to nothing" if path.is_symlink() else "does not exist")
        except OSError as error:
            yield Problem(path=path, reason=f"cannot be read: {error.strerror}")


def _source(path: Path, key: str, size: int) -> Source | Problem:
    if size > PUT_BYTES:
        return Problem(path=path, reason=f"has {size} bytes; one upload takes {PUT_BYTES} (5 GiB) at most")
    return Source(path=path, key=key, content_type=content_type(path.name))


def _key_problem(source: Source) -> Problem | None:
    try:
        length = len(source.key.encode())
    except UnicodeEncodeError:
        return Problem(path=source.path, reason="has a name that is not UTF-8, which S3 keys must be: rename it")
    if length > KEY_BYTES:
        return Problem(
            path=source.path,
            reason=f"would have a key of {length} bytes, and S3 takes {KEY_BYTES}: give a folder further down",
        )
    return None


def _collision(source: Source, taken: dict[str, Source]) -> Problem | None:
    other = taken.get(source.key)
    if other is None or source.path.samefile(other.path):
        return None
    return Problem(
        path=source.path,
        reason=f"would have the same key as {str(other.path)!r}, {source.key!r}: give a folder that holds both",
    )


def _kind(mode: int) -> str:
    kinds = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    return kinds.get(stat.S_IFMT(mode), "something else")
