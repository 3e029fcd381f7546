"""Body of an upload: the bytes of a file, which must not change until the end of the upload."""

from __future__ import annotations

import io
import os
from typing import BinaryIO


class FileError(Exception):
    """A file cannot be read, or it changed while it was uploaded. The message has the reason and the remedy."""


class FileBody:
    """Body of a PutObject request that never has more or fewer bytes than the file had at the start.

    A request states its length before its body. If a file grew, the HTTP client would send the additional bytes too,
    and the server would read them as the next request of the connection. If a file shrank, the server would wait for
    the missing bytes until the timeout. Therefore, each call of `read` checks that the file has not changed.

    Args:
        file: open file; the body starts at its first byte.

    Raises:
        FileError: the file cannot be read.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: FileError | None = None
        """Error of the last call of `read`. The HTTP client may raise a network error instead of it."""
        try:
            self._size, self._modified = self._state()
        except OSError as error:
            raise unreadable(error) from error

    def read(self, amount: int | None = None) -> bytes:
        """Return the next bytes of the file.

        Args:
            amount: maximum number of bytes; None or a negative number for all bytes.

        Raises:
            FileError: the file cannot be read, or it has changed.
        """
        try:
            left = self._size - self._file.tell()
            wanted = left if amount is None or amount < 0 else min(amount, left)
            content = self._file.read(wanted)
            is_complete = len(content) == wanted and (wanted < left or not self._file.read(1))
            if is_complete and self._state() == (self._size, self._modified):
                return content
            self.error = FileError(
                f"the file changed while it was uploaded, or it does not have the {self._size} bytes that the file "
                "system reports: upload a copy of the file"
            )
        except OSError as error:
            self.error = unreadable(error)
        raise self.error

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position in the file and return the new position.

        Args:
            offset: number of bytes.
            whence: start of the offset, as for Python's files. The end is the end of the file when it was opened.
        """
        return self._file.seek(self._size + offset) if whence == io.SEEK_END else self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position in the file."""
        return self._file.tell()

    def _state(self) -> tuple[int, int]:
        """Return the size in bytes, and the time of the last change in nanoseconds."""
        status = os.fstat(self._file.fileno())
        return status.st_size, status.st_mtime_ns


def unreadable(error: OSError) -> FileError:
    """Return the exception for a file that the operating system does not read."""
    return FileError(f"the file cannot be read: {error.strerror or error}")
