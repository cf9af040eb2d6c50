"""The command `boltzbrain demo`: a recording whose assemblies are known, every command on it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from boltzbrain.cli.streams import quoted
from boltzbrain.cli.summaries.results import signed
from boltzbrain.cli.terminal import note
from boltzbrain.foundations.checks import Undefined, bad_input, whole_number_in
from boltzbrain.foundations.disk.files import FileFormat, read_ours, write_ours
from boltzbrain.foundations.disk.folders import LOCK, folder_to_write, one_writer
from boltzbrain.foundations.showing.display import Display, duration

OF_FIT: tuple[str, ...] = ()
"""Options of the fit, beside the seed."""

_MARK = "demo.json"
_FORMAT = FileFormat("boltzbrain demo", what=_MARK)
_WRITTEN = ("recording.nwb", "run", "samples.npz", _MARK)


def demo(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="Folder for everything.")
    ] = Path("demo"),
    seed: Annotated[int, typer.Option("--seed", help="Seed of simulation and training.")] = 0,
) -> None:
    """Simulate a recording with known assemblies, then do everything with it."""
    program = context.find_root().command

    def command(words: list[str]) -> None:
        status = program.main(words, prog_name="boltzbrain", standalone_mode=False)
        if status:
            raise typer.Exit(status)

    run_demo(folder, seed=seed, command=command)


def run_demo(folder: Path, *, seed: int, command: Callable[[list[str]], object]) -> None:
    """Simulate a recording, write it as NWB, and do everything with it.

    Parameters
    ----------
    folder
        Made here; an earlier demo in it is replaced.
    seed
        Of the simulation and the training.
    command
        Runs one command of the command line.

    Raises
    ------
    InputError
        If the folder holds something that no demo wrote, or is being written.
    """
    with one_writer(folder_to_write("folder", folder), "demo"):
        _demo(folder, seed, command)


def _demo(folder: Path, seed: int, command: Callable[[list[str]], object]) -> None:
    from boltzbrain.cli import simulated
    from boltzbrain.evaluation.results import read_evaluation
    from boltzbrain.training.run.run import TrainingRun
    from boltzbrain.writers.nwb import write_nwb

    whole_number_in("seed", seed, low=0)
    started = time.monotonic()
    _make_room(folder)
    recording, run = folder / "recording.nwb", folder / "run"
    with Display().stage("simulating a recording"):
        truth, planted = simulated.simulate(seed)
        write_nwb(recording, planted)
    note(
        f"Simulated {simulated.NEURONS} neurons in {len(simulated.REGIONS)} regions with "
        f"{simulated.ASSEMBLIES} overlapping assemblies: {recording}"
    )
    for words in (
        ["info", str(recording)],
        ["fit", str(recording), "-o", str(run), "--seed", str(seed), *OF_FIT],
        ["evaluate", str(run)],
        ["sample", str(run), "-n", "1000", "-o", str(folder / "samples.npz")],
        ["interpret", str(run)],
        ["report", str(run)],
    ):
        note(f"\n$ boltzbrain {' '.join(map(quoted, words))}")
        command(words)
    opened = TrainingRun.open(run)
    mine = read_evaluation(run / "evaluation.json")["log_likelihood"]["gain"]
    best, known = simulated.planted_gain(truth, opened.activity())
    error = None if isinstance(known, Undefined) else known
    note(
        f"The model gains {signed(mine['value'], mine['stderr'])} nats per test bin over "
        "independent neurons; the process that made the recording, which no model can beat, gains "
        f"{signed(best, error)}."
    )
    note(
        f"Done in {duration(time.monotonic() - started)}. Open {run / 'report.html'} in a browser."
    )


def _make_room(folder: Path) -> None:
    """Make the folder; remove what an earlier demo wrote, and nothing else."""
    held = sorted(path.name for path in folder.iterdir() if path.name != LOCK)
    if held and _MARK not in held:
        raise bad_input("folder", "be empty, absent, or hold an earlier demo", held[0], file=folder)
    if held:
        read_ours(folder / _MARK, _FORMAT)
    for name in _WRITTEN:
        path = folder / name
        if path.is_dir():
            with one_writer(path, "demo"):
                shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    write_ours(folder / _MARK, _FORMAT, {})
