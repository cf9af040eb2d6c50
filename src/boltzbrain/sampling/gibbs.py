"""Chains of block Gibbs sampling: the state of a Markov chain over both layers, and its sweeps."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from boltzbrain.foundations.checks import has_shape, whole_number_in
from boltzbrain.foundations.random import Generator
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM


@dataclass(frozen=True, eq=False)
class Chains:
    """Independent Markov chains, all of one model, and the random state that moves them.

    Attributes
    ----------
    visible
        (chain, visible) states.
    hidden
        (chain, hidden) states.
    generator
        Stream that belongs to these chains alone; `advance` copies it and never moves it.
    sweeps
        Gibbs sweeps done so far.
    """

    visible: Tensor
    hidden: Tensor
    generator: Generator
    sweeps: int = 0

    def __len__(self) -> int:
        """Return the number of chains."""
        return int(self.visible.shape[0])


def start_chains(
    model: RBM, n: int, generator: Generator, offsets: Offsets | None = None
) -> Chains:
    """Return chains whose visible units are drawn without the weights, the hidden ones given them.

    With offsets, one row a chain, both are those of its own fields.

    The stream is for these `n` chains alone: they continue it from a copy, so whoever goes on
    drawing from the original repeats their numbers.

    Raises
    ------
    InputError
        If `n` is below 1, or the offsets do not fit.
    """
    whole_number_in("n", n, low=1)
    stream = generator.copy()
    inputs = model.weights.new_zeros((n, len(model.visible)))
    if offsets is not None and offsets.visible is not None:
        inputs = inputs + offsets.visible
    visible = model.visible.sample(inputs, stream)
    return Chains(visible, model.sample_hidden(visible, stream, offsets), stream)


def advance(model: RBM, chains: Chains, sweeps: int, offsets: Offsets | None = None) -> Chains:
    """Return the chains after block Gibbs sweeps under a model; the given chains stay as they are.

    Only their visible states and their stream matter. Each sweep draws the hidden units given the
    visible ones, then the visible units given the hidden ones. Offsets have a row for every chain.

    Raises
    ------
    InputError
        If `sweeps` is below 1, or chains or offsets do not fit.
    """
    has_shape("chains.visible", chains.visible, (None, len(model.visible)))
    stream = chains.generator.copy()
    visible, hidden = model.sweep(chains.visible, stream, sweeps, offsets)
    return Chains(visible, hidden, stream, chains.sweeps + sweeps)
