"""Every public object says in a few lines what it is, and in a notebook by a small table."""

from __future__ import annotations

import inspect
import json
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import boltzbrain as bb
from boltzbrain.evaluation.scores import Evaluation
from boltzbrain.foundations.showing.told import Brief, SelfTold
from boltzbrain.grid.folder import SweepFolder
from boltzbrain.interpretation.animals.compare import Comparison
from boltzbrain.interpretation.file import (
    Interpretation,
    position_entry,
    read_interpretation,
    write_interpretation,
)
from boltzbrain.interpretation.regions.maps import RegionMaps
from boltzbrain.training.progress import Score

LINES, SIGNS = 20, 2000
NASTY = "<script>alert(1)</script>\x1b[31m\nnew line"
QUICK = {"hidden": 4, "updates": 6, "checkpoints": 3, "ais_rungs": 20, "ais_chains": 20}


def states(bins: int = 400, neurons: int = 12) -> np.ndarray:
    generator = np.random.default_rng(0)
    shared = generator.random((bins, 3)) < 0.3
    return generator.random((bins, neurons)) < np.where(
        shared[:, np.arange(neurons) % 3], 0.5, 0.05
    )


def placed(neurons: int = 12) -> dict:
    xyz = np.where(np.arange(neurons)[:, None] < neurons - 3, np.arange(neurons * 3.0)
                   .reshape(-1, 3), np.nan)  # fmt: skip
    return {"region": ["A", "B"] * (neurons // 2), "xyz_um": xyz}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    recording = bb.from_states(states(), 0.02, **placed())
    run = bb.fit(recording, out=tmp_path_factory.mktemp("objects") / "run", **QUICK)
    bb.evaluate(run)
    bb.interpret(run, min_neurons=2, triplets=50)
    return run


def _large(neurons: int = 3000) -> bb.Recording:
    names = [f"{NASTY} {n % 700}" for n in range(neurons)]
    regions = {f"{NASTY} {atlas}": names for atlas in range(5)}
    return bb.from_states(np.eye(neurons, dtype=np.uint8), 0.02, region=regions,
                          neuron_id=[f"{NASTY} {n}" for n in range(neurons)],
                          segment=np.arange(neurons) // 2)  # fmt: skip


def _traces() -> bb.Recording:
    frames = np.random.default_rng(0).standard_normal((300, 5))
    frames[:, 2], frames[3, 1] = np.nan, np.nan
    return bb.from_traces(frames, 0.5, kind="dff")


SMALL = bb.RBM(bb.Bernoulli(torch.zeros(3)), bb.ReLU(torch.zeros(2), torch.ones(2)),
               torch.ones(3, 2))  # fmt: skip
OBJECTS = {
    "Recording of states": lambda _: bb.from_states(states(), 0.02, **placed()),
    "Recording of spikes": lambda _: bb.from_spike_times([[0.1, 0.5], [], [0.2]], stop_s=9),
    "Recording of traces": lambda _: _traces(),
    "Recording, large": lambda _: _large(),
    "Recording of one bin": lambda _: bb.from_counts([[3]], 0.02),
    "Activity": lambda _: bb.from_states(states(), 0.02).binarize(),
    "Activity, large": lambda _: _large().binarize(),
    "Study": lambda _: bb.Study.of([_traces()] * 40, [f"{NASTY}{n}" for n in range(40)]),
    "TrainingRun": lambda run: run,
    "TrainingRun, gone": lambda run: replace(run, folder=run.folder / NASTY),
    "TrainingPlan": lambda run: run.plan,
    "RBM": lambda _: SMALL,
    "BoltzmannMachine": lambda _: bb.BoltzmannMachine(hidden=3),
    "Bernoulli": lambda _: SMALL.visible,
    "ReLU": lambda _: SMALL.hidden,
    "Gaussian": lambda _: bb.Gaussian(torch.zeros(5000), torch.ones(5000)),
    "Ising": lambda _: bb.Ising(torch.zeros(5000)),
    "DReLU": lambda _: bb.DReLU(*(torch.ones(5000) for _ in range(4))),
    "Evaluation": lambda run: run.evaluation,
    "Interpretation": lambda run: run.interpretation,
    "Motifs": lambda _: bb.connectome(
        {f"{NASTY}{n}": _large(4) for n in range(9)},
        rank=3,
        starts=2,
        surrogates=2,
        window_s=0.04,
        progress=False,
    ),
    "Comparison": lambda _: Comparison(
        {"runs": [{"animal": n, "folder": NASTY * 9, "converged": False} for n in range(99)]},
        dict.fromkeys(map(str, range(99))),
    ),
    "SweepFolder, gone": lambda run: SweepFolder(run.folder / NASTY),
    "signal": lambda _: _large().signal,
    "traces": lambda _: _traces().signal,
    "spike times": lambda _: bb.from_spike_times([[0.1]] * 999, stop_s=9).signal,
    "Regions": lambda _: next(iter(_large().regions.values())),
    "Source": lambda run: run.activity().source,
    "Step": lambda run: run.activity().steps[0],
    "Moments": lambda _: SMALL.moments(torch.zeros((2, 3), dtype=torch.uint8)),
    "RegionMaps": lambda run: run.interpretation.maps(),
    "Entry": lambda run: run.interpretation.entries["couplings/pairs"],
    "Figure": lambda run: run.evaluation.gain,
    "Score": lambda _: Score(10, -5.0, 0.1, 0.2, 0.05, "running"),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_each_object_tells_itself_within_a_screen(name, run):
    thing = OBJECTS[name](run)
    told = repr(thing)
    assert len(told.splitlines()) < LINES
    assert len(told) < SIGNS
    assert "\x1b" not in told
    assert "array([" not in told
    assert " object at 0x" not in told
    if isinstance(thing, SelfTold):
        html = thing._repr_html_()
        assert "<script" not in html
        assert "\x1b" not in html
        assert html.count("<tr>") < LINES


def test_what_an_evaluation_lacks_is_counted_with_its_reason(run):
    reasons = {"dynamics.a": "too noisy", "dynamics.b": "too noisy", "statistics.c": "no triplets"}
    told = repr(Evaluation({**run.evaluation, "reasons": reasons}))
    assert "dynamics 2, statistics 1: too noisy, and others (.reasons)" in told
    assert "undefined" not in repr(Evaluation({**run.evaluation, "reasons": {}}))


def test_every_public_class_is_among_them():
    errors = {"InputError", "TrainingFailedError"}
    classes = {one for one in bb.__all__ if inspect.isclass(getattr(bb, one))} - errors
    assert classes <= {name.partition(" ")[0].strip(",") for name in OBJECTS}


def test_the_lines_say_what_is_there(run):
    told = repr(OBJECTS["Recording of states"](run))
    assert "12 neurons" in told
    assert "400 of 20 ms" in told
    assert "A 6, B 6" in told
    assert "positions  of 9 of 12 neurons" in told
    assert "finished: 12 neurons, 4 hidden units" in repr(run)
    assert "report(run)" in repr(run)
    assert "cannot be read" in repr(OBJECTS["TrainingRun, gone"](run))
    assert "nats per bin over independent neurons" in repr(run.evaluation)
    assert "to_dataframe('neurons')" in repr(run.interpretation)


@pytest.mark.parametrize("name", ["Recording of states", "Recording of traces", "TrainingRun"])
def test_a_picture_stands_beside_the_table_where_one_helps(name, run):
    html = OBJECTS[name](run)._repr_html_()
    assert "data:image/png;base64," in html
    assert len(html) < 200_000


def test_an_evaluation_is_its_dictionary_and_has_its_figures_as_attributes(run):
    found = run.evaluation
    written = json.loads((run.folder / "evaluation.json").read_text(encoding="utf-8"))
    assert found == written
    assert json.loads(json.dumps(found)) == written
    assert found["log_likelihood"]["gain"]["value"] == found.gain.value == float(found.gain)
    assert found.test.stderr == written["log_likelihood"]["test"]["stderr"]
    assert found.statistics.loc["rates", "pearson"] == written["statistics"]["rates"]["pearson"]
    assert found.to_dataframe().loc["test", "nats_per_bin"] == found.test.value
    assert type(pickle.loads(pickle.dumps(found))) is Evaluation
    undefined = Evaluation({**written, "log_likelihood": {**written["log_likelihood"],
                            "gain": {"value": None, "stderr": None}},
                            "reasons": {"log_likelihood.gain.value": "no bins"}})  # fmt: skip
    assert undefined.gain.value is None
    assert undefined.gain.reason == "no bins"
    assert np.isnan(float(undefined.gain))
    assert "none: no bins" in repr(undefined)


def test_tab_completion_shows_what_is_there(run, tmp_path):
    assert {"evaluation", "interpretation", "best"} <= set(dir(run))
    fresh = replace(run, folder=tmp_path)
    assert not {"evaluation", "interpretation"} & set(dir(fresh))
    with pytest.raises(bb.InputError, match="evaluation"):
        _ = fresh.evaluation
    assert "couplings/pairs" in run.interpretation._ipython_key_completions_()
    assert set(bb.__all__) <= set(dir(bb))


def test_unknown_positions_are_absent_and_not_zeros(run, tmp_path):
    found = run.interpretation
    assert found["neurons/xyz_um"].shape == (9, 3)
    assert np.isnan(found.positions[-3:]).all()
    np.testing.assert_array_equal(found.positions[:9], placed()["xyz_um"][:9])
    nowhere = {path: one for path, one in found.entries.items() if path != "neurons/xyz_um"}
    nowhere["neurons/positioned"] = replace(
        nowhere["neurons/positioned"], values=np.zeros(12, dtype=np.uint8)
    )
    assert Interpretation(nowhere, found.summary).positions is None
    assert "x_um" not in Interpretation(nowhere, found.summary).to_dataframe("neurons")


def test_a_file_that_holds_zeros_for_unknown_positions_is_read_without_them(
    run, tmp_path, monkeypatch
):
    found = run.interpretation
    zeros = position_entry(np.nan_to_num(placed()["xyz_um"]))
    old = Interpretation({**found.entries, "neurons/xyz_um": zeros}, found.summary)
    path = tmp_path / "interpretation.h5"
    with monkeypatch.context() as patch:
        patch.setattr("boltzbrain.interpretation.file.FORMAT.__class__.told",
                      {"format": "boltzbrain interpretation", "version": 1})  # fmt: skip
        write_interpretation(path, old)
    read = read_interpretation(path)
    np.testing.assert_array_equal(read["neurons/xyz_um"], found["neurons/xyz_um"])
    np.testing.assert_array_equal(read.positions, found.positions)


def test_tables_hold_each_pair_once_and_every_neuron_assembly_and_region(run):
    found = run.interpretation
    neurons = found.to_dataframe("neurons")
    assert neurons["id"].tolist() == [str(n) for n in range(12)]
    assert np.isnan(neurons["x_um"].to_numpy()[-3:]).all()
    pairs = found.to_dataframe("couplings")
    assert len(pairs) == 12 * 11 // 2
    J = found.pairs()
    np.testing.assert_allclose(J[pairs["neuron"], pairs["partner"]], pairs["coupling"], rtol=1e-4)
    assert (np.diff(np.abs(pairs["coupling"])) <= 0).all()
    assemblies = found.to_dataframe("assemblies")
    assert [len(one) for one in assemblies["neurons"]] == found["assemblies/sizes"].tolist()
    regions = found.to_dataframe("regions").set_index(["region", "other"])
    maps = found.maps()
    assert isinstance(maps, RegionMaps)
    assert regions.loc[("A", "B"), "l1"] == maps.l1[0, 1]
    with pytest.raises(bb.InputError, match="of must be one of: neurons"):
        found.to_dataframe("neuron")
    bare = {path: one for path, one in found.entries.items() if not path.startswith("regions")}
    told = {"reasons": {"regions": "the recording names no regions"}}
    with pytest.raises(bb.InputError, match="the recording names no regions"):
        Interpretation(bare, told).to_dataframe("regions")


def test_a_dataset_names_every_axis_and_labels_neurons_and_regions(run):
    found = run.interpretation
    dataset = found.to_xarray()
    assert dataset["couplings_pairs"].dims == ("neuron", "other_neuron")
    assert dataset["assemblies_weights"].dims == ("neuron", "hidden")
    assert dataset["regions_l1"].sel(region="A", other_region="B") == found["regions/l1"][0, 1]
    assert dataset["couplings_pairs"].attrs["unit"] == "nats"
    assert len(dataset.data_vars) == len(found.entries)
    assert np.isnan(dataset["neurons_xyz_um"].sel(axis="x")[-3:]).all()


def test_recordings_and_activities_give_tables_and_arrays_with_named_axes(run):
    recording = bb.from_states(states(), 0.02, **placed())
    assert recording.to_dataframe()["region"].tolist() == ["A", "B"] * 6
    activity = run.activity()
    table = activity.to_dataframe()
    assert isinstance(table, pd.DataFrame)
    assert len(table) == activity.n_neurons
    array = activity.to_xarray()
    assert array.dims == ("bin", "neuron")
    assert array.attrs["bin_width_s"] == 0.02
    np.testing.assert_array_equal(array["fold"] == "train", activity.fold == 0)
    again = bb.from_states(array, 0.02)
    assert again.neurons["id"].tolist() == activity.neurons["id"].tolist()
    assert again.regions["region"].labels().tolist() == activity.regions["region"].labels().tolist()


def test_a_brief_object_shows_sizes_and_not_numbers():
    assert repr(SMALL.visible) == "Bernoulli(field=float32 (3,))"
    assert isinstance(SMALL.visible, Brief)
