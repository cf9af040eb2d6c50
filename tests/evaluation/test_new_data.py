"""A model on a recording of another day: its neurons, the same preparation, nothing silent."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pynwb
import pytest
import torch

import boltzbrain as bb
from boltzbrain.data.recording import Recording, neuron_table, no_epochs
from boltzbrain.data.signals import Binned, SpikeTimes, Traces
from boltzbrain.data.steps import Source
from boltzbrain.foundations.checks import InputError, Undefined
from boltzbrain.model.hidden_activity import hidden_activity

QUICK = {
    "hidden": 3, "updates": 10, "batch": 50, "chains": 20, "sweeps": 1, "checkpoints": 2,
    "ais_chains": 20, "ais_rungs": 10,
}  # fmt: skip
IDS = ["a", "b", "c", "d", "e"]


def spikes(seed: int, start_s: float = 0.0, ids=IDS, stop_s: float = 60.0) -> Recording:
    """Return a recording of five neurons of two epochs."""
    generator = np.random.default_rng(seed)
    trains = [np.sort(generator.uniform(start_s, start_s + stop_s, 400)) for _ in ids]
    epochs = pd.DataFrame(
        {"start_s": [start_s, start_s + 40], "stop_s": [start_s + 40, start_s + stop_s],
         "label": ["task", "rest"]}
    )  # fmt: skip
    return Recording(
        neuron_table(ids),
        {},
        SpikeTimes(
            np.concatenate(trains),
            np.cumsum([len(one) for one in trains]),
            start_s,
            start_s + stop_s,
        ),
        epochs,
        Source("simulated", f"day{seed}", f"hash{seed}", {}),
    )


def trained(recording: Recording, folder, **options):
    activity = recording.binarize(**options).split(
        by="blocks", validation=0.2, test=0.2, gap_s=0, min_active_bins=0
    )
    return bb.fit(activity, out=folder, **QUICK)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return trained(spikes(0), tmp_path_factory.mktemp("new_data") / "run", bin_ms=50)


def in_order(recording: Recording, order) -> Recording:
    """Return the neurons of a recording in another order."""
    signal = recording.signal
    trains = [signal.train(row) for row in order]
    return replace(
        recording,
        neurons=recording.neurons.iloc[list(order)].reset_index(drop=True),
        signal=replace(
            signal,
            times=np.concatenate(trains),
            index=np.cumsum([len(one) for one in trains]),
        ),
    )


def test_the_bins_of_the_training_get_what_the_model_says_of_them(run):
    activity, found = run.activity(), run.transform(spikes(0))
    np.testing.assert_array_equal(found.hidden, hidden_activity(run.best, activity.states))
    row = run.log().set_index("update").loc[run.chosen_update]
    validation = found.log_probability[activity.bins_of("validation")]
    assert validation.mean() == pytest.approx(row["validation_nats_per_bin"], abs=1e-6)
    np.testing.assert_allclose(found.times_s, 0.05 * np.arange(1200), atol=1e-9)
    assert found.bin_width_s == 0.05
    assert found.facts["missing"] == []


def test_neurons_are_matched_by_id_in_any_order_beside_any_others(run):
    more = spikes(1, ids=["x", *IDS, "y"])
    found = run.transform(more)
    shuffled = run.transform(in_order(more, [6, 3, 1, 5, 0, 4, 2]))
    np.testing.assert_array_equal(found.hidden, shuffled.hidden)
    states = more.binarize(bin_ms=50).states[:, 1:6]
    np.testing.assert_array_equal(found.hidden, hidden_activity(run.best, states))
    assert (found.facts["matched"], found.facts["of_no_use"]) == (5, 2)


def test_missing_neurons_are_refused_by_name_or_taken_at_their_mean(run):
    fewer = spikes(1).select(np.array([True, False, True, True, False]))
    with pytest.raises(InputError, match=r"2 of 5 missing: b, e$"):
        run.transform(fewer)
    found = run.transform(fewer, missing="mean")
    states = spikes(1).binarize(bin_ms=50).states.astype(np.float32)
    states[:, [1, 4]] = run.activity().states_of("train")[:, [1, 4]].mean(axis=0)
    expected = run.best.mean_hidden(torch.from_numpy(states))
    np.testing.assert_allclose(found.hidden, expected, rtol=1e-5)
    assert isinstance(found.log_probability, Undefined)
    assert found.facts["missing"] == ["b", "e"]
    assert "log_probability" not in found.to_dataframe()


def test_another_animal_an_id_twice_and_an_activity_are_refused(run):
    with pytest.raises(InputError, match="be those of the model: a, b, c, d, e; got other ids: v"):
        run.transform(spikes(1, ids=list("vwxyz")), missing="mean")
    with pytest.raises(InputError, match="have each id once; got a"):
        run.transform(spikes(1, ids=["a", *IDS]))
    with pytest.raises(InputError, match=r"be a recording.*of an array: bb\.from_states"):
        run.transform(run.activity())
    with pytest.raises(InputError, match="missing must be one of: refuse, mean"):
        run.transform(spikes(1), missing="drop")


def test_row_numbers_of_another_file_are_no_names(tmp_path):
    ids = [str(number) for number in range(5)]
    run = trained(spikes(0, ids=ids), tmp_path / "run", bin_ms=50)
    run.transform(spikes(0, ids=ids))
    with pytest.warns(UserWarning, match="no ids but the numbers of their rows"):
        run.transform(spikes(1, ids=ids))


def test_epochs_are_those_of_the_run_unless_others_are_asked_for(tmp_path):
    run = trained(spikes(0), tmp_path / "run", bin_ms=50, epochs=["rest"])
    later = spikes(1, start_s=100.0)
    found = run.transform(later)
    np.testing.assert_allclose(found.times_s, 140 + 0.05 * np.arange(400), atol=1e-9)
    task = run.transform(later, epochs=["task"])
    np.testing.assert_allclose(task.times_s, 100 + 0.05 * np.arange(800), atol=1e-9)
    assert len(run.transform(later, epochs=())) == 1200
    with pytest.raises(InputError, match="rest"):
        run.transform(replace(later, epochs=no_epochs()))


def test_spikes_are_mended_as_before_and_neurons_are_not_dropped(tmp_path):
    doubled = spikes(0)
    signal = doubled.signal
    pairs = np.repeat(signal.times, 2)
    pairs[1::2] += 5e-5
    doubled = replace(doubled, signal=replace(signal, times=pairs, index=2 * signal.index))
    run = trained(doubled.mend("silent", "duplicate-spikes"), tmp_path / "run", bin_ms=50)
    found = run.transform(doubled)
    mended = [one["options"] for one in found.facts["steps"] if one["name"] == "mend"]
    assert [one["what"] for one in mended] == ["duplicate-spikes"]
    assert mended[0]["removed"] >= 2000
    # done once: what was mended already is left alone
    again = run.transform(doubled.mend("duplicate-spikes"))
    np.testing.assert_array_equal(again.hidden, found.hidden)
    assert sum(one["name"] == "mend" for one in again.facts["steps"]) == 1


def traces(seed: int, decay: float = 8.0) -> Recording:
    generator = np.random.default_rng(seed)
    events = generator.random((2000, 5)) < 0.03
    response = np.exp(-np.arange(40) / decay)
    values = np.stack([np.convolve(one, response)[:2000] for one in events.T.astype(float)], axis=1)
    values += generator.normal(size=values.shape) * 0.05
    return Recording(
        neuron_table(IDS),
        {},
        Traces(values.astype(np.float32), 0.1 * np.arange(2000), "dff"),
        no_epochs(),
        Source("simulated", f"day{seed}", f"hash{seed}", {}),
    )


def test_events_are_found_by_the_rule_and_the_kernel_of_the_run(tmp_path):
    binary = traces(0).deconvolve(method="bsd", threshold=5.0)
    run = trained(binary, tmp_path / "run", bin_ms=200)
    found = run.transform(traces(1, decay=12.0))
    then, now = (
        next(one for one in steps if one[0] == "deconvolve")[1]
        for steps in (
            [(one.name, one.options) for one in binary.steps],
            [(one["name"], one["options"]) for one in found.facts["steps"]],
        )
    )
    for name in ("method", "rule", "threshold", "rise_s", "decay_s"):
        assert now[name] == then[name]
    # on its own the other day has another kernel
    alone = traces(1, decay=12.0).deconvolve(method="bsd", threshold=5.0)
    assert alone.steps[-1].options["decay_s"] != then["decay_s"]
    np.testing.assert_allclose(found.times_s, 0.2 * np.arange(1000), atol=1e-9)
    with pytest.warns(UserWarning, match="by another rule"):
        run.transform(traces(1).deconvolve(method="threshold"))


def test_bins_of_another_width_are_merged_or_refused(run):
    counts = (np.random.default_rng(2).random((600, 5)) < 0.2).astype(np.uint8)

    def binned(width: float) -> Recording:
        times = 3.0 + width * np.arange(600)
        signal = Binned(counts, width, np.zeros(600, dtype=np.int32), times)
        return Recording(
            neuron_table(IDS), {}, signal, no_epochs(), Source("simulated", "day2", "", {})
        )

    found = run.transform(binned(0.025))
    merged = counts.reshape(300, 2, 5).max(axis=1)
    np.testing.assert_array_equal(found.hidden, hidden_activity(run.best, merged))
    np.testing.assert_allclose(found.times_s, 3.0 + 0.05 * np.arange(300))
    with pytest.raises(InputError, match="whole multiple of the stored bin width, 40 ms"):
        run.transform(binned(0.04))


def test_every_file_holds_the_same_and_is_never_written_over(run, tmp_path):
    found = run.transform(spikes(1))
    for ending in ("npz", "csv", "nwb"):
        assert bb.transform(run.folder, spikes(1), out=tmp_path / f"a.{ending}").facts
        with pytest.raises(InputError, match="not exist yet"):
            found.save(tmp_path / f"a.{ending}")
    with pytest.raises(InputError, match=r"end in \.npz or \.csv or \.nwb"):
        bb.transform(run, spikes(1), out=tmp_path / "a.mat")
    with np.load(tmp_path / "a.npz") as file:
        for name in ("times_s", "segment", "hidden", "log_probability"):
            np.testing.assert_array_equal(file[name], getattr(found, name))
        assert json.loads(str(file["facts"]))["update"] == run.chosen_update
        assert str(file["format"]) == "boltzbrain transform"
    table = pd.read_csv(tmp_path / "a.csv")
    assert list(table) == [
        "time_s", "segment", "log_probability", "hidden_0", "hidden_1", "hidden_2",
    ]  # fmt: skip
    np.testing.assert_allclose(table["log_probability"], found.log_probability)
    with pynwb.NWBHDF5IO(tmp_path / "a.nwb", "r") as io:
        module = io.read().processing["boltzbrain"]
        hidden = module["hidden"]
        np.testing.assert_array_equal(hidden.data[:], found.hidden)
        np.testing.assert_array_equal(hidden.timestamps[:], found.times_s)
        assert module["log_probability"].unit == "nats"
    assert pynwb.validate(path=tmp_path / "a.nwb") == []


def test_log_z_is_that_of_the_evaluation_where_there_is_one(run, monkeypatch):
    before = run.transform(spikes(0))
    assert before.facts["log_partition_from"] == "log.csv"
    content = {
        "format": "boltzbrain evaluation", "version": 1, "chosen_update": run.chosen_update,
        "belongs": {"run": run.id},
        "log_likelihood": {"log_partition": {"forward": {"value": 7.0, "stderr": 0.5}}},
    }  # fmt: skip
    path = run.folder / "evaluation.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    try:
        after = run.transform(spikes(0))
        assert after.facts["log_partition_from"] == "evaluation.json"
        assert after.facts["log_partition_stderr"] == 0.5
        np.testing.assert_allclose(
            after.log_probability - before.log_probability, before.facts["log_partition"] - 7.0
        )
        # of another checkpoint it says nothing
        first = run.checkpoints()[0].update
        if first != run.chosen_update:
            other = run.transform(spikes(0), update=first)
            assert other.facts["log_partition_from"] == "log.csv"
    finally:
        path.unlink()
