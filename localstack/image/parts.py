"""What the images are made of, each made once and kept in the cache under the hash of what decides its content."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from localstack.emulators.embedded_environment import find_uv
from localstack.errors import EmulatorError
from localstack.image.tools import docker, inspected, run

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".cache" / "image"

SUITE = "trixie"
"""The Debian release: its python3 is 3.13, which LocalStack's code and Lambda's runtime both are."""
SYSTEM = ("python3", "ca-certificates")
OMITTED = ("./var/cache/apt/*", "./var/lib/apt/lists/*", "./usr/share/man/*/*", "./usr/share/locale/*")
"""Files of a Debian system that nobody here reads."""
BASE = f"tapstack/debian:{SUITE}"
MIRROR = "DEBIAN_MIRROR"
"""The variable that names another mirror than debootstrap's own; the image keeps it as its source of packages."""
INPUTS = "org.tapstack.inputs"
"""The label that says what an image was made from, as a hash."""

PYTHON = ("--python-version", "3.13", "--python-platform", "x86_64-manylinux_2_28")
DYNAMODB_MAIN = "com.amazonaws.services.dynamodbv2.local.main.ServerRunner"

Report = Callable[[str], None]


def digest(*paths: Path) -> str:
    """Return a hash of files, and of those below folders: of names and contents."""
    every = sorted(file for path in paths for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file())
    total = hashlib.sha256()
    for file in every:
        if "__pycache__" not in file.parts and file.suffix != ".md":
            total.update(f"{file.relative_to(HERE)}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()[:16]


def base(report: Report, *, again: bool = False) -> None:
    """Make the Debian system below all images, with Python; `again`: even if it is there, for Debian's updates."""
    inputs = " ".join((SUITE, *SYSTEM, *OMITTED))
    if not again and inspected("image", BASE, f'{{{{index .Config.Labels "{INPUTS}"}}}}') == inputs:
        return
    CACHE.mkdir(parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(prefix=f"{SUITE}-", dir=CACHE))
    try:
        mirror = [address for address in [os.environ.get(MIRROR)] if address]
        run(["debootstrap", "--variant=minbase", f"--include={','.join(SYSTEM)}", SUITE, root, *mirror])
        tar = ["tar", "-C", str(root), *(f"--exclude={each}" for each in OMITTED), "-c", "."]
        with subprocess.Popen(tar, stdout=subprocess.PIPE) as packed:  # noqa: S603  our own command, no shell
            changes = ("ENV LANG=C.UTF-8", f'LABEL {INPUTS}="{inputs}"')
            docker("import", *(word for each in changes for word in ("--change", each)), "-", BASE, stdin=packed.stdout)
    finally:
        # debootstrap mounts /proc below the folder, and an interrupted one may leave it there
        run(["rm", "-rf", "--one-file-system", root])
    report(f"{BASE} from Debian's packages")


def packages(report: Report, requirements: Path) -> Path:
    """Return a folder with the Python packages that `requirements` pins, for Python 3.13 on x86_64."""
    with _made_once(f"packages-{digest(requirements)}") as (folder, fresh):
        if fresh:
            # What is packed as source is built here; the same file pins what builds it.
            pinned = ("--require-hashes", "--no-deps", "-r", requirements, "--build-constraints", requirements)
            run([*(find_uv() or ["uv"]), "pip", "install", "--quiet", "--target", fresh, *PYTHON, *pinned])
            # programs that would start the interpreter of this machine
            shutil.rmtree(fresh / "bin", ignore_errors=True)
            report(f"{requirements.relative_to(HERE)} from PyPI")
    return folder


def dynamodb_local(report: Report, project: Path, checksums: Path) -> Path:
    """Return a folder with DynamoDB Local as LocalStack wants to find it, from Maven's packages.

    Raises:
        EmulatorError: a file is not the one that was pinned.
    """
    with _made_once(f"dynamodb-local-{digest(project, checksums, Path(__file__))}") as (folder, fresh):
        if fresh:
            library = fresh / "DynamoDBLocal_lib"
            copy = ("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={library}")
            run(["mvn", "--quiet", "--batch-mode", "--file", project, *copy])
            verify(library, checksums.read_text(encoding="utf-8"))
            _arrange(fresh, library)
            report("DynamoDB Local from Maven's packages")
    return folder


def verify(folder: Path, checksums: str) -> None:
    """Compare every file of a folder with lines of sha256sum's.

    Raises:
        EmulatorError: a file is missing, too many, or another.
    """
    pinned = {name: checksum for checksum, name in (line.split() for line in checksums.splitlines())}
    found = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}
    if wrong := sorted(name for name, _ in pinned.items() ^ found.items()):
        raise EmulatorError(
            f"Maven brought other files than those that are pinned: {', '.join(dict.fromkeys(wrong))}. "
            "A mirror may alter them; if a version was changed on purpose, pin its files anew with sha256sum"
        )


def _arrange(root: Path, library: Path) -> None:
    native = next(library.glob("libsqlite4java-linux-amd64-*.so"))
    native.rename(library / "libsqlite4java-linux-amd64.so")
    # LocalStack loads an agent of its own that lifts a limit on indexes; this one does nothing
    next(library.glob("byte-buddy-agent-*.jar")).rename(root / "ddb-local-loader-0.1.jar")
    jars = " ".join(f"{library.name}/{jar.name}" for jar in sorted(library.glob("*.jar")))
    with zipfile.ZipFile(root / "DynamoDBLocal.jar", "w") as jar:
        # undated, so that the same parts make the same layer
        entry = zipfile.ZipInfo("META-INF/MANIFEST.MF", (1980, 1, 1, 0, 0, 0))
        jar.writestr(entry, manifest({"Main-Class": DYNAMODB_MAIN, "Class-Path": jars}))


def manifest(attributes: dict[str, str]) -> str:
    """Return a jar's manifest: lines of at most 72 bytes, continued after a space."""
    text = ""
    for line in ("Manifest-Version: 1.0", *(f"{name}: {value}" for name, value in attributes.items())):
        rest = [line[start : start + 71] for start in range(71, len(line), 71)]
        text += "\r\n ".join([line[:71], *rest]) + "\r\n"
    return text


@contextmanager
def _made_once(name: str) -> Iterator[tuple[Path, Path | None]]:
    """Yield where the part is, and an empty folder to make it in unless it is there; it is moved there at the end."""
    target = CACHE / name
    if target.exists():
        yield target, None
        return
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{name}.making-", dir=CACHE) as making:
        fresh = Path(making) / "part"
        fresh.mkdir()
        yield target, fresh
        if not target.exists():  # else another process was quicker
            fresh.rename(target)
