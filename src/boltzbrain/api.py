"""The Python interface: from activity to a trained model, its score, its reading and its page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boltzbrain.data.activity import Activity
from boltzbrain.data.recording import Recording
from boltzbrain.foundations.checks import whole_number_in
from boltzbrain.foundations.disk.folders import folder_to_write, given_path, new_file, page_file
from boltzbrain.foundations.progress import Callback, with_old
from boltzbrain.foundations.showing.display import showing
from boltzbrain.preparing.convert import convert
from boltzbrain.preparing.folds.given import activity_of
from boltzbrain.readers.detect import read
from boltzbrain.training import train as training
from boltzbrain.training.context.start import values_from
from boltzbrain.training.plan import TrainingPlan, make_plan
from boltzbrain.training.progress import resumable
from boltzbrain.training.run.run import TrainingRun
from boltzbrain.writers.npz import write_npz

if TYPE_CHECKING:
    from boltzbrain.evaluation.scores import Evaluation
    from boltzbrain.interpretation.animals.compare import Comparison
    from boltzbrain.interpretation.animals.structure import RegionMatrix
    from boltzbrain.interpretation.file import Interpretation

__all__ = [
    "compare", "convert", "evaluate", "fit", "interpret", "read", "report", "resume", "sample",
]  # fmt: skip


def fit(
    activity: Activity | Recording,
    preset: str | TrainingPlan | None = None,
    hidden: int | None = None,
    out: str | Path = "run",
    seed: int | None = None,
    *,
    plan: TrainingPlan | None = None,
    start: TrainingRun | str | Path | None = None,
    repeats: int = 0,
    device: str = "auto",
    callbacks: Sequence[Callback] = (),
    progress: bool = True,
    **overrides: Any,
) -> TrainingRun:
    """Train an RBM on the training fold of an activity.

    Parameters
    ----------
    activity
        What the model sees; `Activity.split` makes its folds. Without a validation fold the last
        checkpoint is chosen, and there is no held-out score. A recording (`from_states` makes one
        of an array) is binned and split as `binarize` and `split` do by default.
    preset
        Name of the recipe, one of `training.plan.PRESETS`; "binary" if None. Or the whole plan.
    hidden
        Number of hidden units; the recipe's if None.
    out
        The run folder, made here.
    seed
        Seed of every random stream of the training; 0 if None.
    plan
        The whole plan, in place of preset, hidden, seed and overrides.
    start
        A finished run or its folder, whose weights a training with a context begins with, and
        whose recipe and kind and number of hidden units are taken where none are asked for.
    repeats
        How often to train again afterwards (`bb.repeat`), so that `interpret` says what comes back.
    device
        "cpu", "cuda", "cuda:1" and so on; "auto" takes a GPU if there is one and it pays.
    callbacks
        Called with a `foundations.progress.Progress` after every update.
    progress
        Show how far it is, in the notebook or on stderr.
    **overrides
        Other fields of `TrainingPlan`, e.g. ``updates=500``, ``context="past"``.

    Returns
    -------
    TrainingRun
        ``run.best``, or with a context ``run.in_context()``, is the latest model as good as the
        best on the validation fold, within one standard error.

    Raises
    ------
    InputError
        If a hyperparameter is unknown, out of range or not that of the plan, the training fold is
        empty, the folder holds a run, or a context or the run to start from does not fit.
    TrainingFailedError
        If the parameters leave the finite numbers.
    """
    if isinstance(preset, TrainingPlan):
        preset, plan = None, preset
    asked = {"preset": preset, "hidden": hidden, "seed": seed, **overrides}
    before = None if start is None else _opened(start)
    if before is not None and plan is None:
        asked = values_from(before, asked)
    plan = make_plan(**asked) if plan is None else plan.require(**asked)
    activity = activity_of(activity, plan.seed)
    folder = given_path("out", out)
    with resumable(folder), showing(progress, "training", callbacks) as told:
        run = training.train(activity, plan, folder, told, device=device, start=before)
    if repeats:
        from boltzbrain.grid.repeats import repeat

        repeat(run, repeats, device=device, callbacks=callbacks, progress=progress)
    return run


def resume(
    run: TrainingRun | str | Path,
    *,
    device: str = "auto",
    callbacks: Sequence[Callback] = (),
    progress: bool = True,
) -> TrainingRun:
    """Go on with a training that was stopped; a finished one is returned as it is.

    Parameters
    ----------
    run
        The run or its folder; nothing else is needed.
    device
        As in `fit`; "auto" goes on where the training began, if that is here.
    callbacks, progress
        As in `fit`.

    Raises
    ------
    InputError
        If the folder holds no run.
    """
    folder = _folder(run)
    with resumable(folder), showing(progress, "training", callbacks) as told:
        return training.resume(folder, told, device=device)


def evaluate(
    run: TrainingRun | str | Path,
    *,
    seed: int | None = None,
    full: bool = False,
    baselines: Sequence[str] = (),
    controls: bool = False,
    device: str = "auto",
    callbacks: Sequence[Callback] = (),
    progress: bool = True,
) -> Evaluation:
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
    device
        As in `fit`: where log Z is estimated and samples are drawn.
    callbacks, progress
        As in `fit`, phase by phase: "log-partition", "samples", "statistics", "baselines",
        "controls".

    Returns
    -------
    Evaluation
        The content of RUN/evaluation.json, which is written here with RUN/samples.h5: a dictionary
        with attributes such as ``gain``. An undefined figure is None, and ``reasons`` says why.

    Raises
    ------
    InputError
        If the folder holds no finished run, a baseline is unknown, or it lacks a fold.
    """
    # here, as it takes a second: SciPy's sparse solvers, and matplotlib in `report`
    from boltzbrain.comparison.evaluate_run import evaluate_run

    with showing(progress, "evaluating", callbacks, phases=True) as told:
        return evaluate_run(
            _opened(run),
            seed=_seed(seed),
            full=full,
            baselines=(baselines,) if isinstance(baselines, str) else tuple(baselines),
            controls=controls,
            device=device,
            callbacks=told,
        )


def interpret(
    run: TrainingRun | str | Path,
    *,
    seed: int | None = None,
    callbacks: Sequence[Callback] = (),
    progress: bool = True,
    **choices: Any,
) -> Interpretation:
    """Read couplings, assemblies and regions out of the chosen model.

    Parameters
    ----------
    run
        A finished run or its folder.
    seed
        Seed of what is sampled and shuffled; the run's own if None.
    callbacks, progress
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

    asked = Choices(**choices)
    with showing(progress, "interpreting", callbacks, phases=True) as told:
        return interpret_run(_opened(run), asked, seed=_seed(seed), callbacks=told)


def compare(
    runs: Iterable[TrainingRun | str | Path],
    *,
    structure: RegionMatrix | str | Path | None = None,
    out: str | Path | None = None,
    groups: Sequence[str] | None = None,
    kind: str = "l1",
    seed: int = 0,
) -> Comparison:
    """Compare runs that `interpret` has read: repeats, animals, two groups, a structural matrix.

    Parameters
    ----------
    runs
        Runs or their folders, or studies. Those of one recording and its neurons are repeats.
    structure
        Structural matrix or its csv file, region names in the first row and column.
    out
        Folder for comparison.html, comparison.json and tables; nothing written if None.
    groups
        Group of each run, of two groups of animals; those that a study tells if None.
    kind
        Which region map is compared: "mean", "l1" or "rms".
    seed
        Seed of every shuffle.

    Raises
    ------
    InputError
        If a run is not interpreted, the matrix cannot be read, or the folder cannot be made.
    """
    from boltzbrain.alignment.every import runs_to_compare
    from boltzbrain.interpretation.animals.compare import compare_into, load_structure
    from boltzbrain.pages.comparison import write_comparison_page

    whole_number_in("seed", seed, low=0)
    folder = None if out is None else folder_to_write("out", out)
    found, told = runs_to_compare(runs)
    of: dict[str, Any] = {"groups": groups or told, "kind": kind, "seed": seed}
    return compare_into(folder, found, load_structure(structure), page=write_comparison_page, **of)


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
    device: str = "auto",
    out: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
    progress: bool = True,
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
        "moves" for a training of `assemblies` and else "trajectory" if None; what "annealing",
        "temperature" and "gibbs" do beside them is told by `sampling.draw.draw`.
    chains, sweeps, warm_up, anneal
        How long which chains run, as of `sampling.draw.draw`; its defaults if None.
    device
        As in `fit`.
    out
        An npz file to write, which must not exist yet; none is written if None.
    callbacks, progress
        As in `fit`, after every step.
    callback
        Deprecated: called with steps done and planned.

    Returns
    -------
    Activity
        ``states`` (n, neuron), each a segment of its own; of a run with a context bins that follow
        in time, in segments like those of training. The options of its step "sample" hold how
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
    with showing(progress, "sampling", callbacks) as told:
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
            device=device,
            callbacks=told,
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


def _seed(seed: int | None) -> int | None:
    return None if seed is None else whole_number_in("seed", seed, low=0)


def _folder(run: TrainingRun | str | Path) -> Path:
    return run.folder if isinstance(run, TrainingRun) else given_path("run", run)


def _opened(run: TrainingRun | str | Path) -> TrainingRun:
    return TrainingRun.open(_folder(run))
