"""Pulumi's command line: finding or installing it, and the environment of its commands."""

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
"""The folder of `--install-pulumi`, separate from the user's own CLI."""

INHERITED = frozenset(
    {
        "PULUMI_DEBUG_PROVIDERS",  # a provider that already runs, instead of a plugin
        "PULUMI_HOME",  # where plugins are kept
        "PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES",  # and where they come from, behind a mirror
    }
)
"""The only PULUMI_… and AWS_… variables of the caller's shell that the CLI gets."""

INSTALL_REMEDY = (
    "Either install it (https://www.pulumi.com/docs/install/) so that `pulumi` is on the path, or add "
    "`--install-pulumi` (in code: install_pulumi=True), which downloads {version} into {cache}"
)

Installer: TypeAlias = Callable[[str, VersionInfo], PulumiCommand]
"""Installs this version of the CLI into this folder, unless the folder has it."""


class Cli(PulumiCommand):
    """Pulumi's command line in its own environment, which is interrupted only once.

    The SDK's class would pass on the whole environment of the caller: credentials, profiles, other backends.
    """

    def __init__(self, checked: PulumiCommand, environment: Mapping[str, str]) -> None:
        self.command = checked.command
        self.version = checked.version
        self._environment = dict(environment)
        if Path(self.command).is_absolute():  # the language host is in the same folder
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
        """Run one command; after its end, `on_output` and `on_error` get its whole output.

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
            start_new_session=True,  # so that Ctrl-C reaches it once: at a second one it aborts the operation
        ) as process:
            try:
                output, errors = process.communicate()
            except BaseException:
                process.send_signal(signal.SIGINT)  # it completes the current operations and saves the state
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
    """Return Pulumi's command line: from the path or, with `install`, the version of the SDK in `cache`.

    Raises:
        DeploymentError: there is none, it is too old, or it could not be installed; with the remedy.
    """
    version = sdk_version()
    if install:
        return _installed(version, cache, installer or _install)
    remedy = INSTALL_REMEDY.format(version=version, cache=cache)
    try:
        return on_path()
    except FileNotFoundError as error:
        raise DeploymentError(
            f"the engine 'pulumi' needs the Pulumi CLI, and there is no `pulumi` on the path. {remedy}"
        ) from error
    except (InvalidVersionError, OSError, subprocess.CalledProcessError) as error:
        raise DeploymentError(f"the `pulumi` on the path cannot be used: {str(error).rstrip('.')}. {remedy}") from error


def sdk_version() -> VersionInfo:
    """Return the version of the installed SDK, which the CLI is installed to match."""
    return VersionInfo.parse(metadata.version("pulumi"))


def environment(shell: Mapping[str, str], *, aws: Mapping[str, str], state: Path, passphrase: str) -> dict[str, str]:
    """Return the whole environment of the CLI.

    Args:
        shell: the caller's environment, of which all but most AWS_… and PULUMI_… variables are passed on.
        aws: the AWS variables of the emulator.
        state: the folder of Pulumi's state.
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
        "PULUMI_PYTHON_CMD": sys.executable,  # the interpreter of the tests: no second environment
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    return {**inherited, **no_user_files, **aws, **own}


def _installed(
    version: VersionInfo, cache: Path, installer: Callable[[str, VersionInfo], PulumiCommand]
) -> PulumiCommand:
    try:
        cache.mkdir(parents=True, exist_ok=True)
        return installer(str(cache.resolve()), version)
    except (OSError, InvalidVersionError, subprocess.CalledProcessError) as error:  # URLError is an OSError
        output = getattr(error, "output", None)
        details = f"\n{output.decode(errors='replace').strip()}" if output else ""
        raise DeploymentError(
            f"the Pulumi CLI {version} could not be installed into {cache}: {error}{details}\n"
            "It is downloaded from https://get.pulumi.com, once. Without internet, put a `pulumi` on the path "
            "(https://www.pulumi.com/docs/install/) and leave `--install-pulumi` out"
        ) from error


def _install(root: str, version: VersionInfo) -> PulumiCommand:
    return PulumiCommand.install(root=root, version=version)
