"""Seconds of training until the validation likelihood of session 10 is as good as that of rbms.

Usage: python -m benchmarks.time_to_likelihood [--json FILE] [--curves FILE] [--twin]

Session 10 of Steinmetz et al. 2019, split0, 20 ms bins, 100 hidden units. rbms trains with 1000
chains, batches of 1000 and 10 sweeps for 3000 updates at each of the rates 0.05, 0.1 and 0.2. Its
gain is the best validation log-likelihood over the independent model that any rate reaches; the
target is 99 % of it. Both likelihoods are annealed importance sampling with the same streams.

A training repeats bit for bit, so two things are measured apart: the first update at which each
side has the target (scored every 100 updates of rbms, every 10 of ours, seconds of scoring not
counted), and the seconds of an update of each, interleaved. The product is the time. The curves
take about half an hour; with --curves they are kept, and read if the file is there.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks import peers
from benchmarks.cases import session10
from benchmarks.timing import arguments, publish, rounds, row
from boltzbrain.foundations.random import Generator
from boltzbrain.model.independent import independent_field
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.gibbs import advance, start_chains
from boltzbrain.sampling.partition import annealed_importance
from boltzbrain.training.plan import TrainingPlan
from boltzbrain.training.update.gradient import (
    Ascent,
    log_likelihood_gradient,
    parameters_of,
    with_parameters,
)

HIDDEN, UPDATES, RATES = 100, 3000, (0.05, 0.1, 0.2)
SHARE = 0.99
OURS = TrainingPlan(
    hidden=HIDDEN,
    updates=1000,
    chains=500,
    batch=1000,
    sweeps=5,
    learning_rate=0.5,
    final_learning_rate=None,
    l2=0.002,
    averaging=0.98,
)
AT_ONCE = 10
"""Updates that one round of the timing makes."""


class Scores:
    """The validation log-likelihood of models, as a gain over the independent model."""

    def __init__(self) -> None:
        activity = session10()
        self.train, self.validation = (
            torch.from_numpy(activity.states_of(name)) for name in ("train", "validation")
        )
        self.field = independent_field(self.train)
        log_norm = torch.nn.functional.softplus(self.field).sum()
        self.base = float((self.validation.to(torch.float64) @ self.field - log_norm).mean())

    def gain(self, model: RBM) -> float:
        """Return nats per validation bin over the independent model."""
        estimate = annealed_importance(
            model,
            Generator.from_seed(0, "ais"),
            chains=300,
            rungs=300,
            visible_field=self.field,
        )
        return float(-model.free_energy(self.validation).mean()) - estimate.value - self.base

    def first_model(self) -> RBM:
        """Return fields from the rates and small random weights."""
        weights = 0.01 * Generator.from_seed(0, "weights").normal((len(self.field), HIDDEN))
        return RBM(Bernoulli(self.field.to(torch.float32)), Bernoulli(torch.zeros(HIDDEN)), weights)


class Ours:
    """Training as `training.train` does it, less its files."""

    def __init__(self, scores: Scores, plan: TrainingPlan) -> None:
        self.data, self.plan = scores.train, plan
        self.ascent = Ascent(scores.first_model(), plan)
        stream = Generator.from_seed(plan.seed, "chains")
        self.chains = start_chains(self.ascent.model, plan.chains, stream)
        self.mean = {name: value.clone() for name, value in self.ascent.parameters.items()}
        self.order = Generator.from_seed(plan.seed, "batch")
        self.update = 0

    def step(self) -> None:
        """Make one update."""
        self.update += 1
        chosen = torch.from_numpy(self.order.permutation(len(self.data))[: self.plan.batch])
        self.chains = advance(self.ascent.model, self.chains, self.plan.sweeps)
        self.ascent.step(self.data[chosen], self.chains.visible, self.update)
        keep = min(self.plan.averaging, 1.0 - 1.0 / (1.0 + 0.1 * self.update))
        for name, value in self.mean.items():
            value.lerp_(self.ascent.parameters[name], 1.0 - keep)

    @property
    def model(self) -> RBM:
        """The running mean of the parameters."""
        return with_parameters(self.ascent.model, self.mean)


def model_of(parameters: Any) -> RBM:
    """Return a model of rbms as one of ours."""
    return RBM(Bernoulli(parameters.vbias), Bernoulli(parameters.hbias), parameters.weight_matrix)


class Twin:
    """The rule of `peers.RbmsTrainer` on our sweeps."""

    def __init__(self, scores: Scores, rate: float) -> None:
        self.data, self.model, self.rate = scores.train, scores.first_model(), rate
        # rbms starts its chains from fair coins
        fair = Generator.from_seed(0, "coins").uniform((1000, len(scores.field)), torch.float32)
        chains = start_chains(self.model, 1000, Generator.from_seed(0, "chains"))
        start = replace(chains, visible=(fair < 0.5).to(torch.uint8))
        self.chains = advance(self.model, start, 10)
        self.order = Generator.from_seed(0, "batch")

    def step(self, batch: int) -> None:
        """Make one update with a random batch."""
        chosen = torch.from_numpy(self.order.permutation(len(self.data))[:batch])
        self.chains = advance(self.model, self.chains, 10)
        sides = (self.model.moments(self.data[chosen]), self.model.moments(self.chains.visible))
        gradient = log_likelihood_gradient(self.model, *sides, centred=True)
        size = sum(float(value.square().sum()) for value in gradient.values()) ** 0.5
        moved = parameters_of(self.model)
        for name, value in gradient.items():
            moved[name].add_(value, alpha=self.rate / size)


def rbms_trainer(scores: Scores, rate: float) -> peers.RbmsTrainer:
    """Return training by rbms with the settings of this benchmark."""
    torch.manual_seed(0)
    data: Tensor = scores.train.to(torch.float32)
    return peers.RbmsTrainer(scores.first_model(), data, chains=1000, rate=rate, sweeps=10)


def rbms_curve(scores: Scores, rate: float, twin: bool) -> list[list[float]]:
    """Return (update, gain) of rbms, or of its twin."""
    trainer = Twin(scores, rate) if twin else rbms_trainer(scores, rate)
    points: list[list[float]] = []
    for update in range(1, UPDATES + 1):
        trainer.step(1000)
        if update % 100 == 0:
            now = trainer.model if isinstance(trainer, Twin) else model_of(trainer.parameters)
            points.append([update, scores.gain(now)])
            print(f"rbms at {rate}: update {update}, gain {points[-1][1]:.3f}", flush=True)
    return points


def our_curve(scores: Scores, target: float) -> list[list[float]]:
    """Return (update, gain) of ours until it has the target, or all updates."""
    trainer, points = Ours(scores, OURS), []
    while trainer.update < OURS.updates:
        trainer.step()
        if trainer.update % 10 == 0:
            points.append([trainer.update, scores.gain(trainer.model)])
            print(f"ours: update {trainer.update}, gain {points[-1][1]:.3f}", flush=True)
            if points[-1][1] >= target:
                break
    return points


def curves_of_rbms(scores: Scores, path: Path | None, twin: bool) -> dict[str, list[list[float]]]:
    """Return the curve of every rate; those in the file are not made again."""
    kept: dict[str, list[list[float]]] = {}
    if path is not None and path.exists():
        kept = json.loads(path.read_text(encoding="utf-8"))["rbms"]
    for rate in RATES:
        if str(rate) not in kept:
            kept[str(rate)] = rbms_curve(scores, rate, twin)
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps({"rbms": kept}) + "\n", encoding="utf-8")
    return kept


def first_at(points: list[list[float]], target: float) -> int | None:
    """Return the first update whose gain is at least the target."""
    return next((int(update) for update, gain in points if gain >= target), None)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--curves", type=Path, metavar="FILE", help="where the curves are kept")
    parser.add_argument("--twin", action="store_true", help="make them by its rule on our sweeps")
    given = parser.parse_args()
    scores = Scores()
    curves = curves_of_rbms(scores, given.curves, given.twin)
    best = max(gain for points in curves.values() for _, gain in points)
    target = SHARE * best
    reached = {rate: first_at(points, target) for rate, points in curves.items()}
    print(f"rbms reaches {best:.3f} nats per bin; the target is {target:.3f}; at updates {reached}")
    # each rate costs the same per update, so the best is the one that needs the fewest
    theirs = min(update for update in reached.values() if update is not None)
    rate = float(next(key for key, update in reached.items() if update == theirs))
    mine = our_curve(scores, target)
    if given.curves is not None:
        text = json.dumps({"rbms": curves, "ours": mine, "target": target})
        given.curves.write_text(text + "\n", encoding="utf-8")
    ours = first_at(mine, target)
    if ours is None:
        raise SystemExit(f"ours did not reach {target:.3f} within {OURS.updates} updates")
    trainer, peer = Ours(scores, OURS), rbms_trainer(scores, rate)
    seconds = rounds(
        {
            "ours": lambda: [trainer.step() for _ in range(AT_ONCE)],
            "rbms": lambda: [peer.step(1000) for _ in range(AT_ONCE)],
        },
        count=7,
    )
    work = (
        f"training on session 10 (split0, 20 ms, {len(scores.field)} neurons, {HIDDEN} hidden "
        f"units) to {target:.2f} nats per validation bin over independent: {ours} updates of "
        f"{OURS.chains} chains, k = {OURS.sweeps}, batch {OURS.batch}, SGD {OURS.learning_rate}, "
        f"averaged"
    )
    rule = ", their number from its rule on our sweeps" if given.twin else ""
    against = (
        f"{peers.RBMS}, rate {rate}: {theirs} updates of 1000 chains, k = 10, batch 1000{rule}"
    )
    totals = np.array(seconds["ours"]) / AT_ONCE * ours
    peers_totals = np.array(seconds["rbms"]) / AT_ONCE * theirs
    name = "time_to_likelihood_vs_rbms"
    publish([row(name, work, against, "float32", totals, peers_totals)], given.json)


if __name__ == "__main__":
    main()
