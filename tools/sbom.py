"""Writes a CycloneDX SBOM of the indexer's archive and prints its components as a table, for `nox -s audit`.

The SBOM describes the archive itself, not the requirements: the installed packages, their licences and dependencies.
boto3 is not in the archive: Lambda's runtime provides it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import tap_stack

ROOT = Path(tap_stack.__file__).parent

Document = dict[str, Any]


def sbom(package: Path) -> Document:
    """Describe an archive as a CycloneDX 1.6 document, reproducibly.

    Args:
        package: the folder that becomes the archive, as `tap_stack.build_lambda_package` makes it.

    Returns:
        The document, validated against CycloneDX's schema. Its subject's version has the hash of the folder's name.

    Raises:
        subprocess.CalledProcessError: cyclonedx-py failed; standard error has its message.
    """
    with tempfile.TemporaryDirectory() as scratch:
        subject = Path(scratch) / "pyproject.toml"
        dependencies = [path.name.split("-")[0] for path in package.glob("*.dist-info")]
        version = f"0+{package.name.removeprefix('package-')}"
        subject.write_text(
            f'[project]\nname = "tapstack-indexer"\nversion = "{version}"\ndependencies = {json.dumps(dependencies)}\n'
        )
        command = [sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible", "--sv=1.6"]
        # without the site-packages (-S), the path of this interpreter is the archive and Python's own library
        command += ["-S", f"--pyproject={subject}", sys.executable]
        environ = {**os.environ, "PYTHONPATH": str(package)}
        result = subprocess.run(command, env=environ, stdout=subprocess.PIPE, check=True)  # noqa: S603 - our own arguments
    document: Document = json.loads(result.stdout)
    return document


def table(document: Document) -> Table:
    """Return the document's components as a table: name, version, licences."""
    rows = Table("in the function's archive", "version", "licence")
    for component in document["components"]:
        rows.add_row(component["name"], component["version"], ", ".join(_licences(component)))
    return rows


def _licences(component: Document) -> list[str]:
    """Return the licences from `expression`, `license.id` or `license.name`, which may be a PyPI classifier."""
    entries = component.get("licenses", [{"expression": "?"}])
    names = (entry.get("expression") or entry["license"].get("id") or entry["license"]["name"] for entry in entries)
    return [name.rpartition(" :: ")[2] for name in names]


def main(target: Path) -> None:
    """Build the archive unless it is cached, write its SBOM to `target`, and print the table."""
    package = tap_stack.build_lambda_package(ROOT, ROOT / ".cache" / "lambda")
    document = sbom(package)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(document, indent=2) + "\n")
    console = Console()
    console.print(table(document))
    console.print(f"CycloneDX SBOM of the function's archive: {target}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
