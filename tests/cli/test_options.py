"""An option is written once: a field changed in one place changes all that is made of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from boltzbrain.cli.main import app
from boltzbrain.foundations.options import options_of
from boltzbrain.interpretation.choices import Choices
from boltzbrain.pages.plates.choices import FigureChoices
from boltzbrain.preparing.calcium.deconvolve import RULES
from boltzbrain.preparing.faults.mend import MENDS
from boltzbrain.preparing.preparation import MENDABLE, THRESHOLDS, Preparation
from boltzbrain.training.plan import PRESETS, TrainingPlan, make_plan
from helpers.command_line import run_command

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]

# in a process of its own: the command line is made of the fields when it is imported
CHANGED = """
import json, runpy, sys
import numpy as np
from boltzbrain.preparing.preparation import Preparation
if sys.argv[1] == "changed":
    field = Preparation.model_fields["validation"]
    field.default, field.description = 0.2, "share of the bins that choose"
    Preparation.model_rebuild(force=True)
import typer.main
from boltzbrain.cli.main import app
from boltzbrain.cli.schema import schema
from boltzbrain.data.activity import Activity
from boltzbrain.data.recording import neuron_table
from boltzbrain.data.steps import Source
states = (np.arange(100) % 2).astype(np.uint8)[:, None]
activity = Activity(states, 0.02, np.arange(100, dtype=np.int32), np.zeros(100, np.int8),
    neuron_table(["a"]), {}, (), Source("", "", ""))
command = typer.main.get_command(app).commands["fit"]
table = runpy.run_path("docs/options.py")["table"]
print(json.dumps({
    "help": next(one.help for one in command.params if one.name == "validation"),
    "table": next(line for line in table("folds").splitlines() if "`validation`" in line),
    "schema": schema()["preparation"]["properties"]["validation"],
    "bins": len(activity.split().bins_of("validation")),
}))
"""


@pytest.mark.parametrize(
    ("how", "default", "text"),
    [
        ("as it is", 0.15, "share of the bins that choose the model"),
        ("changed", 0.2, "share of the bins that choose"),
    ],
)
def test_a_field_changed_in_one_place_changes_help_table_schema_and_deed(how, default, text):
    told = subprocess.run(
        [sys.executable, "-c", CHANGED, how], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = json.loads(told.stdout)
    assert found["help"].startswith(f"S{text[1:]}. ")
    assert f"[default: {default:g}; above 0 and below 1]" in found["help"]
    assert found["table"].startswith(f"| `validation` | `--validation` | {text} | {default:g} | ")
    assert (found["schema"]["default"], found["schema"]["description"]) == (default, text)
    assert found["bins"] == 100 * default


def test_every_field_of_a_model_reaches_its_command():
    for model, command in (
        (Preparation, "fit"),
        (TrainingPlan, "fit"),
        (Choices, "interpret"),
        (FigureChoices, "figures"),
    ):
        for one in options_of(model):
            if one.flag:
                parameter = next(p for p in COMMANDS[command].params if one.flag in p.opts)
                assert one.default in parameter.help
            else:
                assert model is TrainingPlan  # for --set


def test_the_command_line_tells_no_option_of_a_model_itself():
    texts = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "src/boltzbrain/cli").rglob("*.py")
    )
    # other options of the same name, of info, sweep, sample and align
    own = {"--bins", "--rule", "--chains", "--sweeps", "--updates"}
    models = (Preparation, TrainingPlan, Choices, FigureChoices)
    flags = {one.flag for model in models for one in options_of(model)}
    written = set(re.findall(r'(?:option|Option)\(\s*"(--[\w-]+)', texts))
    assert written & flags <= own


def test_the_schema_is_for_programs(capsys):
    told = run_command(["info", "--schema"], capsys)
    assert told.status == 0
    found = json.loads(told.out)
    assert set(found) == {"preparation", "training", "interpretation", "figures", "presets"}
    gap = found["preparation"]["properties"]["gap_s"]
    assert (gap["unit"], gap["option"]) == ("s", "--gap-s")
    assert found["presets"] == {
        name: json.loads(make_plan(name).model_dump_json()) for name in PRESETS
    }
    assert "drelu" in found["training"]["properties"]["hidden_kind"]["names"]


def test_names_and_what_they_name_agree():
    assert tuple(MENDS) == MENDABLE
    assert set(RULES) == set(THRESHOLDS)


def test_options_on_folds_that_exclude_each_other_are_named():
    for given, ruler in (({"all_data": True}, "--all-data"), ({"folds": "a.csv:b"}, "--folds")):
        with pytest.raises(ValueError, match=f"{ruler} must be the only .* {ruler} with --gap-s"):
            Preparation(**given, gap_s=0.0).refuse_conflicts()
        Preparation(**given, min_active_bins=3).refuse_conflicts()
    assert Preparation(gap_s=0.0, epochs=("a",)).flags == ["--epoch", "--gap-s"]
