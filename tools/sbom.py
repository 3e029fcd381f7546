"""Writes down what is in the function's archive, for `nox -s audit`: a CycloneDX SBOM, and a table for people.

The archive itself is read, not the requirements: what pip put there, with licences and with what needs what. boto3 is
not in it, because Lambda's runtime brings its own.
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
    """Describe an archive as a CycloneDX 1.6 document, which does not depend on where or when it is made.

    Args:
        package: the folder that becomes the archive, as `tap_stack.build_lambda_package` makes it.

    Returns:
        The document, validated against CycloneDX's schema. Its subject's version has the hash that names the folder.

    Raises:
        subprocess.CalledProcessError: the folder cannot be described; the tool has said why on standard error.
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
        done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, check=True)  # noqa: S603 - our own arguments
    document: Document = json.loads(done.stdout)
    return document


def table(document: Document) -> Table:
    """Return the same for people: what is in it, in which version, under which licence."""
    rows = Table("in the function's archive", "version", "licence")
    for component in document["components"]:
        rows.add_row(component["name"], component["version"], ", ".join(_licences(component)))
    return rows


def _licences(component: Document) -> list[str]:
    """CycloneDX says `expression`, `license.id` or `license.name`; the last may be a classifier of PyPI."""
    entries = component.get("licenses", [{"expression": "?"}])
    names = (entry.get("expression") or entry["license"].get("id") or entry["license"]["name"] for entry in entries)
    return [name.rpartition(" :: ")[2] for name in names]


def main(target: Path) -> None:
    """Build the archive, or take it as it was built, write its SBOM to `target`, and print the table."""
    package = tap_stack.build_lambda_package(ROOT, ROOT / ".cache" / "lambda")
    document = sbom(package)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(document, indent=2) + "\n")
    console = Console()
    console.print(table(document))
    console.print(f"CycloneDX SBOM of the function's archive: {target}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
