"""What is no recording is refused by its true reason; no message shows the insides of Python."""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

import boltzbrain as bb
from boltzbrain.data.recording import Recording, neuron_table, no_epochs
from boltzbrain.data.signals import Traces
from boltzbrain.data.steps import Source
from boltzbrain.foundations.checks import InputError, bad_input
from boltzbrain.preparing.faults.find import validate
from helpers.command_line import QUICK, run_command, write_small


def nwb(path: Path, trains: list[list[float]]) -> Path:
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.6.0"
        units = file.create_group("units")
        units["id"] = np.arange(len(trains))
        units["spike_times"] = np.array([one for train in trains for one in train], dtype="f8")
        units["spike_times_index"] = np.cumsum([len(one) for one in trains], dtype=np.int64)
    return path


def phy(path: Path, rate: str, spikes: int = 40) -> Path:
    path.mkdir()
    np.save(path / "spike_times.npy", 3000 * np.arange(spikes))
    np.save(path / "spike_clusters.npy", np.arange(spikes) % 4)
    (path / "params.py").write_text(f"sample_rate = {rate}\n")
    return path


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def pipe_in_phy(path: Path) -> Path:
    phy(path, "30000")
    (path / "spike_clusters.npy").unlink()
    pipe(path / "spike_clusters.npy")
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def empty(path: Path) -> Path:
    path.touch()
    return path


def sock(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(path.parent)  # a path of a socket is short
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(path.name)
    return path


REASONS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a device": (lambda _: Path("/dev/null"), "the file must be a file; got a device"),
    "a pipe": (pipe, "the file must be a file; got a pipe"),
    "a pipe in a folder": (pipe_in_phy, "spike_clusters.npy must be a file; got a pipe"),
    "an empty file": (empty, "0 bytes: an empty file"),
    "a folder without files": (folder, "a folder with nothing in it"),
    "units without spikes": (
        lambda p: nwb(p, [[], [], []]), "hold at least one spike; got 3 units without any spike",
    ),
    "no units": (lambda p: nwb(p, []), "units must hold at least one unit"),
    "one instant": (lambda p: nwb(p, [[5.0], [5.0]]), "last longer than an instant.* at 5 s"),
    "a rate that is a call": (lambda p: phy(p, "rate(30)"), r"sample_rate as a number.*rate\(30\)"),
    "a rate that is a sum": (lambda p: phy(p, "1 + 2"), r"sample_rate as a number.*1 \+ 2"),
    "a rate that is a list": (lambda p: phy(p, "[30000]"), r"sample_rate as a number.*\[30000\]"),
    "a rate that is true": (lambda p: phy(p, "True"), "sample_rate as a number.*True"),
    "a rate over nothing": (lambda p: phy(p, "1 / 0"), "sample_rate as a number.*1 / 0"),
    "a broken rate": (lambda p: phy(p, "("), "be Python that holds sample_rate as a number"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REASONS)
def test_the_true_reason_is_said(kind, tmp_path):
    make, reason = REASONS[kind]
    with pytest.raises(InputError, match=reason) as refused:
        bb.read(make(tmp_path / "a"))
    assert "object at 0x" not in str(refused.value)


def test_a_socket_is_called_so(tmp_path, monkeypatch):
    path = sock(tmp_path / "a", monkeypatch)
    with pytest.raises(InputError, match="the file must be a file; got a socket"):
        bb.read(path)


@pytest.mark.parametrize("rate", ["30000", "3e4", "2500.0 * 12", "60_000 / 2"])
def test_a_rate_that_is_a_product_is_read(rate, tmp_path):
    assert bb.read(phy(tmp_path / "a", rate)).source.options["sampling_hz"] == 30_000


@pytest.mark.parametrize("place", ["device", "file"])
def test_what_is_no_run_folder_is_called_what_it_is(place, tmp_path, capsys):
    path = Path("/dev/null") if place == "device" else empty(tmp_path / "a")
    told = run_command(["evaluate", path], capsys)
    assert (told.status, told.err.count(f"got a {place}")) == (2, 1)


@pytest.mark.parametrize("neurons", [1, 2])
def test_a_model_of_one_neuron_is_read_by_every_command_that_can(neurons, tmp_path, capsys):
    states = (np.random.default_rng(0).random((1500, neurons)) < 0.2).astype(np.uint8)
    path = write_small(tmp_path / "a.npz", states=states, region=None)
    run = tmp_path / "run"
    for words in (["info", path], ["info", path, "--check"], ["fit", path, "-o", run, *QUICK],
                  ["evaluate", run], ["interpret", run], ["report", run]):  # fmt: skip
        told = run_command(words, capsys)
        lone = neurons == 1 and words[0] == "interpret"
        assert told.status == (2 if lone else 0), (words, told.err)
        assert "encountered" not in told.err
        if lone:
            assert "have two neurons or more, as couplings are between neurons; got 1" in told.err


@pytest.mark.parametrize(
    "got",
    [object(), np.float64(2.5), np.int8(3), [np.float32(1), object()], np.dtype("f4"), float,
     len, Path("a/b"), np.arange(3), {"a": 1}, None, (1, "b")],
)  # fmt: skip
def test_no_message_shows_the_insides_of_python(got):
    text = str(bad_input("x", "be good", got))
    for inside in ("0x", "np.", "numpy", "dtype(", "<class", "<built", "PosixPath", "array("):
        assert inside not in text


def test_cells_without_frames_at_an_end_are_looked_at_without_a_warning():
    frames = np.random.default_rng(0).normal(5, 1, (1000, 5)).astype(np.float32)
    frames[:300, 0], frames[-300:, 1], frames[:, 2] = np.nan, np.nan, np.nan
    recording = Recording(
        neuron_table(list("abcde")), {}, Traces(frames, np.arange(1000) * 0.1, "fluorescence"),
        no_epochs(), Source("test", "made", ""),
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = {point.name for point in validate(recording).points}
    assert {"missing frames", "flat traces"} <= found
