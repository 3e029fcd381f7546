"""Tests of the functions that find, install and run the Pulumi CLI. Fakes and scripts replace the real CLI."""

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
from tests.support.signals import default_signals
from tests.unit.harness.fake_automation import FakeCommand

EMULATOR = {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "AWS_ACCESS_KEY_ID": "test", "AWS_REGION": "eu-west-1"}


def raises(error: Exception) -> Callable[..., PulumiCommand]:
    def fail(*_: object) -> PulumiCommand:
        raise error

    return fail


def script(folder: Path, source: str) -> Path:
    """Write an executable Python script in place of the Pulumi CLI, and return its path."""
    path = folder / "bin" / "pulumi"
    path.parent.mkdir()
    path.write_text(f"#!{sys.executable}\n{textwrap.dedent(source)}", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (FileNotFoundError(), "the deployer 'pulumi' needs the Pulumi CLI, and there is no `pulumi` on the PATH"),
        (InvalidVersionError("too old"), "cannot be used: too old"),
        (PermissionError("denied"), "cannot be used: denied"),
        (
            subprocess.CalledProcessError(2, "pulumi"),
            "cannot be used: Command 'pulumi' returned non-zero exit status 2",
        ),
    ],
)
def test_error_for_an_unusable_pulumi_cli_suggests_an_installation(
    tmp_path: Path, error: Exception, message: str
) -> None:
    with pytest.raises(DeploymentError) as failure:
        pulumi_cli.find(cache=tmp_path / "cache", on_path=raises(error))
    assert str(failure.value).endswith(
        f"{message}. Either install it (https://www.pulumi.com/docs/install/) so that `pulumi` is on the PATH, or add "
        f"`--install-pulumi` (in code: install_pulumi=True), which downloads version {metadata.version('pulumi')} into "
        f"{tmp_path / 'cache'}"
    )


def test_missing_pulumi_cli_is_detected_with_the_real_sdk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeploymentError, match="there is no `pulumi` on the PATH"):
        pulumi_cli.find()


def test_installed_pulumi_cli_matches_the_sdk_and_is_in_the_cache(tmp_path: Path) -> None:
    installations: list[tuple[str, str]] = []

    def installer(root: str, version: VersionInfo) -> PulumiCommand:
        installations.append((root, str(version)))
        return FakeCommand("installed")

    found = pulumi_cli.find(
        install=True,
        cache=tmp_path / "a" / "cache",
        installer=installer,
        on_path=raises(AssertionError("not called")),
    )
    assert found.command == "installed"
    assert installations == [(str(tmp_path / "a" / "cache"), metadata.version("pulumi"))]
    assert pulumi_cli.CACHE.parts[-2:] == (".cache", "pulumi")


@pytest.mark.parametrize(
    ("error", "details"),
    [
        (URLError("no route"), "no route"),
        (subprocess.CalledProcessError(1, "install.sh", output=b"error: no space left\n"), "error: no space left"),
        (InvalidVersionError("too old"), "too old"),
    ],
    ids=["offline", "installer", "version"],
)
def test_error_for_a_failed_pulumi_installation_has_cause_and_remedy(
    tmp_path: Path, error: Exception, details: str
) -> None:
    message = rf"could not be installed into {tmp_path}: .*{details}.*https://get\.pulumi\.com.*install `pulumi` on the"
    with pytest.raises(DeploymentError, match=f"(?s){message}"):
        pulumi_cli.find(install=True, cache=tmp_path, installer=raises(error))


def test_pulumi_environment_excludes_the_aws_settings_of_the_shell(
    tmp_path: Path,
) -> None:
    inherited = {
        "PULUMI_DEBUG_PROVIDERS": "aws:1234",
        "PULUMI_HOME": "/plugins",
        "PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES": ".*=https://mirror",
        "HTTPS_PROXY": "http://proxy",
        "PATH": "/bin",
        "TAP_TABLE_NAME": "mine",  # The Pulumi program reads TAP_TABLE_NAME.
    }
    dropped = [
        *("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3", "AWS_ACCESS_KEY_ID", "PULUMI_ACCESS_TOKEN"),
        *("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE_FILE", "PULUMI_STACK", "PULUMI_PYTHON_CMD"),
    ]
    shell = {**inherited, **dict.fromkeys(dropped, "mine")}
    environment = pulumi_cli.environment(shell, aws=EMULATOR, state=tmp_path / "a b", passphrase="random")
    assert environment == {
        **inherited,
        **EMULATOR,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PULUMI_BACKEND_URL": f"file://{tmp_path}/a%20b",
        "PULUMI_CONFIG_PASSPHRASE": "random",
        "PULUMI_PYTHON_CMD": sys.executable,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }


def test_pulumi_command_runs_only_with_the_given_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    written: list[str] = []
    cli = Cli(FakeCommand(str(program)), {"MINE": "yes", "PATH": "/usr/bin"})
    result = cli.run(["stack", "ls"], str(tmp_path), {"MORE": "too"}, written.append, written.append)
    assert result.stdout == (
        f'[["--non-interactive", "stack", "ls"], "{tmp_path}", "{program.parent}", '
        '{"AWS_PROFILE": null, "MINE": "yes", "MORE": "too", "PULUMI_AUTOMATION_API": "true"}]\n'
    )
    assert written == [result.stdout, "careful\n"]
    assert cli.version == VersionInfo(3, 272)


def test_error_of_a_failed_pulumi_command_contains_its_output(tmp_path: Path) -> None:
    program = script(tmp_path, "import sys\nsys.exit('error: no such stack')\n")
    with pytest.raises(CommandError, match="error: no such stack"):
        Cli(FakeCommand(str(program)), {}).run(["up"], str(tmp_path), {})


@pytest.mark.usefixtures("default_signals")
def test_ctrl_c_waits_for_the_pulumi_cli_and_interrupts_it_only_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = script(
        tmp_path,
        """
        import signal, sys, time
        from pathlib import Path
        interrupts = []
        signal.signal(signal.SIGINT, lambda *_: interrupts.append(1))
        Path("ready").touch()
        deadline = time.monotonic() + 30
        while not interrupts and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)  # The test would detect a second signal, or a caller that does not wait.
        Path("ended").write_text(str(len(interrupts)))
        """,
    )

    waits = threading.Event()
    communicate = subprocess.Popen.communicate

    def communicating(process: subprocess.Popen[str]) -> tuple[str, str]:
        waits.set()
        return communicate(process)

    monkeypatch.setattr(subprocess.Popen, "communicate", communicating)

    def press_ctrl_c() -> None:
        waiting.wait_until((tmp_path / "ready").exists, "the program's start")
        # The fake Pulumi CLI can start before the main thread waits for it.
        assert waits.wait(timeout=30)
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press_ctrl_c)
    presser.start()
    with default_signals(), pytest.raises(KeyboardInterrupt):
        Cli(FakeCommand(str(program)), {}).run(["up"], str(tmp_path), {})
    presser.join()
    assert (tmp_path / "ended").read_text() == "1"
