"""The demo: what it simulates is what the readers give back, and it ends with a page."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

import boltzbrain as bb
from boltzbrain.cli import simulated as made
from boltzbrain.cli.commands import demo
from boltzbrain.data.clusters import clustered_stderr, clusters_of
from boltzbrain.foundations.checks import InputError
from boltzbrain.writers.nwb import write_nwb
from helpers.command_line import QUICK, run_command

pytestmark = pytest.mark.usefixtures("quick_evaluation")


@pytest.fixture(scope="module")
def simulated():
    return made.simulate(0)


def test_the_file_gives_back_what_was_planted(simulated, tmp_path):
    truth, recording = simulated
    read = bb.read(write_nwb(tmp_path / "recording.nwb", recording))
    activity = read.binarize(bin_ms=made.BIN_MS)
    np.testing.assert_array_equal(activity.states, truth.states)
    assert activity.neurons["id"].tolist() == recording.neurons["id"].tolist()
    np.testing.assert_allclose(activity.neurons["x_um"], recording.neurons["x_um"])
    regions = next(iter(read.regions.values()))
    assert regions.names == made.REGIONS
    assert regions.labels().tolist() == recording.regions["areas"].labels().tolist()
    assert sorted(set(read.epochs["label"])) == ["spontaneous", "task"]


def test_assemblies_overlap_and_span_regions(simulated):
    truth, recording = simulated
    assert truth.states.shape == (made.BINS, made.NEURONS)
    assert (truth.membership.sum(axis=1) == 2).mean() == pytest.approx(0.25)
    label = recording.regions["areas"].labels()
    for assembly in range(made.ASSEMBLIES):
        _, counts = np.unique(label[truth.membership[:, assembly]], return_counts=True)
        assert len(counts) > 1
        second, home = np.sort(counts)[-2:]
        assert home > 2 * second


def test_seeds_differ_and_repeat():
    first, again, other = made.simulate(1)[0], made.simulate(1)[0], made.simulate(2)[0]
    np.testing.assert_array_equal(first.states, again.states)
    assert (first.states != other.states).any()


def test_the_planted_gain_is_the_likelihood_of_the_truth():
    # against a second way to the same number: few assemblies, one pattern of them at a time
    truth, recording = made.simulate(3)
    activity = recording.binarize().split(seed=3)
    # far enough apart for an error
    bins = activity.bins_of("test")[::100][:40]
    states = activity.states[bins]
    some = _some_of_test(activity, bins)
    few, error = made.planted_gain(truth, some)
    prior, total = truth.on.mean(axis=0), np.zeros(len(states))
    for pattern in range(2**made.ASSEMBLIES):
        on = np.array([pattern >> number & 1 for number in range(made.ASSEMBLIES)])
        active = truth.membership @ on
        firing = np.where(active > 0, 1 - (1 - truth.firing) ** active, truth.background)
        weight = np.prod(np.where(on, prior, 1 - prior))
        total += weight * np.prod(np.where(states, firing, 1 - firing), axis=1)
    train = activity.states_of("train")
    rate = (train.sum(axis=0, dtype=np.int64) + 0.5) / (len(train) + 1)
    independent = np.where(states, np.log(rate), np.log1p(-rate)).sum(axis=1)
    gains = np.log(total) - independent
    assert few == pytest.approx(gains.mean(), abs=1e-9)
    assert error == pytest.approx(clustered_stderr(gains, clusters_of(some, bins)), rel=1e-6)


def _some_of_test(activity, bins):
    from dataclasses import replace

    fold = np.where(activity.fold == 2, -1, activity.fold).astype(np.int8)
    fold[bins] = 2
    return replace(activity, fold=fold)


def test_demo_from_the_simulation_to_the_page(tmp_path, capsys, monkeypatch):
    # the training alone is cut short: its fit of the assemblies is measured by `make demo`
    monkeypatch.setattr(demo, "OF_FIT", QUICK)
    folder = tmp_path / "demo"
    told = run_command(["demo", "-o", folder], capsys)
    assert told.status == 0, told.err
    for command in ("info", "fit", "evaluate", "sample", "interpret", "report"):
        assert f"$ boltzbrain {command} " in told.err
    last = told.err.splitlines()[-1]
    assert str(folder / "run" / "report.html") in last
    assert "</html>" in (folder / "run" / "report.html").read_text(encoding="utf-8")
    gains = next(line for line in told.err.splitlines() if "which no model can beat" in line)
    assert len(re.findall(r"gains [+−][0-9.]+ ± [0-9.]+", gains)) == 2
    assert bb.read(folder / "samples.npz").signal.counts.shape == (1000, made.NEURONS)
    card = json.loads(run_command(["info", folder / "recording.nwb", "--json"], capsys).out)
    assert card["neurons"] == made.NEURONS
    assert len(card["regions"]) == 6

    # a second demo replaces the first, and leaves what it did not write
    (folder / "notes.txt").write_text("mine")
    again = run_command(["demo", "-o", folder, "--seed", 1], capsys)
    assert again.status == 0, again.err
    assert (folder / "notes.txt").read_text() == "mine"


def test_demo_does_not_write_into_a_folder_of_something_else(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("mine")
    told = run_command(["demo", "-o", tmp_path], capsys)
    assert told.status == 2
    assert "thesis.txt" in told.err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(InputError):
        demo.run_demo(tmp_path / "demo", seed=-1, command=lambda _: None)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"format": "another thing", "version": 1}, "format must be 'boltzbrain demo'"),
        ({"format": "boltzbrain demo", "version": 2}, "version must be at most 1"),
    ],
)
def test_demo_replaces_no_demo_that_it_does_not_know(told, message, tmp_path, capsys):
    (tmp_path / "demo.json").write_text(json.dumps(told))
    (tmp_path / "recording.nwb").write_text("theirs")
    refused = run_command(["demo", "-o", tmp_path], capsys)
    assert refused.status == 2
    assert f"demo.json: {message}" in refused.err
    assert (tmp_path / "recording.nwb").read_text() == "theirs"
