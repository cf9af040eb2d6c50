"""Simpler models beside the RBM, on the same test bins and by the same scores.

The scores are those of `comparison.score`, paired with the RBM's bin by bin.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray

from boltzbrain.baselines.fit_baseline import FITS, IN_TIME, fit_baseline, fit_in_time
from boltzbrain.baselines.in_time.model import InTime
from boltzbrain.baselines.pairwise.fit import PairwiseBaseline
from boltzbrain.baselines.protocol import Baseline, Unfitted
from boltzbrain.comparison.rbms import Hopfield, Trained, fit_hopfield
from boltzbrain.comparison.score import Figures, TestScorer, scores_of_none
from boltzbrain.comparison.states import found_states
from boltzbrain.data.activity import Activity
from boltzbrain.foundations.checks import InputError, bad_input, one_of
from boltzbrain.foundations.disk.files import FileFormat, atomic_hdf5, open_ours, require_sha256
from boltzbrain.foundations.progress import SILENT, Teller
from boltzbrain.foundations.random import Generator
from boltzbrain.model.context.sequences import Sequences

FORMAT = FileFormat(
    "boltzbrain baselines", what="baselines.h5", command="boltzbrain evaluate --baselines"
)
NAMES = (*FITS, *IN_TIME, "hopfield")
"""Every baseline, by name."""

_MOST_COUPLED = 4000


@dataclass(frozen=True)
class Compared:
    """What `compare_baselines` found.

    Attributes
    ----------
    figures
        What evaluation.json holds under ``baselines``, by name; the RBM itself is ``rbm``.
    arrays
        By name: ``assemblies`` (neuron, latent), ``couplings`` (neuron, neuron), where the model
        gives them.
    """

    figures: dict[str, Any]
    arrays: dict[str, dict[str, NDArray[Any]]]


def check_baselines(
    names: Sequence[str], activity: Activity, *, controls: bool = False
) -> list[str]:
    """Return the names of baselines, each once, or say what is wrong with them or the folds.

    Controls need the same folds.

    Raises
    ------
    InputError
        If a name is unknown, or there are no validation or test bins.
    """
    for name in names:
        one_of("baselines", name, NAMES)
    for fold in ("validation", "test") if names or controls else ():
        if len(activity.bins_of(fold)) < 2:
            what = "baselines" if names else "controls"
            raise bad_input(f"{fold} fold", f"hold at least 2 bins for {what}", "fewer")
    return list(dict.fromkeys(names))


def compare_baselines(
    rbm: Trained,
    activity: Activity,
    names: Sequence[str],
    seed: int = 0,
    *,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    tell: Teller = SILENT,
) -> Compared:
    """Fit baselines to the training bins and score them beside the RBM on the test bins.

    Parameters
    ----------
    rbm
        The model that was trained, with its log Z.
    activity
        States and folds; hyperparameters are chosen on the validation bins.
    names
        Of `NAMES`.
    seed
        Seed of every stream used.
    options
        Name to options of the function that fits it.
    tell
        Told the steps.

    Returns
    -------
    Compared
        Of each model: ``gain`` (nats per test bin, ``kind`` log-likelihood or lower bound) and
        ``bits_per_spike``, ``predictive`` (the same given the earlier bins of the segment),
        ``conditional``, ``reconstruction``, ``statistics``, ``fit``; of each baseline also
        ``rbm_minus_this``, the paired differences, with the errors of both log Z.

    Raises
    ------
    InputError
        As `check_baselines`.
    """
    names = check_baselines(names, activity)
    scorer, given = TestScorer(activity, seed), options or {}
    figures: dict[str, Any] = {}
    arrays: dict[str, dict[str, NDArray[Any]]] = {}
    best: tuple[Figures | None, Figures | None, Figures | None] | None = None
    for number, name in enumerate(["rbm", *names]):
        tell(number, len(names) + 1)
        baseline: Baseline | Unfitted = rbm
        if name != "rbm":
            baseline = _fitted(name, activity, rbm, seed, given.get(name, {}))
        if isinstance(baseline, Unfitted):
            figures[name], arrays[name] = scores_of_none(baseline), {}
            continue
        gains, gain = scorer.gains(baseline)
        predictive, ahead = scorer.predictive(baseline, gains, gain)
        conditional, each = scorer.conditional(baseline)
        figures[name] = {
            "title": baseline.title,
            **gains,
            "predictive": predictive,
            "conditional": conditional,
            "reconstruction": scorer.reconstruction(baseline),
            "statistics": scorer.statistics(baseline),
            "fit": baseline.fit.describe(),
        }
        if baseline.log_partition() is not None:
            figures[name]["log_partition"] = _checked(baseline)
        arrays[name] = _arrays(baseline)
        if isinstance(baseline, InTime) and len(baseline.chain) > 1:
            generator = Generator.from_seed(seed, "states", name)
            told, more = found_states(baseline, activity, generator)
            figures[name]["states"] = told
            arrays[name] |= more
        if best is None:
            best = gain, ahead, each
            continue
        figures[name]["rbm_minus_this"] = {
            "gain": scorer.gain_between((rbm, best[0]), (baseline, gain)),
            "predictive": scorer.gain_between((rbm, best[1]), (baseline, ahead)),
            "conditional": scorer.conditional_between((rbm, best[2]), (baseline, each)),
        }
    tell(len(names) + 1, len(names) + 1)
    return Compared(figures, arrays)


def _fitted(
    name: str, activity: Activity, rbm: Trained, seed: int, options: Mapping[str, Any]
) -> Baseline | Unfitted:
    if name == "hopfield":
        return fit_hopfield(activity, len(rbm.model.hidden), seed, **options)
    generator = Generator.from_seed(seed, "baselines", name)
    if name in IN_TIME:
        first, second = (Sequences.of_fold(activity, fold) for fold in ("train", "validation"))
        return fit_in_time(name, first, second, generator, **options)
    train, validation = (activity.states_of(fold) for fold in ("train", "validation"))
    return fit_baseline(name, train, validation, generator, **options)


def _checked(baseline: Baseline) -> dict[str, Any]:
    """Return what is known of log Z; of the RBM itself the rest stands under log_likelihood."""
    result: dict[str, Any] = {"unreliable": baseline.doubts()}
    if isinstance(baseline, (PairwiseBaseline, Hopfield)):
        forward = baseline.forward
        result["forward"], result["backward"] = forward.value, baseline.backward.value
        result["effective_sample_size"] = forward.effective_sample_size
        result["chains"] = forward.chains
    return result


def _arrays(baseline: Baseline) -> dict[str, NDArray[Any]]:
    result: dict[str, NDArray[Any]] = {}
    if "assemblies" in baseline.gives:
        result["assemblies"] = baseline.assemblies().astype(np.float32)
    if "couplings" in baseline.gives and baseline.name != "independent":
        couplings = baseline.couplings()
        if len(couplings) <= _MOST_COUPLED:
            result["couplings"] = couplings.to(torch.float32).numpy()
    return result


def write_baselines(
    path: Path,
    compared: Compared,
    keep: Sequence[str] = (),
    *,
    before: tuple[Path, str | None] | None = None,
) -> None:
    """Write baselines.h5, whole or not at all: ``/NAME/assemblies`` and ``/NAME/couplings``.

    Parameters
    ----------
    path
        The file.
    compared
        What was fitted.
    keep
        Baselines whose arrays stay as the file before has them. If it cannot be read they are left
        out, with a warning.
    before
        That file, and its SHA-256 as the evaluation before tells it, if it does.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    with atomic_hdf5(path) as file:
        file.attrs.update(FORMAT.told)
        for name, arrays in compared.arrays.items():
            for key, values in arrays.items():
                file.create_dataset(f"{name}/{key}", data=values, compression="gzip", shuffle=True)
        if keep and before is not None:
            _copy_arrays(*before, file, keep)


def _copy_arrays(before: Path, told: str | None, file: h5py.File, names: Sequence[str]) -> None:
    try:
        what = "the one that evaluation.json was written with"
        require_sha256(before, told, what, "`--baselines` fits them anew")
        with open_ours(before, FORMAT) as old:
            for name in names:
                if name in old:
                    old.copy(name, file)
    except InputError as error:
        warnings.warn(
            f"{before}: the weights of {', '.join(names)} are not kept: {error}", stacklevel=4
        )


def read_states(path: Path) -> dict[str, dict[str, NDArray[Any]]]:
    """Read what is kept of hidden states from baselines.h5, by model and by name.

    Raises
    ------
    InputError
        If the file is damaged or of another format.
    """
    with open_ours(path, FORMAT) as file:
        return {
            str(name): {str(key): np.asarray(values[()]) for key, values in group["states"].items()}
            for name, group in file.items()
            if "states" in group
        }


def read_assemblies(path: Path) -> dict[str, Figures]:
    """Read the assemblies of every model from baselines.h5, (neuron, latent) by name.

    Raises
    ------
    InputError
        If the file is damaged or of another format.
    """
    with open_ours(path, FORMAT) as file:
        return {
            str(name): np.asarray(group["assemblies"][:], dtype=np.float64)
            for name, group in file.items()
            if "assemblies" in group
        }
