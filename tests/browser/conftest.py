"""One emulator that enforces CORS and signatures, one stack, one browser; a page and its server for each test."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import Browser, Page, expect, sync_playwright

from examples.upload.server import UploadServer
from examples.upload.upload_requests import MEGABYTE, Rules
from localstack.deployers.deploy import deploy
from localstack.emulators.embedded import free_port
from localstack.emulators.emulator import ENFORCING, start
from localstack.showcase.upload_page import s3_at, stack_at
from tests.support.chromium import NoBrowserError, find, flags
from tests.support.index import Clients, Index

if TYPE_CHECKING:
    from pathlib import Path

    from localstack.deployers.deployment import Deployment
    from localstack.emulators.emulator import Emulator

PATIENCE = 15_000
"""Milliseconds that a page may take for anything."""

ALLOWED = 2
"""Origins that may upload: one page after another is served at the first, and what runs beside it at the second."""

Serve = Callable[..., UploadServer]


@dataclass(frozen=True, kw_only=True)
class Place:
    """A deployed stack on an emulator that enforces CORS, and the ports whose pages may and may not upload."""

    emulator: Emulator
    deployment: Deployment
    index: Index
    ports: list[int]
    foreign_port: int

    @property
    def s3(self) -> Any:  # noqa: ANN401  boto3 makes its classes while it runs
        return self.index.clients.s3

    @property
    def signer(self) -> Any:  # noqa: ANN401  as above
        """What signs as AWS wants it today: without being told, boto3 signs links in the old way."""
        return s3_at(self.emulator.endpoint, self.emulator)


class Watched:
    """What went wrong in a page without showing: lines of the console, exceptions, breaches of its own policy."""

    def __init__(self, page: Page) -> None:
        self.wrong: list[str] = []
        page.on("console", lambda line: self.wrong.append(line.text) if line.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))


@pytest.fixture(scope="session")
def place() -> Iterator[Place]:
    ports = [free_port() for _ in range(ALLOWED + 1)]
    origins = [f"http://localhost:{port}" for port in ports[:ALLOWED]]
    with start("embedded", settings=ENFORCING) as emulator:
        deployment = deploy(emulator, config_overrides={"corsAllowedOrigins": json.dumps(origins)})
        yield Place(
            emulator=emulator,
            deployment=deployment,
            index=Index(Clients.of(emulator), deployment.outputs),
            ports=ports[:ALLOWED],
            foreign_port=ports[ALLOWED],
        )


@pytest.fixture(scope="session")
def browser(place: Place) -> Iterator[Browser]:
    """The browser knows the emulator by its key, and by no other: certificates are checked as ever."""
    with sync_playwright() as playwright:
        try:
            program = find(playwrights=playwright.chromium.executable_path)
        except NoBrowserError as error:
            pytest.exit(str(error), pytest.ExitCode.USAGE_ERROR)
        assert place.emulator.ca_bundle is not None
        known = f"--ignore-certificate-errors-spki-list={fingerprint(place.emulator.ca_bundle)}"
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        expect.set_options(timeout=PATIENCE)
        browser = playwright.chromium.launch(executable_path=program, args=[*flags(root=root), known])
        yield browser
        browser.close()


@pytest.fixture
def serve(place: Place) -> Iterator[Serve]:
    """Start a page's server: at the first allowed port, with rules of its own, if nothing else is said."""
    with ExitStack() as until_done:

        def serve(port: int | None = None, **rules: Any) -> UploadServer:
            stack = stack_at(place.emulator.endpoint, place.emulator, place.deployment.outputs, rules_for(**rules))
            server = until_done.enter_context(UploadServer(stack, port=port or place.ports[0]))
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
            thread.start()
            until_done.callback(thread.join)
            until_done.callback(server.shutdown)
            return server

        yield serve


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1000, "height": 800}, locale="en-GB")
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


@pytest.fixture
def watched(page: Page) -> Watched:
    return Watched(page)


def rules_for(**different: Any) -> Rules:
    """A folder of keys for each test; at most 25 MB."""
    return Rules(**{"prefix": f"browser/{uuid.uuid4().hex[:8]}/", "max_bytes": 25 * MEGABYTE, **different})


def fingerprint(certificate: Path) -> str:
    """A certificate's public key, as Chromium takes it: base64 of the SHA-256 of SubjectPublicKeyInfo."""
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    public = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return b64encode(hashlib.sha256(public).digest()).decode()
