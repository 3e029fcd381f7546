"""The function's telemetry as the outside meets it: what it prints, and what an X-Ray daemon hears."""

from __future__ import annotations

import io
import json
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from lambda_code.errors import IndexingError
from lambda_code.indexer import Indexer
from lambda_code.telemetry import Telemetry
from tests.support import emf
from tests.support.fakes import World
from tests.support.strategies import head
from tests.support.tracing import flat

if TYPE_CHECKING:
    from lambda_code.settings import Settings

TRACE_ID = "1-5759e988-bd862e3fe1be46a994272793"
SEGMENT_ID = "53995c3f42cd8ad8"
SECRET = "the owner's own business"


class Told:
    """A world whose indexer has the real telemetry, and what that writes."""

    def __init__(self, settings: Settings) -> None:
        self.stream = io.StringIO()
        self.world = World()
        self.world.s3.put("photos/cat.jpg", "v1", head(Metadata={"note": SECRET}))
        self.indexer = Indexer(**{**vars(self.world.indexer), "telemetry": Telemetry(settings, stream=self.stream)})

    def handle(self, event: object, *, request_id: str = "request-1") -> None:
        with suppress(IndexingError):  # the handler's tests are about it
            self.indexer.handle(event, request_id=request_id, deadline=self.world.clock() + 60)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().split("\n") if line]

    @property
    def logs(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if "_aws" not in line]

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The embedded metrics, each of which must be right."""
        found = [line for line in self.lines if "_aws" in line]
        for line in found:
            emf.check(line)
        return found


class Daemon:
    """An X-Ray daemon that only listens."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"

    def close(self) -> None:
        self._socket.close()

    def heard(self, number: int) -> list[dict[str, Any]]:
        """So many subsegments, in the order of their ends; there must be no more."""
        found = [subsegment for tree in self.trees() for subsegment in flat(tree)]
        assert len(found) == number, [each["name"] for each in found]
        return found

    def trees(self) -> list[dict[str, Any]]:
        """The documents that were sent since the last time, each a subsegment with those in it."""
        self._socket.settimeout(0)  # on loopback what was sent has arrived
        found = []
        with suppress(BlockingIOError):
            while True:
                header, _, document = self._socket.recv(65536).decode().partition("\n")
                assert json.loads(header) == {"format": "json", "version": 1}
                found.append(json.loads(document))
        return found
