"""The matrices that couplings are compared with: covariance, correlation, and models of pairs.

Each returns a (neuron, neuron) array with zero diagonal that goes through `maps`, `significance`
and `structure` as couplings do.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch

from boltzbrain.baselines.pairwise.pseudo_likelihood import fit_pseudo_likelihood
from boltzbrain.foundations.checks import bad_input, number_in
from boltzbrain.foundations.moments import pack, pair_counts
from boltzbrain.interpretation.marginal import Floats
from boltzbrain.interpretation.references import Data, States, states_of

PENALTY_PER_BIN = 1e-4 / 16
"""Of the pairwise model of region maps: 1e-4 for couplings in spins, a quarter as large."""


def _states(data: Data) -> States:
    neurons = data.n_neurons if hasattr(data, "n_neurons") else int(np.shape(data)[-1])
    return states_of(data, neurons, "a functional matrix")


def covariance(data: Data) -> Floats:
    """Return <v_i v_j> - <v_i><v_j> over bins, zero diagonal.

    Parameters
    ----------
    data
        An activity (its training bins) or states (bin, neuron).
    """
    states = _states(data)
    result: Floats = pair_counts(pack(states)) / len(states)
    mean = states.mean(axis=0, dtype=np.float64)
    result -= np.outer(mean, mean)
    np.fill_diagonal(result, 0.0)
    return result


def correlation(data: Data, covariances: Floats | None = None) -> Floats:
    """Return Pearson's correlation over bins, zero diagonal; 0 for neurons that never vary.

    Parameters
    ----------
    data
        An activity (its training bins) or states (bin, neuron).
    covariances
        Those of the same bins, where they are known.
    """
    states = _states(data)
    mean = states.mean(axis=0, dtype=np.float64)
    width = np.sqrt(mean * (1.0 - mean))
    scale = np.where(width > 0, 1.0 / np.where(width > 0, width, 1.0), 0.0)
    known = covariance(states) if covariances is None else covariances
    result: Floats = known * scale[:, None] * scale
    return result


def graphical_lasso(data: Data, penalty: float | None = None) -> Floats:
    """Return partial correlations, minus the standardised sparse inverse covariance, zero diagonal.

    Friedman, Hastie and Tibshirani 2008, by scikit-learn, of standardised neurons. Slow beyond some
    hundred neurons.

    Parameters
    ----------
    data
        An activity (its training bins) or states (bin, neuron), every neuron varying.
    penalty
        L1 penalty, above 0; chosen by cross-validation if None.

    Raises
    ------
    InputError
        If a neuron never varies or the fit fails.
    """
    from sklearn.covariance import GraphicalLasso, GraphicalLassoCV

    states = _states(data).astype(np.float64)
    width = states.std(axis=0)
    if (width == 0).any():
        raise bad_input(
            "data", "hold neurons that vary", f"neuron {int(np.argmin(width))} constant"
        )
    standard = (states - states.mean(axis=0)) / width
    if penalty is not None:
        number_in("penalty", penalty, low=0.0, include_low=False)
    fit = GraphicalLassoCV() if penalty is None else GraphicalLasso(alpha=penalty)
    with warnings.catch_warnings():
        # trial penalties that do not converge lose the cross-validation by themselves
        warnings.simplefilter("ignore")
        try:
            fit.fit(standard)
        except (FloatingPointError, ValueError) as error:
            raise bad_input("penalty", "let the graphical lasso converge", str(error)) from error
    precision = np.asarray(fit.precision_, dtype=np.float64)
    root = np.sqrt(np.diag(precision))
    result: Floats = -precision / root[:, None] / root
    np.fill_diagonal(result, 0.0)
    return 0.5 * (result + result.T)


def pairwise(data: Data, penalty: float | None = None) -> Floats:
    """Return the couplings of the pairwise model in spins of -1 and +1, zero diagonal.

    Fitted by pseudo-likelihood (the comparison of the zebrafish paper's figure 6).

    Parameters
    ----------
    data
        An activity (its training bins) or states (bin, neuron).
    penalty
        See `baselines.pairwise.pseudo_likelihood.PENALTIES`; `PENALTY_PER_BIN` times the number of
        bins if None.
    """
    states = _states(data)
    penalty = (
        len(states) * PENALTY_PER_BIN if penalty is None else number_in("penalty", penalty, low=0.0)
    )
    model, _ = fit_pseudo_likelihood(states, penalty, iterations=500, tolerance=1e-9)
    return model.couplings.to(torch.float64).numpy() / 4
