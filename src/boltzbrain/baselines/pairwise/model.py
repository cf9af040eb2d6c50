"""The pairwise model, P(v) proportional to exp(b v + v J v / 2 + phi(K)), K the population count.

Without phi it is the Ising model of the literature on maximum entropy (Schneidman, Berry, Segev and
Bialek, Nature 440:1007, 2006), with phi the K-pairwise model (Tkacik et al., PLoS Computational
Biology 10:e1003408, 2014). It is sampled neuron by neuron, and its log-partition is estimated by
the annealing that serves the RBM, `sampling.partition`, along fields (1 - t) b0 + t b and
couplings t J.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import softplus

from boltzbrain.foundations.checks import bad_input, has_shape, whole_number_in
from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.cpu.pairs import sweep_pairs
from boltzbrain.kernels.dispatch import draw_bernoulli, sum_active_rows
from boltzbrain.sampling.partition import LogPartition, annealed_along, annealed_back_along

ENUMERATED_NEURONS = 20
"""Most neurons of a model that is summed exactly."""


@dataclass(frozen=True, eq=False)
class Pairwise:
    """A pairwise model of states in {0, 1}.

    Attributes
    ----------
    field
        (neuron,) float64 log-odds of a neuron where all others are silent, b.
    couplings
        (neuron, neuron) float32, J: symmetric, zero diagonal. In spins of -1 and +1 it is J / 4.
    count
        (neuron + 1,) float64, phi(K); zeros for the pairwise model.

    Raises
    ------
    InputError
        If the shapes do not fit, or the couplings are not symmetric with a zero diagonal.
    """

    field: Tensor
    couplings: Tensor
    count: Tensor

    def __post_init__(self) -> None:
        """Refuse what is no pairwise model."""
        neurons = len(self.field)
        has_shape("couplings", self.couplings, (neurons, neurons))
        has_shape("count", self.count, (neurons + 1,))
        if not torch.equal(self.couplings, self.couplings.T) or self.couplings.diagonal().any():
            raise bad_input("couplings", "be symmetric with a zero diagonal", "others")

    @classmethod
    def of(cls, field: Tensor, couplings: Tensor, count: Tensor | None = None) -> Pairwise:
        """Return a model in the types that the kernels want, without phi where it is None."""
        zeros = torch.zeros(len(field) + 1, dtype=torch.float64)
        return cls(
            field.to(torch.float64),
            couplings.to(torch.float32),
            zeros if count is None else count.to(torch.float64),
        )

    def __len__(self) -> int:
        """Return the number of neurons."""
        return len(self.field)

    @cached_property
    def steps(self) -> Tensor:
        """phi(k + 1) - phi(k), (neuron,): what one more active neuron adds."""
        return self.count.diff().contiguous()

    @property
    def counts(self) -> bool:
        """Whether there is a potential of the population count."""
        return bool(self.count.any())

    def _population(self, states: Tensor) -> Tensor:
        return states.sum(dim=1, dtype=torch.int64)

    def excess(self, states: Tensor, inputs: Tensor | None = None) -> Tensor:
        """Return v J v / 2 + phi(K), (bin,) float64; `inputs` is J v where it is known."""
        if inputs is None:
            inputs = sum_active_rows(states, self.couplings)
        pairs = (states * inputs).sum(dim=1, dtype=torch.float64)
        return 0.5 * pairs + self.count[self._population(states)]

    def log_weight(self, states: Tensor) -> Tensor:
        """Return log P(v) + log Z of states (bin, neuron) uint8, (bin,) float64."""
        single = sum_active_rows(states, self.field[:, None])[:, 0]
        return single + self.excess(states)

    def log_odds(self, states: Tensor) -> Tensor:
        """Return the log-odds of every neuron given all others, (bin, neuron) float32."""
        result = sum_active_rows(states, self.couplings) + self.field.to(torch.float32)
        if self.counts:
            others = self._population(states)[:, None] - states.to(torch.int64)
            result += self.steps.to(torch.float32)[others]
        return result

    def sweep(self, states: Tensor, generator: Generator, sweeps: int = 1) -> Tensor:
        """Draw every neuron given all others, one after the other, `sweeps` times."""
        whole_number_in("sweeps", sweeps, low=1)
        draw = generator.take(sweeps)
        return sweep_pairs(
            states, self.field, self.couplings, self.steps, 1.0, sweeps, generator.key, draw
        )[0]

    def path(self, base: Tensor | None = None) -> PairwisePath:
        """Return the path from independent neurons of fields `base`, its own where None."""
        return PairwisePath(self, self.field if base is None else base.to(torch.float64))

    def log_partition(
        self,
        generator: Generator,
        *,
        chains: int = 500,
        rungs: int = 1000,
        base: Tensor | None = None,
    ) -> LogPartition:
        """Estimate log Z by annealing from independent neurons, best those of the data's rates."""
        return annealed_along(self.path(base), generator, chains=chains, rungs=rungs)

    def log_partition_backward(
        self, samples: Tensor, generator: Generator, *, rungs: int = 1000, base: Tensor | None
    ) -> LogPartition:
        """Estimate log Z by annealing samples of the model back to independent neurons."""
        return annealed_back_along(self.path(base), samples, generator, rungs=rungs)

    def exact_log_partition(self) -> float:
        """Return log Z by summing over all states.

        Raises
        ------
        InputError
            If there are more than 20 neurons.
        """
        whole_number_in("neurons", len(self), low=1, high=ENUMERATED_NEURONS)
        number = torch.arange(1 << len(self))[:, None]
        states = ((number >> torch.arange(len(self))) & 1).to(torch.uint8)
        weights = torch.cat([self.log_weight(part) for part in states.split(1 << 14)])
        return float(torch.logsumexp(weights, dim=0))


@dataclass(frozen=True, eq=False)
class PairwisePath:
    """The models between independent neurons of fields `base` and a pairwise model."""

    model: Pairwise
    base: Tensor

    def log_partition_start(self) -> float:
        """Return log Z of the independent neurons, exact."""
        return float(softplus(self.base, threshold=80.0).sum())

    def start(self, chains: int, generator: Generator) -> Tensor:
        """Draw (chain, neuron) states of the independent neurons, exactly."""
        zeros = torch.zeros((chains, len(self.model)))
        field = self.base.to(torch.float32)
        return draw_bernoulli(zeros, field, generator.key, generator.take())

    def climb(
        self, visible: Tensor, ts: list[float], generator: Generator
    ) -> tuple[Tensor, Tensor]:
        """Carry chains along rungs; see `sampling.annealing.AnnealedPath.climb`."""
        model, turn = self.model, (self.model.field - self.base)[:, None]
        inputs = sum_active_rows(visible, model.couplings)
        gains = []
        for step, (here, there) in enumerate(itertools.pairwise(ts)):
            if step > 0:
                field = (1 - here) * self.base + here * model.field
                draw = generator.take()
                visible, inputs = sweep_pairs(
                    visible, field, model.couplings, model.steps, here, 1, generator.key, draw
                )
            slope = sum_active_rows(visible, turn)[:, 0] + model.excess(visible, inputs)
            gains.append((there - here) * slope)
        return visible, torch.stack(gains)


def draw_pairwise(
    model: Pairwise, n: int, generator: Generator, *, anneal: int = 50, sweeps: int = 50
) -> Tensor:
    """Draw (n, neuron) states: chains annealed from independent neurons, then swept.

    Parameters
    ----------
    model
        The model.
    n
        Number of chains, one state each.
    generator
        Moves on.
    anneal
        Rungs of the annealing, one sweep each, at least 2.
    sweeps
        Sweeps of the model itself.
    """
    whole_number_in("n", n, low=1)
    path = model.path()
    ts = torch.linspace(0, 1, anneal, dtype=torch.float64).tolist()
    visible, _ = path.climb(path.start(n, generator), ts, generator)
    return model.sweep(visible, generator, sweeps)
