r"""Whether a training has converged: a finished model's chains against the training bins.

The judged model stands still. Its chains go on, by sweeps and by moves of single hidden units with
all their neurons, or along the rungs of the training: sweeps alone would leave assemblies on that
are on, and off that are off, whatever the model makes of them. The means of v, <h | v> and
v <h | v> over them are compared with those over the training bins, entry by entry, which counts
only where the chains agree with one another. A difference is measured in sampling errors: that of
the training bins, each taken as one sample, and that of the chains, from the spread between groups
of them, which counts the time that they take to forget. At the end of training the penalties on the
weights hold <v h> apart by exactly l1 sign(w) + l2 w (without l1 once it is released), or by at
most l1 where w = 0 (up to the noise of single batches), so that much is taken back.

The thresholds are those of the module's constants. Van der Plas et al. 2023 accepted a training
where 0.01 < std(w) < 0.1; the other conditions are ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from boltzbrain.foundations.memory import slices
from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.dispatch import correlate, mean_states
from boltzbrain.model.layers.layer import Layer
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.gibbs import Chains
from boltzbrain.sampling.mixing import split_r_hat
from boltzbrain.training.chains.movers import SWEEPS_AND_MOVES, Step, by_sweeps_and_moves
from boltzbrain.training.update.penalties import Penalties

Status = Literal["converged", "recovered", "failed"]

ERRORS, LEAST_SHARE = 3.0, 0.95
"""A statistic agrees where this share of its entries differs by fewer sampling errors than this."""
LEAST_WIDTH, GREATEST_WIDTH = 0.01, 1.0
"""Standard deviation of the weights."""
MOST_IDLE = 0.10
"""Share of hidden units that are dead or saturated, which must stay below."""
GREATEST_R_HAT = 1.1
"""Split R-hat of the energy over the chains, which must stay below."""

NEGLIGIBLE = 5e-3
"""A weight up to this size counts as 0 where the L1 penalty is taken back: the noise of single
batches lifts weights that the penalty holds at 0 off it for a while, to either side."""
DEAD, SATURATED = 1e-4, 1e-3
"""Share of its variance below which a unit is dead; variance below which it is saturated."""
_CHAINS, _GROUPS = 200, 10
_STEPS, _MOST_STEPS = 50, 1600
"""Steps until the first look at R-hat, and at most (doubling in between)."""
_PRODUCTS = 1_000_000
"""Most entries of <v h> looked at; beyond, every so many-th neuron is left out."""
_BINS = 5000
"""About so many bins tell which units are idle."""
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Convergence:
    """How a model fares by each condition.

    Attributes
    ----------
    within
        "v", "h" and "vh" to the share of entries within `ERRORS` sampling errors.
    weight_std
        Standard deviation of the weights.
    idle
        Share of the hidden units that are dead or saturated (`idle_units`).
    r_hat
        Split R-hat of the energy; None if undefined.
    sweeps
        Gibbs sweeps of every chain that the judgement rests on.
    sampler
        What moved the chains.
    """

    within: Mapping[str, float]
    weight_std: float
    idle: float
    r_hat: float | None
    sweeps: int
    sampler: str = SWEEPS_AND_MOVES

    def complaints(self) -> list[str]:
        """Return which conditions are not met, one short sentence each.

        What chains say that do not agree with one another is not looked at.
        """
        agree = self.r_hat is not None and self.r_hat < GREATEST_R_HAT
        found = [
            f"<{name}> of model and training bins agrees within {ERRORS:g} sampling errors for "
            f"{share:.1%} of the entries, not for {LEAST_SHARE:.0%}"
            for name, share in self.within.items()
            if agree and not share >= LEAST_SHARE
        ]
        if not LEAST_WIDTH < self.weight_std < GREATEST_WIDTH:
            found.append(
                f"the standard deviation of the weights is {self.weight_std:.3g}, not between "
                f"{LEAST_WIDTH:g} and {GREATEST_WIDTH:g}"
            )
        if not self.idle < MOST_IDLE:
            found.append(
                f"{self.idle:.0%} of the hidden units are dead or saturated, not fewer than "
                f"{MOST_IDLE:.0%}"
            )
        if not agree:
            shown = "undefined" if self.r_hat is None else f"{self.r_hat:.2f}"
            found.append(
                f"split R-hat of the energy over the chains is {shown}, not below "
                f"{GREATEST_R_HAT:g}"
            )
        return found

    def to_json(self) -> dict[str, Any]:
        """Return the figures in the types of JSON."""
        return {
            "within": dict(self.within),
            "weight_std": self.weight_std,
            "idle_units": self.idle,
            "r_hat": self.r_hat,
            "sweeps": self.sweeps,
            "sampler": self.sampler,
        }


def idle_units(layer: Layer, inputs: Tensor) -> Tensor:
    """Return which units are dead or saturated, (unit,) bool.

    A unit is dead where its mean given the visible units carries less than `DEAD` of its variance,
    and a binary one is saturated where that variance is below `SATURATED`: it is on, or off, in all
    but a thousandth of the bins.

    Parameters
    ----------
    layer
        Hidden layer.
    inputs
        (sample, unit) inputs under data.
    """
    between = layer.mean(inputs).to(torch.float64).var(dim=0, correction=0)
    total = between + layer.variance(inputs).to(torch.float64).mean(dim=0)
    # a comparison with NaN is False, so a broken unit counts as idle
    alive = between > DEAD * total
    if not layer.scale_powers:
        alive &= total > SATURATED
    return ~alive


@dataclass(frozen=True)
class _Means:
    """Means of v, <h | v> and v <h | v> by name, float64, and their squared standard errors."""

    value: Mapping[str, Tensor]
    squared_error: Mapping[str, Tensor]

    def mixed(self, other: _Means, share: float) -> _Means:
        """Return those of a mixture, of which the other is a share."""
        kept, value, error = 1.0 - share, self.value, self.squared_error
        return _Means(
            {name: kept * one + share * other.value[name] for name, one in value.items()},
            {
                name: kept**2 * one + share**2 * other.squared_error[name]
                for name, one in error.items()
            },
        )


def statistics_of(
    model: RBM, states: Tensor, stride: int, offsets: Offsets | None = None
) -> dict[str, Tensor]:
    """Return the means over uint8 states by name, of every so many-th neuron for vh.

    Offsets have a row for every state.
    """
    means = model.mean_hidden(states, offsets)
    products = correlate(states[:, ::stride].contiguous(), means)
    return {
        "v": mean_states(states, torch.float64),
        "h": means.mean(dim=0, dtype=torch.float64),
        "vh": products.to(torch.float64) / len(states),
    }


def _means_of_bins(model: RBM, states: Tensor, stride: int) -> _Means:
    """Return the statistics of the training bins, each a sample; v is its own square."""
    count = len(states)
    value: dict[str, Tensor] = {}
    square: dict[str, Tensor] = {}
    for piece in slices(*states.shape):
        part = states[piece]
        share = len(part) / count
        means = model.mean_hidden(part)
        squares = means * means
        products = correlate(part[:, ::stride].contiguous(), squares).to(torch.float64)
        found = statistics_of(model, part, stride)
        second = {
            "v": found["v"],
            "h": squares.mean(dim=0, dtype=torch.float64),
            "vh": products / len(part),
        }
        for total, one in ((value, found), (square, second)):
            for name, mean in one.items():
                total[name] = total.get(name, 0.0) + share * mean
    return _Means(
        value,
        {
            name: (square[name] - mean * mean).clamp(min=0.0) / max(count - 1, 1)
            for name, mean in value.items()
        },
    )


def _means_of_samples(model: RBM, hidden: Tensor, stride: int) -> _Means:
    """Return the statistics of hidden samples, each a sample, with <v | h> in the place of v."""
    count = len(hidden)
    value: dict[str, Tensor] = {}
    square: dict[str, Tensor] = {}
    for piece in slices(count, len(model.visible)):
        h = hidden[piece].to(torch.float64)
        v = model.mean_visible(hidden[piece]).to(torch.float64)
        strided = v[:, ::stride]
        found = {"v": v.sum(dim=0), "h": h.sum(dim=0), "vh": strided.T @ h}
        second = {"v": (v * v).sum(dim=0), "h": (h * h).sum(dim=0)}
        second["vh"] = (strided * strided).T @ (h * h)
        for total, one in ((value, found), (square, second)):
            for name, mean in one.items():
                total[name] = total.get(name, 0.0) + mean / count
    return _Means(
        value,
        {
            name: (square[name] - mean * mean).clamp(min=0.0) / max(count - 1, 1)
            for name, mean in value.items()
        },
    )


class _Groups:
    """Running means of the statistics over groups of chains."""

    def __init__(self, model: RBM, chains: int, stride: int) -> None:
        self.model, self.stride, self.steps = model, stride, 0
        self.size = max(1, chains // _GROUPS)
        self.sums: list[dict[str, Tensor]] = []

    def add(self, visible: Tensor) -> None:
        found = [statistics_of(self.model, one, self.stride) for one in visible.split(self.size)]
        if self.steps:
            for total, one in zip(self.sums, found, strict=True):
                for name, value in one.items():
                    total[name] += value
        else:
            self.sums = found
        self.steps += 1

    def means(self) -> _Means:
        stacks = {
            name: torch.stack([one[name] for one in self.sums]) / self.steps
            for name in self.sums[0]
        }
        return _Means(
            {name: stack.mean(dim=0) for name, stack in stacks.items()},
            {name: stack.var(dim=0) / len(stack) for name, stack in stacks.items()},
        )


def assess(
    model: RBM,
    states: Tensor,
    chains: Chains,
    *,
    penalties: Penalties,
    generator: Generator,
    anchor: tuple[Tensor, float] | None = None,
    by: tuple[Step, str] | None = None,
) -> Convergence:
    """Judge a trained model by the training bins and by its chains, moved on with it.

    Parameters
    ----------
    model
        The model, held as it is; visible units binary.
    states
        (bin, visible) uint8 training states.
    chains
        Chains of the training, of which at most `_CHAINS` are used.
    penalties
        Penalties on the weights at the end of training.
    generator
        A stream for these sweeps alone.
    anchor
        (sample, hidden) hidden samples that the training was anchored to, and their share of the
        objective: the chains are held against the mixture of both.
    by
        A step of its chains, and that in words, in place of sweeps and moves.
    """
    count = min(len(chains), _CHAINS)
    count = count // _GROUPS * _GROUPS or count
    stride = stride_of(model)
    moving = Chains(chains.visible[:count], chains.hidden[:count], generator)
    move, sampler = by_sweeps_and_moves(model, states, generator) if by is None else by
    groups, energies, look = _Groups(model, count, stride), [], _STEPS
    r_hat: float | None = None
    for step in range(1, _MOST_STEPS + 1):
        moving = move(moving)
        groups.add(moving.visible)
        energies.append(model.free_energy(moving.visible))
        if step == look:
            series = torch.stack(energies, dim=1).cpu().numpy()
            r_hat = split_r_hat(series) if np.isfinite(series).all() else None
            if r_hat is None or r_hat < GREATEST_R_HAT:
                break
            look *= 2
    bins, mine = _means_of_bins(model, states, stride), groups.means()
    if anchor is not None:
        bins = bins.mixed(_means_of_samples(model, anchor[0], stride), anchor[1])
    apart = {name: value - mine.value[name] for name, value in bins.value.items()}
    error = {name: (bins.squared_error[name] + mine.squared_error[name]).sqrt() for name in apart}
    within = shares_within(model, apart, error, penalties)
    sample = states[:: max(1, len(states) // _BINS)]
    idle = idle_units(model.hidden, model.inputs_to_hidden(sample))
    return Convergence(
        within,
        float(model.weights.to(torch.float64).std(correction=0)),
        float(idle.to(torch.float64).mean()),
        None if r_hat is None or math.isinf(r_hat) else r_hat,
        moving.sweeps,
        sampler,
    )


def stride_of(model: RBM) -> int:
    """Return of which so many-th neurons <v h> is looked at."""
    return -(-model.weights.numel() // _PRODUCTS)


def shares_within(
    model: RBM, apart: Mapping[str, Tensor], error: Mapping[str, Tensor], penalties: Penalties
) -> dict[str, float]:
    """Return the share of the entries of every statistic that agree within `ERRORS` errors.

    Parameters
    ----------
    model
        The model.
    apart, error
        By the names of `statistics_of`: data minus model, and the sampling error of that.
    penalties
        What they hold apart is taken back.
    """
    weights, stride = model.weights.to(torch.float64), stride_of(model)
    pull, most = penalties.pull(weights)[::stride], penalties.l1_of_units(weights)
    within = {}
    for name, value in apart.items():
        left = value
        if name == "vh":
            negligible = 0.0 if penalties.released else NEGLIGIBLE
            left = without_pull(value, weights[::stride], pull, most, negligible)
        agrees = left.abs() <= ERRORS * error[name] + _ROUNDING
        within[name] = float(agrees.to(torch.float64).mean())
    return within


def without_pull(
    apart: Tensor, weights: Tensor, pull: Tensor, most: Tensor, negligible: float
) -> Tensor:
    """Take from data minus model what the penalties account for (module docstring).

    Parameters
    ----------
    apart, weights, pull
        (visible, hidden): what is apart, the weights, and what the penalties hold apart there.
    most
        (hidden,): how far at most they hold it apart where a weight is 0.
    negligible
        Weights up to this size count as 0.
    """
    held = (apart.abs() - most).clamp(min=0.0) * apart.sign()
    return torch.where(weights.abs() > negligible, apart - pull, held)
