"""The command `python -m examples.upload`: the page for a stack that is deployed."""

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
"""Of the origin that may upload by default in the environment `dev`."""
HIGHEST_PORT = 65535


def main(
    arguments: Sequence[str],
    *,
    connect: Callable[..., Stack] = Stack.connect,
    serve: Callable[[UploadServer], None] = UploadServer.serve_forever,
) -> int:
    """Serve the page until Ctrl-C and return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        target = from_outputs(options.stack_outputs)
        rules = Rules(prefix=options.prefix, max_bytes=options.max_megabytes * MEGABYTE)
        stack = connect(region=target.region, bucket=target.bucket, table=target.table, rules=rules)
        with UploadServer(stack, port=options.port) as server, suppress(KeyboardInterrupt):
            sys.stdout.write(f"Open {server.origin}: uploads go to {target.bucket}/{rules.prefix}\nCtrl-C ends it\n")
            sys.stdout.flush()
            serve(server)
    except (CannotRunError, OperatorError) as error:
        sys.stderr.write(f"upload: {error}\n")
        return COULD_NOT_RUN
    return SUCCESS


def run() -> NoReturn:
    """Run the command as a program: with its arguments, its signals and its exit code."""
    program.run(main, broken_pipe_code=COULD_NOT_RUN)


def port(text: str) -> int:
    """The port that an argument names.

    Raises:
        argparse.ArgumentTypeError: it names none.
    """
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= HIGHEST_PORT):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: give a number from 1 to {HIGHEST_PORT}")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m examples.upload",
        description="Serve a page, on this machine alone, that uploads files to a deployed stack and shows their rows.",
        epilog="Credentials are taken as the AWS CLI takes them, and never reach the page. There is no login: whoever "
        "can open the page can upload.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--stack-outputs", type=Path, required=True, metavar="FILE", help="what `pulumi stack output --json` printed"
    )
    parser.add_argument("--port", type=port, default=PORT, help=f"where the page is served (default: {PORT})")
    parser.add_argument(
        "--prefix", type=_prefix, default=Rules.prefix, metavar="P", help="what keys begin with (default: %(default)s)"
    )
    parser.add_argument(
        "--max-megabytes",
        type=_megabytes,
        default=Rules.max_bytes // MEGABYTE,
        metavar="N",
        help="the most that a file may have (default: %(default)s)",
    )
    return parser


def _prefix(text: str) -> str:
    if problem := problem_of_prefix(text):
        raise argparse.ArgumentTypeError(problem)
    return text


def _megabytes(text: str) -> int:
    most = MAX_POST_BYTES // MEGABYTE
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
        message = f"{text!r} is no size: give megabytes from 1 to {most:,}, the most of one POST"
        raise argparse.ArgumentTypeError(message)
    return int(text)
