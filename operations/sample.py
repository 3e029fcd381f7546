"""Random sample of a stream of object versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

    from operations.listing import Version


class Sample:
    """Random sample of a stream of object versions, in which each version has the same probability.

    The method is Algorithm R: Jeffrey S. Vitter, "Random Sampling with a Reservoir", ACM TOMS, 1985.

    Attributes:
        versions: the sample of the versions so far.
    """

    def __init__(self, size: int, rng: random.Random) -> None:
        self.versions: list[Version] = []
        self._size = size
        self._rng = rng
        self._seen = 0

    def add(self, version: Version) -> None:
        """Add the next version of the stream, which possibly replaces another version of the sample."""
        self._seen += 1
        if len(self.versions) < self._size:
            self.versions.append(version)
        elif (place := self._rng.randrange(self._seen)) < self._size:
            self.versions[place] = version
