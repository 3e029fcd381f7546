"""Builds each Docker image of the emulator from its Dockerfile and its parts (packages and files)."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from localstack.errors import EmulatorError
from localstack.image import parts
from localstack.image.parts import BASE, CACHE, HERE, INPUTS, Report, digest
from localstack.image.tools import check, docker, docker_problem, inspect

RUNTIMES = "org.tapstack.lambda-runtimes"
"""Docker label on an emulator image: a JSON object that maps each Lambda runtime to its Docker image."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """A Docker image: its name, and the folder with its Dockerfile and other files of the build context."""

    name: str
    folder: Path


RUNTIME = Image(name="tapstack/lambda-python:3.13", folder=HERE / "lambda_runtime")
EMULATOR = Image(name="tapstack/localstack:4.14.0", folder=HERE / "emulator")
REGISTRY = Image(name="tapstack/registry:2", folder=HERE / "registry")


def ensure(report: Report, *, rebuild: bool = False) -> None:
    """Build the Docker images that are missing or whose source files have changed since their build.

    Args:
        report: called with a message after each step.
        rebuild: whether to build all images.

    Raises:
        EmulatorError: a required program is missing or failed. The message has the remedy.
    """
    if problem := docker_problem():
        raise EmulatorError(problem)
    inputs = digest(HERE)
    stale = [image for image in (RUNTIME, EMULATOR, REGISTRY) if rebuild or label(image, INPUTS) != inputs]
    if not stale:
        return report("the images are up to date")
    check()
    contents = _build_parts(report, rebuild=rebuild)
    for image in stale:
        _build(image, inputs, contents[image.name])
        size = int(inspect("image", image.name, "{{.Size}}") or 0)
        report(f"{image.name}, {size / 1e6:.0f} MB")
    return None


def label(image: Image, name: str) -> str | None:
    """Return the value of a Docker label; None if the image does not exist.

    Args:
        image: Docker image.
        name: name of the label.
    """
    return inspect("image", image.name, f'{{{{index .Config.Labels "{name}"}}}}')


def _build_parts(report: Report, *, rebuild: bool) -> dict[str, Mapping[str, Path]]:
    """Build the parts of all images in parallel, because the builds mostly wait for the network.

    Returns:
        By image name, a dictionary from the name of each file or folder in the build context to its path.
    """
    with ThreadPoolExecutor() as pool:
        base = pool.submit(parts.base, report, rebuild=rebuild)
        localstack = pool.submit(parts.packages, report, EMULATOR.folder / "requirements.txt")
        runtime = pool.submit(parts.packages, report, RUNTIME.folder / "requirements.txt")
        dynamodb = pool.submit(
            parts.dynamodb_local, report, EMULATOR.folder / "pom.xml", EMULATOR.folder / "maven.sha256"
        )
        base.result()
        return {
            EMULATOR.name: {
                "packages": localstack.result(),
                "dynamodb-local": dynamodb.result(),
                "lambda_init.py": HERE / "lambda_init.py",
            },
            RUNTIME.name: {"packages": runtime.result()},
            REGISTRY.name: {},
        }


def _build(image: Image, inputs: str, contents: Mapping[str, Path]) -> None:
    with tempfile.TemporaryDirectory(prefix="context-", dir=CACHE) as folder:
        context = Path(folder) / "context"
        shutil.copytree(image.folder, context)
        for name, part in contents.items():
            if part.is_dir():
                shutil.copytree(part, context / name, copy_function=os.link, symlinks=True)
            else:
                shutil.copy(part, context / name)
        # The build uses the host's network, because mirrors of Debian packages may be on this machine.
        options = ("--network", "host", "--build-arg", f"BASE={BASE}", "--label", f"{INPUTS}={inputs}")
        docker("build", "--tag", image.name, *options, context)
