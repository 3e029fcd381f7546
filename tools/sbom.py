"""Write a CycloneDX SBOM of the indexer's deployment package, and print its components (part of `nox -s audit`).

The SBOM lists the packages in the finished package folder with their licences and dependencies. boto3 is not listed
because the Lambda runtime provides it.
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
    """Create a reproducible CycloneDX 1.6 document of a deployment package.

    Args:
        package: the folder that `tap_stack.build_lambda_package` returned.

    Returns:
        The document, validated against the CycloneDX schema. The version of its root component contains the hash in
        the folder name.

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
        # With -S, the interpreter's path contains only the package folder and the standard library.
        command += ["-S", f"--pyproject={subject}", sys.executable]
        environ = {**os.environ, "PYTHONPATH": str(package)}
        result = subprocess.run(command, env=environ, stdout=subprocess.PIPE, check=True)  # noqa: S603 - constant arguments
    document: Document = json.loads(result.stdout)
    return document


def table(document: Document) -> Table:
    """Return a table of the document's components with name, version and licences."""
    rows = Table("package", "version", "licence")
    for component in document["components"]:
        rows.add_row(component["name"], component["version"], ", ".join(_licences(component)))
    return rows


def _licences(component: Document) -> list[str]:
    """Return the licences of a component, without the prefix of PyPI classifiers."""
    entries = component.get("licenses", [{"expression": "?"}])
    names = (entry.get("expression") or entry["license"].get("id") or entry["license"]["name"] for entry in entries)
    return [name.rpartition(" :: ")[2] for name in names]


def main(target: Path) -> None:
    """Build the deployment package unless it is cached, write its SBOM to `target`, and print its components."""
    package = tap_stack.build_lambda_package(ROOT, ROOT / ".cache" / "lambda")
    document = sbom(package)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(document, indent=2) + "\n")
    console = Console()
    console.print(table(document))
    console.print(f"CycloneDX SBOM of the indexer's deployment package: {target}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
