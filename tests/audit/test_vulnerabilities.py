"""Tests of the vulnerability check in `nox -s audit`.

The tests run pip-audit with a fake of the OSV service (https://google.github.io/osv.dev/post-v1-query/).
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
    """Yield the URL of a fake OSV service that reports the given packages as vulnerable, and its list of queries."""
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
            """Suppress the log messages of the HTTP server."""

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        yield f"http://127.0.0.1:{server.server_port}/v1/query", queries


def audit(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *noxfile.vulnerabilities()]
    command += ["--vulnerability-service=osv", f"--osv-url={url}", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - constant arguments


def test_vulnerability_check_queries_each_shipped_package() -> None:
    with osv() as (url, queries):
        result = audit(url)
    assert result.returncode == 0, result.stderr
    assert "No known vulnerabilities found" in result.stderr
    assert set(queries) == {pin for file in noxfile.SHIPPED for pin in pins(ROOT / file).items()}


def test_vulnerability_check_reports_the_fixed_version_unless_accepted() -> None:
    with osv("jmespath") as (url, _):
        result, accepted = audit(url), audit(url, "--ignore-vuln=PYSEC-2099-1")
    assert (result.returncode, accepted.returncode) == (1, 0)
    (line,) = (line for line in result.stdout.splitlines() if line.startswith("jmespath"))
    assert line.split() == ["jmespath", "1.1.0", "PYSEC-2099-1", "99.0"]


def test_vulnerability_check_fails_if_the_service_does_not_respond() -> None:
    with osv() as (url, _):
        pass
    assert audit(url).returncode == 1
