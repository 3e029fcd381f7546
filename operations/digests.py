"""Memory-saving set of object versions, with 16 bytes per version."""

from __future__ import annotations

from hashlib import blake2b

SIZE = 16
"""Bytes per digest. The probability that two of a billion versions have the same digest is about 10^-21."""

_BINS = 1 << 12


class Digests:
    """A set of pairs `(object_id, version_id)` that stores a digest of each pair. Pairs cannot be removed.

    The first 12 bits of a digest select one of 4,096 byte strings that contain it. With a million digests, a search
    reads about 4 kB.
    """

    def __init__(self) -> None:
        self._bins = [bytearray() for _ in range(_BINS)]

    def add(self, object_id: str, version_id: str) -> None:
        """Add a version. Adding a version twice uses 16 more bytes.

        Args:
            object_id: the object's partition key in the table, `BUCKET/KEY`.
            version_id: the S3 version ID.
        """
        digest = _digest(object_id, version_id)
        self._bin(digest).extend(digest)

    def __contains__(self, version: tuple[str, str]) -> bool:
        digest = _digest(*version)
        bin_ = self._bin(digest)
        at = bin_.find(digest)
        while at % SIZE and at > 0:  # Skip a match that consists of parts of two digests.
            at = bin_.find(digest, at + 1)
        return at >= 0

    def _bin(self, digest: bytes) -> bytearray:
        return self._bins[int.from_bytes(digest[:2]) % _BINS]


def _digest(object_id: str, version_id: str) -> bytes:
    # The separator is a zero byte, which a version ID cannot contain. Therefore different pairs of object ID and
    # version ID have different texts.
    return blake2b(f"{object_id}\0{version_id}".encode(), digest_size=SIZE).digest()
