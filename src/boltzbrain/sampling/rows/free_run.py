"""Activity that a model with a context generates by itself, bin by bin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from boltzbrain.foundations.progress import SILENT, Teller
from boltzbrain.foundations.random import Generator
from boltzbrain.model.context.contextual import ContextualRBM, added
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.layers.discrete import Bernoulli

SWEEPS = 100
"""Sweeps of a bin's own chain, from the model of the bin without weights."""


def free_run(
    model: ContextualRBM,
    layout: Sequences,
    generator: Generator,
    *,
    sweeps: int = SWEEPS,
    tell: Teller = SILENT,
) -> Sequences:
    """Generate pieces, each from its first bin on; nothing of the recording is seen.

    Every bin is drawn by a chain of its own under the offsets that follow from the bins drawn
    before it. It does not begin where the bin before ended: what chains leave of that would pass
    for dynamics.

    Parameters
    ----------
    model
        The model.
    layout
        Pieces, places and epochs; of its states the shape alone.
    generator
        Moves on.
    sweeps
        Of every chain.
    tell
        Told the bins.
    """
    sizes = np.diff(layout.edges)
    # the longest first, so that those that go on are the first ones
    order = np.argsort(-sizes, kind="stable")
    begins = layout.edges[:-1][order]
    rbm, foot = model.rbm, Bernoulli(model.contexts.foot.to(model.rbm.weights))
    running = [
        one.running(layout, rbm, len(order), generator.child(one.name))
        for one in model.contexts.parts
    ]
    states, most = np.zeros_like(layout.states), int(sizes.max(initial=0))
    for place in range(most):
        tell(place, most)
        bins = begins[: int((sizes > place).sum())] + place
        offsets = added([one.offsets(bins) for one in running])
        inputs = rbm.weights.new_zeros((len(bins), len(rbm.visible)))
        start = foot.sample(
            inputs if offsets.visible is None else inputs + offsets.visible, generator
        )
        drawn, _ = rbm.sweep(start, generator, sweeps, offsets)
        for one in running:
            one.see(drawn)
        states[bins] = drawn.cpu().numpy()
    tell(most, most)
    return replace(layout, states=states, heard=None)


def no_longer(layout: Sequences, most: int) -> Sequences:
    """Return the bins in pieces of at most so many, each of which begins anew."""
    label = np.cumsum(layout.place % most == 0) - 1
    return replace(layout, label=label.astype(np.int64))
