"""Energies that a model assigns to recorded and to generated activity."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.evaluation.likelihood import log_likelihood
from boltzbrain.evaluation.statistics.agreement import kolmogorov_smirnov
from boltzbrain.evaluation.statistics.kept import Kept
from boltzbrain.foundations.checks import Undefined
from boltzbrain.model.rbm import RBM


def energies(model: RBM, states: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the free energy F(v) = -log P(v) - log Z of every bin, (bin,) nats.

    The hidden units are summed over, as the recording has none.
    """
    return -log_likelihood(model, 0.0, states)


def keep_energies(
    kept: Kept,
    train: NDArray[np.float64],
    test: NDArray[np.float64],
    generated: NDArray[np.float64],
) -> None:
    """Keep the energies of every set of bins that has some."""
    sets = {"train": train, "test": test, "generated": generated}
    kept.update({f"energies/{name}": one for name, one in sets.items() if len(one)})


def compare_energies(
    train: NDArray[np.float64], test: NDArray[np.float64], generated: NDArray[np.float64]
) -> dict[str, Any]:
    """Compare the distributions of energies.

    Parameters
    ----------
    train, test, generated
        (bin,) energies; those of the test fold may be empty.

    Returns
    -------
    dict
        ``mean`` and ``std`` of each set, and ``kolmogorov_smirnov``, the greatest difference of the
        distribution functions, generated-vs-test and under ``ceiling`` train-vs-test.
    """
    nothing = Undefined("the test fold has no bins")
    sets = {"train": train, "test": test, "generated": generated}
    has_test = len(test) > 0
    return {
        "mean": {name: float(one.mean()) if len(one) else nothing for name, one in sets.items()},
        "std": {name: float(one.std()) if len(one) else nothing for name, one in sets.items()},
        "kolmogorov_smirnov": kolmogorov_smirnov(generated, test) if has_test else nothing,
        "ceiling": {"kolmogorov_smirnov": kolmogorov_smirnov(train, test) if has_test else nothing},
    }
