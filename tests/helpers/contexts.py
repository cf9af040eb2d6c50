"""Small models with contexts, and what enumeration says of them."""

from __future__ import annotations

import numpy as np
import torch

from boltzbrain.foundations.random import Generator
from boltzbrain.model.context.context import Context
from boltzbrain.model.context.contextual import Contexts, ContextualRBM
from boltzbrain.model.context.following import FollowingPast
from boltzbrain.model.context.from_past import FromThePast
from boltzbrain.model.context.labelled import OfEpoch, PlaceInTrial
from boltzbrain.model.context.past import Past
from boltzbrain.model.context.recurrent import FollowingAssemblies
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.context.states import HiddenStates
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.layers.layer import KINDS
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.enumeration import exact_log_partitions

NEURONS, HIDDEN, BINS = 5, 2, 8
"""Sizes of models and of a piece."""
KINDS_TRIED = ("bernoulli", "drelu", "relu", "gaussian", "ising")


def context_of(name: str, seed: int, neurons: int = NEURONS) -> Context:
    """Return a context with parameters drawn at random; labels move the hidden fields, too."""
    stream = Generator.from_seed(seed, "context", name)
    if name == "past":
        axes = torch.eye(2 * neurons)
        past = Past(torch.full((2, neurons), 0.3), torch.full((2, neurons), 0.5), axes)
        own = 0.4 * stream.normal((2, neurons))
        law = FromThePast(
            past, stream.normal((1, neurons))[0], own,
            0.4 * stream.normal((2 * neurons, neurons)), torch.zeros((1, 2, neurons)),
        )  # fmt: skip
        return FollowingPast(law)
    if name == "assemblies":
        own = 0.5 * stream.normal((2, neurons))
        recurrence, first = stream.normal((HIDDEN, HIDDEN)), stream.normal((1, HIDDEN))[0]
        return FollowingAssemblies(recurrence, first, torch.full((HIDDEN,), 0.3), own)
    labels = BINS if name == "trial" else 2
    kind = PlaceInTrial if name == "trial" else OfEpoch
    visible, hidden = stream.normal((labels, neurons)), stream.normal((labels, HIDDEN))
    return kind(visible, torch.ones(neurons), hidden, ("rest", "task")[: 2 * (name == "epoch")])


def states_of(seed: int, neurons: int = NEURONS, states: int = 3) -> HiddenStates:
    """Return hidden states with parameters drawn at random; log Z is not known."""
    stream = Generator.from_seed(seed, "context", "states")
    law = (2.0 * stream.normal((states + 1, states), torch.float64)).softmax(dim=1)
    return HiddenStates(
        stream.normal((states, neurons)), torch.ones(neurons), stream.normal((states, HIDDEN)),
        initial=law[0].clone(), transition=law[1:].clone(), occupancy=law.mean(dim=0),
        feet=torch.zeros((states, neurons)), silence=torch.zeros(states, dtype=torch.float64),
    )  # fmt: skip


def model_of(kind: str, names: str, *, neurons: int = NEURONS, seed: int = 0) -> ContextualRBM:
    """Return a small model in float64 with the contexts of these names, with commas."""
    stream = Generator.from_seed(seed, "rbm", kind)
    hidden = KINDS[kind].standard(HIDDEN).to(torch.float64)
    weights = 0.5 * stream.normal((neurons, HIDDEN), torch.float64)
    rbm = RBM(Bernoulli(stream.normal((1, neurons), torch.float64)[0] - 0.5), hidden, weights)
    parts = tuple(context_of(name, seed, neurons) for name in names.split(","))
    return ContextualRBM(rbm, Contexts(parts, torch.zeros(neurons, dtype=torch.float64)))


def pieces_of(seed: int, pieces: int = 6, neurons: int = NEURONS) -> Sequences:
    """Return random pieces, in two epochs."""
    rng = np.random.default_rng(seed)
    states = (rng.random((pieces * BINS, neurons)) < 0.4).astype(np.uint8)
    label = np.arange(pieces).repeat(BINS)
    return Sequences(states, label, 0.02, epoch=rng.integers(0, 2, len(states)))


def predictive(model: ContextualRBM, given: Sequences) -> np.ndarray:
    """Return log P(v_t | earlier bins of the piece), (bin,), by enumeration."""
    states = torch.from_numpy(given.states)
    offsets = model.offsets(given)
    free = model.rbm.free_energy(states, offsets)
    return (-free - exact_log_partitions(model.rbm, offsets)).numpy()
