"""Sampling a model through a ladder, and what the ladder tells of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.foundations.checks import whole_number_in
from boltzbrain.foundations.progress import SILENT, Teller
from boltzbrain.foundations.random import Generator
from boltzbrain.sampling.exchange import (
    Exchange,
    Replicas,
    exchange_step,
    replica_flow,
    start_replicas,
)
from boltzbrain.sampling.ladder import Ladder, respaced
from boltzbrain.sampling.mixing import Mixing, diagnose_states, independent_samples


@dataclass(frozen=True, eq=False)
class LadderRun:
    """Samples of the highest rung and the diagnosis of the ladder.

    Attributes
    ----------
    samples
        (sample, visible) states of the highest rung, step by step, all columns of a step together.
    replicas
        The state after the last step.
    exchanges
        What every kept step gave; `bridge.bridge_log_partition` makes log Z of them.
    acceptance
        (pair,) fraction of accepted exchanges.
    flow
        (rung,) share of the replicas on each rung that come from the lowest one, NaN where none
        has come from either end.
    round_trips
        Round trips of all replicas between the lowest and the highest rung.
    mixing
        How the states of the highest rung mix: `mixing.diagnose_states`.
    independent_samples
        The fewest effective samples of its series, at most the number of samples; None if
        undefined.
    """

    samples: Tensor
    replicas: Replicas
    exchanges: tuple[Exchange, ...]
    acceptance: NDArray[np.float64]
    flow: NDArray[np.float64]
    round_trips: int
    mixing: dict[str, Mixing]
    independent_samples: float | None


def run_ladder(
    ladder: Ladder,
    replicas: Replicas,
    steps: int,
    *,
    sweeps: int = 1,
    tell: Teller = SILENT,
) -> LadderRun:
    """Run a ladder and keep the states of its highest rung.

    Parameters
    ----------
    ladder
        The ladder.
    replicas
        Where to start, best in equilibrium; left as they are.
    steps
        Steps, at least 8; each sweeps every rung and proposes every second exchange.
    sweeps
        Gibbs sweeps of every rung per step.
    tell
        Told the steps.

    Raises
    ------
    InputError
        If an option is out of range.
    """
    whole_number_in("steps", steps, low=8)
    exchanges: list[Exchange] = []
    samples: list[Tensor] = []
    flow = torch.zeros((len(ladder), 2), dtype=torch.int64, device=replicas.visible.device)
    before = int(replicas.round_trips.sum())
    for step in range(steps):
        replicas, exchange = exchange_step(ladder, replicas, sweeps=sweeps)
        exchanges.append(exchange)
        samples.append(replicas.visible[-1])
        flow += replica_flow(replicas)
        tell(step + 1, steps)
    up_and_down = flow.cpu().numpy().astype(np.float64)
    mixing = diagnose_states(ladder.model, samples)
    return LadderRun(
        torch.cat(samples),
        replicas,
        tuple(exchanges),
        acceptance_of(exchanges, len(ladder)),
        _ratio(up_and_down[:, 0], up_and_down.sum(axis=1)),
        int(replicas.round_trips.sum()) - before,
        mixing,
        independent_samples(mixing, steps * replicas.chains),
    )


def acceptance_of(exchanges: list[Exchange], rungs: int) -> NDArray[np.float64]:
    """Return the fraction of accepted exchanges of each pair, (pair,); NaN where none was tried."""
    accepted, proposed = np.zeros(rungs - 1), np.zeros(rungs - 1)
    for exchange in exchanges:
        for row, pair in enumerate(exchange.pairs):
            accepted[pair] += float(exchange.accepted[row].sum())
            proposed[pair] += exchange.accepted.shape[1]
    return _ratio(accepted, proposed)


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return part / whole, NaN where the whole is 0."""
    result = np.full(len(part), np.nan)
    np.divide(part, whole, out=result, where=whole > 0)
    return result


def tuned(
    ladder: Ladder,
    generator: Generator,
    *,
    acceptance: float = 0.4,
    chains: int = 50,
    steps: int = 40,
    rounds: int = 2,
) -> Ladder:
    """Run a ladder briefly and respace its rungs until neighbours exchange at one rate.

    Parameters
    ----------
    ladder
        Where to start.
    generator
        Moves on.
    acceptance
        The rate to reach.
    chains, steps
        Size of each short run; its first half is left out.
    rounds
        How often to respace.

    Raises
    ------
    InputError
        If an option is out of range.
    """
    whole_number_in("steps", steps, low=8)
    for number in range(rounds):
        stream = generator.child("tuning", generator.take(), number)
        replicas = start_replicas(ladder, chains, stream)
        exchanges = []
        for _ in range(steps):
            replicas, exchange = exchange_step(ladder, replicas)
            exchanges.append(exchange)
        found = acceptance_of(exchanges[steps // 2 :], len(ladder))
        ladder = respaced(ladder, found, acceptance=acceptance)
    return ladder


def sample_ladder(
    ladder: Ladder,
    n: int,
    generator: Generator,
    *,
    chains: int = 100,
    sweeps: int = 1,
    warm_up: int = 50,
    thin: int = 1,
    tell: Teller = SILENT,
) -> LadderRun:
    """Draw samples of the highest rung of a ladder that starts empty.

    Parameters
    ----------
    ladder
        The ladder.
    n
        Number of samples.
    generator
        A stream for these chains alone, continued from a copy.
    chains
        Independent columns.
    sweeps
        Gibbs sweeps of every rung per step.
    warm_up
        Steps before the first sample.
    thin
        Keep every `thin`-th step.
    tell
        Told the steps, those of the warm-up included.

    Returns
    -------
    LadderRun
        Its `samples` are the last `n` that were kept; the rest is of all steps after the warm-up.

    Raises
    ------
    InputError
        If an option is out of range.
    """
    whole_number_in("n", n, low=1)
    whole_number_in("warm_up", warm_up, low=0)
    whole_number_in("thin", thin, low=1)
    replicas = start_replicas(ladder, chains, generator)
    steps = max(8, thin * -(-n // chains))
    for step in range(warm_up):
        replicas, _ = exchange_step(ladder, replicas, sweeps=sweeps)
        tell(step + 1, warm_up + steps)
    rest = tell.part(warm_up, warm_up + steps)
    run = run_ladder(ladder, replicas, steps, sweeps=sweeps, tell=rest)
    kept = run.samples.reshape(steps, chains, -1)[thin - 1 :: thin].flatten(0, 1)
    return replace(run, samples=kept[-n:])
