"""A training that is stopped anywhere goes on as if nothing had happened, bit for bit."""

from __future__ import annotations

import contextlib
import io
import shutil
import signal
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from boltzbrain.cli.main import main
from boltzbrain.cli.resuming import places
from helpers.command_line import (
    QUICK,
    digests,
    make,
    run_command,
    write_small,
)
from helpers.killing import differences, kill_after, start

pytestmark = pytest.mark.usefixtures("quick_evaluation")

# some seconds of training, so that kills fall into it, with averaging and an optimiser that has
# a state: all of what a checkpoint must hold
SLOW = (
    "--hidden", "30", "--updates", "500", "--batch", "100", "--chains", "200", "--sweeps", "10",
    "--learning-rate", "0.02", "--set", "checkpoints=12", "--set", "ais_chains=50",
    "--set", "ais_rungs=30", "--set", "optimizer=adam", "--set", "momentum=0.9",
    "--set", "averaging=0.99", "--seed", "3",
)  # fmt: skip
KILLS = 4


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Path:
    return write_small(tmp_path_factory.mktemp("resume") / "small.npz")


def test_killed_and_resumed_is_never_killed(recording, tmp_path):
    make("fit", recording, "-o", tmp_path / "whole", *SLOW)
    draw = np.random.default_rng()  # other instants each time: a failure is a find
    run, killed = tmp_path / "run", 0
    words = ["fit", recording, "-o", run, *SLOW]
    for _ in range(KILLS):
        delay = draw.uniform(0.0, 1.5)
        killed += kill_after(start([*words, "--resume"] if killed else words), run, delay)
    make("fit", "--resume", run)
    assert killed >= 1, "the training was over before the first kill: make it longer"
    assert differences(tmp_path / "whole", run) == []
    assert not [path for path in run.rglob("*") if path.name.startswith(".")], "left half written"


def test_two_seeds_differ(recording, tmp_path, capsys):
    # the negative control of the comparison above
    for seed in (1, 2):
        words = ["fit", recording, "-o", tmp_path / str(seed), *QUICK, "--seed", seed]
        assert run_command(words, capsys).status == 0
    found = differences(tmp_path / "1", tmp_path / "2")
    assert any("weights" in one for one in found)
    assert any("chains/visible" in one for one in found)


def test_the_same_seed_gives_identical_checkpoints_and_statistics(recording, tmp_path, capsys):
    found = []
    for name in ("one", "two"):
        run = tmp_path / name
        assert run_command(["fit", recording, "-o", run, *QUICK], capsys).status == 0
        assert run_command(["evaluate", run], capsys).status == 0
        text = (run / "evaluation.json").read_text().splitlines()
        found.append([line for line in text if '"seconds"' not in line])
    assert differences(tmp_path / "one", tmp_path / "two") == []
    assert found[0] == found[1]


@pytest.fixture(scope="module")
def stopped_once(recording, tmp_path_factory) -> Path:
    """A run that Ctrl-C stopped in the middle."""

    def interrupt(_stage, progress):
        if progress.done == 25:
            raise KeyboardInterrupt

    run, said = tmp_path_factory.mktemp("stopped") / "run", io.StringIO()
    words = ["fit", recording, "-o", run, *QUICK]
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(said):
        patch.setattr("boltzbrain.foundations.showing.display.Stage.show", interrupt)
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in words])
    assert end.value.code == 130
    last = said.getvalue().splitlines()[-1]
    assert last.endswith(f"go on with: boltzbrain fit --resume {run}")
    return run


@pytest.fixture
def stopped(stopped_once, tmp_path) -> Path:
    """The stopped run, to go on with."""
    return shutil.copytree(stopped_once, tmp_path / "run")


@pytest.fixture(scope="module")
def whole(recording, tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("whole") / "run"
    make("fit", recording, "-o", run, *QUICK)
    return run


@pytest.mark.parametrize(
    "words",
    [
        lambda run, recording: ["fit", "--resume", run],
        lambda run, recording: ["fit", "--resume", "-o", run],
        lambda run, recording: ["fit", recording, "-o", run, "--resume"],
        lambda run, recording: ["fit", recording, "-o", run, "--resume", *QUICK],
        lambda run, recording: ["fit", "--resume", run, *QUICK, "--preset", "binary", "--seed", 0],
    ],
    ids=["the folder", "as output", "with its recording", "the same command", "with its options"],
)
def test_ways_to_resume(words, stopped, whole, recording, capsys):
    told = run_command(words(stopped, recording), capsys)
    assert told.status == 0, told.err
    assert differences(whole, stopped) == []


def test_the_recording_is_not_needed(whole, tmp_path, capsys, monkeypatch, stopped):
    monkeypatch.setattr("boltzbrain.readers.detect.read", None)
    assert run_command(["fit", "--resume", stopped], capsys).status == 0
    assert differences(whole, stopped) == []


def test_resume_without_a_run_starts_one(recording, whole, tmp_path, capsys):
    # so that a job that is started again and again needs one command only
    words = ["fit", recording, "-o", tmp_path / "new", "--resume", *QUICK]
    assert run_command(words, capsys).status == 0
    assert differences(whole, tmp_path / "new") == []


@pytest.mark.parametrize("command", ["fit", "sweep"])
def test_a_folder_that_is_not_there_is_called_so(command, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = run_command([command, "--resume", "nosuch"], capsys)
    assert told.status == 2
    kind = {"fit": "run", "sweep": "sweep"}[command]
    assert f"nosuch: the {kind} folder must exist; got no such folder" in told.err
    # an address is no folder
    address = "https://127.0.0.1:9/a.nwb"
    assert places([address], None, True, kind) == ([address], Path(kind))


def test_a_finished_run_stays_as_it_is(whole, capsys):
    before = digests(whole)
    assert run_command(["fit", "--resume", whole], capsys).status == 0
    assert digests(whole) == before


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--hidden", "7"], ["hidden", "6", "7"]),
        (["--seed", "1"], ["seed", "0", "1"]),
        (["--set", "l2=0.5"], ["l2", "0.0", "0.5"]),
        (["--preset", "bereux2026"], ["preset", "binary", "bereux2026"]),
        (["--bin-ms", "40"], ["--bin-ms", "recording"]),
        (["-o", "elsewhere"], ["--out", "elsewhere"]),
    ],
)
def test_what_differs_from_the_run_is_refused(more, expected, stopped, capsys):
    before = digests(stopped)
    told = run_command(["fit", "--resume", stopped, *more], capsys)
    assert told.status == 2
    for word in expected:
        assert word in told.err.splitlines()[-1]
    assert digests(stopped) == before


def test_another_recording_or_another_preparation_is_refused(stopped, recording, tmp_path, capsys):
    before = digests(stopped)
    other = write_small(tmp_path / "other.npz", region=np.array(["DG"] * 24))
    told = run_command(["fit", other, "-o", stopped, "--resume"], capsys)
    assert told.status == 2
    assert "sha256" in told.err
    assert str(other) in told.err
    told = run_command(["fit", recording, "-o", stopped, "--resume", "--bin-ms", "40"], capsys)
    assert told.status == 2
    assert "750 bins" in told.err
    assert digests(stopped) == before


def test_resume_of_what_is_no_run(tmp_path, capsys):
    told = run_command(["fit", "--resume", "-o", tmp_path], capsys)
    assert told.status == 2
    assert "run.json" in told.err


def test_an_unfinished_run_is_not_evaluated(stopped, capsys):
    told = run_command(["evaluate", stopped], capsys)
    assert told.status == 2
    assert "--resume" in told.err


def test_a_damaged_rolling_checkpoint_is_named(stopped, capsys):
    kept = sorted((stopped / "checkpoints").glob("*.h5"))[-1]
    rolling = stopped / "checkpoints" / "resume.h5"
    shutil.copy(kept, rolling)
    with rolling.open("r+b") as file:
        file.truncate(100)
    told = run_command(["fit", "--resume", stopped], capsys)
    assert told.status == 2
    assert "resume.h5" in told.err


def test_ctrl_c_in_a_real_terminal_session(recording, tmp_path):
    run = tmp_path / "run"
    process = start(["fit", recording, "-o", run, *SLOW])
    while process.poll() is None and not (run / "checkpoints" / "0000001.h5").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "boltzbrain fit --resume" in said.splitlines()[-1]
    assert "Traceback" not in said
    assert out == ""
    with h5py.File(run / "checkpoints" / "0000001.h5") as file:
        assert file.attrs["update"] == 1
