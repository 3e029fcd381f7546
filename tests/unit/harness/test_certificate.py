"""The certificate of an emulator that serves over TLS."""

from __future__ import annotations

import ssl
import stat
import sys
from pathlib import Path

import pytest

from localstack.emulators import certificate


def handshake(server: certificate.Certificate, *, trusted: Path, address: str) -> None:
    """Connect to a server with this certificate, in memory, as a client that trusts one file."""
    listening = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    listening.load_cert_chain(server.certificate, server.key)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context(cafile=trusted).wrap_bio(to_client, to_server, server_hostname=address)
    accepted = listening.wrap_bio(to_server, to_client, server_side=True)
    for end in (client, accepted, client):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue


def test_it_vouches_for_one_address_and_for_no_other_certificate(tmp_path: Path) -> None:
    for name in ("own", "other"):
        (tmp_path / name).mkdir()
    own, other = (certificate.create(tmp_path / name, "127.0.0.1") for name in ("own", "other"))
    handshake(own, trusted=own.certificate, address="127.0.0.1")
    with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
        handshake(own, trusted=own.certificate, address="127.0.0.2")
    with pytest.raises(ssl.SSLCertVerificationError, match=r"unable to get local issuer|self-signed"):
        handshake(other, trusted=own.certificate, address="127.0.0.1")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_nobody_else_can_read_its_key(tmp_path: Path) -> None:
    assert stat.S_IMODE(certificate.create(tmp_path, "127.0.0.1").key.stat().st_mode) == 0o600
