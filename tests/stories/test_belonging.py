"""What belongs together is tied: what does not fit is refused by name, what fits passes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from boltzbrain.foundations.disk.folders import one_writer
from helpers.command_line import QUICK, digests, make, run_command, write_small

SMALL = (
    "--updates", "20", "--set", "batch=100", "--set", "chains=50", "--set", "sweeps=2",
    "--set", "checkpoints=4", "--set", "ais_chains=50", "--set", "ais_rungs=30",
)  # fmt: skip

pytestmark = pytest.mark.usefixtures("quick_evaluation", "in_process")


@pytest.fixture(scope="module")
def runs(tmp_path_factory, quick_evaluation) -> Path:
    """A folder of two runs, evaluated and interpreted, of one recording and two sizes."""
    folder = tmp_path_factory.mktemp("belonging")
    recording = write_small(folder / "small.npz")
    for name, hidden in (("run", 4), ("other", 6)):
        make("fit", recording, "-o", folder / name, *QUICK, "--hidden", hidden)
        make("evaluate", folder / name, "--baselines", "pca")
        make("interpret", folder / name)
    return folder


@pytest.fixture
def copied(runs, tmp_path) -> Path:
    folder = tmp_path / "runs"
    shutil.copytree(runs, folder)
    return folder


def swap(name: str) -> Callable[[Path], None]:
    """Put a file of the other run in the place of one."""
    return lambda folder: shutil.copy(folder / "other" / name, folder / "run" / name) and None


def edit(name: str, dataset: str) -> Callable[[Path], None]:
    """Change one value in a file of the run."""

    def change(folder: Path) -> None:
        with h5py.File(next((folder / "run").glob(name)), "r+") as file:
            values = file[dataset][...]
            values.flat[0] = 1 - values.flat[0]
            file[dataset][...] = values

    return change


def chosen_checkpoint(folder: Path) -> str:
    chosen = json.loads((folder / "run.json").read_text())["chosen_update"]
    return f"checkpoints/{chosen:07d}.h5"


def other_checkpoint(folder: Path) -> None:
    name = chosen_checkpoint(folder / "run")
    shutil.copy(max((folder / "other" / "checkpoints").glob("*.h5")), folder / "run" / name)


def earlier_checkpoint(folder: Path) -> None:
    path = folder / "run" / chosen_checkpoint(folder / "run")
    shutil.copy(min(path.parent.glob("*.h5")), path)


def edited_weights(folder: Path) -> None:
    edit(chosen_checkpoint(folder / "run"), "weights")(folder)


def other_plan(folder: Path) -> None:
    path = folder / "run" / "run.json"
    told = json.loads(path.read_text())
    told["plan"]["hidden"] = 6
    path.write_text(json.dumps(told))


def other_update(folder: Path) -> None:
    """Choose another update, as a training done anew might have."""
    path = folder / "run" / "run.json"
    told = json.loads(path.read_text())
    kept = sorted(int(one.stem) for one in (path.parent / "checkpoints").glob("*.h5"))
    told["chosen_update"] = next(one for one in kept[::-1] if one != told["chosen_update"])
    path.write_text(json.dumps(told))


OF_THE_MODEL = ["evaluate", "interpret", "report", "sample", "view"]
FAULTS = {
    "states changed": (edit("activity.h5", "states"), OF_THE_MODEL, "activity.h5 must be"),
    "folds changed": (edit("activity.h5", "fold"), OF_THE_MODEL, "activity.h5 must be"),
    "checkpoint of another run": (other_checkpoint, OF_THE_MODEL, "the checkpoint must be one of"),
    "checkpoint of another update": (earlier_checkpoint, OF_THE_MODEL, "the checkpoint must be"),
    "weights changed": (edited_weights, OF_THE_MODEL, "the model must have the parameters"),
    "another plan": (other_plan, OF_THE_MODEL, "plan and data must be what the run began with"),
    "other samples": (swap("samples.h5"), ["report", "view"], "samples.h5 must be the one that"),
    "other baselines": (swap("baselines.h5"), ["report"], "baselines.h5 must be the one that"),
    "evaluation of another run": (
        swap("evaluation.json"),
        ["report", "view"],
        "evaluation.json must be",
    ),
    "evaluation of another update": (other_update, ["report"], "evaluation.json must be of this"),
    "reading of another run": (
        swap("interpretation.h5"),
        ["report", "view", "compare"],
        "interpretation",
    ),
    "reading of another update": (other_update, ["compare"], "interpretation.h5 must be of this"),
}


def words(command: str, folder: Path) -> list[object]:
    run = folder / "run"
    more = {
        "sample": ["-n", 5, "--warm-up", 1, "-o", folder / "s.npz"],
        "compare": [folder / "other", "-o", folder / "compared"],
    }
    return [command, run, *more.get(command, [])]


@pytest.mark.parametrize("fault", FAULTS)
def test_what_does_not_fit_is_refused_by_name(fault, copied, capsys):
    change, commands, message = FAULTS[fault]
    change(copied)
    before = digests(copied)
    for command in commands:
        told = run_command(words(command, copied), capsys)
        assert told.status == 2, (command, told)
        assert message in told.err.splitlines()[-1], command
        assert "Traceback" not in told.err
    assert digests(copied) == before


@pytest.mark.parametrize("command", [*OF_THE_MODEL, "compare"])
def test_what_fits_passes(command, copied, capsys, undrawn):
    told = run_command(words(command, copied), capsys)
    assert told.status == 0, told.err
    assert not [one for one in copied.rglob("*") if one.name.startswith(".")]


def test_a_stopped_training_does_not_go_on_with_changed_states(copied, capsys):
    path = copied / "run" / "run.json"
    told = {**json.loads(path.read_text()), "status": "started", "chosen_update": None}
    path.write_text(json.dumps(told))
    whole = digests(copied)
    edit("activity.h5", "states")(copied)
    said = run_command(["fit", "--resume", copied / "run"], capsys)
    assert said.status == 2
    assert "activity.h5 must be the activity that the run began with" in said.err
    assert digests(copied).keys() == whole.keys()


def test_checkpoints_of_a_run_that_is_gone_are_not_taken_over(copied, capsys):
    (copied / "run" / "run.json").unlink()
    before = digests(copied)
    fit = ["fit", copied / "small.npz", "-o", copied / "run", *QUICK]
    told = run_command(fit, capsys)
    assert told.status == 2
    assert "hold nothing of another run" in told.err
    assert digests(copied) == before


def test_a_run_of_another_sweep_is_not_taken_over(copied, capsys):
    sweep = ["sweep", copied / "small.npz", *SMALL, "--hidden", "4,5", "-o"]
    assert run_command([*sweep, copied / "one"], capsys).status == 0
    assert run_command(["sweep", "--resume", copied / "one"], capsys).status == 0
    names = sorted(one.name for one in (copied / "one" / "runs").iterdir())
    shutil.rmtree(copied / "one" / "runs" / names[0])
    shutil.copytree(copied / "one" / "runs" / names[1], copied / "one" / "runs" / names[0])
    before = digests(copied / "one" / "runs" / names[0])
    told = run_command(["sweep", "--resume", copied / "one"], capsys)
    # as any run that fails, it leaves the others their choice
    assert told.status == 0, told.err
    failed = next(line for line in told.err.splitlines() if f"{names[0]} failed: " in line)
    assert failed.startswith("Warning: ")
    assert "the run must be one of the sweep" in failed
    assert json.loads((copied / "one" / "choice.json").read_text())["run"] == f"runs/{names[1]}"
    assert digests(copied / "one" / "runs" / names[0]) == before


def in_use(copied: Path) -> dict[str, list[object]]:
    run, recording = copied / "run", copied / "small.npz"
    return {
        "fit": ["fit", recording, "-o", copied / "new", *QUICK],
        "resume": ["fit", recording, "--resume", "-o", run],
        "evaluate": ["evaluate", run],
        "interpret": ["interpret", run],
        "report": ["report", run],
        "view": ["view", run],
        "compare": ["compare", run, "-o", copied / "compared"],
        "sweep": ["sweep", recording, "-o", copied / "swept", "--hidden", "2,3"],
        "demo": ["demo", "-o", copied / "shown"],
    }


PLACE = {"fit": "new", "compare": "compared", "sweep": "swept", "demo": "shown"}

HOLD = """
import sys
from pathlib import Path
from boltzbrain.foundations.disk.folders import one_writer
with one_writer(Path(sys.argv[1]), "interpret"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("command", in_use(Path()))
def test_a_folder_that_is_being_written_is_refused_by_every_command(command, copied, capsys):
    folder = copied / PLACE.get(command, "run")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        before = digests(copied)
        told = run_command(in_use(copied)[command], capsys)
        assert digests(copied) == before
        other.communicate()
    assert told.status == 2, told
    assert "must have one writer at a time" in told.err.splitlines()[-1]
    assert f"`interpret` (process {other.pid} on" in told.err


def test_reading_beside_a_writer_is_free(copied, capsys):
    with one_writer(copied / "run", "interpret"):
        for command in ("sample", "compare"):
            assert run_command(words(command, copied), capsys).status == 0
