"""The baselines by name, and one call that fits any of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.baselines.in_time.history import fit_history
from boltzbrain.baselines.in_time.hmm import fit_hmm
from boltzbrain.baselines.in_time.hmm_glm import fit_hmm_glm
from boltzbrain.baselines.in_time.signs import fit_hmm_signs
from boltzbrain.baselines.independent import fit_independent
from boltzbrain.baselines.latent import fit_pca
from boltzbrain.baselines.logistic import fit_glm
from boltzbrain.baselines.pairwise.fit import fit_pairwise
from boltzbrain.baselines.protocol import Baseline, Unfitted
from boltzbrain.baselines.vae import fit_vae
from boltzbrain.foundations.checks import bad_input, has_shape, one_of
from boltzbrain.foundations.random import Generator
from boltzbrain.model.context.sequences import Sequences

FITS: Mapping[str, Callable[..., Baseline]] = {
    "independent": fit_independent,
    "ising": fit_pairwise,
    "kpairwise": partial(fit_pairwise, count=True),
    "glm": fit_glm,
    "pca": fit_pca,
    "vae": fit_vae,
}
"""Name to the function that fits it to (train, validation, generator)."""


IN_TIME: Mapping[str, Callable[..., Baseline | Unfitted]] = {
    "hmm": fit_hmm,
    "history": fit_history,
    "hmmglm": fit_hmm_glm,
    "hmmsigns": fit_hmm_signs,
}
"""Name to the function that fits a model with time to `Sequences` (train, validation), and a
generator."""


def fit_in_time(
    name: str, train: Sequences, validation: Sequences, generator: Generator, **options: Any
) -> Baseline | Unfitted:
    """Fit a baseline that knows of earlier bins; else as `fit_baseline`.

    Of one that is for fewer neurons no model comes, with the reason.

    Parameters
    ----------
    name
        One of `IN_TIME`.
    train, validation
        The bins, in pieces that are contiguous in time.
    generator
        Moves on.
    **options
        Of the function that fits it.

    Raises
    ------
    InputError
        As `fit_baseline`.
    """
    one_of("baseline", name, IN_TIME)
    _check_folds(name, train.states, validation.states)
    return IN_TIME[name](train, validation, generator, **options)


def fit_baseline(
    name: str,
    train: NDArray[np.uint8],
    validation: NDArray[np.uint8],
    generator: Generator,
    **options: Any,
) -> Baseline:
    """Fit a baseline to the training bins, its hyperparameters chosen on the validation bins.

    Parameters
    ----------
    name
        One of `FITS`.
    train, validation
        (bin, neuron) uint8.
    generator
        Moves on.
    **options
        Of the function that fits it.

    Raises
    ------
    InputError
        If the name is unknown, a fold holds fewer than two bins, or there are fewer than two
        neurons.
    """
    one_of("baseline", name, FITS)
    _check_folds(name, train, validation)
    return FITS[name](train, validation, generator, **options)


def _check_folds(name: str, train: NDArray[np.uint8], validation: NDArray[np.uint8]) -> None:
    has_shape("train", train, (None, None))
    has_shape("validation", validation, (None, train.shape[1]))
    for fold, states in (("train", train), ("validation", validation)):
        if len(states) < 2:
            raise bad_input(f"{fold} fold", f"hold at least 2 bins to fit {name}", len(states))
    if train.shape[1] < 2:
        raise bad_input("neurons", f"be at least 2 to fit {name}", train.shape[1])
