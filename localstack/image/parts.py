"""Builds the parts of the Docker images: the base system, and folders with packages.

Each folder with packages is cached under hashes of its requirements and of its content.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from localstack.emulators.packages import check_installed, find_uv, installer_environment
from localstack.errors import EmulatorError
from localstack.image.tools import docker, inspect, run

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".cache" / "image"

SUITE = "trixie"
"""The Debian release. Its Python version is 3.13, which LocalStack and the Lambda runtime require."""
SYSTEM = ("python3", "ca-certificates")
OMITTED = ("./var/cache/apt/*", "./var/lib/apt/lists/*", "./usr/share/man/*/*", "./usr/share/locale/*")
"""Patterns of files that the base image omits, because they are not used in containers."""
BASE = f"tapstack/debian:{SUITE}"
MIRROR = "DEBIAN_MIRROR"
"""Environment variable with the URL of a Debian mirror, for debootstrap and for packages of the images."""
INPUTS = "org.tapstack.inputs"
"""Docker label with the inputs of an image's build, or with their hash. An image with other inputs is out of date."""

PYTHON = ("--python-version", "3.13", "--python-platform", "x86_64-manylinux_2_28")
DYNAMODB_MAIN = "com.amazonaws.services.dynamodbv2.local.main.ServerRunner"

Report = Callable[[str], None]


def digest(*paths: Path) -> str:
    """Return a hash of the names and contents of files and folders. Markdown and bytecode files are ignored."""
    files = sorted(file for path in paths for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file())
    total = hashlib.sha256()
    for file in files:
        if "__pycache__" not in file.parts and file.suffix != ".md":
            total.update(f"{file.relative_to(HERE)}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()[:16]


def base(report: Report, *, rebuild: bool = False) -> None:
    """Build the base image of all other images: Debian with Python.

    Args:
        report: called with a message after the build.
        rebuild: whether to build an existing image again, with the current updates of Debian.
    """
    inputs = " ".join((SUITE, *SYSTEM, *OMITTED))
    if not rebuild and inspect("image", BASE, f'{{{{index .Config.Labels "{INPUTS}"}}}}') == inputs:
        return
    CACHE.mkdir(parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(prefix=f"{SUITE}-", dir=CACHE))
    try:
        mirror = [address for address in [os.environ.get(MIRROR)] if address]
        run(["debootstrap", "--variant=minbase", f"--include={','.join(SYSTEM)}", SUITE, root, *mirror])
        tar = ["tar", "-C", str(root), *(f"--exclude={each}" for each in OMITTED), "-c", "."]
        with subprocess.Popen(tar, stdout=subprocess.PIPE) as packed:  # noqa: S603  constant command, no shell
            changes = ("ENV LANG=C.UTF-8", f'LABEL {INPUTS}="{inputs}"')
            docker("import", *(word for each in changes for word in ("--change", each)), "-", BASE, stdin=packed.stdout)
    finally:
        # The option --one-file-system protects /proc, which an interrupted debootstrap leaves mounted in the folder.
        run(["rm", "-rf", "--one-file-system", root])
    report(f"built {BASE} from Debian packages")


def packages(report: Report, requirements: Path) -> Path:
    """Return a folder with installed Python packages for Python 3.13 on x86_64.

    Args:
        report: called with a message after the installation.
        requirements: requirements file with versions and hashes.
    """

    def build(folder: Path) -> None:
        # The requirements file also pins the build dependencies of packages that are built from source.
        pinned = ("--require-hashes", "--no-deps", "-r", str(requirements), "--build-constraints", str(requirements))
        install = [*(find_uv() or ["uv"]), "pip", "install", "--quiet", "--target", str(folder), *PYTHON, *pinned]
        run(install, environment=installer_environment(os.environ, uv=True))
        check_installed(requirements, folder)
        # Delete the installed scripts, because their first lines specify the Python interpreter of this machine.
        shutil.rmtree(folder / "bin", ignore_errors=True)
        report(f"installed {requirements.relative_to(HERE)} from PyPI")

    return _build_once(f"packages-{digest(requirements)}", build)


def dynamodb_local(report: Report, project: Path, checksums: Path) -> Path:
    """Return a folder with DynamoDB Local from Maven packages, in the structure that LocalStack expects.

    Args:
        report: called with a message after the download.
        project: Maven's project file (pom.xml).
        checksums: file with the expected SHA-256 checksum of each package.

    Raises:
        EmulatorError: a checksum differs.
    """

    def build(folder: Path) -> None:
        library = folder / "DynamoDBLocal_lib"
        copy = ("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={library}")
        run(["mvn", "--quiet", "--batch-mode", "--file", project, *copy])
        verify(library, checksums.read_text(encoding="utf-8"))
        _lay_out(folder, library)
        report("installed DynamoDB Local from Maven packages")

    return _build_once(f"dynamodb-local-{digest(project, checksums, Path(__file__))}", build)


def _build_once(name: str, build: Callable[[Path], None]) -> Path:
    from tap_stack import build_once  # noqa: PLC0415  imports Pulumi, which takes 0.3 s, and only builds need it

    return build_once(CACHE, name, build)


def verify(folder: Path, checksums: str) -> None:
    """Compare all files of a folder with their expected SHA-256 checksums.

    Args:
        folder: folder with the files.
        checksums: expected checksums, in the output format of sha256sum.

    Raises:
        EmulatorError: a file is missing, unexpected or different.
    """
    pinned = {name: checksum for checksum, name in (line.split() for line in checksums.splitlines())}
    found = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}
    if wrong := sorted(name for name, _ in pinned.items() ^ found.items()):
        raise EmulatorError(
            f"files from Maven differ from those that are pinned: {', '.join(dict.fromkeys(wrong))}. "
            "A mirror may alter them; if you changed a version, update the checksums with sha256sum"
        )


def _lay_out(root: Path, library: Path) -> None:
    native = next(library.glob("libsqlite4java-linux-amd64-*.so"))
    native.rename(library / "libsqlite4java-linux-amd64.so")
    # LocalStack requires a Java agent with this name, which raises the limit on indexes. This agent does nothing.
    next(library.glob("byte-buddy-agent-*.jar")).rename(root / "ddb-local-loader-0.1.jar")
    jars = " ".join(f"{library.name}/{jar.name}" for jar in sorted(library.glob("*.jar")))
    with zipfile.ZipFile(root / "DynamoDBLocal.jar", "w") as jar:
        # Use a constant date, so that the same files always produce the same Docker layer.
        entry = zipfile.ZipInfo("META-INF/MANIFEST.MF", (1980, 1, 1, 0, 0, 0))
        jar.writestr(entry, manifest({"Main-Class": DYNAMODB_MAIN, "Class-Path": jars}))


def manifest(attributes: dict[str, str]) -> str:
    """Return the text of a JAR manifest, in which lines of more than 72 bytes continue after a newline and a space."""
    text = ""
    for line in ("Manifest-Version: 1.0", *(f"{name}: {value}" for name, value in attributes.items())):
        rest = [line[start : start + 71] for start in range(71, len(line), 71)]
        text += "\r\n ".join([line[:71], *rest]) + "\r\n"
    return text
