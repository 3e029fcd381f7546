"""`nox -s audit` fails if a package that ships is known to be vulnerable, and if the service does not respond.

pip-audit runs with the session's own arguments against a fake of OSV
(https://google.github.io/osv.dev/post-v1-query/).
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import noxfile
from tests.support.requirements import pins
from tests.support.serving import serving
from tools.sbom import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

VULNERABILITY = {
    "id": "PYSEC-2099-1",
    "summary": "reads what it must not",
    "details": "",
    "modified": "2099-01-01T00:00:00Z",
    "affected": [
        {
            "package": {"name": "jmespath", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.0"}]}],
        }
    ],
}


@contextmanager
def osv(*vulnerable: str) -> Iterator[tuple[str, list[Any]]]:
    """Yield the address of a fake OSV that reports these packages as vulnerable, and the list of its queries."""
    queries: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            queries.append((query["package"]["name"], query["version"]))
            known = {"vulns": [VULNERABILITY]} if query["package"]["name"] in vulnerable else {}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(known).encode())

        def log_message(self, *_: object) -> None:
            """Nothing: the tests' output is pytest's."""

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        yield f"http://127.0.0.1:{server.server_port}/v1/query", queries


def audit(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *noxfile.vulnerabilities()]
    command += ["--vulnerability-service=osv", f"--osv-url={url}", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments


def test_every_package_that_ships_is_asked_for() -> None:
    with osv() as (url, queries):
        result = audit(url)
    assert result.returncode == 0, result.stderr
    assert "No known vulnerabilities found" in result.stderr
    assert set(queries) == {pin for file in noxfile.SHIPPED for pin in pins(ROOT / file).items()}


def test_a_vulnerable_package_fails_and_is_named_with_what_mends_it_unless_it_is_accepted() -> None:
    with osv("jmespath") as (url, _):
        result, accepted = audit(url), audit(url, "--ignore-vuln=PYSEC-2099-1")
    assert (result.returncode, accepted.returncode) == (1, 0)
    (line,) = (line for line in result.stdout.splitlines() if line.startswith("jmespath"))
    assert line.split() == ["jmespath", "1.1.0", "PYSEC-2099-1", "99.0"]


def test_a_service_that_does_not_answer_is_a_failure() -> None:
    with osv() as (url, _):
        pass
    assert audit(url).returncode == 1
