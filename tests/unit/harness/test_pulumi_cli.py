"""Where the Pulumi CLI comes from, and what it sees of the caller's shell. No Pulumi is needed here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from urllib.error import URLError

import pytest
from pulumi.automation import CommandError, InvalidVersionError, PulumiCommand
from semver import VersionInfo

from localstack.deployers import pulumi_cli
from localstack.deployers.pulumi_cli import Cli
from localstack.errors import DeploymentError
from tests.support import waiting

EMULATOR = {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "AWS_ACCESS_KEY_ID": "test", "AWS_REGION": "eu-west-1"}


class Found(PulumiCommand):
    """A command line that is there already; the SDK's own would run it to ask for its version."""

    def __init__(self, command: str) -> None:
        self.command = command
        self.version = VersionInfo(3, 272)


def raises(error: Exception) -> Callable[..., PulumiCommand]:
    def fail(*_: object) -> PulumiCommand:
        raise error

    return fail


def script(folder: Path, source: str) -> Path:
    """A program that stands in for the CLI."""
    path = folder / "bin" / "pulumi"
    path.parent.mkdir()
    path.write_text(f"#!{sys.executable}\n{textwrap.dedent(source)}", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_a_missing_cli_is_an_error_with_both_remedies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeploymentError) as failure:
        pulumi_cli.find(cache=tmp_path / "cache")
    assert "there is no `pulumi` on the path" in str(failure.value)
    assert "https://www.pulumi.com/docs/install/" in str(failure.value)
    assert f"`--install-pulumi` (in code: install_pulumi=True), which downloads {metadata.version('pulumi')}" in str(
        failure.value
    )
    assert str(tmp_path / "cache") in str(failure.value)


@pytest.mark.parametrize(
    "error", [InvalidVersionError("too old"), PermissionError("denied"), subprocess.CalledProcessError(2, "pulumi")]
)
def test_a_cli_that_cannot_be_used_is_an_error_with_both_remedies(error: Exception) -> None:
    with pytest.raises(DeploymentError, match=r"cannot be used: .*docs/install.*--install-pulumi") as failure:
        pulumi_cli.find(on_path=raises(error))
    assert str(error) in str(failure.value)


def test_the_cli_is_installed_to_match_the_sdk_and_apart_from_the_users_own(tmp_path: Path) -> None:
    asked: list[tuple[str, str]] = []

    def installer(root: str, version: VersionInfo) -> PulumiCommand:
        asked.append((root, str(version)))
        return Found("installed")

    found = pulumi_cli.find(
        install=True, cache=tmp_path / "cache", installer=installer, on_path=raises(AssertionError("not to be asked"))
    )
    assert found.command == "installed"
    assert asked == [(str(tmp_path / "cache"), metadata.version("pulumi"))]
    assert pulumi_cli.CACHE.parts[-2:] == (".cache", "pulumi")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (URLError("no route"), "no route"),
        (subprocess.CalledProcessError(1, "install.sh", output=b"error: no space left\n"), "error: no space left"),
        (InvalidVersionError("too old"), "too old"),
    ],
    ids=["offline", "installer", "version"],
)
def test_a_failed_installation_says_why_and_what_else_helps(tmp_path: Path, error: Exception, said: str) -> None:
    with pytest.raises(DeploymentError) as failure:
        pulumi_cli.find(install=True, cache=tmp_path, installer=raises(error))
    for part in (
        said,
        f"could not be installed into {tmp_path}",
        "https://get.pulumi.com",
        "put a `pulumi` on the path",
    ):
        assert part in str(failure.value)


def test_the_engine_sees_nothing_of_the_users_aws_and_pulumi(tmp_path: Path) -> None:
    shell = {
        "AWS_PROFILE": "production",
        "AWS_SESSION_TOKEN": "mine",
        "AWS_ENDPOINT_URL_S3": "http://elsewhere",
        "AWS_ACCESS_KEY_ID": "mine",
        "PULUMI_ACCESS_TOKEN": "mine",
        "PULUMI_BACKEND_URL": "s3://mine",
        "PULUMI_CONFIG_PASSPHRASE_FILE": "/mine",
        "PULUMI_STACK": "production",
        "PULUMI_PYTHON_CMD": "/usr/bin/python2",
    }
    seen = pulumi_cli.environment(shell, aws=EMULATOR, state=tmp_path, passphrase="thrown away")
    assert [name for name in shell if seen.get(name) == shell[name]] == []
    assert {name: value for name, value in seen.items() if name.startswith("AWS_")} == {
        **EMULATOR,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    assert {name for name in seen if name.startswith("PULUMI_")} == {
        "PULUMI_BACKEND_URL",
        "PULUMI_CONFIG_PASSPHRASE",
        "PULUMI_PYTHON_CMD",
        "PULUMI_SKIP_UPDATE_CHECK",
    }


def test_the_engine_sees_where_its_plugins_are_and_the_rest_of_the_shell(tmp_path: Path) -> None:
    shell = {
        "PULUMI_DEBUG_PROVIDERS": "aws:1234",
        "PULUMI_HOME": "/plugins",
        "PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES": ".*=https://mirror",
        "HTTPS_PROXY": "http://proxy",
        "PATH": "/bin",
        "TAP_TABLE_NAME": "mine",  # the program's own setting, which wins over its configuration
    }
    seen = pulumi_cli.environment(shell, aws=EMULATOR, state=tmp_path, passphrase="thrown away")
    assert {name: seen[name] for name in shell} == shell


def test_the_state_may_lie_in_a_folder_with_a_space_and_the_program_runs_with_this_interpreter(tmp_path: Path) -> None:
    seen = pulumi_cli.environment({}, aws=EMULATOR, state=tmp_path / "a b", passphrase="thrown away")
    assert seen["PULUMI_BACKEND_URL"] == f"file://{tmp_path}/a%20b"
    assert seen["PULUMI_PYTHON_CMD"] == sys.executable
    assert seen["PULUMI_CONFIG_PASSPHRASE"] == "thrown away"


def test_a_command_runs_in_the_environment_that_was_made_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "leaked")
    program = script(
        tmp_path,
        """
        import json, os, sys
        shown = {name: os.environ.get(name) for name in ("AWS_PROFILE", "MINE", "MORE", "PULUMI_AUTOMATION_API")}
        print(json.dumps([sys.argv[1:], os.getcwd(), os.environ["PATH"].split(os.pathsep)[0], shown]))
        print("careful", file=sys.stderr)
        """,
    )
    told: list[str] = []
    cli = Cli(Found(str(program)), {"MINE": "yes", "PATH": "/usr/bin"})
    result = cli.run(["stack", "ls"], str(tmp_path), {"MORE": "too"}, told.append, told.append)
    assert result.stdout == (
        f'[["--non-interactive", "stack", "ls"], "{tmp_path}", "{program.parent}", '
        '{"AWS_PROFILE": null, "MINE": "yes", "MORE": "too", "PULUMI_AUTOMATION_API": "true"}]\n'
    )
    assert told == [result.stdout, "careful\n"]
    assert cli.version == VersionInfo(3, 272)


def test_a_command_that_fails_says_what_it_wrote(tmp_path: Path) -> None:
    program = script(tmp_path, "import sys\nsys.exit('error: no such stack')\n")
    with pytest.raises(CommandError, match="error: no such stack"):
        Cli(Found(str(program)), {}).run(["up"], str(tmp_path), {})


def test_ctrl_c_lets_the_engine_end_what_is_under_way_and_asks_only_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = script(
        tmp_path,
        """
        import signal, sys, time
        from pathlib import Path
        asked = []
        signal.signal(signal.SIGINT, lambda *_: asked.append(1))
        Path("ready").touch()
        deadline = time.monotonic() + 30
        while not asked and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)  # a second signal, and a caller that does not wait, would show
        Path("ended").write_text(str(len(asked)))
        """,
    )

    waits = threading.Event()
    communicate = subprocess.Popen.communicate

    def waiting_for_it(process: subprocess.Popen[str]) -> tuple[str, str]:
        waits.set()
        return communicate(process)

    monkeypatch.setattr(subprocess.Popen, "communicate", waiting_for_it)

    def press_ctrl_c() -> None:
        waiting.wait_until((tmp_path / "ready").exists, "the program's start")
        assert waits.wait(timeout=30)  # the program can be quicker than who has started it
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press_ctrl_c)
    presser.start()
    with pytest.raises(KeyboardInterrupt):
        Cli(Found(str(program)), {}).run(["up"], str(tmp_path), {})
    presser.join()
    assert (tmp_path / "ended").read_text() == "1"
