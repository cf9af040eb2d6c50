"""The documentation names what there is: hyperparameters, unit filters, options, files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main

from boltzbrain.cli.main import app
from boltzbrain.preparing.folds.split import WAYS
from boltzbrain.readers.units import PRESETS as UNIT_PRESETS
from boltzbrain.training.plan import PRESETS, TrainingPlan

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
OTHER_OPTIONS = {"--extra-index-url"}  # of pip
SCRIPTS = [*ROOT.glob("benchmarks/*.py"), *ROOT.glob("proofs/*.py")]


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_every_hyperparameter_is_explained():
    rows = re.findall(r"^\| `(\w+)` \| (?:`--[\w-]+`)? ?\| (.+) \|$", page("training.md"), re.M)
    fields = {name: field.description for name, field in TrainingPlan.model_fields.items()}
    assert {name: text for name, text in rows if name not in PRESETS} == fields


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
