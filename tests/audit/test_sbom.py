"""Tests of the SBOM, which lists the packages in the indexer's deployment package."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

import tap_stack
from tests.support.requirements import pins
from tools.sbom import ROOT, sbom

if TYPE_CHECKING:
    from pathlib import Path

    from tools.sbom import Document


@pytest.fixture(scope="module")
def package() -> Path:
    return tap_stack.build_lambda_package(ROOT, ROOT / ".cache" / "lambda")


@pytest.fixture(scope="module")
def document(package: Path) -> Document:
    return sbom(package)


def components(document: Document) -> dict[str, str]:
    return {component["purl"].split("/")[1].split("@")[0]: component["version"] for component in document["components"]}


def test_sbom_lists_exactly_the_pinned_requirements_with_licences(document: Document) -> None:
    assert components(document) == pins(ROOT / "lambda_code" / "requirements.txt")
    assert [component["name"] for component in document["components"] if not component.get("licenses")] == []


def test_sbom_lists_an_unexpected_package_in_the_deployment_package(
    package: Path, document: Document, tmp_path: Path
) -> None:
    altered = tmp_path / "package-altered"
    shutil.copytree(package, altered)
    smuggled = altered / "smuggled-6.6.6.dist-info"
    smuggled.mkdir()
    (smuggled / "METADATA").write_text("Metadata-Version: 2.1\nName: smuggled\nVersion: 6.6.6\n")
    assert components(sbom(altered)).keys() - components(document).keys() == {"smuggled"}


def test_sbom_contains_the_dependencies_of_each_package(document: Document) -> None:
    """The SBOM omits dependencies outside the deployment package, such as botocore."""
    needs = {entry["ref"]: set(entry.get("dependsOn", ())) for entry in document["dependencies"]}
    everything = {component["bom-ref"] for component in document["components"]}
    assert needs["root-component"] == everything
    xray = next(ref for ref in needs if ref.startswith("aws-xray-sdk"))
    assert {ref.split("==")[0] for ref in needs[xray]} == {"wrapt"}


def test_sbom_identifies_the_deployment_package_and_is_reproducible(package: Path, document: Document) -> None:
    subject = document["metadata"]["component"]
    assert (subject["name"], f"package-{subject['version'].removeprefix('0+')}") == ("tapstack-indexer", package.name)
    assert sbom(package) == document
