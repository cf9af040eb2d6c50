"""A model with hidden states, scored by what earlier bins say of the state, and described."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.data.activity import Activity
from boltzbrain.foundations.progress import Teller
from boltzbrain.foundations.random import Generator
from boltzbrain.model.context.chain import Chain, Floats
from boltzbrain.model.context.contextual import ContextualRBM
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.context.states import HiddenStates
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.enumeration import terms_of_rows
from boltzbrain.sampling.rows.annealed import annealed_rows
from boltzbrain.sampling.rows.estimate import RowPartitions
from boltzbrain.sampling.rows.partition import TERMS, log_partitions_of_rows

CHAINS, RUNGS = 100, 500
"""Of log Z of a state."""


@dataclass(frozen=True, eq=False)
class KnownStates:
    """Hidden states whose log Z is known, as `baselines.in_time.states` asks for a model.

    Attributes
    ----------
    states
        The states, with log Z of each.
    rbm
        Their RBM.
    partitions
        log Z, a row for each state; its error is that of a mean score.
    """

    states: HiddenStates
    rbm: RBM
    partitions: RowPartitions

    @classmethod
    def of(cls, model: ContextualRBM, activity: Activity, seed: int, tell: Teller) -> KnownStates:
        """Estimate log Z of every state of a model."""
        found, rbm, foot = model.contexts.states, model.rbm, model.contexts.foot
        assert found is not None
        rows, generator = found.rows(rbm), Generator.from_seed(seed, "log partition", "states")
        feet = found.feet.to(foot) - foot
        if terms_of_rows(rbm, rows) <= TERMS:
            told = log_partitions_of_rows(rbm, rows, generator)
        else:
            told = annealed_rows(
                rbm,
                rows,
                generator,
                chains=CHAINS,
                rungs=RUNGS,
                visible_field=foot,
                foot=feet,
                tell=tell,
            )
        known = found.given_partitions(rbm, told.values)
        held = torch.from_numpy(known.expected(Sequences.of_fold(activity, "test"), rbm))
        error = float((held.mean(dim=0) * told.errors).square().sum().sqrt())
        return cls(known, rbm, replace(told, stderr=error))

    @property
    def chain(self) -> Chain:
        """The law of the states."""
        return self.states.chain

    @property
    def occupancy(self) -> Floats:
        """Share of the training bins that each state holds, (state,)."""
        found: Floats = self.states.occupancy.numpy()
        return found

    @property
    def fields(self) -> Tensor:
        """Log-odds of every neuron in the bins of each state, (state, neuron) float64."""
        return self.states.feet.to(torch.float64)

    def posterior(self, given: Sequences) -> Floats:
        """Return the probability of each state given its whole piece, (bin, state)."""
        return self.states.posterior(given, self.rbm)


def offsets_of_drawn_states(
    model: ContextualRBM, given: Sequences, generator: Generator
) -> Offsets:
    """Return offsets of bins, their states drawn by what earlier bins of the piece say of them."""
    states = model.contexts.states
    assert states is not None
    law = np.cumsum(states.expected(given, model.rbm), axis=1)
    chance = generator.uniform((1, len(given)))[0].numpy()
    label: NDArray[np.int64] = (chance[:, None] > law).sum(axis=1)
    return states.rows_of(torch.from_numpy(np.minimum(label, len(states) - 1)), model.rbm)
