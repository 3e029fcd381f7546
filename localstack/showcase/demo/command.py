"""The command `python -m localstack.showcase.demo`: its options, its order of events and its exit codes."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO, TypeAlias

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from localstack.deployers.deploy import deploy
from localstack.deployers.deployment import Deployment
from localstack.emulators import emulator
from localstack.errors import HarnessError
from localstack.showcase.demo import diagnostics, output
from localstack.showcase.demo.files import find
from localstack.showcase.demo.progress import Steps, steps
from localstack.showcase.demo.report import Report, as_json, empty_as_json
from localstack.showcase.demo.store import Store
from localstack.showcase.demo.text import count
from localstack.showcase.demo.transfer import TIMEOUT, Transfer, transfer
from operations import program

if TYPE_CHECKING:
    from localstack.showcase.demo.files import Source

ROOT = Path(__file__).parents[3]
SAMPLES = ROOT / "samples"
PACKAGES = ROOT / ".cache" / "lambda"
"""Where the program keeps what is shipped with the function."""

HIGHEST_PORT = 65535

SUCCESS, FAILED, UNREADABLE, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: all rows right; a row missing or wrong, or nothing deployed; a path that could not be read; Ctrl-C."""


Start: TypeAlias = Callable[..., AbstractContextManager[emulator.Emulator]]  # `emulator.start`
Deploy: TypeAlias = Callable[..., Deployment]  # `deploy.deploy`


def main(
    arguments: Sequence[str],
    *,
    start: Start = emulator.start,
    deploy: Deploy = deploy,
    wait: Callable[[], None] | None = None,
    timeout: float = TIMEOUT,
) -> int:
    """Upload files to an emulated AWS, show their rows and return the exit code.

    Args:
        arguments: the command's arguments, without its name.
        start: starts the emulator; `emulator.start`.
        deploy: deploys the stack; `deploy.deploy`.
        wait: with `--keep`, returns when the emulator may stop (None: at Ctrl-C).
        timeout: see `transfer`.
    """
    options = _parser().parse_args(arguments)
    out, errors = _console(sys.stdout), _console(sys.stderr)
    progress_console = errors if options.json else out  # with --json, standard output is only JSON
    sources, problems = find(options.paths)
    if not sources:
        if options.json:
            sys.stdout.write(empty_as_json(problems) + "\n")
        output.show_problems(problems, errors)
        return UNREADABLE
    try:
        with ExitStack() as cleanup:
            with steps(progress_console) as progress:
                progress.log(f"TapStack: uploading {count(len(sources), 'file')} to an AWS emulated on this machine")
                running, start_seconds = _start(start, options.port, progress, cleanup)
                deployed = _deploy(deploy, running, progress)
                transferred = _transfer(sources, running, deployed.outputs, progress, timeout)
            report = Report(
                emulator=running.name,
                endpoint=running.endpoint,
                environment=running.environment(),
                start_seconds=start_seconds,
                deploy_seconds=deployed.seconds,
                resources=len(deployed.resources),
                outputs=deployed.outputs,
                transfer=transferred,
                problems=(*problems, *transferred.unreadable),
            )
            _show(report, running, out, errors, json=options.json)
            if options.keep:
                with suppress(KeyboardInterrupt):  # as soon as the message has been printed
                    output.show_connection(report, progress_console)
                    (wait or _until_interrupted)()
            elif not options.json:
                output.show_next_steps(_nox(ROOT), out)
    except (HarnessError, ClientError, BotoCoreError) as error:
        output.show_error(error, errors)
        return FAILED
    except KeyboardInterrupt:
        output.show_error("interrupted; the emulator and all that was in it are gone", errors)
        return INTERRUPTED
    if not report.complete:
        return FAILED
    return UNREADABLE if report.problems else SUCCESS


def run() -> NoReturn:
    """Run the command as a program: with its arguments, its signals and its exit code."""
    program.run(main, broken_pipe_code=FAILED)


def _start(start: Start, port: int | None, progress: Steps, cleanup: ExitStack) -> tuple[emulator.Emulator, float]:
    """Start the emulator, which `cleanup` stops; return it and the seconds that it took to start."""
    progress.start("emulator")
    started = time.monotonic()
    running = cleanup.enter_context(start("embedded", port=port, report=progress.log))
    progress.finish("emulator", f"{running.name} at {running.endpoint}")
    return running, time.monotonic() - started


def _deploy(deploy: Deploy, running: emulator.Emulator, progress: Steps) -> Deployment:
    progress.start("stack")
    if not PACKAGES.exists():
        progress.log(f"preparing the function's packages in {PACKAGES} (once; needs PyPI)")
    deployed = deploy(running, on_resource=lambda created: progress.advance("stack", created.name))
    progress.finish("stack", count(len(deployed.resources), "resource"))
    return deployed


def _transfer(
    sources: Sequence[Source], running: emulator.Emulator, outputs: Mapping[str, str], progress: Steps, timeout: float
) -> Transfer:
    s3, dynamodb = running.client("s3"), running.client("dynamodb")
    progress.start("uploads", len(sources))
    progress.start("rows", len(sources))
    return transfer(
        sources,
        Store(s3, dynamodb, bucket=outputs["bucket_name"], table=outputs["table_name"]),
        on_upload=lambda: progress.advance("uploads"),
        on_row=lambda: progress.advance("rows"),
        timeout=timeout,
    )


def _show(report: Report, running: emulator.Emulator, out: Console, errors: Console, *, json: bool) -> None:
    """Print the results to `out`; print failures and their diagnostics to `errors`."""
    if json:
        sys.stdout.write(as_json(report) + "\n")
        sys.stdout.flush()
    else:
        output.show_rows(report, out)
        output.show_summary(report, out)
    if report.problems or not report.complete:
        errors.print()
    output.show_problems(report.problems, errors)
    if not report.complete:
        output.show_failures(report, errors)
        output.show_diagnostics(diagnostics.collect(running, report.outputs), errors)


def _nox(root: Path) -> str:
    """Return how to call nox: by its path if it is where README puts it."""
    installed = Path(".venv", "bin", "nox")
    return str(installed) if (root / installed).exists() else "nox"


def _until_interrupted() -> NoReturn:
    while True:
        time.sleep(60)


def _console(stream: TextIO) -> Console:
    # whether it is a terminal is asked of the stream alone: FORCE_COLOR would put bars and tables into files
    return Console(file=stream, force_terminal=stream.isatty(), highlight=False, markup=False, emoji=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m localstack.showcase.demo",
        description="Upload files to an emulated AWS with the stack on it, and see each become a row of the table.",
        epilog="Exit codes: 0 all rows right; 1 a row missing or wrong, or no stack; 2 a path that cannot be uploaded.",
    )
    parser.add_argument(
        "paths", nargs="*", type=_path, metavar="PATH", help="a file, or a folder with all in it (default: samples/)"
    )
    parser.add_argument("--keep", action="store_true", help="leave the emulator running until Ctrl-C, and say where")
    parser.add_argument("--port", type=_port, help="the emulator's port on 127.0.0.1 (default: a free one)")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON, and all else to standard error")
    parser.set_defaults(paths=[SAMPLES])
    return parser


def _path(text: str) -> Path:
    if not text:  # an unset variable of the shell, and not the working folder that Path("") would be
        raise argparse.ArgumentTypeError("an empty path names nothing")
    return Path(text)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= HIGHEST_PORT):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: give a number from 1 to {HIGHEST_PORT}")
    return int(text)
