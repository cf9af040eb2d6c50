"""Reconstruction through the hidden units, neuron by neuron, beside logistic regression.

The quality of van der Plas et al. 2023, equation 18: the log-likelihood of a neuron's test bins
under E(v | E(h | v)), normalised to 0 for a constant rate and 1 for a perfect reconstruction. A
neuron's own state takes part in its reconstruction, as in the paper; `evaluation.conditional`
leaves it out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.baselines.logistic import LogisticFit, fit_logistic
from boltzbrain.evaluation.statistics.kept import Kept
from boltzbrain.foundations.checks import Undefined
from boltzbrain.foundations.memory import VALUES, slices
from boltzbrain.foundations.numerics import bernoulli_log_likelihood
from boltzbrain.foundations.random import Generator
from boltzbrain.model.independent import independent_field
from boltzbrain.model.rbm import RBM

GLM_NEURONS = 50


def normalised_log_likelihood(
    log_likelihood: NDArray[np.float64], independent: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return (LLH - LLH_independent) / -LLH_independent, (neuron,)."""
    return (log_likelihood - independent) / -independent


def independent_quality(field: Tensor, states: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the log-likelihood per bin of every neuron at a constant rate, (neuron,) nats.

    Parameters
    ----------
    field
        (neuron,) log-odds, here from the training fold; the paper does not say which fold.
    states
        (bin, neuron) uint8.
    """
    field = field.to(torch.float64)
    rate = torch.from_numpy(states.mean(axis=0, dtype=np.float64))
    result: NDArray[np.float64] = bernoulli_log_likelihood(field, rate).numpy()
    return result


def reconstruction_quality(model: RBM, states: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the log-likelihood per bin of every neuron given its reconstruction, (neuron,) nats.

    Parameters
    ----------
    model
        Model with Bernoulli visible units.
    states
        (bin, neuron) uint8, at least one bin.
    """
    total = torch.zeros(states.shape[1], dtype=torch.float64)
    for part in slices(len(states), states.shape[1], 2 * VALUES):
        visible = torch.from_numpy(states[part])
        inputs = model.inputs_to_visible(model.mean_hidden(visible))
        gamma = model.visible.log_partition(inputs)
        field = inputs + model.visible.parameters()["field"]
        scores = torch.addcmul(-gamma, visible.to(field.dtype), field)
        total += scores.sum(dim=0, dtype=torch.float64).cpu()
    result: NDArray[np.float64] = (total / len(states)).numpy()
    return result


@dataclass(frozen=True)
class Reconstruction:
    """Normalised log-likelihood of neurons on the test fold.

    Attributes
    ----------
    rbm
        (neuron,) of every neuron, by the model.
    neurons
        (chosen,) neurons that logistic regression was fitted to.
    glm
        (chosen,) normalised log-likelihood of those, by logistic regression on all other neurons.
    penalties
        (chosen,) L2 penalty of each, chosen on the validation fold.
    """

    rbm: NDArray[np.float64]
    neurons: NDArray[np.int64]
    glm: NDArray[np.float64]
    penalties: NDArray[np.float64]

    def summary(self) -> dict[str, Any]:
        """Return what evaluation.json holds under ``reconstruction``.

        ``mann_whitney`` is one-sided, RBM above GLM, on the same neurons, as in the paper;
        ``per_neuron`` lists these neurons and both their qualities.
        """
        same = self.rbm[self.neurons]
        result: dict[str, Any] = {
            "rbm": {
                "median_nllh": float(np.median(self.rbm)),
                "median_nllh_same_neurons": float(np.median(same))
                if len(same)
                else Undefined("no logistic regression was fitted"),
                "neurons": len(self.rbm),
            }
        }
        if not len(self.glm):
            nothing = Undefined("logistic regression needs a validation fold and two neurons")
            result["glm"] = {"median_nllh": nothing, "median_penalty": nothing, "neurons": 0}
            result["mann_whitney"] = {"statistic": nothing, "p": nothing}
            return result
        # here, as it takes half a second that a page need not wait for
        from scipy import stats

        test = stats.mannwhitneyu(same, self.glm, alternative="greater")
        result["glm"] = {
            "median_nllh": float(np.median(self.glm)),
            "median_penalty": float(np.median(self.penalties)),
            "neurons": len(self.glm),
        }
        result["mann_whitney"] = {"statistic": float(test.statistic), "p": float(test.pvalue)}
        result["per_neuron"] = {"neuron": self.neurons, "rbm": same, "glm": self.glm}
        return result


def reconstruct(
    model: RBM,
    train: NDArray[np.uint8],
    validation: NDArray[np.uint8],
    test: NDArray[np.uint8],
    *,
    neurons: int | None = GLM_NEURONS,
    seed: int = 0,
) -> Reconstruction:
    """Compute the reconstruction quality on the test fold, and that of logistic regression.

    Parameters
    ----------
    model
        Model with Bernoulli visible units.
    train, validation, test
        (bin, neuron) uint8; the test fold holds at least one bin. Without validation bins no
        logistic regression is fitted.
    neurons
        How many neurons logistic regression is fitted to, drawn at random; all where None.
    seed
        Seed of that draw.
    """
    base = independent_quality(independent_field(torch.from_numpy(train)), test)
    quality = normalised_log_likelihood(reconstruction_quality(model, test), base)
    count = train.shape[1]
    chosen = np.arange(count)
    if neurons is not None and neurons < count:
        order = Generator.from_seed(seed, "reconstruction").permutation(count)
        chosen = np.sort(order[:neurons])
    if not len(validation) or count < 2:
        return Reconstruction(quality, chosen[:0], np.empty(0), np.empty(0))
    fit: LogisticFit = fit_logistic(train, validation, chosen)
    scores = fit.log_likelihood(test)
    return Reconstruction(
        quality, chosen, normalised_log_likelihood(scores, base[chosen]), fit.penalties
    )


def reconstruction_scores(
    model: RBM,
    train: NDArray[np.uint8],
    validation: NDArray[np.uint8],
    test: NDArray[np.uint8],
    *,
    neurons: int | None = GLM_NEURONS,
    seed: int = 0,
    kept: Kept | None = None,
) -> dict[str, Any]:
    """Return what evaluation.json holds under ``reconstruction``; the test fold may be empty.

    Beside the parameters of `reconstruct`, ``kept`` gets what the figure shows.
    """
    if len(test):
        found = reconstruct(model, train, validation, test, neurons=neurons, seed=seed)
        if kept is not None:
            kept["reconstruction/rbm"] = found.rbm
        return found.summary()
    nothing = Undefined("the test fold has no bins")
    return {
        "rbm": {"median_nllh": nothing, "median_nllh_same_neurons": nothing, "neurons": 0},
        "glm": {"median_nllh": nothing, "median_penalty": nothing, "neurons": 0},
        "mann_whitney": {"statistic": nothing, "p": nothing},
    }
