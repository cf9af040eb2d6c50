"""A release says what it lacks before anything is published."""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
lacking = runpy.run_path(str(ROOT / "docs/developer/release.py"), run_name="release")["lacking"]
CHANGES = "# Changelog\n\n## [0.9.0] - 2030-01-02\n\n- a\n\n## [0.8.0] - 2029-01-01\n\n- b\n"


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "tests" / "frozen").mkdir(parents=True)
    (tmp_path / "CHANGELOG.md").write_text(CHANGES)
    (tmp_path / "docs" / "versions.md").write_text("## From 0.8.0 to 0.9.0\n")
    (tmp_path / "tests" / "frozen" / "0.9.0.zip").touch()
    return tmp_path


def test_nothing_is_missing_where_all_is_there(repository):
    assert lacking(repository, "0.9.0", ["v0.8.0"], []) == []


def test_everything_that_is_missing_is_named_at_once(repository):
    (repository / "CHANGELOG.md").write_text(
        CHANGES.replace("[0.9.0] - 2030-01-02", "[Unreleased]")
    )
    (repository / "docs" / "versions.md").write_text("")
    (repository / "tests" / "frozen" / "0.9.0.zip").unlink()
    found = lacking(repository, "0.9.0", ["v0.9.0"], ["a.py"])
    for number, word in enumerate(("tagged", "Unreleased", "0.8.0 to 0.9.0", "freeze.py", "a.py")):
        assert word in found[number]
    assert len(found) == 5


def test_a_version_is_three_numbers_and_its_section_has_a_date(repository):
    assert "three numbers" in lacking(repository, "0.9", [], [])[0]
    (repository / "CHANGELOG.md").write_text(CHANGES.replace(" - 2030-01-02", ""))
    assert ["no date" in one for one in lacking(repository, "0.9.0", [], [])] == [True]


def test_the_workflows_name_targets_pythons_and_scripts_that_there_are():
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {line.rpartition(" ")[2] for line in project["classifiers"] if "Python ::" in line}
    tried = set(runpy.run_path(str(ROOT / "proofs/wheels.py"), run_name="wheels")["NEWER"])
    workflows = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    assert [one.stem for one in workflows] == ["docs", "tests", "wheels"]
    for one in workflows:
        text = one.read_text()
        assert set(re.findall(r"run: make ([\w-]+)", text)) <= targets
        assert all((ROOT / script).exists() for script in re.findall(r"run: (\.\S+)", text))
        pythons = set(re.findall(r"\b3\.\d+\b", text))
        assert pythons <= named | (tried if one.stem == "wheels" else set())
        # or pip fetches the CUDA build of PyTorch
        assert "https://download.pytorch.org/whl/cpu" in text
    tests = (ROOT / ".github/workflows/tests.yml").read_text()
    assert set(re.findall(r'"(3\.\d+)"', tests)) == named
