"""The Python interface: from activity to a trained model, its score, its reading and its page."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boltzbrain.data.activity import Activity
from boltzbrain.data.recording import Recording
from boltzbrain.foundations.checks import whole_number_in
from boltzbrain.foundations.folders import folder_to_write, given_path, new_file, page_file
from boltzbrain.foundations.progress import Callback, with_old
from boltzbrain.preparing.convert import RECORDING_ENDINGS, write_recording
from boltzbrain.readers.detect import read
from boltzbrain.training import train as training
from boltzbrain.training.plan import TrainingPlan, make_plan
from boltzbrain.training.run.run import TrainingRun
from boltzbrain.writers.npz import write_npz

if TYPE_CHECKING:
    from boltzbrain.interpretation.animals.compare import Comparison
    from boltzbrain.interpretation.animals.structure import RegionMatrix
    from boltzbrain.interpretation.file import Interpretation

__all__ = [
    "compare",
    "convert",
    "evaluate",
    "fit",
    "interpret",
    "read",
    "report",
    "resume",
    "sample",
]


def fit(
    activity: Activity,
    preset: str | None = None,
    hidden: int | None = None,
    out: str | Path = "run",
    seed: int | None = None,
    *,
    plan: TrainingPlan | None = None,
    callbacks: Sequence[Callback] = (),
    **overrides: Any,
) -> TrainingRun:
    """Train an RBM on the training fold of an activity.

    Parameters
    ----------
    activity
        What the model sees; `Activity.split` makes its folds. Without a validation fold the last
        checkpoint is chosen, and there is no held-out score.
    preset
        Name of the recipe, one of `training.plan.PRESETS`; "binary" if None.
    hidden
        Number of hidden units; the recipe's if None.
    out
        The run folder, made here.
    seed
        Seed of every random stream of the training; 0 if None.
    plan
        The whole plan, in place of preset, hidden, seed and overrides.
    callbacks
        Called with a `foundations.progress.Progress` after every update.
    **overrides
        Other fields of `TrainingPlan`, e.g. ``updates=500``.

    Returns
    -------
    TrainingRun
        ``run.best`` is the latest model as good as the best on the validation fold, within one
        standard error.

    Raises
    ------
    InputError
        If a hyperparameter is unknown, out of range or not that of the plan, the training fold is
        empty, or the folder already holds a run.
    TrainingFailedError
        If the parameters leave the finite numbers.
    """
    asked = {"preset": preset, "hidden": hidden, "seed": seed, **overrides}
    plan = make_plan(**asked) if plan is None else plan.require(**asked)
    if activity.step("split") is None:
        warnings.warn(
            "the activity has no folds (see Activity.split): every bin trains, the last checkpoint "
            "is chosen, and there is no held-out score",
            stacklevel=2,
        )
    return training.train(activity, plan, given_path("out", out), callbacks)


def resume(
    run: TrainingRun | str | Path,
    *,
    callbacks: Sequence[Callback] = (),
) -> TrainingRun:
    """Go on with a training that was stopped; a finished one is returned as it is.

    Parameters
    ----------
    run
        The run or its folder; nothing else is needed.
    callbacks
        As in `fit`.

    Raises
    ------
    InputError
        If the folder holds no run.
    """
    return training.resume(_folder(run), callbacks)


def evaluate(
    run: TrainingRun | str | Path,
    *,
    seed: int | None = None,
    full: bool = False,
    baselines: Sequence[str] = (),
    controls: bool = False,
    callbacks: Sequence[Callback] = (),
) -> dict[str, Any]:
    """Score the chosen model on every fold and compare what it generates with the test fold.

    Parameters
    ----------
    run
        A finished run or its folder.
    seed
        Seed of the samples and of the likelihood estimate; the run's own if None.
    full
        Compare the reconstruction with logistic regression for every neuron and not for 50.
    baselines
        Simpler models to fit and score beside it: independent, ising, kpairwise, glm, pca, vae,
        hopfield, and those that see earlier bins: hmm, history, hmmglm, hmmsigns. They write
        RUN/baselines.h5 too.
    controls
        Fit what a gain with time may rest on otherwise, see docs/baselines.md.
    callbacks
        As in `fit`, phase by phase: "log-partition", "samples", "statistics", "baselines",
        "controls".

    Returns
    -------
    dict
        The content of RUN/evaluation.json, which is written here with RUN/samples.h5. An undefined
        figure is None, and ``reasons`` says why by its dotted path.

    Raises
    ------
    InputError
        If the folder holds no finished run, a baseline is unknown, or it lacks a fold.
    """
    # here, as it takes a second: SciPy's sparse solvers, and matplotlib and plotly in `report`
    from boltzbrain.comparison.evaluate_run import evaluate_run

    return evaluate_run(
        _opened(run), seed=_seed(seed), full=full, baselines=tuple(baselines), controls=controls,
        callbacks=callbacks,
    )  # fmt: skip


def interpret(
    run: TrainingRun | str | Path,
    *,
    seed: int | None = None,
    callbacks: Sequence[Callback] = (),
    **choices: Any,
) -> Interpretation:
    """Read couplings, assemblies and regions out of the chosen model.

    Parameters
    ----------
    run
        A finished run or its folder.
    seed
        Seed of what is sampled and shuffled; the run's own if None.
    callbacks
        As in `fit`, phase by phase: "couplings", "beyond pairs", "norms along training",
        "assemblies", "models of pairs", "regions".
    **choices
        Fields of `interpretation.choices.Choices`, e.g. ``min_neurons=30``.

    Returns
    -------
    Interpretation
        The content of RUN/interpretation.h5, which is written here.

    Raises
    ------
    InputError
        If the folder holds no finished run or a choice is unknown or out of range.
    """
    from boltzbrain.interpretation.choices import Choices
    from boltzbrain.interpretation.interpret import interpret_run

    return interpret_run(_opened(run), Choices(**choices), seed=_seed(seed), callbacks=callbacks)


def compare(
    runs: Iterable[TrainingRun | str | Path],
    *,
    structure: RegionMatrix | str | Path | None = None,
    out: str | Path | None = None,
    kind: str = "l1",
    seed: int = 0,
) -> Comparison:
    """Compare runs that `interpret` has read: repeats, animals, a structural matrix.

    Parameters
    ----------
    runs
        Runs or their folders. Those of the same recording and neurons are repeats of one animal.
    structure
        Structural matrix or its csv file, region names in the first row and column.
    out
        Folder for comparison.json and the average maps; nothing is written if None.
    kind
        Which region map is compared: "mean", "l1" or "rms".
    seed
        Seed of every shuffle.

    Raises
    ------
    InputError
        If a run is not interpreted, the matrix cannot be read, or the folder cannot be made.
    """
    from boltzbrain.interpretation.animals.compare import compare_into, load_structure

    whole_number_in("seed", seed, low=0)
    folder = None if out is None else folder_to_write("out", out)
    opened = [_opened(run) for run in runs]
    return compare_into(folder, opened, load_structure(structure), kind=kind, seed=seed)


def sample(
    run: TrainingRun | str | Path,
    n: int = 10_000,
    *,
    seed: int = 0,
    update: int | None = None,
    sampler: str | None = None,
    chains: int | None = None,
    sweeps: int | None = None,
    warm_up: int | None = None,
    anneal: int | None = None,
    out: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
    callback: Callable[[int, int], None] | None = None,
) -> Activity:
    """Draw samples of a trained model.

    Parameters
    ----------
    run
        A finished run or its folder.
    n
        Number of samples.
    seed
        Seed of the stream.
    update
        A kept checkpoint to draw from; the chosen one if None.
    sampler
        "moves" for a training of `assemblies` and else "trajectory" if None.
        "trajectory": chains on a ladder along the checkpoints of the training exchange states, so
        that those of the model mix (`sampling.tempering`); "annealing" and "temperature": on a
        ladder from independent neurons, or from a model without fields and weights. Rungs are added
        and dropped until neighbours exchange 40 % of the time. "moves": by `sampling.moves`.
        "gibbs": as many chains as samples, annealed and swept, one sample each (`RBM.sample`).
    chains
        Columns of the ladder, 200 if None; they take turns at giving a sample, each after 50 steps
        at least in all.
    sweeps
        Gibbs sweeps: of every rung between two samples of a column, 2 if None; or, for "gibbs",
        after annealing, 1000 if None.
    warm_up
        Steps of the ladder before the first sample, 100 if None.
    anneal
        Rungs of the annealing of "gibbs", 200 if None.
    out
        An npz file to write, which must not exist yet; none is written if None.
    callbacks
        As in `fit`, after every step.
    callback
        Deprecated: called with steps done and planned.

    Returns
    -------
    Activity
        ``states`` (n, neuron), each a segment of its own. The options of its step "sample" hold how
        the chains mix; of a ladder also ``independent_samples``, the number of independent samples
        that would give means as precisely, ``acceptance`` of every pair of neighbours and ``flow``,
        the share of the states of every rung that come from the lowest one.

    Raises
    ------
    InputError
        If the folder holds no such model or an option is out of range.
    """
    from boltzbrain.evaluation.drawn import draw_of_run

    callbacks = with_old(callbacks, callback)
    path = None if out is None else new_file("out", out, (".npz",))
    drawn = draw_of_run(
        _opened(run),
        n,
        update=update,
        seed=seed,
        sampler=sampler,
        chains=chains,
        sweeps=sweeps,
        warm_up=warm_up,
        anneal=anneal,
        callbacks=callbacks,
    )
    if path is not None:
        write_npz(path, drawn)
    return drawn


def report(run: TrainingRun | str | Path, path: str | Path | None = None) -> Path:
    """Write the page of a run; everything that it shows is in the run folder.

    Parameters
    ----------
    run
        A finished run or its folder, evaluated by `evaluate`.
    path
        The html file, which may exist only as an earlier page; RUN/report.html if None.

    Returns
    -------
    Path
        The page, one file that needs nothing else.

    Raises
    ------
    InputError
        If the folder holds no finished run, or the page would replace something else.
    """
    opened = _opened(run)
    target = opened.folder / "report.html" if path is None else page_file("out", path)
    from boltzbrain.pages.report import write_report

    return write_report(opened, target)


def convert(
    recording: Recording,
    path: str | Path,
    *,
    bin_ms: float | None = None,
    epochs: Sequence[str] | None = None,
    memory_limit_gb: float | None = None,
) -> Recording | Activity:
    """Write a recording as npz or NWB, by the ending of the name; an existing file is left alone.

    Parameters
    ----------
    recording
        Spike times for NWB. For npz, counts or states, written as they are; anything else, or with
        one of the following options, is binarised first.
    path
        The file.
    bin_ms, epochs, memory_limit_gb
        As in `Recording.binarize`; for npz only.

    Returns
    -------
    Recording or Activity
        What was written.

    Raises
    ------
    InputError
        If the ending is neither, the file exists, an option does not fit, or the format cannot hold
        the recording.
    """
    target = new_file("output file", path, RECORDING_ENDINGS)
    given = {"bin_ms": bin_ms, "epochs": epochs or None, "memory_limit_gb": memory_limit_gb}
    return write_recording(recording, target, given)


def _seed(seed: int | None) -> int | None:
    return None if seed is None else whole_number_in("seed", seed, low=0)


def _folder(run: TrainingRun | str | Path) -> Path:
    return run.folder if isinstance(run, TrainingRun) else given_path("run", run)


def _opened(run: TrainingRun | str | Path) -> TrainingRun:
    return TrainingRun.open(_folder(run))
