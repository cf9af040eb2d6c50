"""Simpler models beside the RBM, on the same test bins and by the same scores.

Each model is asked for the scores that it can give. Gains and conditional scores are paired with
the RBM's bin by bin, so that the difference has a smaller error than either.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray

from boltzbrain.baselines.choose import FITS, fit_baseline
from boltzbrain.baselines.ising import Ising
from boltzbrain.baselines.protocol import Baseline
from boltzbrain.baselines.pseudo_likelihood import log_pseudo_likelihood
from boltzbrain.evaluation.comparison import Comparison
from boltzbrain.evaluation.hopfield import Trained, fit_hopfield
from boltzbrain.evaluation.likelihood import independent_log_likelihood
from boltzbrain.evaluation.population import count_distribution, total_variation
from boltzbrain.evaluation.statistics import choose_statistics
from boltzbrain.foundations.checks import bad_input, one_of
from boltzbrain.foundations.files import atomic_hdf5
from boltzbrain.foundations.moments import pack
from boltzbrain.foundations.random import Generator
from boltzbrain.foundations.undefined import Undefined
from boltzbrain.model.independent import independent_field
from boltzbrain.recordings.activity import Activity
from boltzbrain.recordings.clusters import clustered_stderr, clusters_of
from boltzbrain.sampling.partition import disagreement

FORMAT, VERSION = "boltzbrain baselines", 1
NAMES = (*FITS, "hopfield")
"""Every baseline, by name."""

_STATISTICS = ("rates", "covariances", "triplets_most_active")
_MOST_SAMPLES, _MOST_COUPLED = 10_000, 4000

Figures = NDArray[np.float64]


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


def check_baselines(names: Sequence[str], activity: Activity) -> list[str]:
    """Return the names of baselines, each once, or say what is wrong with them or the folds.

    Raises
    ------
    InputError
        If a name is unknown, or there are no validation or test bins.
    """
    for name in names:
        one_of("baselines", name, NAMES)
    for fold in ("validation", "test") if names else ():
        if len(activity.bins_of(fold)) < 2:
            raise bad_input(f"{fold} fold", "hold at least 2 bins for baselines", "fewer")
    return list(dict.fromkeys(names))


class _Judge:
    """Scores models on the test bins."""

    def __init__(self, activity: Activity, seed: int) -> None:
        bins = activity.bins_of("test")
        self.train, self.states = activity.states_of("train"), activity.states[bins]
        self.clusters, self.seed = clusters_of(activity, bins), seed
        self.field = independent_field(torch.from_numpy(self.train))
        self.base = independent_log_likelihood(self.field, self.states)
        self.visible = torch.from_numpy(self.states)
        self.silent = self._of_neurons(np.tile(self.field.numpy(), (1, 1)))
        spikes = float(self.states.sum(dtype=np.int64)) / len(self.states)
        self.unit: float | Undefined = (
            math.log(2) * spikes if spikes else Undefined("no neuron is active in the test fold")
        )

    def _of_neurons(self, odds: NDArray[Any]) -> Figures:
        """Return log P(v_i) of log-odds, (neuron,), mean over bins."""
        values = torch.from_numpy(odds).to(torch.float64)
        scores = self.visible * values - torch.nn.functional.softplus(values, threshold=80.0)
        result: Figures = scores.mean(dim=0).numpy()
        return result

    def mean(self, values: Figures, unit: float | Undefined = 1.0) -> dict[str, Any]:
        """Return the mean over bins in a unit, with its clustered standard error."""
        if isinstance(unit, Undefined):
            return {"value": unit, "stderr": unit}
        error = clustered_stderr(values, self.clusters)
        return {
            "value": float(values.mean()) / unit,
            "stderr": error if isinstance(error, Undefined) else error / unit,
        }

    def gains(self, baseline: Baseline) -> tuple[dict[str, Any], Figures | None]:
        """Return the gain over independent neurons, a bound where there is no likelihood."""
        nothing = Undefined(f"{baseline.title}: no likelihood of a whole bin")
        if "log_likelihood" in baseline.gives:
            gain = baseline.log_likelihood(self.states) - self.base
            estimate, kind = baseline.log_partition(), "log-likelihood"
            more = {"stderr_log_partition": 0.0 if estimate is None else estimate.stderr}
        elif "bound" in baseline.gives:
            generator = Generator.from_seed(self.seed, "baselines", "bound")
            lower, tighter = baseline.bound(self.states, generator)
            gain, kind = tighter - self.base, "lower bound"
            more = {"stderr_log_partition": 0.0, "elbo": float((lower - self.base).mean())}
        else:
            return {"gain": {"value": nothing, "stderr": nothing, "kind": "none"},
                    "bits_per_spike": nothing}, None  # fmt: skip
        figures = {
            "gain": {**self.mean(gain), **more, "kind": kind},
            "bits_per_spike": self.mean(gain, self.unit)["value"],
        }
        return figures, gain

    def conditional(self, baseline: Baseline) -> tuple[dict[str, Any], Figures]:
        """Return the score of every neuron given the others, over independent neurons."""
        odds = torch.from_numpy(baseline.conditional(self.states))
        own = log_pseudo_likelihood(self.field.expand_as(odds), self.visible)
        gain: Figures = (log_pseudo_likelihood(odds, self.visible) - own).numpy()
        figures = self.mean(gain, self.unit)
        return {"bits_per_spike": figures["value"], "stderr": figures["stderr"]}, gain

    def reconstruction(self, baseline: Baseline) -> dict[str, Any]:
        """Return the median quality of reconstruction, see `evaluation.reconstruction`."""
        if "reconstruction" not in baseline.gives:
            return {"median_nllh": Undefined(f"{baseline.title}: no latent variables")}
        found = self._of_neurons(baseline.reconstruction(self.states))
        return {"median_nllh": float(np.median((found - self.silent) / -self.silent))}

    def statistics(self, baseline: Baseline) -> dict[str, Any]:
        """Return how generated statistics correlate with those of the test bins."""
        names = [*(f"{name}_pearson" for name in _STATISTICS), "population_count_distance"]
        if "samples" not in baseline.gives:
            return dict.fromkeys(names, Undefined(f"{baseline.title}: it generates nothing"))
        count = min(_MOST_SAMPLES, max(2000, len(self.train)))
        generator = Generator.from_seed(self.seed, "baselines", "samples", baseline.name)
        drawn = baseline.samples(count, generator)
        test, generated = pack(self.states), pack(drawn)
        rates = self.train.mean(axis=0, dtype=np.float64)
        chosen = {one.name: one for one in choose_statistics(rates, self.seed)}
        result: dict[str, Any] = {
            f"{name}_pearson": Comparison(chosen[name].of(test), chosen[name].of(generated)).pearson
            if name in chosen
            else Undefined("there are too few neurons")
            for name in _STATISTICS
        }
        counts = [count_distribution(one) for one in (drawn, self.states)]
        result["population_count_distance"] = total_variation(*counts)
        result["samples"] = count
        return result


def compare_baselines(
    rbm: Trained,
    activity: Activity,
    names: Sequence[str],
    seed: int = 0,
    *,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    tell: Callable[[int, int], None] | None = None,
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
        Called with steps done and steps in all.

    Returns
    -------
    Compared
        Of each model: ``gain`` (nats per test bin, ``kind`` log-likelihood or lower bound) and
        ``bits_per_spike``, ``conditional``, ``reconstruction``, ``statistics``, ``fit``; of each
        baseline also ``rbm_minus_this``, the paired differences.

    Raises
    ------
    InputError
        As `check_baselines`.
    """
    names = check_baselines(names, activity)
    judge, given = _Judge(activity, seed), options or {}
    figures: dict[str, Any] = {}
    arrays: dict[str, dict[str, NDArray[Any]]] = {}
    best: tuple[Figures | None, Figures] | None = None
    for number, name in enumerate(["rbm", *names]):
        if tell is not None:
            tell(number, len(names) + 1)
        if name == "rbm":
            baseline: Baseline = rbm
        else:
            baseline = _fitted(name, activity, rbm, seed, given.get(name, {}))
        gains, gain = judge.gains(baseline)
        conditional, each = judge.conditional(baseline)
        figures[name] = {
            "title": baseline.title,
            **gains,
            "conditional": conditional,
            "reconstruction": judge.reconstruction(baseline),
            "statistics": judge.statistics(baseline),
            "fit": baseline.fit.describe(),
        }
        if isinstance(baseline, Ising):
            figures[name]["log_partition"] = _checked(baseline)
        arrays[name] = _arrays(baseline)
        if best is None:
            best = gain, each
            continue
        none = Undefined(f"{baseline.title}: no likelihood of a whole bin")
        figures[name]["rbm_minus_this"] = {
            "gain": {"value": none, "stderr": none}
            if gain is None or best[0] is None
            else judge.mean(best[0] - gain),
            "conditional": judge.mean(best[1] - each, judge.unit),
        }
    if tell is not None:
        tell(len(names) + 1, len(names) + 1)
    return Compared(figures, arrays)


def _fitted(
    name: str, activity: Activity, rbm: Trained, seed: int, options: Mapping[str, Any]
) -> Baseline:
    if name == "hopfield":
        return fit_hopfield(activity, len(rbm.model.hidden), seed, **options)
    generator = Generator.from_seed(seed, "baselines", name)
    train, validation = (activity.states_of(fold) for fold in ("train", "validation"))
    return fit_baseline(name, train, validation, generator, **options)


def _checked(baseline: Ising) -> dict[str, Any]:
    forward, backward = baseline.forward, baseline.backward
    return {
        "forward": forward.value,
        "backward": backward.value,
        "effective_sample_size": forward.effective_sample_size,
        "chains": forward.chains,
        "unreliable": [
            words
            for words in (forward.warning, disagreement(forward, backward))
            if words is not None
        ],
    }


def _arrays(baseline: Baseline) -> dict[str, NDArray[Any]]:
    result: dict[str, NDArray[Any]] = {}
    if "assemblies" in baseline.gives:
        result["assemblies"] = baseline.assemblies().astype(np.float32)
    if "couplings" in baseline.gives and baseline.name != "independent":
        couplings = baseline.couplings()
        if len(couplings) <= _MOST_COUPLED:
            result["couplings"] = couplings.to(torch.float32).numpy()
    return result


def write_baselines(path: Path, compared: Compared) -> None:
    """Write baselines.h5, whole or not at all: ``/NAME/assemblies`` and ``/NAME/couplings``.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    with atomic_hdf5(path) as file:
        file.attrs.update(format=FORMAT, version=VERSION)
        for name, arrays in compared.arrays.items():
            for key, values in arrays.items():
                file.create_dataset(f"{name}/{key}", data=values, compression="gzip", shuffle=True)


def read_assemblies(path: Path) -> dict[str, Figures]:
    """Read the assemblies of every model from baselines.h5, (neuron, latent) by name.

    Raises
    ------
    InputError
        If the file is damaged or of another format.
    """
    try:
        with h5py.File(path, "r") as file:
            found = (file.attrs.get("format"), file.attrs.get("version"))
            if found != (FORMAT, VERSION):
                raise bad_input("format", f"be '{FORMAT}' version {VERSION}", found, file=path)
            return {
                str(name): np.asarray(group["assemblies"][:], dtype=np.float64)
                for name, group in file.items()
                if "assemblies" in group
            }
    except (OSError, KeyError) as error:
        raise bad_input(
            "baselines.h5", "be a whole file of baselines", str(error), file=path
        ) from error
