"""Motifs of couplings: assemblies that take turns are told by the windows in which they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

import boltzbrain as bb
from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.motifs.find import read_motifs
from boltzbrain.interpretation.motifs.of_couplings import (
    coupling_affinities,
    spread_of,
)
from boltzbrain.training.plan import make_plan
from boltzbrain.training.train import train
from helpers.activities import activity_of
from helpers.command_line import run_command

TURNS = np.array([1, 1, 0, 1, 0, 0, 1, 0], dtype=bool)
WINDOW, NEURONS, MEMBERS = 400, 10, 4
FEW = {"window_bins": WINDOW, "most": 2, "starts": 2, "surrogates": 2, "progress": False}


def taking_turns(seed=0):
    """Return activity in which two assemblies are on and off, each in windows of its own.

    Rates are the same in all windows.
    """
    rng = np.random.default_rng(seed)
    first = TURNS.repeat(WINDOW)
    on = rng.random(len(first)) < 0.4
    odds = np.full((len(first), NEURONS), -1.3)
    odds[:, :MEMBERS] += (3.0 * (on - 0.4) * first)[:, None]
    odds[:, MEMBERS : 2 * MEMBERS] += (3.0 * (on - 0.4) * ~first)[:, None]
    made = activity_of((rng.random(odds.shape) < expit(odds)).astype(np.uint8))
    place = np.arange(len(first)) % 100
    fold = np.select([place < 80, place < 90], [0, 1], 2).astype(np.int8)
    return replace(made, fold=fold, epoch=(~first).astype(np.int32), epoch_names=("one", "two"))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    plan = make_plan(
        hidden=3, updates=250, batch=300, sweeps=2, checkpoints=2, weight_std=0.3, learning_rate=1.0
    )
    return train(taking_turns(), plan, tmp_path_factory.mktemp("motifs") / "animal")


def test_couplings_follow_the_windows_in_which_the_assembly_is(run):
    scales = {}
    stream = Generator.from_seed(0)
    found = coupling_affinities({"a": run}, WINDOW, None, stream, scales=scales)
    assert found.windows == (8,)
    assert spread_of(found) == pytest.approx(1.0)
    values = np.concatenate([some for _, some in found.pieces(0)])
    change = values[:, : found.together] - values[:, found.together :]
    inside = (found.pairs[: found.together] < MEMBERS).all(axis=1)
    # in units of their spread over windows and pairs; the seed is fixed, six seeds had .4 to 1.2
    assert change[TURNS][:, inside].mean() > 0.2
    assert change[~TURNS][:, inside].mean() < -0.2
    # chance: of mixed windows the same couplings change much less
    mixed = coupling_affinities({"a": run}, WINDOW, None, stream, scales=scales, mixed=True)
    assert spread_of(mixed) < 0.6


def test_motifs_of_couplings_are_found_told_and_held_against_the_model(run, tmp_path, monkeypatch):
    monkeypatch.setattr("boltzbrain.pages.panels.panel._picture", lambda _image: "data:,")
    found = bb.connectome({"<a>": run}, out=tmp_path / "found", **FEW)
    assert len(found) == 2
    time = found["motifs/time"]
    for motif in time:
        # each lives in the windows of one assembly
        share = np.square(motif[TURNS]).sum()
        assert share > 0.8 or share < 0.2
    assert (np.square(time[:, TURNS]).sum(axis=1) > 0.5).sum() == 1
    rows = found.summary["beside"]
    assert [one["animal"] for one in rows] == ["<a>", "<a>"]
    assert {one["epoch"] for one in rows} == {"one", "two"}
    assert max(one["adjusted_rand"] for one in rows) > 0.4
    assert all(0 < one[f"{name}_p"] <= 1 for one in rows
               for name in ("rank_correlation", "adjusted_rand"))  # fmt: skip
    page = (tmp_path / "found" / "motifs.html").read_text(encoding="utf-8")
    assert "2 motifs of couplings of 10 neurons in 1 animal, 8 windows of 400 bins." in page
    assert "rank correlation with the motif" in page
    assert read_motifs(tmp_path / "found" / "motifs.h5").summary["couplings"]


def test_recordings_have_models_beside_their_motifs(run):
    activity = run.activity()
    few = {"rank": 1, "starts": 2, "surrogates": 2, "window_s": 1.0, "progress": False}
    found = bb.connectome({"a": activity}, beside={"a": run}, **few)
    (row,) = found.summary["beside"]
    assert row["neurons"] == NEURONS
    assert row["rank_correlation"] > 0.3
    assert row["rank_correlation_p"] < 0.05
    assert not found.summary["couplings"]
    with pytest.raises(InputError, match="beside must be one of: a; got b"):
        bb.connectome({"a": activity}, beside={"b": run}, **few)
    with pytest.raises(InputError, match="be all recordings or all runs; got no run: a"):
        bb.connectome({"a": activity, "b": run}, **few)


def test_windows_longer_than_the_half_are_refused_by_the_command(run, tmp_path, capsys):
    done = run_command(["connectome", run.folder, "-o", tmp_path / "no"], capsys)
    assert done.status == 2
    assert "--window-bins must leave two windows or more of an animal (3,200 bins)" in done.err
