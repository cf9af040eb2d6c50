"""The one drawer of samples: chains annealed from the model without weights, then swept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from boltzbrain.foundations.checks import whole_number_in
from boltzbrain.foundations.memory import require_size
from boltzbrain.foundations.progress import SILENT, Callback, Teller
from boltzbrain.foundations.random import Generator
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM

_AT_ONCE = 10
"""Sweeps between two words on progress."""


def annealed(
    model: RBM,
    n: int,
    generator: Generator,
    *,
    anneal: int,
    sweeps: int,
    times: int = 1,
    spacing: int = 0,
    offsets: Offsets | None = None,
    tell: Teller = SILENT,
) -> Iterator[Tensor]:
    """Give the visible states of independent chains that never saw data, (n, visible).

    Parameters
    ----------
    model
        The model.
    n
        Chains, at least 1.
    generator
        Moves on.
    anneal
        Rungs of the annealing, one sweep each, weights t W for t rising from 0 to 1.
    sweeps
        Gibbs sweeps of the model itself before the first states.
    times, spacing
        How often states are given, and sweeps between.
    offsets
        A row for every chain, there from the first rung on.
    tell
        Told the sweeps, annealing included.
    """
    whole_number_in("n", n, low=1)
    base = model.independent()
    inputs = model.weights.new_zeros((n, len(model.visible)))
    if offsets is not None and offsets.visible is not None:
        inputs = inputs + offsets.visible
    visible = model.visible.sample(inputs, generator)
    total, done = anneal + sweeps + spacing * (times - 1), 0
    for rung in range(1, anneal + 1):
        visible, _ = base.mixed(model, rung / (anneal + 1)).sweep(visible, generator, 1, offsets)
        done += 1
        tell(done, total)
    for number in range(times):
        left = spacing if number else sweeps
        while left > 0:
            part = min(left, _AT_ONCE)
            visible, _ = model.sweep(visible, generator, part, offsets)
            left, done = left - part, done + part
            tell(done, total)
        yield visible


def sample(
    model: RBM,
    n: int,
    *,
    seed: int = 0,
    sweeps: int = 1000,
    anneal: int = 200,
    callbacks: Sequence[Callback] = (),
) -> Tensor:
    """Draw samples of a model, (n, visible), each of a chain of its own.

    Parameters
    ----------
    model, n, sweeps, anneal
        As of `annealed`.
    seed
        Seed of the stream.
    callbacks
        Called now and then with a `foundations.progress.Progress`: sweeps, annealing included.

    Raises
    ------
    InputError
        If `n` is below 1, or so large that it cannot be meant.
    """
    whole_number_in("n", n, low=1)
    units = len(model.visible) + len(model.hidden)
    require_size("n", n, each_bytes=4.0 * units, operations=4.0 * model.weights.numel())
    generator = Generator.from_seed(seed, "sample")
    tell = Teller(callbacks, "sampling", "sweeps")
    return next(annealed(model, n, generator, anneal=anneal, sweeps=sweeps, tell=tell))
