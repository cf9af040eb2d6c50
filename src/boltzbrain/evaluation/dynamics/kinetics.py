"""The model's own dynamics: block Gibbs and single-site (Glauber) updates, from given states.

Both have the model as their stationary law and differ in how they get there. A block Gibbs sweep
draws all hidden units given all neurons and then all neurons given the hidden units. A Glauber
sweep is as many updates of one neuron as there are neurons, each of a neuron drawn at random from
P(v_i | all others), the hidden units summed over. A sweep has no length in seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.evaluation.dynamics.curves import Curve, Floats, Pair, packed_rows, ratio_curve
from boltzbrain.evaluation.flips import glauber_by_products, turns_fast
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.cpu.threads import one_thread, thread_count
from boltzbrain.kernels.dispatch import sum_active_rows
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.rbm import RBM

Kind = Literal["gibbs", "glauber"]
KINDS: tuple[Kind, ...] = ("gibbs", "glauber")

GLAUBER_WORK = 1_500_000_000
"""Most evaluations of Gamma, (update of one neuron, chain, hidden unit)."""
GLAUBER_UPDATES = 16_000
"""Most updates of one neuron; each is a call whatever the number of chains."""
_FEWEST_CHAINS = 200
_DRAWS = 1 << 21


def sweep_grid(kind: Kind, neurons: int, most: float) -> Floats:
    """Return the times in sweeps at which states are looked at, evenly spaced on a log scale.

    Parameters
    ----------
    kind
        Whole sweeps for "gibbs"; for "glauber" from 1/8 sweep on, as updates allow.
    neurons
        Number of neurons, the updates of a Glauber sweep.
    most
        Sweeps in all.
    """
    unit = 1 if kind == "gibbs" else neurons
    first = 1 if kind == "gibbs" else max(1, round(neurons / 8))
    last = max(first, round(most * unit))
    updates = np.unique(np.geomspace(first, last, 28).round()).astype(np.int64)
    return np.concatenate(([0], updates)) / unit


def trajectory(
    model: RBM, start: Tensor, times: Floats, kind: Kind, generator: Generator
) -> Iterator[Tensor]:
    """Yield the states of all chains at each time, (chain, neuron) uint8.

    Parameters
    ----------
    model
        Model with Bernoulli visible units.
    start
        (chain, neuron) uint8; left as it is.
    times
        (time,) sweeps, ascending; for "gibbs" whole numbers.
    kind
        "gibbs" or "glauber".
    generator
        Moves on.
    """
    if not isinstance(model.visible, Bernoulli):
        raise bad_input("model.visible", "be of kind bernoulli", model.visible.kind)
    visible = start.clone()
    unit = 1 if kind == "gibbs" else start.shape[1]
    done = 0
    for target in np.round(times * unit).astype(np.int64).tolist():
        left = target - done
        if left and kind == "gibbs":
            visible, _ = model.sweep(visible, generator, left)
            visible = visible.to(torch.uint8)
        elif left:
            # a step of all chains is too little work to be worth waking PyTorch's threads for
            with one_thread(loops=thread_count()):
                visible = glauber_updates(model, visible, left, generator)
        done = target
        yield visible


def glauber_updates(model: RBM, visible: Tensor, updates: int, generator: Generator) -> Tensor:
    """Update single neurons, drawn at random by each chain, each given all others.

    Parameters
    ----------
    model
        Model with Bernoulli visible units and hidden units of any kind.
    visible
        (chain, neuron) uint8; left as it is.
    updates
        Number of updates.
    generator
        Moves on.
    """
    assert isinstance(model.visible, Bernoulli)
    chains, neurons = visible.shape
    field, weights = model.visible.field, model.weights
    visible = visible.clone()
    row = torch.arange(chains, device=weights.device)
    block = max(1, min(neurons, _DRAWS // chains))
    for first in range(0, updates, block):
        number = min(block, updates - first)
        drawn = generator.integers(neurons, number * chains).reshape(number, chains)
        uniform = generator.uniform((number, chains), dtype=weights.dtype, device=weights.device)
        threshold = torch.logit(uniform)
        if turns_fast(model):
            glauber_by_products(model, visible, drawn, threshold)
            continue
        sites = torch.from_numpy(drawn).to(weights.device)
        # afresh for each block, so that no rounding is carried on
        inputs = model.inputs_to_hidden(visible)
        gamma = model.hidden.log_partition(inputs).sum(dim=1)
        for place in range(number):
            site = sites[place]
            now = visible[row, site]
            # the log-odds of a spike is field + Gamma(with) - Gamma(without)
            sign = 1 - 2 * now.to(weights.dtype)
            flipped = torch.addcmul(inputs, sign[:, None], weights[site])
            other = model.hidden.log_partition(flipped).sum(dim=1)
            odds = field[site] + sign * (other - gamma)
            # active where the threshold is below the odds; turned if that is not what it was
            turned = (threshold[place] < odds) == (sign > 0)
            inputs = torch.where(turned[:, None], flipped, inputs)
            gamma = torch.where(turned, other, gamma)
            visible[row, site] = now ^ turned.to(torch.uint8)
    return visible


def glauber_effort(model: RBM, most_sweeps: float, most_chains: int) -> tuple[float, int]:
    """Return how many Glauber sweeps and chains to run, by the size of the model and not a clock.

    Sweeps come first, then chains; of these there are at least 200.
    """
    neurons, hidden = model.weights.shape
    work = GLAUBER_WORK / (neurons * hidden)
    sweeps = min(most_sweeps, GLAUBER_UPDATES / neurons, work / _FEWEST_CHAINS)
    return float(sweeps), int(np.clip(work / sweeps, _FEWEST_CHAINS, most_chains))


def model_curves(
    model: RBM,
    start: NDArray[np.uint8],
    times: Floats,
    kind: Kind,
    generator: Generator,
    *,
    rates: Floats,
    relaxing: NDArray[np.int64],
) -> dict[int, Pair]:
    """Run chains and return the curves of each group of them, over times in sweeps.

    Parameters
    ----------
    model
        Model with Bernoulli visible units.
    start
        (chain, neuron) uint8 first states.
    times
        (time,) sweeps, from 0.
    kind
        "gibbs" or "glauber".
    generator
        Moves on.
    rates
        (neuron,) means of the model in equilibrium.
    relaxing
        (chain,) group of each chain: 0 starts in equilibrium and gets the stationary curves, any
        other starts from chosen states and gets those of relaxation.

    Returns
    -------
    dict
        Group to its curves; errors take chains as independent.
    """
    first = torch.from_numpy(start)
    mean = torch.from_numpy(rates)
    total, square = float(mean.sum()), float(mean @ mean)
    origin = packed_rows(start)
    start_linear = sum_active_rows(first, mean[:, None])[:, 0]
    counts, overlaps, squares = [], [], []
    for state in trajectory(model, first, times, kind, generator):
        now = packed_rows(state.numpy())
        linear = sum_active_rows(state, mean[:, None])[:, 0]
        active, both = (
            torch.from_numpy(np.bitwise_count(one).sum(axis=1, dtype=np.float64))
            for one in (now, now & origin)
        )
        counts.append((active - total).numpy())
        overlaps.append((both - start_linear - linear + square).numpy())
        squares.append((active - 2 * linear + square).numpy())
    count, overlap, own = (np.stack(one, axis=1) for one in (counts, overlaps, squares))
    result = {}
    for group in np.unique(relaxing).tolist():
        of = relaxing == group
        k, q, s = count[of], overlap[of], own[of]
        k0, s0 = np.broadcast_to(k[:, :1], k.shape), np.broadcast_to(s[:, :1], s.shape)
        if group == 0:
            still = ratio_curve(times, k0 * k, (k0**2 + k**2) / 2)
            result[group] = Pair(still, ratio_curve(times, q, (s0 + s) / 2))
        else:
            result[group] = Pair(ratio_curve(times, k, k0), ratio_curve(times, q, s0))
    return result


def independent_curve(times: Floats, kind: Kind, neurons: int) -> Curve:
    """Return the curve of independent neurons, exact, the same for all four.

    A Gibbs sweep forgets everything. A Glauber update forgets one neuron drawn at random, so after
    n updates a share (1 - 1/N)**n of the neurons has not been touched: forgetting that tells
    nothing of the model.
    """
    if kind == "gibbs":
        values = (times == 0).astype(np.float64)
    else:
        values = (1 - 1 / neurons) ** np.round(times * neurons)
    return Curve(times, values, np.zeros_like(values))
