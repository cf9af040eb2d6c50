"""Bernoulli hidden Markov models, the number of states chosen on the validation bins."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from boltzbrain.baselines.in_time.choosing import Candidate, choose
from boltzbrain.baselines.in_time.model import LONGEST_SAMPLE, HiddenMarkov
from boltzbrain.baselines.in_time.regression import PSEUDO_BINS
from boltzbrain.baselines.protocol import Fit
from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.dispatch import correlate
from boltzbrain.model.context.chain import Chain, Smoothed, smoothed
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.independent import independent_field

STATES = (1, 2, 4, 8, 16, 32, 64)
STARTS, START_ITERATIONS, ITERATIONS = 10, 10, 200
STICKINESS = 1.0
"""Steps from every state to itself that are added to the expected ones; one more to any state."""

_BLOCK_S = 0.1
SETTLED = 1e-5
"""Share of the log-likelihood that an iteration must gain for another to follow."""


def law_of(found: Smoothed, edges: np.ndarray, stickiness: float = STICKINESS) -> Chain:
    """Return the most probable chain given expected steps, under Dirichlet priors."""
    states = found.posterior.shape[1]
    steps = found.transitions + 1.0 / states + stickiness * np.eye(states)
    first = found.posterior[edges[:-1]].sum(axis=0) + 1.0 / states
    return Chain(first / first.sum(), steps / steps.sum(axis=1, keepdims=True))


def log_prior(chain: Chain, stickiness: float = STICKINESS) -> float:
    """Return the log of the priors that `law_of` holds, up to a constant."""
    states = len(chain)
    added = 1.0 / states + stickiness * np.eye(states)
    logs = (added * np.log(chain.transition)).sum() + np.log(chain.initial).sum() / states
    return float(logs)


@dataclass(frozen=True, eq=False)
class _Fitted:
    """A model on the way, and its penalised log-likelihood."""

    chain: Chain
    fields: Tensor
    objective: float


class _Problem:
    """The training bins, and one iteration of expectation and maximisation."""

    def __init__(self, train: Sequences, pseudo_bins: float) -> None:
        self.train, self.pseudo_bins = train, pseudo_bins
        self.states = torch.from_numpy(train.states)
        self.rates = torch.sigmoid(independent_field(self.states))
        self.iterations = 0

    def model(self, chain: Chain, fields: Tensor) -> HiddenMarkov:
        posterior = self.smoothed(chain, fields).posterior
        return HiddenMarkov(
            Fit("", 0, 0.0, {}), chain, posterior.mean(axis=0), fields, None,
            piece_bins_of(self.train), self.train.bin_width_s,
        )  # fmt: skip

    def smoothed(self, chain: Chain, fields: Tensor) -> Smoothed:
        bare = HiddenMarkov(
            Fit("", 0, 0.0, {}), chain, chain.initial, fields, None, 1, self.train.bin_width_s
        )
        return smoothed(chain, bare.emission(self.train), self.train.edges)

    def best_given(self, found: Smoothed) -> tuple[Chain, Tensor]:
        posterior = torch.from_numpy(found.posterior)
        active = correlate(self.states, posterior).T
        held = posterior.sum(dim=0)[:, None]
        rates = (active + self.pseudo_bins * self.rates) / (held + self.pseudo_bins)
        return law_of(found, self.train.edges), torch.logit(rates)

    def climb(self, chain: Chain, fields: Tensor, most: int) -> Iterator[_Fitted]:
        """Yield the model before each iteration, until it gains little."""
        last = -np.inf
        for _ in range(most):
            self.iterations += 1
            found = self.smoothed(chain, fields)
            here = float(found.score.sum()) + self.log_prior(chain, fields)
            yield _Fitted(chain, fields, here)
            if here - last < SETTLED * abs(here):
                return
            last = here
            chain, fields = self.best_given(found)

    def log_prior(self, chain: Chain, fields: Tensor) -> float:
        up = torch.nn.functional.logsigmoid(fields)
        each = self.rates * up + (1 - self.rates) * (up - fields)
        return self.pseudo_bins * float(each.sum()) + log_prior(chain)

    def from_blocks(self, states: int, generator: Generator) -> tuple[Chain, Tensor]:
        """Return the model of blocks of 100 ms that are given to states at random."""
        length = max(1, round(_BLOCK_S / self.train.bin_width_s))
        block = self.train.place // length
        new = np.diff(self.train.label, prepend=-1) != 0
        number = np.cumsum(new | (np.diff(block, prepend=-1) != 0)) - 1
        drawn = generator.integers(states, int(number[-1]) + 1)[number]
        posterior = np.zeros((len(drawn), states))
        posterior[np.arange(len(drawn)), drawn] = 1.0
        even = np.full((states, states), len(drawn) / states**2)
        return self.best_given(Smoothed(np.empty(0), posterior, even))


def piece_bins_of(train: Sequences) -> int:
    """Return how long generated pieces are: as the middle one of the training bins, up to 200."""
    return int(min(LONGEST_SAMPLE, np.median(np.diff(train.edges))))


def climb_from_blocks(
    train: Sequences,
    states: int,
    generator: Generator,
    *,
    pseudo_bins: float = PSEUDO_BINS,
    starts: int = STARTS,
    iterations: int = ITERATIONS,
) -> tuple[HiddenMarkov, list[float], int]:
    """Fit a hidden Markov model of so many states from several starts, of which the best goes on.

    Parameters
    ----------
    train
        The bins.
    states
        Number of states.
    generator
        Moves on.
    pseudo_bins
        Bins at the rate of the whole fold that are added to those of every state.
    starts
        Random starts.
    iterations
        Most iterations of the one that goes on.

    Returns
    -------
    HiddenMarkov
        The model, the most occupied state first.
    list
        Its penalised log-likelihood at every iteration, which never falls.
    int
        Iterations in all.
    """
    problem = _Problem(train, pseudo_bins)
    best: _Fitted | None = None
    for _ in range(starts if states > 1 else 1):
        begin = problem.from_blocks(states, generator)
        *_, last = problem.climb(*begin, START_ITERATIONS)
        if best is None or last.objective > best.objective:
            best = last
    assert best is not None
    course = list(problem.climb(best.chain, best.fields, iterations))
    model = problem.model(course[-1].chain, course[-1].fields)
    order = np.argsort(-model.occupancy, kind="stable")
    return (
        reordered(model, order), [one.objective for one in course], problem.iterations
    )  # fmt: skip


def reordered(model: HiddenMarkov, order: np.ndarray) -> HiddenMarkov:
    """Return the same model with its states in another order."""
    return HiddenMarkov(
        model.fit, model.chain.reordered(order), model.occupancy[order],
        model.fields[torch.from_numpy(order)], None, model.piece_bins, model.bin_width_s,
    )  # fmt: skip


def fit_hmm(
    train: Sequences,
    validation: Sequences,
    generator: Generator,
    *,
    states: Sequence[int] = STATES,
    pseudo_bins: Sequence[float] = (PSEUDO_BINS, 50.0),
    starts: int = STARTS,
) -> HiddenMarkov:
    """Fit hidden Markov models of more and more states, and choose by the validation bins.

    Parameters
    ----------
    train, validation
        The bins.
    generator
        Moves on.
    states
        Numbers of states to try, from few to many, up to the second that is worse in a row.
    pseudo_bins
        To try at the number of states that is chosen; see `climb_from_blocks`.
    starts
        Random starts of each.
    """
    started = time.monotonic()
    spent = 0

    def fitted(number: int, pseudo: float) -> Candidate[HiddenMarkov]:
        nonlocal spent
        model, _, done = climb_from_blocks(
            train, number, generator, pseudo_bins=pseudo, starts=starts
        )
        spent += done
        return Candidate(
            {"states": number, "pseudo_bins": pseudo}, model, model.predictive(validation)
        )

    found = choose("states", states, lambda number: fitted(int(number), pseudo_bins[0]), validation)
    number = int(found.best.values["states"])
    if number > 1:
        for pseudo in pseudo_bins[1:]:
            found = found.or_better(fitted(number, pseudo))
    fit = Fit(
        "expectation and maximisation from random blocks of 100 ms",
        spent,
        time.monotonic() - started,
        found.best.values,
        "log P of a validation bin given earlier ones, nats; the fewest states within a standard "
        "error of the best",
        found.trials(),
        found.at_end(states),
    )
    model = found.best.model
    return HiddenMarkov(
        fit, model.chain, model.occupancy, model.fields, None, model.piece_bins, model.bin_width_s
    )
