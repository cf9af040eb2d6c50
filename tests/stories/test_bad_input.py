"""Everything a user can get wrong: status 2, one line on stderr, and nothing is left or changed."""

from __future__ import annotations

import contextlib
import errno
import resource
import shutil
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch

import boltzbrain as bb
from boltzbrain.data.recording import Recording, neuron_table
from boltzbrain.data.signals import SpikeTimes
from boltzbrain.data.steps import Source
from boltzbrain.model.rbm import RBM
from boltzbrain.writers.nwb import write_nwb
from helpers.command_line import (
    BINS,
    NEURONS,
    QUICK,
    SEGMENTS,
    digests,
    make,
    run_command,
    small_arrays,
    write_small,
)

pytestmark = pytest.mark.usefixtures("quick_evaluation")


def refused(words, folder: Path, capsys, *expected: object) -> str:
    """Run a command that must be refused, and check all that a refusal promises."""
    before = digests(folder)
    told = run_command(words, capsys)
    assert told.status == 2, told
    assert told.out == ""
    said = [line for line in told.err.splitlines() if line.startswith("Error: ")]
    assert len(said) == 1, told.err
    assert told.err.splitlines()[-1] == said[0]
    assert "Traceback" not in told.err
    for words_of_it in (" must ", "; got ", *expected):
        assert str(words_of_it) in said[0]
    assert digests(folder) == before
    return said[0]


def both_commands(path: Path, folder: Path) -> list[list[object]]:
    return [["info", path], ["fit", path, "-o", folder / "run", *QUICK]]


# --- the file


def nwb_file(path: Path, **quality: np.ndarray) -> Path:
    """Write a small NWB file of three units."""
    times = np.sort(np.random.default_rng(0).uniform(0, 20, (3, 200)), axis=1)
    recording = Recording(
        neurons=neuron_table(["0", "1", "2"], None, quality),
        regions={},
        signal=SpikeTimes(times.ravel(), np.array([200, 400, 600]), 0.0, 20.0),
        epochs=pd.DataFrame({"start_s": [0.0], "stop_s": [20.0], "label": ["task"]}),
        source=Source("simulated", "", ""),
    )
    return write_nwb(path, recording)


def truncated(path: Path) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


def with_content(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def foreign_hdf5(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file["something/else"] = np.zeros(3)
    return path


def changed(name: str, value: object) -> np.ndarray:
    states = small_arrays()["states"].astype(np.float64)
    states[7, 3] = value  # type: ignore[call-overload]
    return states


FILES = {
    # name of the case: how the file is made, and what the message must name
    "missing": (lambda folder: folder / "absent.npz", ["absent.npz", "exist"]),
    "a folder": (lambda folder: folder, []),
    "empty npz": (lambda folder: with_content(folder / "a.npz", b""), ["a.npz", "empty"]),
    "empty nwb": (lambda folder: with_content(folder / "a.nwb", b""), ["a.nwb", "empty"]),
    "truncated npz": (lambda folder: truncated(write_small(folder / "a.npz")), ["a.npz"]),
    "truncated nwb": (lambda folder: truncated(nwb_file(folder / "a.nwb")), ["a.nwb"]),
    "an image": (
        lambda folder: with_content(folder / "a.npz", b"\x89PNG\r\n\x1a\n" + bytes(99)),
        ["a.npz", "npz", "nwb", "zebrafish"],
    ),
    "a text": (lambda folder: with_content(folder / "a.csv", b"a,b\n1,2\n"), ["a.csv"]),
    "a foreign HDF5 file": (lambda folder: foreign_hdf5(folder / "a.h5"), ["a.h5"]),
    "a foreign npz": (
        lambda folder: write_small(folder / "a.npz", states=None, matrix=np.zeros((3, 3))),
        ["a.npz", "counts", "states"],
    ),
    "wrong orientation": (
        lambda folder: write_small(folder / "a.npz", states=small_arrays()["states"].T.copy()),
        ["a.npz"],
    ),
    "NaN": (
        lambda folder: write_small(folder / "a.npz", states=changed("states", np.nan)),
        ["a.npz", "states", "nan"],
    ),
    "a state of 2": (
        lambda folder: write_small(folder / "a.npz", states=changed("states", 2).astype(np.uint8)),
        ["a.npz", "states", "0 or 1", "2"],
    ),
    "a state of -1": (
        lambda folder: write_small(folder / "a.npz", states=changed("states", -1).astype(np.int8)),
        ["a.npz", "states", "-1"],
    ),
    "a region column of the wrong length": (
        lambda folder: write_small(folder / "a.npz", region=np.array(["CA1"] * 5)),
        ["a.npz", "region", NEURONS, 5],
    ),
    "a segment column of the wrong length": (
        lambda folder: write_small(folder / "a.npz", segment=np.zeros(9, dtype=np.int32)),
        ["a.npz", "segment", BINS, 9],
    ),
    "no bin width": (
        lambda folder: write_small(folder / "a.npz", bin_width_s=None),
        ["a.npz", "bin_width_s"],
    ),
    "objects": (
        lambda folder: write_small(
            folder / "a.npz", region=np.array([["CA1"], None] * 12, dtype=object)
        ),
        ["a.npz", "region"],
    ),
}


@pytest.mark.parametrize("case", FILES)
def test_bad_file(case, tmp_path, capsys):
    make, expected = FILES[case]
    path = make(tmp_path)
    for words in both_commands(path, tmp_path):
        refused(words, tmp_path, capsys, *expected)


def test_bits_flipped_at_random_are_an_error_or_an_answer(tmp_path, capsys):
    # through the command line; the readers have their own, larger fuzz
    content = write_small(tmp_path / "a.npz").read_bytes()
    draw = np.random.default_rng(5)
    for _ in range(25):
        broken = bytearray(content)
        for place in draw.integers(0, len(content), 3):
            broken[place] ^= 1 << int(draw.integers(8))
        (tmp_path / "a.npz").write_bytes(bytes(broken))
        told = run_command(["info", tmp_path / "a.npz"], capsys)
        assert told.status in (0, 2), told
        assert "Traceback" not in told.err


# --- the options


OPTIONS = {
    "no hidden unit": (["--hidden", "0"], ["--hidden must", "1", "0"]),
    "a negative learning rate": (["--learning-rate", "-0.1"], ["--learning-rate must", "-0.1"]),
    "a learning rate that is not a number": (["--learning-rate", "nan"], ["learning-rate", "nan"]),
    "no update": (["--updates", "0"], ["updates"]),
    "one chain": (["--chains", "1"], ["chains"]),
    "a seed below 0": (["--seed", "-1"], ["seed", "-1"]),
    "an unknown preset": (["--preset", "binray"], ["preset", "did you mean 'binary'?"]),
    "an unknown hyperparameter": (["--set", "momentun=0.5"], ["did you mean 'momentum'?"]),
    "a hyperparameter without a value": (["--set", "momentum"], ["--set", "NAME=VALUE"]),
    "a hyperparameter given twice": (
        ["--hidden", "3", "--set", "hidden=4"], ["hidden", "once", "3 and 4"],
    ),
    "a word for a number": (["--set", "momentum=much"], ["momentum", "much"]),
    "an unknown unit kind": (
        ["--set", "hidden_kind=bernouli"], ["hidden_kind", "did you mean 'bernoulli'?"],
    ),
    "an unknown split": (["--split", "segmnts"], ["segments", "did you mean 'segments'?"]),
    "folds that leave nothing": (["--validation", "0.5", "--test", "0.5"], ["below 1"]),
    "a negative share": (["--test", "-0.1"], ["test", "-0.1"]),
    "a gap between segments": (["--split", "segments", "--gap-s", "1"], ["--gap-s must"]),
    "half a stored bin": (["--bin-ms", "30"], ["bin_ms", "20", "30"]),
    "no bin": (["--bin-ms", "0"], ["--bin-ms must", "0"]),
    "bins longer than a segment": (["--bin-ms", "2000"], ["bin_ms", "2000"]),
    "no neuron active enough": (["--min-active-bins", "5000"], ["min_active_bins", "5000"]),
    "an epoch that is not there": (["--epoch", "task"], ["epoch"]),
    "too little memory": (["--memory-limit-gb", "0.00001"], ["memory_limit_gb", "kB"]),
    "all data and folds": (["--all-data", "--split", "blocks"], ["--all-data", "--split"]),
    "an unknown format": (["--format", "nbw"], ["format", "did you mean 'nwb'?"]),
    "a unit filter on a file without units": (["--units", "ibl"], ["units"]),
    "an option that the reader has not": (["--read", "frame_s=0.2"], ["frame_s", "npz"]),
    "an option of the reader without a value": (["--read", "frame_s"], ["--read", "NAME=VALUE"]),
    "a way to split that is none": (["--split", "halves"], ["--split must be one of"]),
    "a folds file without a column": (["--folds", "a.csv"], ["FILE", "COLUMN"]),
    "a folds file that is not there": (["--folds", "absent.csv:split0"], ["absent.csv"]),
}  # fmt: skip


@pytest.mark.parametrize("case", OPTIONS)
def test_impossible_option(case, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words, expected = OPTIONS[case]
    path = write_small(tmp_path / "small.npz")
    refused(["fit", path, "-o", "run", *words], tmp_path, capsys, *expected)


def test_a_misspelt_option_is_no_option(tmp_path, capsys):
    told = run_command(["fit", "a.npz", "--hiden", "3"], capsys)
    assert told.status == 2
    assert "--hidden" in told.err


def test_no_recording_at_all(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(["fit"], tmp_path, capsys, "RECORDING")


def test_no_unit_left_after_filtering(tmp_path, capsys):
    path = nwb_file(tmp_path / "units.nwb", phy_annotations=np.array([0.0, 1.0, 1.0]))
    for words in both_commands(path, tmp_path):
        refused([*words, "--units", "steinmetz"], tmp_path, capsys, path, "units", "0 of 3")


def test_a_unit_filter_whose_column_is_missing(tmp_path, capsys):
    path = nwb_file(tmp_path / "units.nwb")
    refused(["info", path, "--units", "ibl"], tmp_path, capsys, path, "ibl_quality_score")
    refused(["info", path, "--units", "allen_strct"], tmp_path, capsys, "did you mean")


def test_too_fine_bins_are_refused_before_the_memory_is_taken(tmp_path, capsys):
    path = nwb_file(tmp_path / "units.nwb")
    words = ["fit", path, "-o", tmp_path / "run", "--bin-ms", "0.000001"]
    refused(words, tmp_path, capsys, "memory")


# --- folds


def folds_csv(path: Path, words: list[str]) -> str:
    rows = [f"{segment},{word}" for segment, word in enumerate(words)]
    path.write_text("\n".join(["segment,split0", *rows]) + "\n", encoding="utf-8")
    return f"{path}:split0"


@pytest.mark.parametrize("absent", ["train", "validation", "test"])
def test_a_fold_without_bins(absent, tmp_path, capsys):
    path = write_small(tmp_path / "small.npz")
    others = [fold for fold in ("train", "validation", "test") if fold != absent]
    folds = folds_csv(tmp_path / "folds.csv", (others * SEGMENTS)[:SEGMENTS])
    words = ["fit", path, "-o", tmp_path / "run", "--folds", folds]
    refused(words, tmp_path, capsys, f"{absent} fold")


def test_folds_of_another_recording(tmp_path, capsys):
    path = write_small(tmp_path / "small.npz")
    folds = folds_csv(tmp_path / "folds.csv", ["train", "validation", "test"])
    words = ["fit", path, "-o", tmp_path / "run", "--folds", folds]
    refused(words, tmp_path, capsys, tmp_path / "folds.csv", "segment")


def test_a_column_of_folds_that_is_not_there(tmp_path, capsys):
    path = write_small(tmp_path / "small.npz")
    folds = folds_csv(tmp_path / "folds.csv", ["train", "validation", "test"])
    words = ["fit", path, "-o", tmp_path / "run", "--folds", folds.replace("split0", "splt0")]
    refused(words, tmp_path, capsys, "folds.csv", "did you mean 'split0'?")


# --- the run folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A folder with a recording and a run of it."""
    folder = tmp_path_factory.mktemp("trained")
    make("fit", write_small(folder / "small.npz"), "-o", folder / "run", *QUICK)
    return folder


@pytest.fixture
def run(trained, tmp_path) -> Path:
    """A run that a test may damage, its recording beside it."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    return tmp_path / "run"


def test_a_folder_that_already_holds_a_run(run, tmp_path, capsys):
    words = ["fit", tmp_path / "small.npz", "-o", run, *QUICK]
    refused(words, tmp_path, capsys, run, "run.json", "--resume")


def test_a_run_folder_under_a_file(tmp_path, capsys):
    path = write_small(tmp_path / "small.npz")
    refused(["fit", path, "-o", path / "run"], tmp_path, capsys, path / "run")
    # before the recording is read, which takes minutes where it is large
    words = ["fit", tmp_path / "absent.npz", "-o", path / "run"]
    refused(words, tmp_path, capsys, path / "run", "a folder that can be made")


@pytest.mark.parametrize("command", ["evaluate", "report", "sample"])
def test_what_is_no_run(command, tmp_path, capsys):
    more = ["-o", tmp_path / "s.npz"] if command == "sample" else []
    (tmp_path / "empty").mkdir()
    for folder in ("absent", "empty"):
        refused([command, tmp_path / folder, *more], tmp_path, capsys, tmp_path / folder)


@pytest.mark.parametrize("damage", ["run.json", "activity.h5", "checkpoint"])
def test_a_damaged_run_is_named(damage, run, tmp_path, capsys):
    if damage == "checkpoint":
        chosen = bb.TrainingRun.open(run).chosen_update
        damage = f"checkpoints/{chosen:07d}.h5"
    truncated(run / damage)
    refused(["evaluate", run], tmp_path, capsys, run / damage)


@pytest.mark.parametrize("lines", [3, 3.5])
def test_a_log_that_was_cut_short_is_named(lines, run, tmp_path, capsys):
    # by a row, or in the middle of one: the curve of the page must not silently end early
    assert run_command(["evaluate", run], capsys).status == 0
    rows = (run / "log.csv").read_text().splitlines(keepends=True)
    kept = "".join(rows[:3]) + (rows[3][: len(rows[3]) // 2] if lines % 1 else "")
    (run / "log.csv").write_text(kept)
    refused(["report", run], tmp_path, capsys, run / "log.csv")


def test_a_run_of_a_later_version(run, tmp_path, capsys):
    path = run / "run.json"
    path.write_text(path.read_text().replace('"version": 1', '"version": 999', 1))
    refused(
        ["evaluate", run],
        tmp_path,
        capsys,
        path,
        "version must be at most 1",
        "got 999",
        " wrote this file: install",
    )


def test_a_report_before_its_evaluation(run, tmp_path, capsys):
    refused(["report", run], tmp_path, capsys, "boltzbrain evaluate")


def test_samples_of_an_update_that_was_not_kept(run, tmp_path, capsys):
    words = ["sample", run, "-o", tmp_path / "s.npz", "--update", "39"]
    refused(words, tmp_path, capsys, "update", "40", "39")
    words = ["sample", run, "-o", tmp_path / "s.npz", "-n", "0"]
    refused(words, tmp_path, capsys, "n", "0")


def test_outputs_that_cannot_be(run, tmp_path, capsys):
    path = tmp_path / "small.npz"
    refused(["convert", path, path], tmp_path, capsys, path, "not exist yet")
    refused(["convert", path, tmp_path / "a.mat"], tmp_path, capsys, ".npz or .nwb", "a.mat")
    refused(["convert", path, tmp_path / "no" / "a.npz"], tmp_path, capsys, "folder")
    refused(["convert", path, tmp_path / "a.nwb"], tmp_path, capsys, "spike times")
    refused(["sample", run, "-o", tmp_path / "a.txt"], tmp_path, capsys, ".npz")
    words = ["compare", run, "-o", path / "both"]
    refused(words, tmp_path, capsys, "out must be a folder that can be made", path)


def test_a_page_replaces_nothing_but_a_page(run, tmp_path, capsys, monkeypatch):
    # refused before anything is drawn: the page takes many seconds
    drawn = []
    monkeypatch.setattr(
        "boltzbrain.pages.report.write_report", lambda _run, path: drawn.append(path) or path
    )
    recording, other, page = (tmp_path / name for name in ("small.npz", "other.html", "a.html"))
    other.write_text("<title>My thesis</title>")
    (tmp_path / "folder.html").mkdir()
    refused(["report", run, "-o", recording], tmp_path, capsys, "out", ".html", recording.name)
    refused(["report", run, "-o", other], tmp_path, capsys, other, "page of boltzbrain")
    refused(["report", run, "-o", tmp_path / "folder.html"], tmp_path, capsys, "folder.html")
    refused(["report", run, "-o", tmp_path / "no" / "a.html"], tmp_path, capsys, "existing folder")
    assert drawn == []
    page.write_text("<!DOCTYPE html><title>small · boltzbrain</title>")
    for target in (page, tmp_path / "new.html"):
        assert run_command(["report", run, "-o", target], capsys).status == 0
    assert drawn == [page, tmp_path / "new.html"]


# --- the disk


@contextlib.contextmanager
def room_for(size: int):
    """Let no file grow beyond `size` bytes, as on a disk that fills."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_the_disk_fills_at_the_start_of_a_fit(tmp_path, capsys):
    path = write_small(tmp_path / "small.npz")
    with room_for(2000):
        refused(["fit", path, "-o", tmp_path / "run", *QUICK], tmp_path, capsys, "activity.h5")


def test_the_disk_fills_while_training_and_the_run_goes_on_later(tmp_path, capsys):
    path = write_small(tmp_path / "small.npz")
    many = ["fit", path, *QUICK, "--hidden", "800", "-o"]
    assert run_command([*many, tmp_path / "whole"], capsys).status == 0
    with room_for(60_000):
        told = run_command([*many, tmp_path / "run"], capsys)
    assert told.status == 2, told
    assert "checkpoints" in told.err.splitlines()[-1]
    assert not [path for path in (tmp_path / "run").rglob("*") if path.name.startswith(".")]
    assert run_command(["fit", "--resume", tmp_path / "run"], capsys).status == 0
    whole, later = (bb.TrainingRun.open(tmp_path / name).best for name in ("whole", "run"))
    assert bool((whole.weights == later.weights).all())


def test_the_disk_fills_in_the_other_commands(run, tmp_path, capsys, undrawn):
    commands = {
        "samples.h5": ["evaluate", run],
        "report.html": ["report", run],
        "view.html": ["view", run],
        "s.npz": ["sample", run, "-n", 2000, "--warm-up", 1, "-o", tmp_path / "s.npz"],
        "c.npz": ["convert", tmp_path / "small.npz", tmp_path / "c.npz"],
    }
    for words in commands.values():
        # with room; also so that numba need not write what it compiles while there is none
        assert run_command(words, capsys).status == 0
    for name in ("s.npz", "c.npz"):
        (tmp_path / name).unlink()
    with room_for(2000):
        for name, words in commands.items():
            refused(words, tmp_path, capsys, name)


def test_a_disk_without_room_anywhere_else(tmp_path, capsys, monkeypatch):
    # the operating system may refuse outside of our own writers too
    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, "No space left on device", "somewhere")

    monkeypatch.setattr("boltzbrain.preparing.card.card.data_card", full)
    path = write_small(tmp_path / "small.npz")
    refused(["info", path], tmp_path, capsys, "somewhere", "No space left")


def test_a_gpu_where_there_is_none(run, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    path, out = tmp_path / "small.npz", tmp_path / "other"
    for words in (
        ["fit", path, "-o", out],
        ["fit", path, "-o", out, "--set", "weights_from=assemblies"],
        ["sweep", path, "-o", out, "--hidden", "2,3"],
        ["evaluate", run],
        ["sample", run, "-o", tmp_path / "s.npz"],
    ):
        said = refused([*words, "--device", "cuda"], tmp_path, capsys)
        assert "device must be cpu or auto: PyTorch finds no CUDA GPU here; got cuda" in said
    words = ["fit", path, "-o", out, "--device", "gpu"]
    refused(words, tmp_path, capsys, "auto, cpu, cuda, cuda:N")


# --- what is not the user's fault, or not only


def test_a_training_that_fails_has_a_status_of_its_own(tmp_path, capsys):
    path, run = write_small(tmp_path / "small.npz"), tmp_path / "run"
    told = run_command(["fit", path, "-o", run, *QUICK, "--learning-rate", "1e30"], capsys)
    assert told.status == 3
    last = told.err.splitlines()[-1]
    assert last.startswith("Training failed: ")
    assert "4 restarts did not mend it" in last
    assert "smaller learning rate" in last
    # the last good checkpoint is intact, and nothing pretends that the run had ended well
    assert bool(RBM.load(run / "checkpoints" / "good0.h5").weights.isfinite().all())
    told = run_command(["evaluate", run], capsys)
    assert told.status == 2
    assert "status failed" in told.err
    told = run_command(["fit", "--resume", run], capsys)
    assert told.status == 3


def test_a_model_worse_than_independent_neurons_is_warned_about(tmp_path, capsys):
    path = write_small(tmp_path / "small.npz")
    words = ["fit", path, "-o", tmp_path / "run", *QUICK, "--learning-rate", "50"]
    told = run_command(words, capsys)
    assert told.status == 0
    assert "Warning: the model is worse than independent neurons" in told.err


def test_a_run_folder_is_no_recording(tmp_path, capsys):
    for name in ("run.json", "activity.h5"):
        (tmp_path / name).write_bytes(b"{}")
    told = run_command(["info", tmp_path], capsys)
    assert told.status == 2
    assert "got a run: `boltzbrain evaluate`" in told.err
