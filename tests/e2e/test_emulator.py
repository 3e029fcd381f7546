"""The emulator runs whatever code is uploaded to it, so nobody but this machine may reach it."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from localstack.emulators.emulator import Emulator
    from tests.support.index import Index

pytestmark = pytest.mark.not_in_a_live_account("is about the emulator")

LISTENING = "0A"  # Linux: include/net/tcp_states.h, as /proc/net/tcp shows it


@dataclass(frozen=True, kw_only=True)
class Listener:
    address: IPv4Address | IPv6Address
    port: int
    inode: str


def test_the_emulator_answers_on_this_machine_only(emulator: Emulator) -> None:
    parts = urlsplit(emulator.endpoint)
    assert (parts.hostname, parts.port is not None) == ("127.0.0.1", True)
    with socket.create_connection(("127.0.0.1", parts.port or 0), timeout=2):
        pass
    others = _other_addresses()
    assert others
    for address in others:
        with pytest.raises(OSError, match=r"refused|unreachable|timed out"):
            socket.create_connection((address, parts.port or 0), timeout=1).close()


@pytest.mark.only_emulator("embedded")
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells in /proc what a process listens on")
def test_nothing_of_the_emulator_listens_on_any_other_address(emulator: Emulator, index: Index) -> None:
    """Nor a helper on a port of its own, nor the processes that run the function."""
    index.invoke({"Event": "s3:TestEvent"})  # so that there is such a process
    port = urlsplit(emulator.endpoint).port
    listeners = list(_listeners())
    [inode] = [listener.inode for listener in listeners if listener.port == port]
    sockets = _sockets_of_the_session_that_has(inode)
    assert inode in sockets
    exposed = [each for each in listeners if each.inode in sockets and not each.address.is_loopback]
    assert exposed == []


def _other_addresses() -> set[str]:
    """Addresses of this machine at which a listener on all interfaces would answer."""
    found = {"127.0.0.2"} if sys.platform == "linux" else set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: it tells the address that it would send from
            found.add(probe.getsockname()[0])
        except OSError:
            pass  # no network at all
    return found - {"127.0.0.1"}


def _listeners() -> Iterator[Listener]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if not Path(table).exists():  # no IPv6
            continue
        for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            host, port = fields[1].split(":")
            if fields[3] == LISTENING:
                yield Listener(address=_address(host), port=int(port, 16), inode=fields[9])


def _address(text: str) -> IPv4Address | IPv6Address:
    """Words of 32 bits in hexadecimal, each in the byte order of this machine."""
    words = [int(text[start : start + 8], 16).to_bytes(4, sys.byteorder) for start in range(0, len(text), 8)]
    return ip_address(b"".join(words))


def _sockets_of_the_session_that_has(inode: str) -> set[str]:
    """The inodes of every socket of the processes in the session (as in setsid) of the process with this socket."""
    by_session: dict[int, set[str]] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            session = int((process / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[3])
            links = [str(link.readlink()) for link in (process / "fd").iterdir()]
        except (FileNotFoundError, PermissionError, ProcessLookupError):  # it has just ended, or is somebody else's
            continue
        sockets = {link[len("socket:[") : -1] for link in links if link.startswith("socket:[")}
        by_session.setdefault(session, set()).update(sockets)
    [found] = [sockets for sockets in by_session.values() if inode in sockets]
    return found
