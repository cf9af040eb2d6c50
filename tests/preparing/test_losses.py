"""What is lost of a recording is told as a share of it, with who lost it and what mends it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

import boltzbrain as bb
from boltzbrain.data.losses import Loss, losses_in, losses_of, stored
from boltzbrain.data.recording import Recording
from boltzbrain.preparing.bins import losses
from boltzbrain.preparing.bins.losses import time_steps
from boltzbrain.preparing.card.card import data_card
from boltzbrain.preparing.faults.find import Point, validate
from helpers.command_line import run_command
from helpers.spike_trains import LENGTH_S, NEURONS, poisson

Trains = list[np.ndarray]
LATE_S = 1_100_000.0


def write_nwb(
    path: Path, trains: Trains, *, kind: str = "f8", obs=None, epochs=(), area=()
) -> Path:
    """Write a units table with what a test asks for."""
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.6.0"
        units = file.create_group("units")
        units["id"] = np.arange(len(trains))
        units["spike_times"] = np.concatenate(trains).astype(kind)
        units["spike_times_index"] = np.cumsum([len(one) for one in trains])
        if obs is not None:
            units["obs_intervals"] = np.concatenate(obs)
            units["obs_intervals_index"] = np.cumsum([len(one) for one in obs])
        if len(area):
            units["location"] = list(area)
        if len(epochs):
            table = file.create_group("intervals/epochs")
            table["id"] = np.arange(len(epochs))
            table["start_time"], table["stop_time"] = np.array(epochs, dtype=float).T
            table["label"] = [f"e{n}" for n in range(len(epochs))]
    return path


def write_phy(path: Path, samples: np.ndarray, rate: str = "30000") -> Path:
    path.mkdir()
    np.save(path / "spike_times.npy", samples)
    np.save(path / "spike_clusters.npy", (np.arange(len(samples)) % 8).astype(np.int32))
    (path / "params.py").write_text(f"sample_rate = {rate}\n")
    return path


def long_samples(kind: str) -> np.ndarray:
    """Return samples of 30 hours at 30 kHz, as a type too short for them wraps them."""
    seconds = np.sort(np.random.default_rng(0).uniform(0, 30 * 3600, 20_000))
    return (seconds * 30_000).astype(np.int64).astype("u4").view(kind)


def cut_in_two(trains: Trains) -> Trains:
    half = LENGTH_S / 2
    return [np.r_[one[one < half], one[one >= half] - half] for one in trains]


WHOLE, HALF = np.array([[0.0, LENGTH_S]]), np.array([[0.0, LENGTH_S / 2]])
UNEQUAL = [HALF if n % 2 else WHOLE for n in range(NEURONS)]
BAD_EPOCHS = [(0, 50), (60, np.nan), (70, np.inf), (80, 80), (90, 85)]
AREAS = {"good": ["CA1", "V1"] * (NEURONS // 2), "bad": ["nan", "V1"] * (NEURONS // 2)}

# name of the point, the faulty file, its share in words, and the twin without the fault
KINDS: dict[str, tuple[str, Callable[[Path], Path], str, Callable[[Path], Path] | None]] = {
    "negative": (
        "spike times that are no times",
        lambda p: write_nwb(p, [np.r_[-one[::2], one[1::2]] for one in poisson()]),
        "50 % of the spikes",
        lambda p: write_nwb(p, poisson()),
    ),
    "not a number": (
        "spike times that are no times",
        lambda p: write_nwb(p, [np.r_[one, np.full(len(one), np.nan)] for one in poisson()]),
        "50 % of the spikes",
        None,
    ),
    "single precision late in a session": (
        "coarse times",
        lambda p: write_nwb(p, [one + LATE_S for one in poisson()], kind="f4"),
        "100 % of the spikes",
        lambda p: write_nwb(p, [one + LATE_S for one in poisson()]),
    ),
    "rounded to tenths": (
        "coarse times",
        lambda p: write_nwb(p, [np.round(one, 1) for one in poisson()]),
        "100 % of the spikes",
        lambda p: write_nwb(p, [np.round(one, 4) for one in poisson()]),
    ),
    "samples that overflowed": (
        "sample numbers that overflowed",
        lambda p: write_phy(p, long_samples("i4")),
        "34 % of the spikes",
        lambda p: write_phy(p, long_samples("u4")),
    ),
    "times that start again": (
        "times that start again",
        lambda p: write_nwb(p, cut_in_two(poisson())),
        "50 % of the spikes",
        # out of order all over: sorting is right, and no clock started again
        lambda p: write_nwb(p, [np.random.default_rng(0).permutation(one) for one in poisson()]),
    ),
    "epochs without ends": (
        "epochs without a length",
        lambda p: write_nwb(p, poisson(), epochs=BAD_EPOCHS),
        "80 % of the intervals (4 of 5)",
        lambda p: write_nwb(p, poisson(), epochs=BAD_EPOCHS[:1]),
    ),
    "units observed at different times": (
        "units observed at different times",
        lambda p: write_nwb(p, poisson(), obs=UNEQUAL),
        "25 % of the time",
        lambda p: write_nwb(p, poisson(), obs=[WHOLE] * NEURONS),
    ),
    "spikes outside of them": (
        "spikes outside obs_intervals",
        lambda p: write_nwb(p, poisson(), obs=[HALF] * NEURONS),
        "% of the spikes",
        lambda p: write_nwb(p, poisson(), obs=[WHOLE] * NEURONS),
    ),
    "regions named nan": (
        "neurons without a region",
        lambda p: write_nwb(p, poisson(), area=AREAS["bad"]),
        "50 % of the neurons (4 of 8)",
        lambda p: write_nwb(p, poisson(), area=AREAS["good"]),
    ),
}  # fmt: skip


def points(path: Path) -> dict[str, Point]:
    recording = bb.read(path)
    found = validate(recording, recording.binarize(bin_ms=20))
    json.dumps(found.to_json(), allow_nan=False)
    return {point.name: point for point in found.points}


@pytest.mark.parametrize("kind", KINDS)
def test_a_loss_is_a_point_with_share_verdict_and_mend(kind, tmp_path):
    name, faulty, share, good = KINDS[kind]
    point = points(faulty(tmp_path / "bad"))[name]
    assert share in point.found
    assert (point.severity, bool(point.mend)) == ("mend", True)
    if good is not None:
        assert name not in points(good(tmp_path / "good"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_large_loss_is_said_before_training(kind, tmp_path, capsys):
    name, faulty, share, good = KINDS[kind]
    words = ["convert", faulty(tmp_path / "bad"), tmp_path / "a.npz"]
    told = run_command(words, capsys)
    assert told.status == 0, told.err
    (line,) = (one for one in told.err.splitlines() if one.startswith(f"Warning: {name}: "))
    assert share in line
    assert "; mend: " in line
    if good is not None:
        told = run_command(["convert", good(tmp_path / "good"), tmp_path / "b.npz"], capsys)
        assert f"Warning: {name}" not in told.err


@pytest.mark.parametrize("command", ["fit", "sweep"])
def test_fit_and_sweep_say_it_too(command, tmp_path, capsys):
    path = KINDS["negative"][1](tmp_path / "a.nwb")
    words = [path, "-o", tmp_path / "out", "--hidden", "2", "--updates", "2"]
    more = ["--no-evaluate", "--workers", "1"] if command == "sweep" else []
    told = run_command([command, *words, *more], capsys)
    assert told.status in (0, 3), told.err
    lines = told.err.splitlines()
    said = next(n for n, one in enumerate(lines) if one.startswith("Warning: spike times that are"))
    assert not any(one.startswith("training") for one in lines[:said])


def test_what_the_user_left_out_is_not_warned_of_and_a_default_is(tmp_path, capsys):
    path = write_phy(tmp_path / "phy", np.arange(8_000, dtype=np.int64) * 997)
    rows = "".join(f"{n}\t{'noise' if n < 4 else 'good'}\n" for n in range(8))
    (path / "cluster_group.tsv").write_text("cluster_id\tgroup\n" + rows)
    said = "Warning: units left out: 50 % of the units (4 of 8): quality is good"
    for more, warned in (((), True), (("--units", "good"), False), (("--units", "none"), False)):
        out = tmp_path / f"{len(more)}{warned}{more[-1:]}.npz"
        told = run_command(["convert", path, out, *more], capsys)
        assert told.status == 0, told.err
        assert (said in told.err) == warned


@pytest.mark.parametrize("join", ["probes", "sessions"])
def test_a_recording_joined_to_itself(join, tmp_path):
    both = bb.join_probes if join == "probes" else bb.join_sessions
    one = bb.read(poisson(), stop_s=LENGTH_S)
    other = bb.read(poisson(1), stop_s=LENGTH_S)

    def told(*parts: Recording) -> list[Loss]:
        return [loss for loss in losses_of(both(parts)) if loss.name.startswith("a recording")]

    (loss,) = told(one, other, one)
    assert (loss.lost, loss.of, loss.large) == (1, 3, True)
    assert told(one, other) == []


def test_units_observed_at_different_times_are_cut_to_what_is_common(tmp_path):
    path = write_nwb(tmp_path / "a.nwb", poisson(), obs=UNEQUAL)
    recording = bb.read(path, observed="common")
    assert recording.signal.stretches().tolist() == HALF.tolist()
    assert recording.binarize(bin_ms=20).n_bins == round(LENGTH_S / 2 / 0.02)
    apart = [WHOLE - 1 if n % 2 else WHOLE + LENGTH_S for n in range(NEURONS)]
    write_nwb(tmp_path / "b.nwb", poisson(), obs=[np.maximum(one, 0) for one in apart])
    with pytest.raises(bb.InputError, match="observed must be any: no time is common"):
        bb.read(tmp_path / "b.nwb", observed="common")


def test_coarse_times_are_no_duplicates_and_shorter_bins_are_not_advised(tmp_path):
    path = write_nwb(tmp_path / "a.nwb", [one + LATE_S for one in poisson()], kind="f4")
    found = points(path)
    assert not {"duplicate spikes", "refractory violations"} & set(found)
    assert found["coarse times"].mend == "--bin-ms 625"
    assert found["spikes beyond the first of their bin"].mend is None
    card = data_card(bb.read(path))
    assert not any("lose less" in one for one in card.warnings)
    # bins of five steps hold five each
    recording = bb.read(path)
    named = {one.name for one in losses_of(recording.binarize(bin_ms=625))}
    assert "coarse times" not in named


@pytest.mark.parametrize("step_s", [0.0, 1 / 30_000, 1e-3, 0.02, 0.125])
def test_the_step_of_times_is_found(step_s):
    trains = [np.round(one / step_s) * step_s if step_s else one for one in poisson(rate_hz=40.0)]
    signal = bb.read(trains, stop_s=LENGTH_S + 1).signal
    found = float(np.median(time_steps(signal).step_s))
    # steps that no two spikes share cannot be told from none, and are of no matter
    assert found == pytest.approx(step_s, rel=1e-3) or (found == 0.0 and step_s < 1e-3)


@pytest.mark.parametrize("step_s", [0.0, 1e-3, 0.005, 0.02])
@pytest.mark.parametrize("coarse_from", [0.0, 0.5, 0.97])
def test_some_spikes_never_hide_that_others_are_coarse(step_s, coarse_from, monkeypatch):
    # the later times are coarse, in part of the recording; a pause and a burst are in it, too
    monkeypatch.setattr(losses, "_MANY", 1000)
    generator = np.random.default_rng(0)
    trains = []
    for number in range(40):
        train = np.sort(generator.uniform(0, 600, 3000))
        train = train[(train < 200) | (train > 260)]
        train = np.sort(np.r_[train, generator.uniform(300, 301, 20)])
        late = train > 600 * coarse_from
        if step_s:
            train[late] = np.round(train[late] / step_s) * step_s
        trains.append(train[: 3000 - 10 * number])
    signal = bb.read(trains, stop_s=601.0).signal
    found = time_steps(signal).step_s
    for limit_s in (0.0001, 0.002, 0.004, 0.01, 0.1):
        finer = losses.surely_finer(signal, limit_s)
        assert not finer or (found < limit_s).all()
        # and what is plain to see is seen
        if limit_s >= 0.004 and step_s <= 1e-3:
            assert finer


def test_losses_survive_a_file_and_those_of_older_files_are_told(tmp_path):
    one = Loss("a", "what", 1, 20, "spikes")
    assert losses_in(stored([one, Loss("b", "none", 0, 20, "spikes")])) == [one]
    path = KINDS["negative"][1](tmp_path / "a.nwb")
    activity = bb.read(path).binarize()
    bb.data.activity_file.write_activity(tmp_path / "a.h5", activity)
    back = bb.data.activity_file.read_activity(tmp_path / "a.h5")
    assert losses_of(back) == losses_of(activity) != []
    old = {"dropped": {"snr": 2, "spike times below 0": 5, "spike trains out of order, sorted": 1}}
    source = bb.data.steps.Source("nwb", "", "", old)
    recording = bb.read(poisson(), stop_s=LENGTH_S)
    told = losses_of(bb.data.recording.Recording(
        recording.neurons, {}, recording.signal, recording.epochs, source
    ))  # fmt: skip
    assert {(one.kind, one.lost, one.of) for one in told} == {
        ("choice", 2, 10), ("order", 1, 8), ("fault", 5, None),
    }  # fmt: skip
