"""Creates a TLS certificate for a local server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """PEM files of a TLS certificate.

    Attributes:
        certificate: certificates of the server and of its certificate authority, for the server and for its clients.
        key: private key of the server.
    """

    certificate: Path
    key: Path


def create(folder: Path, address: str) -> Certificate:
    """Create a TLS certificate, signed by a new certificate authority whose private key is not stored.

    Args:
        folder: folder for the files.
        address: IP address of the server.
    """
    import trustme  # noqa: PLC0415  the import takes 0.1 s, and only servers with TLS need it

    authority = trustme.CA()
    server = authority.issue_cert(address)
    created = Certificate(certificate=folder / "server.crt", key=folder / "server.key")
    for chained in (*server.cert_chain_pems, authority.cert_pem):
        chained.write_to_path(str(created.certificate), append=True)
    created.key.touch(mode=0o600)
    server.private_key_pem.write_to_path(str(created.key))
    return created
