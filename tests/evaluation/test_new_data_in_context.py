"""A model with a context on another recording: what its bins are told by, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import boltzbrain as bb
from boltzbrain.data.recording import Recording, neuron_table, no_epochs
from boltzbrain.data.signals import SpikeTimes
from boltzbrain.data.steps import Source
from boltzbrain.foundations.checks import InputError, Undefined
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.hidden_activity import hidden_in_context
from boltzbrain.sampling.enumeration import exact_log_partitions
from helpers.contexts import predictive

QUICK = {
    "hidden": 3, "updates": 30, "batch": 200, "sweeps": 1, "checkpoints": 2, "weight_std": 0.5,
    "learning_rate": 1.0, "ais_chains": 200, "ais_rungs": 50, "progress": False,
}  # fmt: skip
IDS = ["a", "b", "c", "d", "e"]
WORDS = ("past,trial", "epoch,assemblies", "states:2")


def spikes(seed: int, labels=("task", "rest"), ids=IDS) -> Recording:
    """Return a recording of five neurons, in epochs of 3 s in turn."""
    generator = np.random.default_rng(seed)
    trains = [np.sort(generator.uniform(0, 90, 700)) for _ in ids]
    starts = np.arange(0, 90, 3.0)
    epochs = pd.DataFrame(
        {"start_s": starts, "stop_s": starts + 3, "label": [labels[k % 2] for k in range(30)]}
    )
    signal = SpikeTimes(np.concatenate(trains), np.cumsum([len(one) for one in trains]), 0.0, 90.0)
    return Recording(
        neuron_table(ids), {}, signal, epochs, Source("simulated", f"day{seed}", f"hash{seed}", {})
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Return a run of each context, of bins in the two epochs, each of which is a segment."""
    folder = tmp_path_factory.mktemp("in_context")
    activity = spikes(0).binarize(bin_ms=50, epochs=["task", "rest"])
    activity = activity.split(by="segments", min_active_bins=0)
    return {
        name: bb.fit(activity, out=folder / name.replace(":", "_"), context=name, **QUICK)
        for name in WORDS
    }


@pytest.mark.parametrize("name", WORDS[:2])
def test_every_bin_is_told_by_the_earlier_ones_of_its_segment(runs, name):
    run = runs[name]
    found = run.transform(spikes(1))
    model = run.in_context()
    given = Sequences.of_segments(spikes(1).binarize(bin_ms=50, epochs=["task", "rest"]))
    assert len(given.edges) - 1 == 30
    np.testing.assert_allclose(found.hidden, hidden_in_context(model, given), atol=1e-6)
    exact = predictive(model.to(torch.float64), given)
    np.testing.assert_allclose(found.log_probability, exact, atol=1e-4)
    assert found.facts["context"] == name
    assert found.facts["log_partition_from"] == "every bin, exact"
    if name == "epoch,assemblies":
        still = model.rbm.mean_hidden(torch.from_numpy(given.states)).numpy()
        assert np.abs(found.hidden - still).max() > 1e-3
    # of half the recording the same: nothing comes over the edge of a segment
    rest = run.transform(spikes(1), epochs=["rest"])
    there = np.isin(found.times_s, rest.times_s)
    np.testing.assert_allclose(rest.log_probability, found.log_probability[there], atol=1e-6)
    assert found.states is None


def test_hidden_states_are_told_by_the_bins_so_far(runs, tmp_path):
    run = runs["states:2"]
    found = run.transform(spikes(1), out=tmp_path / "said.csv")
    model = run.in_context()
    given = Sequences.of_segments(spikes(1).binarize(bin_ms=50, epochs=["task", "rest"]))
    states = model.contexts.states
    np.testing.assert_allclose(found.hidden, hidden_in_context(model, given), atol=1e-6)
    known = states.given_partitions(
        model.rbm, exact_log_partitions(model.rbm, states.rows(model.rbm))
    )
    exact = known.predictive(given, model.rbm)
    # the training annealed log Z of its states
    assert found.log_probability.mean() == pytest.approx(exact.mean(), abs=0.05)
    np.testing.assert_allclose(found.states, states.filtered(given, model.rbm)[1], atol=1e-6)
    table = pd.read_csv(tmp_path / "said.csv")
    np.testing.assert_allclose(table[["states_0", "states_1"]].sum(axis=1), 1.0, atol=1e-5)


def test_missing_neurons_are_taken_at_their_mean_where_that_can_be(runs):
    fewer = spikes(1).select(np.array([True, False, True, True, True]))
    run = runs["epoch,assemblies"]
    found, model = run.transform(fewer, missing="mean"), run.in_context()
    assert isinstance(found.log_probability, Undefined)
    # piece by piece, b at its mean
    rate = run.activity().states_of("train")[:, 1].mean()
    given = Sequences.of_segments(spikes(1).binarize(bin_ms=50, epochs=["task", "rest"]))
    states = torch.from_numpy(given.states).float()
    states[:, 1] = float(rate)
    (context,) = (one for one in model.contexts.parts if one.name == "assemblies")
    before, wanted = None, []
    for one, begins in zip(states, given.begins, strict=True):
        shift = context.first if begins else (before - context.centre) @ context.recurrence.T
        before = model.rbm.hidden.mean((one @ model.rbm.weights + shift)[None])[0]
        wanted.append(before.numpy())
    np.testing.assert_allclose(found.hidden, np.stack(wanted), atol=1e-5)
    with pytest.raises(InputError, match="as each has a part in telling the hidden state"):
        runs["states:2"].transform(fewer, missing="mean")


def test_epochs_that_the_model_does_not_know_are_refused(runs):
    run = runs["epoch,assemblies"]
    strange = spikes(1, labels=("task", "sleep"))
    with pytest.raises(InputError, match=r"be among those of the model: task, rest.*got sleep"):
        run.transform(strange, epochs=["task", "sleep"])
    assert len(run.transform(strange, epochs=["task"])) == 900
    none = replace(spikes(1), epochs=no_epochs())
    with pytest.raises(InputError, match="tell where task, rest are"):
        run.transform(none, epochs=())
    # the place in the trial and the past need none
    assert len(runs["past,trial"].transform(none, epochs=())) == 1800
