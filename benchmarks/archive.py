"""How large the function's archive is, and what is in it, beside what its requirements would install."""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from benchmarks.measure import OURS, Comparison, Table
from benchmarks.subjects import POWERTOOLS, Subjects

KB = 1000
INSTALLED = "as pip installs it"
# for this machine, but else as usual: with the newest wrapt, its C extension, and what the packages say they need
USUAL = ("--quiet", "--disable-pip-version-check", "--no-deps", "--no-compile", "--require-hashes")


def archive(subjects: Subjects) -> list[Comparison | Table]:
    """The archive's size as it is uploaded, and its content by package; nothing here varies from run to run."""
    [ours] = subjects.ours.folders
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "install", *USUAL, f"--target={folder}", f"--requirement={POWERTOOLS}"]
        subprocess.run(pip, check=True)  # noqa: S603 - our own arguments
        usual = Path(folder)
        sizes = {OURS: [zipped(ours) / KB], INSTALLED: [zipped(usual) / KB]}
        rows = [row(part.name, part, usual / part.name) for part in sorted(ours.iterdir())]
        rows += [row(part.name, None, part) for part in sorted(usual.iterdir()) if not (ours / part.name).exists()]
    return [
        Comparison(what="archive, zipped", unit="KB", turns=sizes, base=INSTALLED, at_most=0.2),
        Table(what="What is in the archive", columns=("", "files", "KB", "KB as installed"), rows=tuple(rows)),
    ]


def row(name: str, ours: Path | None, usual: Path) -> tuple[str, ...]:
    """Name, number of files and size of a part of the archive; its size as pip installs it."""
    files = _files(ours) if ours else []
    size = f"{sum(file.stat().st_size for file in files) / KB:,.0f}" if files else "-"
    theirs = f"{sum(file.stat().st_size for file in _files(usual)) / KB:,.0f}" if usual.exists() else "-"
    return name, str(len(files)) if files else "-", size, theirs


def zipped(folder: Path) -> int:
    """Bytes of the folder as a zip file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for path in _files(folder):
            file.write(path, path.relative_to(folder))
    return len(buffer.getvalue())


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in ([folder] if folder.is_file() else folder.rglob("*")) if path.is_file())
