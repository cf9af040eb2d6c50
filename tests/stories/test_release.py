"""A release says what it lacks before anything is published."""

from __future__ import annotations

import runpy
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
