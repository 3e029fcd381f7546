"""Finds or installs the Pulumi CLI, and runs its commands in an isolated environment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import TypeAlias

from pulumi.automation import CommandResult, InvalidVersionError, OnOutput, PulumiCommand
from pulumi.automation.errors import create_command_error
from semver import VersionInfo

from localstack.errors import DeploymentError

CACHE = Path(__file__).parents[2] / ".cache" / "pulumi"
"""Folder into which `--install-pulumi` installs the Pulumi CLI."""

INHERITED = frozenset(
    {
        "PULUMI_DEBUG_PROVIDERS",  # Addresses of provider processes that Pulumi uses instead of plugins.
        "PULUMI_HOME",  # Folder in which Pulumi installs plugins.
        "PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES",  # URLs of mirrors from which Pulumi downloads plugins.
    }
)
"""The only PULUMI_* and AWS_* environment variables of the caller that are passed to the Pulumi CLI."""

INSTALL_REMEDY = (
    "Either install it (https://www.pulumi.com/docs/install/) so that `pulumi` is on the PATH, or add "
    "`--install-pulumi` (in code: install_pulumi=True), which downloads version {version} into {cache}"
)

Installer: TypeAlias = Callable[[str, VersionInfo], PulumiCommand]
"""Function that installs a version of the Pulumi CLI into a folder, unless the folder already contains it.

Its parameters are the path of the folder and the version.
"""


class Cli(PulumiCommand):
    """Runs the Pulumi CLI with only the given environment variables, and interrupts it at most once.

    The base class of Pulumi's SDK would pass all environment variables of the caller, including AWS credentials.
    """

    def __init__(self, checked: PulumiCommand, environment: Mapping[str, str]) -> None:
        self.command = checked.command
        self.version = checked.version
        self._environment = dict(environment)
        if Path(self.command).is_absolute():
            # The folder of the CLI must be on the PATH, because Pulumi searches the PATH for its Python language host.
            path = [str(Path(self.command).parent), self._environment.get("PATH", os.defpath)]
            self._environment["PATH"] = os.pathsep.join(path)

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: OnOutput | None = None,
        on_error: OnOutput | None = None,
    ) -> CommandResult:
        """Run a command of the Pulumi CLI and wait until it ends.

        Args:
            args: arguments of the command, without the program.
            cwd: working folder.
            additional_env: environment variables that take precedence.
            on_output: called once with the whole stdout, unless it is empty.
            on_error: called once with the whole stderr, unless it is empty.

        Raises:
            CommandError: the command failed.
        """
        with subprocess.Popen(  # noqa: S603  Pulumi's own program, no shell
            [self.command, "--non-interactive", *args],
            cwd=cwd,
            env={**self._environment, **additional_env, "PULUMI_AUTOMATION_API": "true"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            # In a new session, Ctrl-C in the terminal does not send a second SIGINT to Pulumi, which would abort the
            # operation.
            start_new_session=True,
        ) as process:
            try:
                output, errors = process.communicate()
            except BaseException:
                # After one SIGINT, Pulumi completes its current operations and saves its state.
                process.send_signal(signal.SIGINT)
                process.communicate()
                raise
        for callback, text in ((on_output, output), (on_error, errors)):
            if callback and text:
                callback(text)
        result = CommandResult(stdout=output, stderr=errors, code=process.returncode)
        if result.code != 0:
            raise create_command_error(result)
        return result


def find(
    *,
    install: bool = False,
    cache: Path = CACHE,
    on_path: Callable[[], PulumiCommand] = PulumiCommand,
    installer: Installer | None = None,
) -> PulumiCommand:
    """Return the Pulumi CLI on the PATH or, with `install`, the one in the cache.

    Args:
        install: whether to use `cache` and to install the CLI there in the version of the Pulumi SDK.
        cache: folder for the installed CLI.
        on_path: finds the CLI on the PATH.
        installer: installs the CLI; None for Pulumi's own installer.

    Raises:
        DeploymentError: the CLI is missing, too old, or cannot be installed. The message has the remedy.
    """
    version = sdk_version()
    if install:
        return _installed(version, cache, installer or _install)
    remedy = INSTALL_REMEDY.format(version=version, cache=cache)
    try:
        return on_path()
    except FileNotFoundError as error:
        raise DeploymentError(
            f"the deployer 'pulumi' needs the Pulumi CLI, and there is no `pulumi` on the PATH. {remedy}"
        ) from error
    except (InvalidVersionError, OSError, subprocess.CalledProcessError) as error:
        raise DeploymentError(f"the `pulumi` on the PATH cannot be used: {str(error).rstrip('.')}. {remedy}") from error


def sdk_version() -> VersionInfo:
    """Return the version of the installed Pulumi SDK for Python."""
    return VersionInfo.parse(metadata.version("pulumi"))


def environment(shell: Mapping[str, str], *, aws: Mapping[str, str], state: Path, passphrase: str) -> dict[str, str]:
    """Return all environment variables of the Pulumi CLI.

    Args:
        shell: environment variables of the caller. AWS_* and PULUMI_* variables are removed, except `INHERITED`.
        aws: AWS_* variables of the emulator.
        state: folder for Pulumi's state.
        passphrase: encrypts the secrets in the state.
    """
    inherited = {
        name: value for name, value in shell.items() if not name.startswith(("AWS_", "PULUMI_")) or name in INHERITED
    }
    no_user_files = {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    own = {
        "PULUMI_BACKEND_URL": state.resolve().as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": passphrase,
        "PULUMI_PYTHON_CMD": sys.executable,  # Prevents Pulumi from creating a virtual environment.
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    return {**inherited, **no_user_files, **aws, **own}


def _installed(
    version: VersionInfo, cache: Path, installer: Callable[[str, VersionInfo], PulumiCommand]
) -> PulumiCommand:
    try:
        cache.mkdir(parents=True, exist_ok=True)
        return installer(str(cache.resolve()), version)
    except (OSError, InvalidVersionError, subprocess.CalledProcessError) as error:
        output = getattr(error, "output", None)
        details = f"\n{output.decode(errors='replace').strip()}" if output else ""
        raise DeploymentError(
            f"the Pulumi CLI {version} could not be installed into {cache}: {error}{details}\n"
            "It is downloaded once from https://get.pulumi.com. Without internet, install `pulumi` on the PATH "
            "(https://www.pulumi.com/docs/install/) and omit `--install-pulumi`"
        ) from error


def _install(root: str, version: VersionInfo) -> PulumiCommand:
    return PulumiCommand.install(root=root, version=version)
