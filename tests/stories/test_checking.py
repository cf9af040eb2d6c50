"""`info --check` and `--bins` on the command line: each option that is named is run as printed."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import boltzbrain as bb
from boltzbrain.data.recording import Recording, neuron_table
from boltzbrain.data.signals import Binned
from boltzbrain.data.steps import Source
from helpers.command_line import Outcome, run_command
from helpers.spike_trains import LENGTH_S, NEURONS, make, poisson

EPOCHS = pd.DataFrame(
    {
        "start_s": [0.0, 30.0, 60.0],
        "stop_s": [150.0, 33.0, 61.5],
        "label": ["running", "opto_2ms", "opto_5ms"],
    }
)


def dirty_trains() -> list[np.ndarray]:
    """Return trains with every fault that spike times can have, one neuron for each."""
    trains = poisson(rate_hz=10.0)
    burst = 111 + np.arange(0, 8.0, 0.005)
    for neuron in (2, 3, 7):
        kept = (trains[neuron] < 110.9) | (trains[neuron] > 119.1)
        trains[neuron] = np.sort(np.r_[trains[neuron][kept], burst])
    # neuron 0 fires in the last 48 s alone: silent in the epoch, drifting in the whole
    trains[0] = trains[0][trains[0] > LENGTH_S - 48]
    trains[1] = trains[1][trains[1] < 100]
    trains[3] = np.sort(np.r_[trains[3], trains[3][10:40] + 5e-5])
    trains[4] = np.empty(0)
    trains[5] = np.sort(np.r_[trains[5], poisson(7, rate_hz=10.0)[0]])
    trains[6] = trains[2] + 1e-4
    return trains


@pytest.fixture(scope="module")
def spikes(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("spikes") / "dirty.nwb"
    bb.convert(make(dirty_trains(), EPOCHS), path)
    return path


@pytest.fixture(scope="module")
def bins(tmp_path_factory) -> Path:
    """Return the same activity, binned, with its epochs."""
    path = tmp_path_factory.mktemp("bins") / "dirty.npz"
    states = make(dirty_trains()).binarize(bin_ms=20).states
    rows = np.arange(len(states))
    signal = Binned(states, 0.02, (rows // 1000).astype(np.int32), rows * 0.02)
    table = neuron_table([f"{n}" for n in range(NEURONS)])
    bb.convert(Recording(table, {}, signal, EPOCHS, Source("t", "p", "")), path)
    return path


def write_traces(path: Path, frames: int) -> Path:
    """Write bleaching cells; 1 is flat, 2 vanishes, 4 is 3 again, 5 lacks frames, 7 is silent."""
    generator = np.random.default_rng(0)
    cells = 8
    events = generator.random((frames, cells)) < 0.1
    events[2 * frames // 5 :, 2] = False
    kernel = np.exp(-np.arange(30) / 4)
    response = np.stack([np.convolve(one, kernel)[:frames] for one in events.T], axis=1)
    fall = np.linspace(1.0, 0.6, frames)[:, None]
    values = 100 * fall * (1 + response) + generator.normal(size=(frames, cells))
    values[:, 4] = values[:, 3] + 0.01 * generator.normal(size=frames)
    values[:, 1] = 40.0
    values[5:9, 5] = np.nan
    values[:, 7] = 40.0 + np.arange(frames) % 2 + 0.01 * generator.normal(size=frames)
    np.save(path, values.astype(np.float32))
    return path


@pytest.fixture(scope="module")
def traces(tmp_path_factory) -> Path:
    return write_traces(tmp_path_factory.mktemp("traces") / "dirty.npy", 16_000)


@pytest.fixture(scope="module")
def short_traces(tmp_path_factory) -> Path:
    """Return traces whose kernel is estimated in a second."""
    return write_traces(tmp_path_factory.mktemp("short") / "dirty.npy", 800)


FRAMES = ("--read", "axes=time,neuron", "--read", "values=fluorescence", "--read", "frame_s=0.1")
CALCIUM = (*FRAMES, "--calcium", "bsd", "--kernel", "0,0.4")


def check(words, capsys) -> dict:
    told = run_command(["info", *words, "--check", "--json"], capsys)
    assert told.status == 0, told.err
    return json.loads(told.out)["check"]


def faults(found: dict) -> set[tuple[str, str]]:
    """Return option and name of what is mended; the points of nothing to be done are left out."""
    return {(point["mend"], point["name"]) for point in found["points"] if point["mend"]}


EVERY = {
    "--mend duplicate-spikes": "duplicate spikes",
    "--mend refractory": "refractory violations",
    "--mend silent": "silent neurons",
    "--mend drifting": "drifting rates",
    "--mend unstable": "drifting rates",
    "--mend duplicate-neurons": "duplicate neurons",
    "--mend laser": "laser epochs",
}
OF_BINS = {
    option: name
    for option, name in EVERY.items()
    if option not in ("--mend duplicate-spikes", "--mend refractory")
}
OF_CALCIUM = {
    option: name
    for option, name in OF_BINS.items()
    if option.split()[1] not in ("laser", "unstable")
}
CASES = {
    "spikes": ("spikes", (), EVERY),
    "spikes in bins of 5 ms": ("spikes", ("--bin-ms", "5"), EVERY),
    "bins": ("bins", (), OF_BINS),
    "bins of 40 ms": ("bins", ("--bin-ms", "40"), OF_BINS),
    # neuron 0 fires after it: silent there
    "an epoch of spikes": ("spikes", ("--epoch", "running"), EVERY),
    "an epoch of bins": ("bins", ("--epoch", "running"), OF_BINS),
    "traces": ("short_traces", FRAMES, {"--mend silent": "flat traces",
                                  "--calcium bsd": "bleaching"}),
    "states of traces": ("traces", CALCIUM, OF_CALCIUM),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_every_option_that_check_names_mends_its_fault_as_printed(case, request, capsys):
    name, options, expected = CASES[case]
    words = [request.getfixturevalue(name), *options]
    found = check(words, capsys)
    assert found["verdict"] == "mend first"
    assert faults(found) >= set(expected.items())
    assert (("--calcium bsd", "traces") in faults(found)) == (name == "short_traces")
    for option, fault in faults(found):
        mended = check([*words, *shlex.split(option)], capsys)
        assert option not in {still for still, _ in faults(mended)}, (option, fault)
    # the rows named are those of the recording as it is binned
    silent = next(p for p in found["points"] if p["mend"] == "--mend silent")
    assert (0 in silent["neurons"]) == ("--epoch" in options)


def test_all_mends_at_once_leave_a_clean_recording(spikes, bins, capsys):
    for path, names in ((spikes, EVERY), (bins, OF_BINS)):
        asked = [word for option in names for word in shlex.split(option)]
        found = check([path, *asked], capsys)
        assert found == {"verdict": "clean", "points": [], "looked_for": found["looked_for"]}


def test_what_was_mended_is_told_with_the_bins_it_was_found_in(spikes, tmp_path, capsys):
    words = ["--mend", "silent", "--bin-ms", "10", "--epoch", "running"]
    told = run_command(["convert", spikes, tmp_path / "a.npz", *words], capsys)
    assert told.status == 0, told.err
    written = bb.read(tmp_path / "a.npz")
    assert written.neurons["id"].tolist() == ["1", "2", "3", "5", "6", "7"]
    assert written.steps[0].options == {
        "what": "silent", "removed": 2, "bin_ms": 10, "epochs": ["running"],
    }  # fmt: skip


def test_traces_are_mended_after_their_events_are_found(traces, tmp_path, capsys):
    words = [*CALCIUM, "--mend", "silent", "--mend", "drifting", "--mend", "duplicate-neurons"]
    told = run_command(["convert", traces, tmp_path / "a.npz", *words], capsys)
    assert told.status == 0, told.err
    written = bb.read(tmp_path / "a.npz")
    assert written.neurons["id"].tolist() == ["0", "3", "5", "6"]
    assert [step.name for step in written.steps[:3]] == ["dff", "deconvolve", "mend"]


def test_a_cut_starts_a_new_segment_and_leaves_the_rest_as_it_was(bins, tmp_path, capsys):
    told = run_command(["convert", bins, tmp_path / "a.npz", "--mend", "laser"], capsys)
    assert told.status == 0, told.err
    before, after = bb.read(bins).signal, bb.read(tmp_path / "a.npz").signal
    lit = np.zeros(len(before.times), dtype=bool)
    for first, stop in ((1500, 1650), (3000, 3075)):
        lit[first:stop] = True
    np.testing.assert_array_equal(after.counts, before.counts[~lit])
    np.testing.assert_array_equal(after.times, before.times[~lit])
    # the first cut parts segment 1 in two, the second begins where segment 3 does
    segments = [list(range(10)), [0, 1, 10, *range(2, 10)]]
    for signal, order in zip((before, after), segments, strict=True):
        assert list(dict.fromkeys(signal.segment.tolist())) == order


def shown(told: Outcome) -> str:
    assert told.status == 0, told.err
    return " ".join(told.out.split())


def test_people_are_told_the_verdict_the_option_and_what_was_not_found(spikes, capsys):
    text = shown(run_command(["info", spikes, "--check"], capsys))
    for part in ("verdict mend first", "mend: --mend unstable", "spikes within 0.1 ms of",
                 "not found spike times that are no times"):  # fmt: skip
        assert part in text
    clean = make(poisson())
    bb.convert(clean, spikes.parent / "clean.nwb")
    assert "verdict clean" in shown(run_command(["info", spikes.parent / "clean.nwb",
                                                 "--check"], capsys))  # fmt: skip


def test_bin_widths_are_compared_and_one_recommended(spikes, capsys):
    told = run_command(["info", spikes, "--bins", "50,5, 10", "--json"], capsys)
    found = json.loads(told.out)["bins"]
    assert [row["bin_ms"] for row in found["table"]] == [5, 10, 50]
    assert found["recommended_ms"] == 5
    text = shown(run_command(["info", spikes, "--bins", "5,10"], capsys))
    assert "recommended: 5 ms" in text
    both = json.loads(run_command(["info", spikes, "--check", "--bins", "5", "--json"], capsys).out)
    assert set(both) == {"check", "bins"}
    for odd in ("5;10", "0", "nan"):
        refused = run_command(["info", spikes, "--bins", odd], capsys)
        assert refused.status == 2
        assert "--bins must be" in refused.err
