"""The command `python -m examples.upload`: serves the upload page for a deployed stack."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from examples.upload.errors import CannotRunError
from examples.upload.server import UploadServer
from examples.upload.stack import Stack
from examples.upload.upload_requests import MAX_POST_BYTES, MEGABYTE, Rules, problem_of_prefix
from operations import program
from operations.errors import OperatorError
from operations.target import from_outputs

SUCCESS, COULD_NOT_RUN = 0, 2
PORT = 3000
"""Default port: in the environment `dev`, pages of `http://localhost:3000` may upload by default."""
HIGHEST_PORT = 65535


def main(
    arguments: Sequence[str],
    *,
    connect: Callable[..., Stack] = Stack.connect,
    serve: Callable[[UploadServer], None] = UploadServer.serve_forever,
) -> int:
    """Serve the upload page until Ctrl-C and return the exit code.

    Args:
        arguments: command-line arguments without the name of the program.
        connect: function that creates the stack's clients, with the parameters of `Stack.connect`.
        serve: function that serves requests until Ctrl-C.

    Returns:
        0 after Ctrl-C; 2 if the server could not start.
    """
    options = _parser().parse_args(arguments)
    try:
        target = from_outputs(options.stack_outputs)
        rules = Rules(prefix=options.prefix, max_bytes=options.max_megabytes * MEGABYTE)
        stack = connect(region=target.region, bucket=target.bucket, table=target.table, rules=rules)
        with UploadServer(stack, port=options.port) as server, suppress(KeyboardInterrupt):
            sys.stdout.write(
                f"Open {server.origin}: uploads go to {target.bucket}/{rules.prefix}\nRunning until Ctrl-C\n"
            )
            sys.stdout.flush()
            serve(server)
    except (CannotRunError, OperatorError) as error:
        sys.stderr.write(f"upload: {error}\n")
        return COULD_NOT_RUN
    return SUCCESS


def run() -> NoReturn:
    """Run the upload page's command with the arguments of this process, and exit with the exit code of the command."""
    program.run(main, name="upload", failure_code=COULD_NOT_RUN)


def port(text: str) -> int:
    """Convert a command-line argument to a port number.

    Raises:
        argparse.ArgumentTypeError: the argument is not a number from 1 to 65535.
    """
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= HIGHEST_PORT):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: give a number from 1 to {HIGHEST_PORT}")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m examples.upload",
        description="Serve a page, on this machine only, that uploads files to a deployed stack and shows their rows.",
        epilog="The server uses the same AWS credentials as the AWS CLI, and never sends them to the page. There is no "
        "login: every user who can open the page can upload.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--stack-outputs", type=Path, required=True, metavar="FILE", help="output of `pulumi stack output --json`"
    )
    parser.add_argument("--port", type=port, default=PORT, help=f"port of the page (default: {PORT})")
    parser.add_argument(
        "--prefix", type=_prefix, default=Rules.prefix, metavar="P", help="prefix of object keys (default: %(default)s)"
    )
    parser.add_argument(
        "--max-megabytes",
        type=_megabytes,
        default=Rules.max_bytes // MEGABYTE,
        metavar="N",
        help="maximum size of a file, in megabytes (default: %(default)s)",
    )
    return parser


def _prefix(text: str) -> str:
    if problem := problem_of_prefix(text):
        raise argparse.ArgumentTypeError(problem)
    return text


def _megabytes(text: str) -> int:
    most = MAX_POST_BYTES // MEGABYTE
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
        message = f"{text!r} is not a size: give megabytes from 1 to {most:,}, the maximum of one POST request"
        raise argparse.ArgumentTypeError(message)
    return int(text)
