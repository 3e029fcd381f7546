"""Tests that the files for contributors are consistent: version, changelog, ignored files, editor and hooks."""

from __future__ import annotations

import configparser
import datetime as dt
import re
import tomllib

import yaml

from tests.support.nonempty import nonempty
from tests.unit.test_structure import ROOT
from tools import prose

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
README = (ROOT / "README.md").read_text()


def test_newest_section_of_the_changelog_has_the_version_of_the_project() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## (\d+\.\d+\.\d+) - (\S+)$", changelog, re.MULTILINE)
    assert versions[0][0] == PROJECT["project"]["version"]
    dates = [dt.date.fromisoformat(date) for _, date in versions]
    assert dates == sorted(dates, reverse=True)
    for version, _ in nonempty(versions):
        assert "### Upgrade" in changelog.split(f"## {version} ")[1].split("\n## ")[0]


def test_required_version_of_the_pulumi_cli_is_the_same_in_projects_readme_and_changelog() -> None:
    versions = {
        yaml.safe_load((ROOT / folder / "Pulumi.yaml").read_text())["requiredPulumiVersion"]
        for folder in (".", "examples/component")
    }
    [(version,)] = [re.findall(r">=(\d+\.\d+)\.0", each) for each in versions]
    assert f"[Pulumi CLI](https://www.pulumi.com/docs/install/) {version} or later" in README
    assert f"is too old: install {version} or later" in README
    assert f"Update the Pulumi CLI to version {version} or later" in (ROOT / "CHANGELOG.md").read_text()
    # The documented test environment satisfies the requirement.
    assert f"Pulumi CLI {version}.0" in (ROOT / "docs" / "testing.md").read_text()


def test_git_ignores_all_files_that_commands_of_the_readme_create() -> None:
    created = [
        *re.findall(r"-m venv (\S+)", README),
        *re.findall(r"> (\S+)(?:\s|$)", " ".join(re.findall(r"^\$.*", README, re.MULTILINE))),
    ]
    assert len(created) >= 3
    ignored = {line.rstrip("/") for line in (ROOT / ".gitignore").read_text().splitlines()}
    assert set(created) <= ignored


def test_pre_commit_runs_the_lint_session_with_the_pinned_nox() -> None:
    [repository] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    [hook] = repository["hooks"]
    [nox] = [each for each in PROJECT["dependency-groups"]["dev"] if str(each).startswith("nox==")]
    assert hook["entry"] == "nox -s lint"
    assert hook["additional_dependencies"] == [nox.replace("nox", "nox[uv]")]


def test_editors_wrap_lines_where_ruff_does() -> None:
    editor = configparser.ConfigParser()
    editor.read_string("[top]\n" + (ROOT / ".editorconfig").read_text())
    assert editor["*.{py,toml}"]["max_line_length"] == str(PROJECT["tool"]["ruff"]["line-length"])


def test_text_files_follow_the_editor_settings() -> None:
    contents = {name: (ROOT / name).read_bytes() for name in prose.files()}
    assert contents
    wrong = [name for name, content in contents.items() if re.search(rb"\r|[ \t]\n|\n\n\Z|[^\n]\Z", content)]
    assert not wrong, f"{wrong}: use LF, no trailing whitespace, and one newline at the end"
