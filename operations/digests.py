"""A set of versions in 16 bytes each, so that millions of them fit into memory."""

from __future__ import annotations

from hashlib import blake2b

SIZE = 16
"""Bytes of a digest. That two of a billion versions share one has a probability of about 1 in 10^21."""

_BINS = 1 << 12


class Digests:
    """A set of `(object_id, version_id)`, without removal.

    A digest lies in one of 4,096 byte strings, which its first bits choose; of a million, each has 4 kB to search.
    """

    def __init__(self) -> None:
        self._bins = [bytearray() for _ in range(_BINS)]

    def add(self, object_id: str, version_id: str) -> None:
        """Add a version; one that is added twice uses its 16 bytes twice."""
        digest = _digest(object_id, version_id)
        self._bin(digest).extend(digest)

    def __contains__(self, version: tuple[str, str]) -> bool:
        digest = _digest(*version)
        bin_ = self._bin(digest)
        at = bin_.find(digest)
        while at % SIZE and at > 0:  # the same bytes across two digests are not this one
            at = bin_.find(digest, at + 1)
        return at >= 0

    def _bin(self, digest: bytes) -> bytearray:
        return self._bins[int.from_bytes(digest[:2]) % _BINS]


def _digest(object_id: str, version_id: str) -> bytes:
    # a version id has no zero byte, so no two versions give the same text
    return blake2b(f"{object_id}\0{version_id}".encode(), digest_size=SIZE).digest()
