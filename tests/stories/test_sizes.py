"""Sizes that cannot be meant, empty words, bad places: refused before anything is read or made."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import boltzbrain as bb
from boltzbrain import api
from boltzbrain.foundations import memory
from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.memory import require_size
from boltzbrain.grid.sweep import sweep
from boltzbrain.training.plan import make_plan
from boltzbrain.training.sizes import require_sizes
from helpers.command_line import QUICK, digests, make, run_command, write_small

HUGE = 10**18


@pytest.fixture(scope="module")
def there(tmp_path_factory) -> Path:
    """A folder with a recording and a run."""
    folder = tmp_path_factory.mktemp("sizes")
    write_small(folder / "small.npz")
    make("fit", folder / "small.npz", "-o", folder / "run", *QUICK)
    return folder


def refused(words: list[object], folder: Path, capsys) -> str:
    """Run a command that must be refused with nothing read, made or left; return what it says."""
    before = digests(folder)
    told = run_command(words, capsys)
    assert told.status == 2, told
    assert "Traceback" not in told.err
    assert digests(folder) == before
    return told.err.splitlines()[-1]


SAMPLING = {
    "-n": [],
    "--chains": ["-n", 5],
    "--sweeps": ["-n", 5],
    "--warm-up": ["-n", 5],
    "--anneal": ["-n", 5, "--sampler", "gibbs"],
}


@pytest.mark.parametrize("size", [HUGE, 10**30])
@pytest.mark.parametrize("flag", SAMPLING)
def test_a_sample_of_impossible_size_is_refused_with_the_largest_that_fits(
    flag, size, there, capsys
):
    words = ["sample", there / "run", "-o", there / "s.npz", *SAMPLING[flag], flag, size]
    said = refused(words, there, capsys)
    assert re.search(rf"{flag} must be at most [\d,]+ \(.*\); got {size}", said)


def test_a_sample_of_possible_size_is_drawn(there, tmp_path, capsys):
    words = ["sample", there / "run", "-n", 50, "--chains", 5, "--sweeps", 1, "--warm-up", 1]
    assert run_command([*words, "-o", tmp_path / "s.npz"], capsys).status == 0


TRAINING = {
    "hidden": ["--hidden"],
    "chains": ["--chains"],
    "updates": ["--updates"],
    "sweeps": ["--sweeps"],
    "ais_chains": ["--set", "ais_chains="],
    "ais_rungs": ["--set", "ais_rungs="],
    "checkpoints": ["--set", "checkpoints="],
}


@pytest.mark.parametrize("name", TRAINING)
def test_a_plan_of_impossible_size_is_refused_before_the_recording_is_read(name, tmp_path, capsys):
    *option, last = TRAINING[name]
    given = [*option, f"{last}{HUGE}"] if last.endswith("=") else [last, HUGE]
    # it is not there, and would be refused next
    said = refused(["fit", tmp_path / "no.npz", "-o", tmp_path / "run", *given], tmp_path, capsys)
    assert re.search(rf"{name} must .*at most [\d,]+.*; got {HUGE}", said)


def test_the_number_of_neurons_counts(monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 10**9)
    plan = make_plan(hidden=20_000)
    require_sizes(plan, 1000)
    with pytest.raises(InputError, match=r"hidden must be at most [\d,]+"):
        require_sizes(plan, 40_000)


GRIDS = {
    "points": ["--hidden", ",".join(map(str, range(1, 200))), "--l2", "0,0.1", "--seeds", "50"],
    "seeds": ["--hidden", "4", "--seeds", str(HUGE)],
    "a size": ["--hidden", f"4,{HUGE}"],
}


@pytest.mark.parametrize("grid", GRIDS)
def test_a_grid_of_impossible_size_is_refused(grid, tmp_path, capsys):
    words = ["sweep", tmp_path / "no.npz", "-o", tmp_path / "sweep", *GRIDS[grid]]
    assert "at most" in refused(words, tmp_path, capsys)


def test_thousands_of_bin_widths_are_refused(there, capsys):
    widths = ",".join(str(one) for one in range(1, 2000))
    said = refused(["info", there / "small.npz", "--bins", widths], there, capsys)
    assert "--bins must be at most 100 bin widths; got 1999" in said


@pytest.mark.parametrize("name", ["triplets", "spread_samples", "shuffles"])
def test_a_reading_of_impossible_size_is_refused(name, there, capsys):
    flag = "--" + name.replace("_", "-")
    said = refused(["interpret", there / "run", flag, HUGE], there, capsys)
    assert f"{flag} must be at most" in said


def test_what_fits_is_not_refused(monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 100)
    require_size("n", 10, each_bytes=10.0, steps=1.0, operations=1.0)
    with pytest.raises(InputError, match=r"n must be at most 10 \(each takes 10 bytes, and 100"):
        require_size("n", 11, each_bytes=10.0)
    monkeypatch.setattr(memory, "available_bytes", lambda: None)
    require_size("n", 11, each_bytes=10.0)


EMPTY = {
    "fit, output": lambda folder: ["fit", folder / "small.npz", "-o", ""],
    "fit, output with =": lambda folder: ["fit", folder / "small.npz", "--out="],
    "fit, recording": lambda folder: ["fit", "", "-o", folder / "new"],
    "fit, folds": lambda folder: ["fit", folder / "small.npz", "--folds", "", "-o", folder / "n"],
    "sweep": lambda folder: ["sweep", folder / "small.npz", "-o", "", "--hidden", "2"],
    "evaluate": lambda _: ["evaluate", ""],
    "interpret": lambda _: ["interpret", ""],
    "report": lambda folder: ["report", folder / "run", "-o", ""],
    "figures": lambda folder: ["figures", folder / "run", "-o", ""],
    "view": lambda folder: ["view", folder / "run", "-o", ""],
    "compare": lambda folder: ["compare", folder / "run", "-o", ""],
    "sample": lambda folder: ["sample", folder / "run", "-n", 5, "-o", ""],
    "convert": lambda folder: ["convert", folder / "small.npz", ""],
    "demo": lambda _: ["demo", "-o", ""],
    "info": lambda _: ["info", ""],
}


@pytest.mark.parametrize("words", EMPTY.values(), ids=EMPTY)
def test_an_empty_word_is_refused(words, there, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert "must not be empty; got ''" in refused(words(there), there, capsys)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_path_is_refused_in_python(there, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    run = there / "run"
    activity = bb.TrainingRun.open(run).activity()
    for call in (
        lambda: bb.fit(activity, out=""),
        lambda: bb.resume(""),
        lambda: bb.evaluate(""),
        lambda: bb.interpret(""),
        lambda: api.report(run, ""),
        lambda: bb.save_figures(run, ""),
        lambda: bb.compare([run], out=""),
        lambda: bb.sample(run, 5, out=""),
        lambda: sweep(activity, "", hidden=[2]),
        lambda: bb.read(""),
    ):
        with pytest.raises(InputError):
            call()
    assert list(tmp_path.iterdir()) == []


PLACES = {"nobody can write": "/proc/run", "a link to nothing": "link", "below a file": "file/run"}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("command", ["fit", "sweep", "demo"])
def test_a_bad_place_is_found_before_the_recording_is_read(command, place, tmp_path, capsys):
    (tmp_path / "link").symlink_to(tmp_path / "gone" / "deep")
    (tmp_path / "file").write_text("theirs")
    more = {"fit": ["no.npz"], "sweep": ["no.npz", "--hidden", "2"], "demo": []}[command]
    said = refused([command, *more, "-o", tmp_path / place], tmp_path, capsys)
    assert "folder must be" in said
    assert "no.npz" not in said


def test_a_good_place_is_free_again_if_the_recording_cannot_be_read(tmp_path, capsys):
    np.savez(tmp_path / "bad.npz", nothing=np.zeros(3))
    said = refused(["fit", tmp_path / "bad.npz", "-o", tmp_path / "a" / "run"], tmp_path, capsys)
    assert "bad.npz" in said
