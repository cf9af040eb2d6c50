"""Exchange of states between the rungs of a ladder: one kernel for every kind of ladder.

Neighbouring rungs p and q swap the visible states v and u with probability
min(1, P_p(u) P_q(v) / (P_p(v) P_q(u))), each by its own marginal free energy, and the hidden units
are redrawn by the next sweep. It is parallel tempering (Swendsen and Wang, Physical Review Letters
57:2607, 1986) on an annealing or temperature ladder, and trajectory tempering on the checkpoints of
a training.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from boltzbrain.foundations.checks import has_shape, whole_number_in
from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers.rungs import Rungs
from boltzbrain.sampling.ladder import Ladder


@dataclass(frozen=True, eq=False)
class Replicas:
    """Chains on every rung of a ladder: independent columns, in each of which states swap rungs.

    A replica is a state that wanders over the rungs; replicas are numbered by the rung on which
    they started.

    Attributes
    ----------
    visible
        (rung, chain, visible) states.
    replica
        (rung, chain) int64, the replica on each rung.
    last_end
        (rung, chain) int8 by replica: 0 until it reaches an end, 1 from the lowest rung until it
        reaches the highest, -1 from there until it reaches the lowest again; -2 from the highest
        if it has never been at the lowest.
    round_trips
        (rung, chain) int64 by replica: how often it went from the lowest rung to the highest and
        came back.
    generator
        Stream of these chains alone; `exchange_step` copies it.
    steps
        Steps done.
    """

    visible: Tensor
    replica: Tensor
    last_end: Tensor
    round_trips: Tensor
    generator: Generator
    steps: int = 0

    @property
    def chains(self) -> int:
        """Number of columns."""
        return int(self.visible.shape[1])


@dataclass(frozen=True, eq=False)
class Exchange:
    """What one step did.

    Attributes
    ----------
    pairs
        Lower rungs of the pairs that were proposed: every second one.
    accepted
        (pair, chain) bool.
    below, above
        (pair, chain) float64, F of the lower rung minus F of the upper rung, of the state that was
        on the lower and on the upper rung before the swap.
    """

    pairs: range
    accepted: Tensor
    below: Tensor
    above: Tensor


def start_replicas(
    ladder: Ladder, chains: int, generator: Generator, *, sweeps: int = 1
) -> Replicas:
    """Fill a ladder by carrying chains up from the lowest rung.

    Parameters
    ----------
    ladder
        The ladder.
    chains
        Number of independent columns, at least 1.
    generator
        A stream for these chains alone, continued from a copy.
    sweeps
        Gibbs sweeps on each rung on the way up, at least 1.

    Raises
    ------
    InputError
        If an option is out of range.
    """
    whole_number_in("chains", chains, low=1)
    whole_number_in("sweeps", sweeps, low=1)
    stream = generator.copy()
    lowest = ladder.rungs[0]
    zeros = lowest.weights.new_zeros((chains, len(lowest.visible)))
    states = [lowest.visible.sample(zeros, stream)]
    for rung in ladder.rungs[1:]:
        # every column is carried up as one chain, and leaves a copy on each rung
        states.append(rung.sweep(states[-1], stream, sweeps)[0])
    return replicas_from(torch.stack(states), stream)


def replicas_from(visible: Tensor, generator: Generator) -> Replicas:
    """Return replicas that start from given states, (rung, chain, visible)."""
    rungs, chains, _ = visible.shape
    number = torch.arange(rungs, device=visible.device)[:, None].expand(rungs, chains).clone()
    ends = torch.zeros((rungs, chains), dtype=torch.int8, device=visible.device)
    ends[0] = 1
    return Replicas(visible, number, ends, torch.zeros_like(number), generator.copy())


def exchange_step(
    ladder: Ladder, replicas: Replicas, *, sweeps: int = 1
) -> tuple[Replicas, Exchange]:
    """Sweep every rung, then propose to swap every second pair of neighbours.

    Parameters
    ----------
    ladder
        The ladder.
    replicas
        Where to start; left as they are.
    sweeps
        Gibbs sweeps of every rung; 0 only swaps.

    Returns
    -------
    replicas
        The new state.
    exchange
        What was proposed and accepted.

    Raises
    ------
    InputError
        If the replicas do not fit the ladder.
    """
    size = (len(ladder), None, len(ladder.model.visible))
    has_shape("replicas.visible", replicas.visible, size)
    whole_number_in("sweeps", sweeps, low=0)
    stream = replicas.generator.copy()
    at_once = ladder.at_once if sweeps and replicas.visible.dtype == torch.uint8 else None
    visible = _swept(ladder, at_once, replicas.visible, sweeps, stream)
    # with two rungs there is one pair, proposed at every step
    first = replicas.steps % 2 if len(ladder) > 2 else 0
    pairs = range(first, len(ladder) - 1, 2)
    if at_once is not None:
        below, above = at_once.log_weights(visible, first).unbind(1)
    else:
        gains = [ladder.log_weight(pair, visible[pair : pair + 2].flatten(0, 1)) for pair in pairs]
        below, above = torch.stack(gains).unflatten(1, (2, replicas.chains)).unbind(1)
    uniform = stream.uniform((len(pairs), replicas.chains), device=visible.device)
    accepted = uniform.log() < below - above
    # from which rung each state comes
    source = torch.arange(len(ladder), device=visible.device)[:, None].repeat(1, replicas.chains)
    source[pairs.start : pairs.stop : 2] += accepted
    source[pairs.start + 1 : pairs.stop + 1 : 2] -= accepted.to(source.dtype)
    columns = torch.arange(replicas.chains, device=visible.device)
    rows = (source * replicas.chains + columns).flatten()
    visible = visible.flatten(0, 1).index_select(0, rows).reshape(visible.shape)
    replica = replicas.replica.gather(0, source)
    moved = replace(
        replicas, visible=visible, replica=replica, generator=stream, steps=replicas.steps + 1
    )
    return _visited(moved), Exchange(pairs, accepted, below, above)


def _swept(
    ladder: Ladder, at_once: Rungs | None, visible: Tensor, sweeps: int, stream: Generator
) -> Tensor:
    """Return the states of every rung after sweeps of it, in one call where that serves."""
    if not sweeps:
        return visible
    moved = at_once.sweep(visible, sweeps, stream) if at_once is not None else None
    if moved is not None:
        return moved
    return torch.stack(
        [
            rung.sweep(states, stream, sweeps)[0]
            for rung, states in zip(ladder.rungs, visible, strict=True)
        ]
    )


def _visited(replicas: Replicas) -> Replicas:
    """Note which replicas are now at an end of the ladder."""
    ends, trips = replicas.last_end.clone(), replicas.round_trips.clone()
    lowest, highest = replicas.replica[:1], replicas.replica[-1:]
    trips.scatter_add_(0, lowest, (ends.gather(0, lowest) == -1).to(trips.dtype))
    ends.scatter_(0, lowest, 1)
    before = ends.gather(0, highest)
    ends.scatter_(0, highest, torch.where(before == 0, -2, -before.abs()))
    return replace(replicas, last_end=ends, round_trips=trips)


def replica_flow(replicas: Replicas) -> Tensor:
    """Return for each rung the number of its replicas that come from below and from above.

    Returns
    -------
    Tensor
        (rung, 2) int64: replicas last at the lowest, and last at the highest rung. On a ladder
        that mixes, the first column's share falls from 1 to 0 evenly (Katzgraber, Trebst, Huse
        and Troyer, Journal of Statistical Mechanics P03018, 2006).
    """
    ends = replicas.last_end.gather(0, replicas.replica)
    return torch.stack([(ends == 1).sum(dim=1), (ends < 0).sum(dim=1)], dim=1)
