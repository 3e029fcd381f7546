"""The certificate of an emulator that answers over TLS."""

from __future__ import annotations

import ipaddress
import stat
import sys
from pathlib import Path

import pytest
from cryptography import x509

from localstack.emulators import certificate


def test_it_vouches_for_one_address_and_for_no_other_certificate(tmp_path: Path) -> None:
    made = certificate.make(tmp_path, "127.0.0.1")
    parsed = x509.load_pem_x509_certificate(made.certificate.read_bytes())
    names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    assert not parsed.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    parsed.verify_directly_issued_by(parsed)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_nobody_else_can_read_its_key(tmp_path: Path) -> None:
    made = certificate.make(tmp_path, "127.0.0.1")
    assert stat.S_IMODE(made.key.stat().st_mode) == 0o600
