"""A TLS certificate for a server on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """The PEM files of a server's certificate, with its authority's, and of its private key.

    `certificate` is both what the server presents and what clients verify the server with.
    """

    certificate: Path
    key: Path


def create(folder: Path, address: str) -> Certificate:
    """Write a certificate for a server at an IP address into a folder. The authority's private key is not kept."""
    import trustme  # noqa: PLC0415  importing it takes a tenth of a second, and only servers with TLS need it

    authority = trustme.CA()
    server = authority.issue_cert(address)
    created = Certificate(certificate=folder / "server.crt", key=folder / "server.key")
    for chained in (*server.cert_chain_pems, authority.cert_pem):
        chained.write_to_path(str(created.certificate), append=True)
    created.key.touch(mode=0o600)
    server.private_key_pem.write_to_path(str(created.key))
    return created
