"""Proxy that accepts plain HTTP from browsers, which do not trust the emulator's TLS certificate."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

HOST = "127.0.0.1"
CHUNK_BYTES = 65536


@contextmanager
def plain_http_proxy(endpoint: str, ca_bundle: Path) -> Iterator[str]:
    """Context manager that runs a proxy and yields its http URL. The proxy forwards all bytes unchanged.

    Args:
        endpoint: https URL of the server.
        ca_bundle: certificate with which the server is verified.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = None
    try:
        server = asyncio.run_coroutine_threadsafe(_listen(endpoint, ca_bundle), loop).result()
        port: int = server.sockets[0].getsockname()[1]
        yield f"http://{HOST}:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(_close(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _listen(endpoint: str, ca_bundle: Path) -> asyncio.Server:
    url = urlsplit(endpoint)
    context = ssl.create_default_context(cafile=ca_bundle)

    async def forward(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, asyncio.CancelledError):  # Ignore errors if the client or the server disconnects.
                server, to_server = await asyncio.open_connection(url.hostname, url.port, ssl=context)
                await asyncio.gather(_copy(client, to_server), _copy(server, to_client))
        finally:
            to_client.close()

    return await asyncio.start_server(forward, HOST, 0)


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while chunk := await source.read(CHUNK_BYTES):
            target.write(chunk)
            await target.drain()
    finally:
        target.close()


async def _close(server: asyncio.Server | None) -> None:
    """Close the proxy's server socket and all connections."""
    if server is not None:
        server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0)  # Let the event loop close the sockets.
