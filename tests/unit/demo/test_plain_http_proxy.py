from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localstack.emulators.certificate import create
from localstack.showcase.plain_http_proxy import plain_http_proxy

if TYPE_CHECKING:
    import pytest


def test_plain_http_proxy_forwards_data_over_tls_in_both_directions(tmp_path: Path) -> None:
    made = create(tmp_path, "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    content = bytes(range(256)) * 4000
    received = bytearray()

    def echo(listener: socket.socket) -> None:
        with context.wrap_socket(listener.accept()[0], server_side=True) as client:
            while len(received) < len(content):
                received.extend(client.recv(65536))
            client.sendall(received)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=echo, args=(listener,))
        thread.start()
        with plain_http_proxy(f"https://127.0.0.1:{listener.getsockname()[1]}", made.certificate) as url:
            assert url.startswith("http://127.0.0.1:")
            with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=5) as client:
                client.sendall(content)
                back = bytearray()
                while len(back) < len(content):
                    back.extend(client.recv(65536))
        thread.join()
    assert back == received == content


def test_plain_http_proxy_closes_despite_an_open_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    servers: list[asyncio.Server] = []
    start_server = asyncio.start_server

    async def start(*arguments: Any) -> asyncio.Server:
        servers.append(await start_server(*arguments))
        return servers[0]

    monkeypatch.setattr(asyncio, "start_server", start)
    made = create(tmp_path, "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with plain_http_proxy(f"https://127.0.0.1:{listener.getsockname()[1]}", made.certificate) as url:
            port = int(url.rpartition(":")[2])
            client = socket.create_connection(("127.0.0.1", port), timeout=5)
            behind, _ = listener.accept()
        with client, behind:
            assert client.recv(1) == b""
    assert [each.sockets for each in servers] == [()]  # Meanwhile, another program can use the port.
