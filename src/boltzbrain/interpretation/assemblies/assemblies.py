"""Assemblies: the neurons that each hidden unit is strongly connected to.

Van der Plas et al. 2023 read every hidden unit as an assembly: its members are the neurons with
|W_ia| above a threshold, 0.15 in their figure 3 J-L. Their figure 2J takes the threshold with one
strong weight per neuron expected. Both, and three rules that find a threshold in the weights, are
here. The size of a continuous hidden unit is free (h times s, its weights divided by s): a
threshold that all units share asks for weights in units of each hidden unit's standard deviation,
see `hidden_deviation`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from boltzbrain.foundations.checks import bad_input, has_shape, number_in, one_of
from boltzbrain.foundations.memory import VALUES, slices
from boltzbrain.foundations.units import order_by_activity as order_by_activity
from boltzbrain.foundations.units import participation_ratio
from boltzbrain.interpretation.choices import PAPER_THRESHOLD, RULES
from boltzbrain.interpretation.marginal import Floats, Indices
from boltzbrain.interpretation.references import States
from boltzbrain.model.hidden_activity import hidden_activity as hidden_activity
from boltzbrain.model.rbm import RBM

_MIXTURE_VALUES = 200_000
_MIXTURE_STEPS = 300


def hidden_deviation(model: RBM, states: States) -> Floats:
    """Return the standard deviation of every hidden unit over bins and its own noise, (hidden,)."""
    total = np.zeros((3, model.weights.shape[1]))
    device = model.weights.device
    for piece in slices(len(states), model.weights.shape[1], 2 * VALUES):
        part = torch.from_numpy(np.ascontiguousarray(states[piece])).to(device)
        inputs = model.inputs_to_hidden(part)
        mean = model.hidden.mean(inputs).to("cpu", torch.float64)
        noise = model.hidden.variance(inputs).to("cpu", torch.float64)
        total += torch.stack((mean.sum(0), mean.square().sum(0), noise.sum(0))).numpy()
    mean_of, square, own = total / len(states)
    result: Floats = np.sqrt(np.maximum(square - mean_of**2, 0.0) + own)
    return result


@dataclass(frozen=True, eq=False)
class Assemblies:
    """Members of every hidden unit.

    Attributes
    ----------
    weights
        (neuron, hidden) the weights that were judged.
    membership
        (neuron, hidden) bool.
    threshold
        (hidden,) members have a weight of at least this size; infinite for a unit without members.
    rule
        Name of the rule, one of `RULES`, or "training".
    """

    weights: Floats
    membership: NDArray[np.bool_]
    threshold: Floats
    rule: str

    @property
    def sizes(self) -> Indices:
        """Number of members of each assembly, (hidden,)."""
        result: Indices = self.membership.sum(axis=0, dtype=np.int64)
        return result

    @property
    def strongest(self) -> Indices:
        """Assembly with each neuron's largest weight, (neuron,); -1 where all weights are 0."""
        size = np.abs(self.weights)
        best = size.argmax(axis=1) if size.shape[1] else np.zeros(len(size), dtype=np.int64)
        return np.where(size.max(axis=1, initial=0.0) > 0, best, -1).astype(np.int64)

    @property
    def embedded(self) -> float:
        """Fraction of neurons that are members of at least one assembly."""
        return float(self.membership.any(axis=1).mean())

    def overlap(self) -> Floats:
        """Return members shared over members of either (Jaccard), (hidden, hidden).

        0 between assemblies without members; 1 on the diagonal of the others.
        """
        members = self.membership.astype(np.float64)
        shared = members.T @ members
        either = self.sizes[:, None] + self.sizes - shared
        result: Floats = shared / np.where(either > 0, either, 1.0)
        return result


def assemblies_by_rule(
    weights: Floats, rule: str = "effective", threshold: float = PAPER_THRESHOLD
) -> Assemblies:
    """Return the members of every hidden unit.

    Parameters
    ----------
    weights
        (neuron, hidden), those of continuous units times `hidden_deviation`.
    rule
        "effective": the n_eff largest of all weights, n_eff their participation ratio, so that a
        unit without strong weights has few members. "participation": the n_eff largest of each
        unit. "one_per_neuron": the threshold that as many weights reach as there are neurons, for
        few units and many neurons. "fixed": |W| of at least `threshold`. "mixture": the upper of
        two normal laws of log |W|.
    threshold
        For the rule "fixed".

    Raises
    ------
    InputError
        If the rule is unknown, the threshold is not above 0 or the weights are not a finite table.
    """
    one_of("rule", rule, RULES)
    has_shape("weights", weights, (None, None))
    if not np.isfinite(weights).all():
        raise bad_input("weights", "be finite", "other values")
    size = np.abs(weights)
    if rule == "participation":
        return _by_participation(weights, size)
    if rule == "fixed":
        level = number_in("threshold", threshold, low=0.0, include_low=False)
    elif rule == "effective":
        level = effective_threshold(weights)
    else:
        level = one_per_neuron(weights) if rule == "one_per_neuron" else mixture_threshold(weights)
    membership = (size >= level) & (size > 0)
    return Assemblies(weights, membership, np.full(weights.shape[1], level), rule)


def known_assemblies(weights: Floats, members: NDArray[np.bool_]) -> Assemblies:
    """Return the assemblies whose members are known from training, by the rule "training".

    Parameters
    ----------
    weights
        (neuron, hidden), those of continuous units times `hidden_deviation`.
    members
        (neuron, hidden).
    """
    has_shape("members", members, weights.shape)
    size = np.where(members, np.abs(weights), np.inf)
    least = size.min(axis=0, initial=np.inf)
    return Assemblies(weights, members & (weights != 0), least, "training")


def effective_threshold(weights: Floats) -> float:
    """Return the size that as many weights reach as the participation ratio of all of them says.

    For weights of which some are strong and alike and the others weak, that is the number of the
    strong ones; for normal ones it is a third of them. Infinite where all weights are 0.
    """
    count = round(float(participation_ratio(weights.reshape(1, -1))[0])) if weights.size else 0
    return _size_of_largest(weights, count) if count else float("inf")


def one_per_neuron(weights: Floats) -> float:
    """Return the size that as many weights reach as there are neurons (figure 2J of the paper)."""
    return _size_of_largest(weights, weights.shape[0])


def _size_of_largest(weights: Floats, count: int) -> float:
    """Return the size that `count` weights reach."""
    size = np.abs(weights).ravel()
    if count >= len(size):
        return float(size.min(initial=np.inf))
    return float(np.partition(size, len(size) - count)[len(size) - count])


def _by_participation(weights: Floats, size: Floats) -> Assemblies:
    counts = np.round(participation_ratio(weights, axis=0)).astype(np.int64)
    falling = -np.sort(-size, axis=0)
    columns = np.arange(weights.shape[1])
    level = np.where(counts > 0, falling[np.maximum(counts, 1) - 1, columns], np.inf)
    return Assemblies(weights, (size >= level) & (size > 0), level, "participation")


def mixture_threshold(weights: Floats) -> float:
    """Return the size from which the upper of two normal laws of log |W| is the likelier one.

    Weights of exactly 0 take no part. Expectation-maximisation from the lower and upper half, on at
    most 200,000 weights evenly spaced in size. Infinite where fewer than 4 weights differ from 0.
    """
    size = np.sort(np.abs(weights[weights != 0]))
    if len(size) < 4 or size[0] == size[-1]:
        return float("inf") if len(size) < 4 else float(size[0])
    places = np.linspace(0, len(size) - 1, min(len(size), _MIXTURE_VALUES)).round().astype(np.int64)
    x = np.log(size[places])
    upper = (np.arange(len(x)) >= len(x) // 2).astype(np.float64)
    floor = 1e-3 * x.std()
    for _ in range(_MIXTURE_STEPS):
        before = upper
        share = upper.mean()
        means = ((1 - upper) @ x / (1 - upper).sum(), upper @ x / upper.sum())
        widths = [
            max(floor, float(np.sqrt(part @ (x - mean) ** 2 / part.sum())))
            for part, mean in zip((1 - upper, upper), means, strict=True)
        ]
        odds = (
            np.log(share / (1 - share))
            + 0.5 * ((x - means[0]) / widths[0]) ** 2
            + np.log(widths[0])
            - 0.5 * ((x - means[1]) / widths[1]) ** 2
            - np.log(widths[1])
        )
        upper = np.clip(1.0 / (1.0 + np.exp(-np.clip(odds, -500, 500))), 1e-12, 1 - 1e-12)
        if np.abs(upper - before).max() < 1e-9:
            break
    above = (upper > 0.5) & (x > means[0])
    return float(np.exp(x[above].min())) if above.any() else float("inf")
