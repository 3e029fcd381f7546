"""Listening sockets of this machine and of its processes, from Linux's /proc."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PROC = Path("/proc")
LISTENING = "0A"  # state of listening sockets in /proc/net/tcp (Linux: include/net/tcp_states.h)


@dataclass(frozen=True, kw_only=True)
class Listener:
    address: IPv4Address | IPv6Address
    port: int
    inode: str


def tcp_listeners() -> Iterator[Listener]:
    """Yield each listening TCP socket of this machine."""
    for table in ("tcp", "tcp6"):
        file = PROC / "net" / table
        if not file.exists():  # this machine has no IPv6
            continue
        for line in file.read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            host, port = fields[1].split(":")
            if fields[3] == LISTENING:
                yield Listener(address=_address(host), port=int(port, 16), inode=fields[9])


def _address(text: str) -> IPv4Address | IPv6Address:
    """Parse an address in /proc/net/tcp: hexadecimal 32-bit words in the byte order of this machine."""
    words = [int(text[start : start + 8], 16).to_bytes(4, sys.byteorder) for start in range(0, len(text), 8)]
    return ip_address(b"".join(words))


def sockets_of_session(inode: str, proc: Path = PROC) -> set[str]:
    """Return the inodes of the sockets of all processes in the Unix session of the process that has a socket.

    Args:
        inode: inode of the socket.
        proc: root of the proc file system.
    """
    by_session: dict[int, set[str]] = {}
    for process in proc.glob("[0-9]*"):
        # A process may exit at any time, and processes of other users are not readable.
        with suppress(FileNotFoundError, PermissionError, ProcessLookupError):
            session = int((process / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[3])
            by_session.setdefault(session, set()).update(_sockets(process / "fd"))
    [found] = [sockets for sockets in by_session.values() if inode in sockets]
    return found


def _sockets(descriptors: Path) -> Iterator[str]:
    for descriptor in descriptors.iterdir():
        with suppress(FileNotFoundError):  # A descriptor may close while the folder is listed.
            link = str(descriptor.readlink())
            if link.startswith("socket:["):
                yield link[len("socket:[") : -1]
