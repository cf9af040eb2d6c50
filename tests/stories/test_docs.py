"""The documentation names what there is: hyperparameters, unit filters, options, files."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
import typer.main

from boltzbrain.cli.main import app
from boltzbrain.interpretation.choices import Choices
from boltzbrain.preparing.preparation import WAYS, Preparation
from boltzbrain.readers.units import PRESETS as UNIT_PRESETS
from boltzbrain.training.plan import PRESETS, TrainingPlan

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
OTHER_OPTIONS = {"--extra-index-url"}  # of pip
SCRIPTS = [*ROOT.glob("benchmarks/*.py"), *ROOT.glob("proofs/*.py")]


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_the_tables_of_options_are_those_of_the_fields():
    tables = runpy.run_path(str(ROOT / "docs" / "options.py"))
    marks = []
    for name in tables["PAGES"]:
        assert tables["with_tables"](page(name)) == page(name), "run docs/options.py"
        marks += re.findall(r"<!-- options: (\w+) -->", page(name))
    # no option of a model stands in none of them
    assert sorted(marks) == sorted(tables["TABLES"])
    for model in (Preparation, TrainingPlan, Choices):
        for field in model.model_fields:
            assert any(f"| `{field}` | " in page(name) for name in tables["PAGES"]), field


def test_every_recipe_filter_and_way_to_split_is_explained():
    for name, known in (
        ("training.md", PRESETS),
        ("recordings.md", UNIT_PRESETS),
        ("recordings.md", set(WAYS) - {"none"}),
    ):
        for word in known:
            assert f"`{word}`" in page(name), f"{word} is missing in {name}"


def _options(command) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_no_option_or_command_is_invented(path):
    text = path.read_text(encoding="utf-8")
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    known = set().union(*(_options(command) for command in commands.values()))
    for script in SCRIPTS:
        known |= set(re.findall(r'"(--[a-z][\w-]*)"', script.read_text(encoding="utf-8")))
    named = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", text)) - OTHER_OPTIONS
    assert named <= known | {"--help", "--json"}
    shown = "\n".join(re.findall(r"^```\n(.*?)^```", text, re.M | re.S))
    assert set(re.findall(r"^boltzbrain (\w+)", shown, re.M)) <= set(commands)
    assert set(re.findall(r"`boltzbrain (\w+)", text)) <= set(commands)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_link_and_picture_is_there(path):
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?://)([^)#]+)\)", text):
        assert (path.parent / target).exists(), target
    for script in re.findall(r"(?:proofs|docs/images)/\w+\.py", text):
        assert (ROOT / script).exists(), script
