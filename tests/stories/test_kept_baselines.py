"""Baselines on the terminal, and what a later evaluation keeps of them."""

from __future__ import annotations

import json
import shutil

import pytest

import boltzbrain as bb
from boltzbrain.cli.summaries.baselines import show_baselines
from boltzbrain.cli.summaries.results import signed
from boltzbrain.comparison.compare import read_assemblies
from boltzbrain.comparison.keep import earlier_evaluation, with_baselines_of
from boltzbrain.foundations.showing.console import Terminal
from boltzbrain.pages.verdicts.baselines import winner
from helpers.command_line import QUICK, make, run_command, write_small


@pytest.fixture(scope="module")
def run(tmp_path_factory, quick_evaluation):
    folder = tmp_path_factory.mktemp("kept")
    recording = write_small(folder / "small.npz")
    make("fit", recording, "-o", folder / "run", *QUICK)
    make("evaluate", folder / "run", "--baselines", "independent,pca")
    return folder / "run"


def test_kinds_doubts_and_what_is_unknown_are_shown(capsys):
    known = {"value": 1.0, "stderr": 0.1}
    score = {"bits_per_spike": 0.25, "stderr": 0.01}
    unknown = {"value": None, "stderr": None}
    table = {
        "rbm": {"title": "RBM", "gain": {**known, "kind": "log-likelihood"}, "conditional": score},
        "vae": {
            "title": "sparse linear VAE", "gain": {"value": -0.5, "stderr": None,
                                                   "kind": "lower bound"},
            "conditional": score, "rbm_minus_this": {"gain": known, "conditional": known},
            "log_partition": {"unreliable": ["chains are few"]},
        },
        "glm": {
            "title": "logistic GLM", "gain": {**unknown, "kind": "none"}, "conditional": score,
            "rbm_minus_this": {"gain": unknown, "conditional": known},
        },
    }  # fmt: skip
    console = Terminal()
    console.width = 80
    show_baselines(console, table, [])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["RBM", "+1.00", "±", "0.10", "log-likelihood"] in rows
    assert [
        "sparse",
        "linear",
        "VAE",
        "−0.50",
        "lower",
        "bound,",
        "doubtful",
        "+1.00",
        "±",
        "0.10",
    ] in rows
    assert ["logistic", "GLM", "none", "none", "none"] in rows
    assert ["logistic", "GLM", "0.250", "±", "0.010", "+1.000", "±", "0.100"] in rows


def test_the_terminal_says_who_wins_and_a_later_evaluation_keeps_it(run, tmp_path, capsys):
    copied = tmp_path / "run"
    shutil.copytree(run, copied)
    before = json.loads((copied / "evaluation.json").read_text())
    table = before["baselines"]
    told = run_command(["evaluate", copied], capsys)
    assert (told.status, "of the evaluation before" in told.err) == (0, False), told.err
    after = json.loads((copied / "evaluation.json").read_text())
    assert {**before, "seconds": 0} == {**after, "seconds": 0}
    assert "kept from the evaluation before" in told.out
    for kind in ("gain", "conditional"):
        assert winner(table, kind).text in told.out
    shown = [line.strip().split("  ")[0] for line in told.out.splitlines()]
    assert [shown.count(one["title"]) for one in table.values()] == [2, 2, 2]
    less = table["pca"]["rbm_minus_this"]["conditional"]
    assert signed(less["value"], less["stderr"], 3) in told.out
    # nothing is cut off where stdout is no terminal
    assert "…" not in told.out


@pytest.mark.filterwarnings("default::UserWarning")
def test_what_is_fitted_anew_joins_what_was_there(run, tmp_path, capsys):
    copied = tmp_path / "run"
    shutil.copytree(run, copied)
    before = json.loads((copied / "evaluation.json").read_text())
    weights = read_assemblies(copied / "baselines.h5")
    told = run_command(["evaluate", copied, "--baselines", "independent"], capsys)
    assert (told.status, "of the evaluation before" in told.err) == (0, False), told.err
    assert "of the same model and data: PCA\n" in told.out
    after = json.loads((copied / "evaluation.json").read_text())
    assert after["baselines"]["pca"] == before["baselines"]["pca"]
    assert {**after["reasons"]} == before["reasons"]
    kept = read_assemblies(copied / "baselines.h5")
    assert kept.keys() == weights.keys() == {"rbm", "pca"}
    assert all((kept[name] == weights[name]).all() for name in weights)
    # log Z of another seed: differences from it would not be those of the scores in the table
    told = run_command(["evaluate", copied, "--baselines", "independent", "--seed", "7"], capsys)
    assert "PCA of the evaluation before are left out" in told.err
    found = json.loads((copied / "evaluation.json").read_text())
    assert list(found["baselines"]) == ["rbm", "independent"]
    assert not [path for path in found["reasons"] if path.startswith("baselines.pca")]
    assert read_assemblies(copied / "baselines.h5").keys() == {"rbm"}


@pytest.mark.filterwarnings("default::UserWarning")
def test_weights_that_cannot_be_kept_are_told(run, tmp_path, capsys):
    copied = tmp_path / "run"
    shutil.copytree(run, copied)
    (copied / "baselines.h5").write_bytes(b"no HDF5")
    told = run_command(["evaluate", copied, "--baselines", "independent"], capsys)
    assert told.status == 0
    assert "baselines.h5: the weights of pca are not kept" in told.err
    assert read_assemblies(copied / "baselines.h5").keys() == {"rbm"}


@pytest.mark.filterwarnings("default::UserWarning")
def test_baselines_of_another_model_are_left_out_with_a_word(run, tmp_path, capsys):
    copied = tmp_path / "run"
    shutil.copytree(run, copied)
    info = json.loads((copied / "run.json").read_text())
    other = next(
        one.update
        for one in bb.TrainingRun.open(copied).checkpoints()
        if one.update not in (0, info["chosen_update"])
    )
    (copied / "run.json").write_text(json.dumps({**info, "chosen_update": other}))
    told = run_command(["evaluate", copied], capsys)
    assert told.status == 0, told.err
    assert f"beside the model of update {info['chosen_update']}" in told.err
    found = json.loads((copied / "evaluation.json").read_text())
    assert "baselines" not in found
    assert not [path for path in found["reasons"] if path.startswith("baselines")]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, None),
        ({"chosen_update": 7}, "beside the model of update 7"),
        ({"activity": {"neurons": 4, "bins": 9, "mean_activity": 0.1}}, "beside other data"),
        ({"weights": {"std": 0.2}}, "beside another model"),
    ],
)
def test_what_is_kept_of_an_evaluation(change, words):
    result = {
        "chosen_update": 5, "activity": {"neurons": 3, "bins": 9, "mean_activity": 0.1},
        "weights": {"std": 0.1}, "reasons": {"a": "b"},
    }  # fmt: skip
    table = {"rbm": {"gain": 1}, "pca": {"title": "PCA"}}
    held = {"baselines": table, "reasons": {"baselines.pca.x": "y", "c": "d"}}
    earlier = {**result, **held, **change}
    if words is None:
        kept = with_baselines_of(result, earlier)
        assert kept == {
            **result, "baselines": table, "reasons": {"a": "b", "baselines.pca.x": "y"},
        }  # fmt: skip
    else:
        with pytest.warns(UserWarning, match=words):
            assert with_baselines_of(result, earlier) == result
    assert with_baselines_of(result, None) == result


def test_a_damaged_evaluation_is_replaced_with_a_word(tmp_path):
    path = tmp_path / "evaluation.json"
    assert earlier_evaluation(path) is None
    path.write_text("{")
    with pytest.warns(UserWarning, match=r"nothing is kept.*evaluation\.json"):
        assert earlier_evaluation(path) is None
