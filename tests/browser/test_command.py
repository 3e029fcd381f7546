"""The page of `nox -s upload-page` works in a browser without our certificates, and its server ends at Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from localstack.emulators.embedded import free_port
from tests.browser.upload_page import UploadPage, file

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import PageErrors

END_TIMEOUT = 10


def test_the_page_of_the_one_command_uploads_through_its_own_door(page: Page, page_errors: PageErrors) -> None:
    port = free_port()
    command = [sys.executable, "-m", "localstack.showcase.upload_page", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  our own command
        try:
            assert process.stdout is not None
            output = []
            for line in process.stdout:
                output.append(line)
                if "Ctrl-C" in line:
                    break
            assert f"Open http://localhost:{port}\n" in output
            page.goto(f"http://localhost:{port}")
            expect(page.get_by_text("Up to 50.0 MB each")).to_be_visible()
            upload = UploadPage(page)
            upload.choose(file("one command.txt"))
            assert upload.key("one command.txt").startswith("uploads/")
            assert page_errors.messages == []
            process.send_signal(signal.SIGINT)
            # within seconds, though the browser still holds connections
            assert process.wait(timeout=END_TIMEOUT) == 0
        finally:
            process.kill()
