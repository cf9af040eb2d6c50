"""A model with time: hidden states that follow each other, each with rates, and a past.

log-odds of neuron n in bin t and state s = field_sn + own history + weights on the past
(+ the change of both by the state). Without a past it is a hidden Markov model; with one state it
is a regression on the past; with both, an HMM-GLM (Escola, Fontanini, Katz and Paninski, Neural
Computation 23:1071, 2011; Li et al., ICLR 2024, arXiv 2310.15263, whose one-hot prior on signs is
bounded here). Given state and past neurons are independent, so every score is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import softplus

from boltzbrain.baselines.in_time.bernoulli import scores
from boltzbrain.baselines.protocol import Baseline
from boltzbrain.foundations.memory import VALUES, slices
from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.dispatch import draw_bernoulli, sum_active_rows
from boltzbrain.model.context.chain import Chain, Floats, filtered, smoothed
from boltzbrain.model.context.from_past import FromThePast
from boltzbrain.model.context.past import RunningTraces
from boltzbrain.model.context.sequences import Sequences

LONGEST_SAMPLE = 200
"""Bins of the longest piece that is generated."""


@dataclass(frozen=True, eq=False)
class InTime(Baseline):
    """A model that predicts a bin from the earlier ones of its piece.

    Attributes
    ----------
    chain
        The law of the states.
    occupancy
        (state,) share of the training bins that each state holds.
    fields
        (state, neuron) float64 log-odds at the mean of the past.
    from_past
        What the past adds; None where it adds nothing.
    piece_bins
        Bins of a piece that is generated.
    bin_width_s
        Seconds per bin.
    """

    gives: ClassVar[frozenset[str]] = frozenset({"log_likelihood", "conditional", "samples"})

    uses_time: ClassVar[bool] = True

    chain: Chain
    occupancy: Floats
    fields: Tensor
    from_past: FromThePast | None
    piece_bins: int
    bin_width_s: float

    def emission(self, given: Sequences) -> Floats:
        """Return log P(v_t | state, earlier bins), (bin, state) nats."""
        if self.from_past is None:
            return self._without_past(given.states)
        law, result = self.from_past, []
        traces, begins = law.past.traces(given), torch.from_numpy(given.begins)
        fields, states = self.fields.to(torch.float32), torch.from_numpy(given.states)
        for part in slices(len(states), states.shape[1], VALUES):
            near, here = traces[part], states[part]
            seen = law.past.seen(near)
            shared = law.shared(seen, begins[part])
            each = []
            for state, field in enumerate(fields):
                odds, own = law.in_state(state, shared, seen)
                each.append(scores(odds, field, own, near, here))
            result.append(torch.stack(each, dim=1))
        found: Floats = torch.cat(result).numpy()
        return found

    def _without_past(self, states: NDArray[np.uint8]) -> Floats:
        given, silent = torch.from_numpy(states), -softplus(self.fields, threshold=80.0).sum(dim=1)
        found: Floats = (sum_active_rows(given, self.fields.T.contiguous()) + silent).numpy()
        return found

    def predictive(self, given: Sequences) -> Floats:
        """Return log P(v_t | earlier bins of the piece), (bin,) nats, exact."""
        return filtered(self.chain, self.emission(given), given.edges)[0]

    def posterior(self, given: Sequences) -> Floats:
        """Return the probability of each state given its whole piece, (bin, state).

        It has seen the bin itself: for figures, never for a prediction.
        """
        return smoothed(self.chain, self.emission(given), given.edges).posterior

    def log_likelihood(self, states: NDArray[np.uint8]) -> Floats:
        """Return log P(v) of every bin read without time, (bin,) nats, exact.

        States as often as in the training bins, the past at its mean.
        """
        joint = torch.from_numpy(self._without_past(states) + np.log(self.occupancy))
        found: Floats = torch.logsumexp(joint, dim=1).numpy()
        return found

    def conditional(self, states: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the log-odds of every neuron given the others, without time, (bin, neuron)."""
        result = []
        up, down = -softplus(-self.fields), -softplus(self.fields)
        for part in slices(len(states), states.shape[1], VALUES):
            here = torch.from_numpy(states[part]).to(torch.float64)
            joint = torch.from_numpy(self._without_past(states[part]) + np.log(self.occupancy))
            active = torch.full(here.shape, -torch.inf, dtype=torch.float64)
            silent = active.clone()
            for state in range(len(self.chain)):
                own = torch.where(here > 0, up[state], down[state])
                others = joint[:, state, None] - own
                active = torch.logaddexp(active, others + up[state])
                silent = torch.logaddexp(silent, others + down[state])
            result.append((active - silent).to(torch.float32))
        found: NDArray[np.float32] = torch.cat(result).numpy()
        return found

    def samples(self, n: int, generator: Generator) -> NDArray[np.uint8]:
        """Return the bins of generated pieces, (n, neuron), the bins of a piece together."""
        pieces = -(-n // self.piece_bins)
        drawn = generate(self, pieces, self.piece_bins, generator)
        return drawn.states[:n]


def generate(model: InTime, pieces: int, bins: int, generator: Generator) -> Sequences:
    """Draw pieces from a model, each from its first bin on.

    Parameters
    ----------
    model
        The model.
    pieces, bins
        How many, and how long.
    generator
        Moves on.
    """
    neurons, past = model.fields.shape[1], model.from_past
    states = np.zeros((pieces, bins, neurons), dtype=np.uint8)
    running = None if past is None else RunningTraces(past.past, pieces, model.bin_width_s)
    fields = model.fields.to(torch.float32)
    hidden: NDArray[np.int64] | None = None
    for place in range(bins):
        hidden = model.chain.next_states(hidden, pieces, generator)
        odds = fields[torch.from_numpy(hidden)]
        if past is not None and running is not None:
            traces = running.traces(pieces)
            seen = past.past.seen(traces)
            shared = past.shared(seen, torch.full((pieces,), place == 0))
            for state in np.unique(hidden).tolist():
                mine = torch.from_numpy(np.flatnonzero(hidden == state))
                added, own = past.in_state(state, shared[mine], seen[mine])
                odds[mine] += added + (own * traces[mine]).sum(dim=1)
        drawn = draw_bernoulli(odds, torch.zeros(neurons), generator.key, generator.take())
        states[:, place] = drawn.numpy()
        if running is not None:
            running.see(drawn)
    label = np.repeat(np.arange(pieces), bins)
    return Sequences(states.reshape(-1, neurons), label, model.bin_width_s)


@dataclass(frozen=True, eq=False)
class HiddenMarkov(InTime):
    """Hidden states with rates of their own."""

    name: ClassVar[str] = "hmm"
    title: ClassVar[str] = "hidden Markov model"


@dataclass(frozen=True, eq=False)
class History(InTime):
    """Regression of every neuron on the earlier bins of all; independent within a bin."""

    name: ClassVar[str] = "history"
    title: ClassVar[str] = "GLM on the past"
    gives: ClassVar[frozenset[str]] = InTime.gives - {"conditional"}


@dataclass(frozen=True, eq=False)
class HmmGlm(InTime):
    """Hidden states and the past."""

    name: ClassVar[str] = "hmmglm"
    title: ClassVar[str] = "HMM-GLM"


@dataclass(frozen=True, eq=False)
class HmmSigns(InTime):
    """Hidden states and the past, every coupling of one sign in all states."""

    name: ClassVar[str] = "hmmsigns"
    title: ClassVar[str] = "HMM-GLM of one sign a pair"
