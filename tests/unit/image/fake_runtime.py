"""Fake Lambda runtime that executes the instruction in each event. Tests copy this file to the bootstrap path."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from http.client import HTTPConnection, HTTPResponse

API = "/2018-06-01/runtime"
FOREVER = 600


def call(method: str, path: str, body: bytes | None = None) -> HTTPResponse:
    connection = HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    connection.request(method, f"{API}/{path}", body)
    return connection.getresponse()


def write(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def serve(request: HTTPResponse) -> None:
    invocation = f"invocation/{request.headers['Lambda-Runtime-Aws-Request-Id']}"
    event = json.loads(request.read())
    match event["do"]:
        case "report":
            report = {"headers": dict(request.headers), "environment": dict(os.environ), "event": event}
            call("POST", f"{invocation}/response", json.dumps(report).encode())
        case "print":
            write(event["text"])
            call("POST", f"{invocation}/response", b"null")
        case "fail":
            call("POST", f"{invocation}/error", json.dumps(event["error"]).encode())
        case "respond":
            call("POST", f"{invocation}/response", b"x" * event["bytes"])
        case "respond to another":
            status = call("POST", "invocation/not-mine/response", b"1").status
            call("POST", f"{invocation}/response", str(status).encode())
        case "exit":
            sys.exit(event["status"])
        case "hang":
            child = subprocess.Popen(["/bin/sleep", str(FOREVER)])  # noqa: S603  the test checks this process
            write(f"child {child.pid}")
            time.sleep(FOREVER)


if __name__ == "__main__":
    write("starting")
    match os.environ.get("MODE"):
        case "init error":
            call("POST", "init/error", b'{"errorType": "Runtime.ImportModuleError"}')
            time.sleep(FOREVER)  # Simulates a runtime that continues to run after an init error.
        case "exit":
            sys.exit(3)
    while True:
        serve(call("GET", "invocation/next"))
