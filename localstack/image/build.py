"""The images, and how each is built from its Dockerfile and its parts."""

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
"""The label with the images of Lambda runtimes for an emulator, as JSON: {runtime: image}."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image: its name and the folder of its Dockerfile, which is part of the build context."""

    name: str
    folder: Path


RUNTIME = Image(name="tapstack/lambda-python:3.13", folder=HERE / "lambda_runtime")
EMULATOR = Image(name="tapstack/localstack:4.14.0", folder=HERE / "emulator")
REGISTRY = Image(name="tapstack/registry:2", folder=HERE / "registry")


def ensure(report: Report, *, rebuild: bool = False) -> None:
    """Build the images that are missing or were built from other files than the current ones.

    Raises:
        EmulatorError: what is missing or failed, and the remedy.
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
    """Return a label of an image; None if there is no such image."""
    return inspect("image", image.name, f'{{{{index .Config.Labels "{name}"}}}}')


def _build_parts(report: Report, *, rebuild: bool) -> dict[str, Mapping[str, Path]]:
    """Build all parts, in parallel since they mostly wait for the network; return the parts of each build context."""
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
        # the host's network, which can reach the mirrors of Debian's packages
        options = ("--network", "host", "--build-arg", f"BASE={BASE}", "--label", f"{INPUTS}={inputs}")
        docker("build", "--tag", image.name, *options, context)
