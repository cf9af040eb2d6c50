"""A sweep from the command line: killed, resumed, with a run that fails, and what it leaves."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import distributed
import pandas as pd
import psutil
import pytest
import torch

import boltzbrain as bb
from boltzbrain.evaluation.likelihood import likelihoods
from boltzbrain.evaluation.partitions import forward_log_partition
from boltzbrain.foundations.checks import InputError
from boltzbrain.grid.one_run import complete
from boltzbrain.grid.points import Grid
from boltzbrain.grid.sweep import start_sweep
from boltzbrain.model.independent import independent_field
from helpers.command_line import QUICK, digests, make, run_command, write_small
from helpers.working import one_after_another

REQUIRED = [
    "hidden", "l1", "seed", "update", "validation_nats_per_bin", "validation_stderr",
    "test_nats_per_bin", "test_gain_over_independent", "test_stderr", "seconds", "status",
]  # fmt: skip

# 4 runs of about a second on one core, so that a kill falls into one; too short to be judged
GRID = (
    "--hidden", "4,12", "--seeds", "2", "--updates", "96", "--set", "batch=100",
    "--set", "chains=100", "--set", "sweeps=4", "--set", "learning_rate=0.3",
    "--set", "checkpoints=6", "--set", "ais_chains=50", "--set", "ais_rungs=30",
    "--workers", "2",
)  # fmt: skip


def start(words) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "boltzbrain.cli.main", *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def table(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "table.csv").drop(columns=["seconds"])


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Path:
    return write_small(tmp_path_factory.mktemp("sweep") / "small.npz")


@pytest.fixture(scope="module")
def whole(recording, tmp_path_factory) -> Path:
    folder, told = tmp_path_factory.mktemp("whole") / "sweep", io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(told):
        patch.setattr("boltzbrain.grid.workers.on_this_machine", one_after_another)
        make("sweep", recording, "-o", folder, *GRID)
    assert "chosen: " in told.getvalue()
    assert re.search(r"^training +(converged|recovered|not converged)", told.getvalue(), re.M)
    return folder


def test_a_sweep_leaves_a_table_a_choice_and_a_page(whole):
    found = pd.read_csv(whole / "table.csv")
    assert list(found.columns)[: len(REQUIRED)] == REQUIRED
    assert found[["hidden", "seed"]].to_numpy().tolist() == [[4, 0], [4, 1], [12, 0], [12, 1]]
    assert (found["status"] == "finished").all()
    assert found[REQUIRED].notna().all(axis=None)
    choice = json.loads((whole / "choice.json").read_text())
    means = found.groupby("hidden")["validation_nats_per_bin"].mean()
    assert choice["hidden"] == means.idxmax()
    run = bb.TrainingRun.open(whole / choice["run"])
    assert run.plan.hidden == choice["hidden"]
    assert run.chosen_update == choice["update"]
    row = found[found["run"] == choice["run"]].iloc[0]
    log = run.log().set_index("update")
    scored = log.loc[choice["update"], "validation_nats_per_bin"]
    assert row["validation_nats_per_bin"] == pytest.approx(scored)
    assert row["test_nats_per_bin"] - row["test_gain_over_independent"] < 0
    # the error of the gain is the paired one of an evaluation, with that of log Z
    activity = run.activity()
    field = independent_field(torch.from_numpy(activity.states_of("train")))
    estimate = forward_log_partition(run.best, field, run.plan.seed)
    gain = likelihoods(run.best, {"forward": estimate}, activity)["gain"]
    assert row["test_gain_over_independent"] == pytest.approx(gain["value"])
    assert row["test_stderr"] == pytest.approx(
        math.hypot(gain["stderr"], gain["stderr_log_partition"])
    )
    assert choice["test_stderr"] == pytest.approx(row["test_stderr"])
    assert found["unreliable"].isna().all()
    page = (whole / "sweep.html").read_text()
    assert choice["reason"] in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert page.count("<img") >= 4


def test_killed_twice_and_resumed_is_never_killed(recording, whole, tmp_path, capsys):
    # nor does the table depend on the processes: one, two, or that of the tests for the whole
    folder = tmp_path / "sweep"
    words = ["sweep", recording, "-o", folder, *GRID, "--resume"]
    for number, kept in ((1, 1), (2, 3)):
        process = start([*words, "--workers", number])
        while process.poll() is None and len(list(folder.glob("runs/*/log.csv"))) < kept:
            time.sleep(0.01)
        assert process.poll() is None, "over before the kill: make it longer"
        workers = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert not (folder / "choice.json").exists()
        # its workers must not go on writing into runs that another process takes up
        assert not psutil.wait_procs(workers, timeout=20)[1], "workers outlived the sweep"
    last = run_command(["sweep", "--resume", folder, "--workers", "2"], capsys)
    assert last.status == 0, last.err
    pd.testing.assert_frame_equal(table(folder), table(whole), check_exact=True)
    choices = [json.loads((one / "choice.json").read_text()) for one in (folder, whole)]
    assert choices[0] == choices[1]


@pytest.mark.usefixtures("in_process")
def test_a_run_that_fails_is_reported_and_the_others_go_on(recording, tmp_path, capsys):
    folder = tmp_path / "sweep"
    words = ["sweep", recording, "-o", folder, *GRID, "--hidden", "4", "--seeds", "2"]
    # a folder where a file must be: training cannot write its log
    broken = folder / "runs" / "hidden-4_l1-0_seed-1" / "log.csv"
    broken.mkdir(parents=True)
    told = run_command(words, capsys)
    assert told.status == 0, told.err
    assert "Warning: hidden-4_l1-0_seed-1 failed: " in told.err
    found = pd.read_csv(folder / "table.csv")
    assert found["status"].tolist() == ["finished", "failed"]
    assert "log.csv" in found["error"][1]
    assert found.loc[1, REQUIRED[3:10]].isna().all()
    assert "failed" in told.out
    assert "log.csv" in (folder / "sweep.html").read_text()
    # once its cause is gone, the run is gone on with, and only that one
    broken.rmdir()
    kept = digests(folder / "runs" / "hidden-4_l1-0_seed-0")
    again = run_command(["sweep", "--resume", folder], capsys)
    assert again.status == 0, again.err
    assert pd.read_csv(folder / "table.csv")["status"].tolist() == ["finished", "finished"]
    assert digests(folder / "runs" / "hidden-4_l1-0_seed-0") == kept


def test_a_training_that_diverges_stays_failed_and_the_others_go_on(
    recording, tmp_path, capsys, monkeypatch
):
    # in a process of its own, from which the error must come back whole
    folder = tmp_path / "sweep"
    words = ["--hidden", "4", "--seeds", "1", *GRID[4:]]
    at = words.index("learning_rate=0.3")
    words[at - 1 : at + 1] = ["--vary", "learning_rate=0.3,1e30"]
    told = run_command(["sweep", recording, "-o", folder, *words, "--workers", "1"], capsys)
    assert told.status == 0, told.err
    found = pd.read_csv(folder / "table.csv")
    assert found["status"].tolist() == ["finished", "failed"]
    assert "4 restarts did not mend it" in found["error"][1]
    assert "smaller learning rate" in found["error"][1]
    assert found["error"][1].startswith(f"{found['run'][1]}: at update ")
    choice = json.loads((folder / "choice.json").read_text())
    assert choice["learning_rate"] == 0.3
    # it would fail again: resuming says the same of it and does not train
    kept, written = digests(folder / found["run"][1]), (folder / "table.csv").read_bytes()
    monkeypatch.setattr("boltzbrain.grid.workers.on_this_machine", one_after_another)
    again = run_command(["sweep", "--resume", folder], capsys)
    assert again.status == 0, again.err
    assert "4 restarts did not mend it" in again.err
    assert digests(folder / found["run"][1]) == kept
    assert (folder / "table.csv").read_bytes() == written
    assert json.loads((folder / "choice.json").read_text()) == choice


def test_the_workers_of_another_cluster_do_the_same_work(recording, tmp_path):
    # what is asked of them, and their answers, go through a socket
    activity = bb.read(recording).binarize().split(seed=0)
    tiny = {"updates": 20, "batch": 100, "chains": 20, "ais_chains": 20, "ais_rungs": 10}
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=None, memory_limit=0,
        processes=False, protocol="tcp://",
    ) as cluster:  # fmt: skip
        done = bb.sweep(
            activity, tmp_path / "there", hidden=[2, 3], scheduler=cluster.scheduler_address, **tiny
        )
        # the cluster is not ours to close
        assert len(cluster.scheduler.workers) == 1
    assert cluster.scheduler_address.startswith("tcp://")
    assert done.table()["status"].tolist() == ["finished", "finished"]
    here = Grid.of("binary", {"hidden": 3, **tiny}).runs[0]
    (tmp_path / "here").mkdir()
    for name in ("activity.h5", "sweep.json"):
        shutil.copy(done.folder / name, tmp_path / "here")
    scores = complete(str(tmp_path / "here"), here.name, full=False)
    assert scores["test_nats_per_bin"] == done.table()["test_nats_per_bin"][1]


@pytest.mark.usefixtures("quick_evaluation", "in_process")
def test_two_axes_with_the_whole_evaluation_in_python(recording, tmp_path):
    quick = {
        "updates": 60, "batch": 100, "chains": 50, "sweeps": 2, "checkpoints": 4,
        "learning_rate": 1.0, "ais_chains": 40, "ais_rungs": 20,
    }  # fmt: skip
    activity = bb.read(recording).binarize().split(seed=0)
    seen = []
    done = bb.sweep(
        activity, tmp_path / "sweep", hidden=[3, 6], l2=[0.0, 0.1], full=True, rule="one-stderr",
        callbacks=[seen.append], **quick,
    )  # fmt: skip
    assert [one.done for one in seen] == [0, 1, 2, 3, 4]
    assert seen[-1].facts["best"][0] == done.table()["validation_nats_per_bin"].max()
    assert done.choice["rule"] == "one-stderr"
    assert done.choice["hidden"] in (3, 6)
    assert done.chosen.plan.l2 == done.choice["l2"]
    assert (done.chosen.folder / "evaluation.json").exists()
    page = (tmp_path / "sweep" / "sweep.html").read_text()
    assert "reconstruction quality" in page
    assert "nRMSE" in page


@pytest.mark.usefixtures("in_process")
def test_what_is_unreliable_is_called_so_everywhere(recording, tmp_path, capsys, monkeypatch):
    # no estimate can hold twice its chains
    monkeypatch.setattr("boltzbrain.sampling.partition.RELIABLE_FRACTION", 2.0)
    words = ["sweep", recording, "-o", tmp_path / "sweep", *GRID, "--seeds", 1, "--hidden", "2,3"]
    told = run_command([*words, "--updates", "20"], capsys)
    assert told.status == 0, told.err
    assert told.out.count("finished, UNRELIABLE") == 2
    assert told.out.count(" ± ") >= 4
    assert told.out.count("(nats per bin)") == 2
    assert "…" not in told.out
    found = pd.read_csv(tmp_path / "sweep" / "table.csv")
    doubts = "unreliable: the effective sample size of the {} is "
    for name in ("validation score", "forward estimate"):
        assert found["unreliable"].str.contains(doubts.format(name), regex=False).all()
    assert f"Warning: runs/hidden-2_l1-0_seed-0: {found['unreliable'][0]}" in told.err
    choice = json.loads((tmp_path / "sweep" / "choice.json").read_text())
    assert choice["reason"].endswith(f" Beware: {choice['unreliable']}.")
    assert choice["unreliable"] in found["unreliable"].tolist()
    assert "finished, unreliable" in (tmp_path / "sweep" / "sweep.html").read_text()


@pytest.fixture
def quick_folder(recording, tmp_path, capsys, monkeypatch) -> Path:
    """A sweep that was stopped before its first run ended."""

    def interrupt(*_args, **_options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("boltzbrain.grid.sweep.completed", interrupt)
        words = ["sweep", recording, "-o", tmp_path / "sweep", *GRID]
        told = run_command(words, capsys)
    assert told.status == 130
    assert told.err.splitlines()[-1].endswith(f"boltzbrain sweep --resume {tmp_path / 'sweep'}")
    return tmp_path / "sweep"


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--hidden", "4,13"], ["the grid", "13"]),
        (["--seeds", "3"], ["seeds", "2", "3"]),
        (["--rule", "one-stderr"], ["rule", "best"]),
        (["--bin-ms", "40"], ["--bin-ms"]),
    ],
)
def test_what_differs_from_the_sweep_is_refused(more, expected, quick_folder, capsys):
    told = run_command(["sweep", "--resume", quick_folder, *more], capsys)
    assert told.status == 2
    for word in expected:
        assert word in told.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--hidden", "4,x"], ["hidden", "x"]),
        (["--hidden", "4,,5"], ["--hidden", "4,,5"]),
        (["--hidden", "4,4"], ["hidden", "once"]),
        (["--vary", "larning_rate=1,2"], ["larning_rate", "learning_rate"]),
        (["--hidden", "4", "--set", "hidden=5"], ["hidden", "once"]),
        (["--vary", "seed=1,2"], ["seed"]),
        (["--rule", "bets"], ["rule", "best"]),
        (["--seeds", "0"], ["seeds", "0"]),
        (["--workers", "-1"], ["workers", "-1"]),
        (["--scheduler", "tcp://127.0.0.1:1"], ["scheduler", "answers"]),
    ],
)
def test_bad_grids_are_refused(words, expected, recording, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("boltzbrain.grid.cluster.PATIENCE", "1s")
    told = run_command(["sweep", recording, "-o", tmp_path / "sweep", *QUICK[2:4], *words], capsys)
    assert told.status == 2, told
    for word in expected:
        assert word in told.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("kind", "full"), [("bernoulli", False), ("ising", False), ("relu", True), ("drelu", True)]
)
def test_the_whole_evaluation_is_for_real_valued_hidden_units(kind, full, recording, tmp_path):
    activity = bb.read(recording).binarize().split(seed=0)
    started = start_sweep(activity, tmp_path / "sweep", hidden=[2, 3], hidden_kind=kind)
    assert started.asked["full"] is full


def test_a_sweep_needs_a_validation_fold(recording, tmp_path):
    activity = bb.read(recording).binarize().split(by="none")
    with pytest.raises(InputError, match="validation fold"):
        bb.sweep(activity, tmp_path / "sweep", hidden=[2])
    assert not (tmp_path / "sweep").exists()


def test_the_grid_names_every_combination():
    grid = Grid.of("binary", {"hidden": ["5", "9"], "l2": [0, 0.5], "updates": 7}, seeds=2, seed=3)
    assert grid.axes == {"hidden": (5, 9), "l1": (0.0,), "l2": (0.0, 0.5)}
    assert len({run.name for run in grid.runs}) == 8
    assert grid.runs[1].name == "hidden-5_l1-0_l2-0_seed-4"
    assert {run.plan.updates for run in grid.runs} == {7}
    assert os.sep not in "".join(run.name for run in grid.runs)


def test_a_penalty_that_trainings_choose_is_no_axis():
    grid = Grid.of("compositional", {"hidden": [5, 9]})
    assert grid.axes == {"hidden": (5, 9)}
    assert grid.runs[1].name == "hidden-9_seed-0"
    given = Grid.of("compositional", {"hidden": [5, 9], "l1": [0.01, 0.02]})
    assert given.axes == {"hidden": (5, 9), "l1": (0.01, 0.02)}
    both = Grid.of("binary", {"patience": ["none", 5], "l1_choices": ["none", "0.1"]})
    assert list(both.axes) == ["hidden", "patience", "l1_choices"]
    assert both.runs[0].name == "hidden-100_patience-none_l1_choices-none_seed-0"
    with pytest.raises(InputError, match="l1 must have one value where trainings choose it"):
        Grid.of("binary", {"l1": [0.1, 0.2], "l1_choices": ["none", "0.1"]})


@pytest.mark.usefixtures("in_process")
def test_the_table_tells_the_penalty_that_each_training_chose(recording, tmp_path):
    activity = bb.read(recording).binarize().split(seed=0)
    done = bb.sweep(
        activity, tmp_path / "sweep", preset="compositional", hidden=[3, 5], updates=120,
        batch=100, chains=40, sweeps=2, checkpoints=4, ais_chains=40, ais_rungs=20, full=False,
        l1_choices="0.001,0.1", l1_trial=0.1,
    )  # fmt: skip
    found = done.table().set_index("run")
    chosen = {
        name: bb.TrainingRun.open(done.folder / name).info["convergence"]["l1"]
        for name in found.index
    }
    assert set(chosen.values()) <= {0.001, 0.1}
    assert found["l1"].to_dict() == chosen
    # the preset's own penalty, which none of them used
    assert 0.006 not in chosen.values()
    choice = done.choice
    assert choice["l1"] == chosen[choice["run"]]
    words = f"{choice['l1']:g}"
    assert choice["reason"].endswith(f"The L1 penalty of its training is {words}.")
    page = (done.folder / "sweep.html").read_text()
    assert f"hidden {choice['hidden']}, l1 {words}, seed 0" in page
