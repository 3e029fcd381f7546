"""Fixtures of the browser tests: one emulator that enforces CORS and signatures, one stack, one browser."""

from __future__ import annotations

import hashlib
import json
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
from tests.browser.upload_page import UploadPage
from tests.support.chromium import BrowserNotFoundError, find_browser
from tests.support.index import Client, Clients, Index
from tests.support.serving import serving

if TYPE_CHECKING:
    from pathlib import Path

    from localstack.deployers.deployment import Deployment
    from localstack.emulators.emulator import Emulator

TIMEOUT_MS = 15_000
"""Timeout of each action and assertion on a page, in milliseconds."""

ALLOWED_ORIGINS = 2
"""Number of origins that may upload: one for the upload page, and one for other pages."""

StartServer = Callable[..., UploadServer]


@dataclass(frozen=True, kw_only=True)
class BrowserStack:
    """Stack on an emulator that enforces CORS: pages at `ports` may upload, and pages at `foreign_port` may not."""

    emulator: Emulator
    deployment: Deployment
    index: Index
    ports: list[int]
    foreign_port: int

    @property
    def s3(self) -> Client:
        return self.index.clients.s3

    @property
    def signer(self) -> Client:
        """S3 client with Signature Version 4; boto3 uses Version 2 for presigned URLs by default."""
        return s3_at(self.emulator.endpoint, self.emulator)

    def keys(self, prefix: str) -> list[str]:
        """Return the keys of all objects with this prefix."""
        response = self.s3.list_objects_v2(Bucket=self.index.bucket, Prefix=prefix)
        return [each["Key"] for each in response.get("Contents", ())]

    def content(self, key: str) -> bytes | None:
        """Return the content of an object, or None if it does not exist."""
        if not self.keys(key):
            return None
        body: bytes = self.s3.get_object(Bucket=self.index.bucket, Key=key)["Body"].read()
        return body


class PageErrors:
    """Records console errors, exceptions and violations of the content security policy, which a page does not show."""

    def __init__(self, page: Page) -> None:
        self.messages: list[str] = []
        page.on("console", lambda line: self.messages.append(line.text) if line.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: self.messages.append(str(error)))


@pytest.fixture(scope="session")
def stack() -> Iterator[BrowserStack]:
    ports = [free_port() for _ in range(ALLOWED_ORIGINS + 1)]
    origins = [f"http://localhost:{port}" for port in ports[:ALLOWED_ORIGINS]]
    with start("embedded", settings=ENFORCING) as emulator:
        deployment = deploy(emulator, config_overrides={"corsAllowedOrigins": json.dumps(origins)})
        yield BrowserStack(
            emulator=emulator,
            deployment=deployment,
            index=Index(Clients.of(emulator), deployment.outputs),
            ports=ports[:ALLOWED_ORIGINS],
            foreign_port=ports[ALLOWED_ORIGINS],
        )


@pytest.fixture(scope="session")
def browser(stack: BrowserStack) -> Iterator[Browser]:
    """Browser that accepts the emulator's public key; it checks all other certificates."""
    with sync_playwright() as playwright:
        try:
            program = find_browser(playwright_path=playwright.chromium.executable_path)
        except BrowserNotFoundError as error:
            pytest.exit(str(error), pytest.ExitCode.USAGE_ERROR)
        assert stack.emulator.ca_bundle is not None
        trusted_key = f"--ignore-certificate-errors-spki-list={fingerprint(stack.emulator.ca_bundle)}"
        expect.set_options(timeout=TIMEOUT_MS)
        browser = playwright.chromium.launch(executable_path=program, args=[trusted_key])
        yield browser
        browser.close()


@pytest.fixture
def start_server(stack: BrowserStack) -> Iterator[StartServer]:
    """Function that starts an upload server. Its default port is the first one whose pages may upload."""
    with ExitStack() as cleanup:

        def start_server(port: int | None = None, **rules: Any) -> UploadServer:
            served = stack_at(stack.emulator.endpoint, stack.emulator, stack.deployment.outputs, rules_for(**rules))
            return cleanup.enter_context(serving(UploadServer(served, port=port or stack.ports[0])))

        yield start_server


@pytest.fixture
def server(start_server: StartServer) -> UploadServer:
    return start_server()


@pytest.fixture
def upload(page: Page, server: UploadServer, page_errors: PageErrors) -> UploadPage:  # noqa: ARG001  records from the start
    """Open the upload page in the browser."""
    return UploadPage.open(page, server)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1000, "height": 800}, locale="en-GB")
    context.set_default_timeout(TIMEOUT_MS)
    yield context.new_page()
    context.close()


@pytest.fixture
def page_errors(page: Page) -> PageErrors:
    return PageErrors(page)


def rules_for(**different: Any) -> Rules:
    """Return upload rules with a unique key prefix and a limit of 25 MB."""
    return Rules(**{"prefix": f"browser/{uuid.uuid4().hex[:8]}/", "max_bytes": 25 * MEGABYTE, **different})


def fingerprint(certificate: Path) -> str:
    """Return the fingerprint of a certificate's public key: base64 of the SHA-256 of its SubjectPublicKeyInfo."""
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    public = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return b64encode(hashlib.sha256(public).digest()).decode()
