"""The command `python -m localstack.showcase.upload_page`: serves the upload page with a stack on an AWS emulator."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from examples.upload.command import PORT, port
from examples.upload.errors import CannotRunError
from examples.upload.server import UploadServer, check_port
from examples.upload.stack import Stack, s3_config
from examples.upload.upload_requests import Rules
from localstack.deployers.deploy import deploy
from localstack.emulators.emulator import ENFORCING, start
from localstack.errors import HarnessError
from localstack.showcase.plain_http_proxy import plain_http_proxy
from operations import program

if TYPE_CHECKING:
    from localstack.emulators.emulator import Client, Emulator

SUCCESS, FAILED, INTERRUPTED = 0, 1, 130


def main(arguments: Sequence[str], *, serve: Callable[[UploadServer], None] = UploadServer.serve_forever) -> int:
    """Serve the upload page until Ctrl-C and return the exit code.

    Args:
        arguments: command-line arguments, without the program.
        serve: runs the server until it is interrupted.
    """
    options = _parser().parse_args(arguments)
    try:
        with running(options.port, report=_print) as server, suppress(KeyboardInterrupt):
            _print(f"\nOpen {server.origin}\nRunning until Ctrl-C")
            serve(server)
    except (CannotRunError, HarnessError, ClientError, BotoCoreError) as error:
        sys.stderr.write(f"upload-page: {error}\n")
        return FAILED
    except KeyboardInterrupt:
        sys.stderr.write("upload-page: interrupted; the emulator was stopped and its data was deleted\n")
        return INTERRUPTED
    return SUCCESS


@contextmanager
def running(number: int, *, report: Callable[[str], None]) -> Iterator[UploadServer]:
    """Context manager that starts an emulator, deploys the stack, and yields the server of the upload page.

    The emulator enforces IAM policies and CORS, as AWS does.

    Args:
        number: local port of the upload page.
        report: called with a message after each step.

    Raises:
        CannotRunError: the port is in use.
        HarnessError: the emulator cannot be started, the stack cannot be deployed, or the emulator exited.
    """
    check_port(number)  # before the emulator is started and the stack is deployed
    origin = f"http://localhost:{number}"
    with start("embedded", settings=ENFORCING, report=report) as running:
        report(f"emulator  {running.name}, which enforces policies and CORS")
        assert running.ca_bundle is not None  # With the settings `ENFORCING`, the emulator serves TLS.
        deployed = deploy(running, config_overrides={"corsAllowedOrigins": json.dumps([origin])})
        report(f"stack     {len(deployed.resources)} resources, deployed in {deployed.seconds:.1f} s")
        with plain_http_proxy(running.endpoint, running.ca_bundle) as proxy:
            stack = stack_at(proxy, running, deployed.outputs)
            with UploadServer(stack, port=number) as server:
                # The server calls this method twice a second. An exception of the method ends the server.
                server.service_actions = running.check  # type: ignore[method-assign]  # simpler than a subclass
                yield server


def stack_at(endpoint: str, emulator: Emulator, outputs: Mapping[str, str], rules: Rules | None = None) -> Stack:
    """Return the AWS clients, names and rules of a deployed stack that the server of the upload page needs.

    Args:
        endpoint: URL at which browsers reach the emulator.
        emulator: emulator on which the stack is deployed.
        outputs: outputs of the stack.
        rules: rules for uploads; None for the defaults.
    """
    return Stack(
        s3_at(endpoint, emulator),
        emulator.client("dynamodb"),
        bucket=outputs["bucket_name"],
        table=outputs["table_name"],
        rules=rules or Rules(),
    )


def s3_at(endpoint: str, emulator: Emulator) -> Client:
    """Return a boto3 client for S3 that signs requests for a browser.

    Args:
        endpoint: URL to which the browser sends the requests.
        emulator: emulator with the credentials and the region.
    """
    environment = emulator.environment()
    s3: Client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=emulator.region,
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        verify=environment.get("AWS_CA_BUNDLE"),
        config=s3_config(custom_endpoint=True).merge(Config(proxies={})),  # The user's proxy cannot reach the emulator.
    )
    return s3


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m localstack.showcase.upload_page",
        description="Serve the upload page of examples/upload, with the stack on an AWS emulator on this machine.",
        allow_abbrev=False,
    )
    parser.add_argument("--port", type=port, default=PORT, help=f"local port of the page (default: {PORT})")
    return parser


if __name__ == "__main__":
    program.run(main, name="upload-page", failure_code=FAILED)
