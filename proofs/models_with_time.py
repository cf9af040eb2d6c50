"""Is it the state, or the last bins? Models with time beside the RBM, planted and recorded.

    python proofs/models_with_time.py [--only NAME ...] [--sessions 10 12] [--splits 0 1 2 3 4]
        [--seeds 20] [--models NAME ...] [--table FILE.csv]

One line of models_with_time.csv a training, by its name; a line that stands there is not made
again, so that the proof can be stopped and gone on with. It holds the sum of the gains over each
cluster of test bins, so that differences between models have paired errors. Parts (`--only`):

- planted: three sticky states among 30 neurons (path at least 95 % right, shared couplings
  correlated at least 0.9); no states, 20 seeds (one state in 19); rates that follow the place in
  the trial alone (the control explains what states do); two laws of equal rates and different
  couplings in turn, five seeds (hidden states over RBMs tell them, a hidden Markov model does not);
  five assemblies that follow each other in a ring, two seeds (the recurrent RBM must come at least
  half the way from the static one to the truth, its W U W' must be the planted one, what it
  generates must have the lagged covariances, and shuffled bins gain less than a tenth as much).
- steinmetz: sessions and splits, each the RBM by its recipe and with the past or with hidden states
  as context, the hidden Markov model, the regression on the past, the HMM-GLM, the rate by place,
  and the regression with the past of another segment and with shuffled bins. On session 10 the past
  must lift the RBM by 0.7 nats (mean of the splits) and five standard errors in each. Speed: 32
  states in 15 s, the regression in 30 s, four states with the past in 5 minutes, each fit alone.
- retina: 160 cells, folds by repeats of the movie; the pairwise and the K-pairwise model of
  Tkacik et al., PLoS Comput. Biol. 10:e1003408 (2014), which these cells were published with,
  beside the others.
- allen: do states match the periods of the experiment, against circular shifts? Those of a hidden
  Markov model, and eight over RBMs.
- worms: do these tell the velocity, against circular shifts? And is a recurrent RBM, which gets its
  own history as of calcium, above the others, and does it keep covariances when it runs freely?

Writes models_with_time.txt from all lines there are; exits 1 if a planted part, the
lift or a speed fails.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from kept_lines import add_lines, read_lines
from scipy.optimize import linear_sum_assignment
from scipy.special import expit
from sklearn.metrics import adjusted_rand_score

import boltzbrain as bb
from boltzbrain.baselines.fit_baseline import fit_baseline, fit_in_time
from boltzbrain.baselines.in_time.history import fit_history, point_of
from boltzbrain.baselines.in_time.hmm import climb_from_blocks, fit_hmm
from boltzbrain.baselines.in_time.hmm_glm import fit_hmm_glm, fit_states
from boltzbrain.baselines.in_time.regression import PastRegression, Penalties
from boltzbrain.comparison.controls import time_controls
from boltzbrain.comparison.score import TestScorer
from boltzbrain.data.activity import Activity
from boltzbrain.data.clusters import stderr_of_sums
from boltzbrain.data.steps import Source
from boltzbrain.evaluation.in_context.free_running import free_run_agreement, words_of
from boltzbrain.evaluation.in_context.predict import predicted
from boltzbrain.evaluation.in_context.rows import describe_rows
from boltzbrain.evaluation.likelihood import log_likelihood
from boltzbrain.evaluation.partitions import forward_log_partition
from boltzbrain.foundations.random import Generator
from boltzbrain.model.context.contextual import Contexts, ContextualRBM
from boltzbrain.model.context.recurrent import FollowingAssemblies
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.enumeration import exact_log_partition
from boltzbrain.sampling.rows.free_run import free_run

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
COLUMNS = ("part", "name", "model", "value", "limit", "good", "gain", "without", "sums", "sizes",
           "seconds", "chosen")  # fmt: skip
PARTS = ("planted", "steinmetz", "retina", "allen", "worms")
MODELS = ("hmm", "history", "hmmglm")
STATIC = ("ising", "kpairwise")
CONTEXTS = ("past", "states:8", "assemblies", "past,assemblies")
DECISIVE, RECURRENT = 5, 2
STATES = 8
LEAST_LIFT, ERRORS = 0.7, 5.0
SPEED_S = {"hmm, 32 states": 15.0, "history": 30.0, "hmmglm, 4 states": 300.0}
WIDTH, SHIFTS = 0.02, 999

Line = dict[str, Any]


def planted_states(seed: int, states: int = 3, neurons: int = 30, bins: int = 10_000) -> tuple:
    """Return sequences of sticky states with shared couplings, the path and the couplings."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(neurons, neurons)) * (rng.random((neurons, neurons)) < 0.15)
    np.fill_diagonal(shared, 0.0)
    fields = -2.2 + rng.normal(size=(states, neurons)) * (0.8 if states > 1 else 0.0)
    active, path = np.zeros((bins, neurons), dtype=np.uint8), np.zeros(bins, dtype=int)
    for place in range(bins):
        begins = place % 200 == 0
        stays = not begins and rng.random() < 0.98
        path[place] = path[place - 1] if stays else rng.integers(states)
        odds = fields[path[place]] + (0.0 if begins else active[place - 1] @ shared)
        active[place] = rng.random(neurons) < expit(odds)
    return Sequences(active, np.arange(bins) // 200, WIDTH), path, shared


def three_states() -> list[Line]:
    train, path, shared = planted_states(1)
    rng = np.random.default_rng(2)
    held = np.isin(train.label, rng.choice(50, 10, replace=False))
    parts = [Sequences(train.states[one], train.label[one], WIDTH) for one in (~held, held)]
    began = time.monotonic()
    model = fit_hmm_glm(*parts, Generator.from_seed(0), states=(1, 2, 3, 4))
    found = model.posterior(parts[1]).argmax(axis=1)
    table = np.zeros((len(model.chain), 3))
    np.add.at(table, (found, path[held]), 1)
    accuracy = table[linear_sum_assignment(-table)].sum() / held.sum()
    law = model.from_past
    couplings = (law.couplings()[0] / law.past.spread[0][:, None]).numpy()
    off = ~np.eye(len(shared), dtype=bool)
    likeness = float(np.corrcoef(couplings[off], shared[off])[0, 1])
    chosen, seconds = json.dumps(model.fit.chosen), time.monotonic() - began
    return [
        {"model": "hmmglm, path", "value": accuracy, "limit": 0.95, "good": accuracy >= 0.95,
         "chosen": chosen, "seconds": seconds},
        {"model": "hmmglm, couplings", "value": likeness, "limit": 0.9, "good": likeness >= 0.9},
    ]  # fmt: skip


def no_states(seed: int) -> list[Line]:
    train, validation = (planted_states(100 + 2 * seed + k, 1, bins=3000)[0] for k in (0, 1))
    began = time.monotonic()
    # without couplings: states would stand for them
    flat = [
        one.taking(np.random.default_rng(seed).permutation(len(one))) for one in (train, validation)
    ]
    model = fit_hmm(*flat, Generator.from_seed(seed))
    number = model.fit.chosen["states"]
    return [{"model": "hmm", "value": number, "limit": 1, "good": number == 1,
             "seconds": time.monotonic() - began}]  # fmt: skip


def locked() -> list[Line]:
    """Rates follow the place in the trial: states find it, and the control explains them."""
    rng = np.random.default_rng(7)
    neurons, place = 30, np.tile(np.arange(40), 300)
    course = -2.5 + 1.2 * rng.normal(size=(neurons, 4)) @ np.stack(
        [np.sin(np.arange(40) * k / 8) for k in range(1, 5)]
    )
    states = (rng.random((len(place), neurons)) < expit(course.T[place])).astype(np.uint8)
    activity = Activity(
        states, WIDTH, np.repeat(np.arange(300), 40).astype(np.int32),
        np.repeat(rng.permutation(np.repeat([0, 1, 2], (200, 50, 50))), 40).astype(np.int8),
        pd.DataFrame({"id": range(neurons)}), {}, (), Source("planted", "planted", "", {}),
    )  # fmt: skip
    began = time.monotonic()
    scorer, folds = TestScorer(activity, 0), folds_of(activity)
    model = fit_hmm(*folds[:2], Generator.from_seed(0))
    gain = float((model.predictive(folds[2]) - scorer.base).mean())
    own = time_controls(activity, 0)["place_in_trial"]["gain"]["value"]
    return [{"model": "hmm's gain over that of the place", "value": gain / own, "limit": 1.0,
             "good": gain <= own, "seconds": time.monotonic() - began,
             "chosen": json.dumps(model.fit.chosen)}]  # fmt: skip


def decisive(seed: int, neurons: int = 16, size: int = 4, bins: int = 6000) -> list[Line]:
    """Two laws of equal rates and different couplings in turn: rates alone do not tell them."""
    rng = np.random.default_rng(seed)
    groups = np.stack([np.arange(neurons) // size, np.arange(neurons) % size])
    path = np.zeros(bins, dtype=int)
    for place in range(bins):
        begins, change = place % 100 == 0, rng.random() > 0.95
        path[place] = rng.integers(2) if begins else abs(path[place - 1] - change)
    on = rng.random((bins, size)) < 0.3
    odds = np.where(on[np.arange(bins)[:, None], groups[path]], 1.0, -2.5)
    states = (rng.random((bins, neurons)) < expit(odds)).astype(np.uint8)
    activity = Activity(
        states, WIDTH, (np.arange(bins) // 100).astype(np.int32),
        rng.permutation(np.repeat([0, 1, 2], (40, 8, 12))).repeat(100).astype(np.int8),
        pd.DataFrame({"id": range(neurons)}), {}, (), Source("planted", "planted", "", {}),
    )  # fmt: skip
    train, _, test = folds_of(activity)
    true, began = path[activity.bins_of("test")], time.monotonic()
    alone, _, _ = climb_from_blocks(train, 2, Generator.from_seed(seed))
    own = adjusted_rand_score(true, alone.posterior(test).argmax(axis=1))
    plan = {"hidden": 12, "updates": 500, "batch": 500, "sweeps": 2, "learning_rate": 1.0,
            "weight_std": 0.3, "checkpoints": 2, "chains": 200, "seed": seed}  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        run = bb.fit(activity, out=Path(folder) / "run", context="states:2", **plan)
        model = run.in_context()
    found = model.contexts.states.posterior(test, model.rbm).argmax(axis=1)
    index = adjusted_rand_score(true, found)
    return [
        {"model": "rbm, states:2, adjusted Rand index", "value": index, "limit": 0.5,
         "good": index >= 0.5, "seconds": time.monotonic() - began},
        {"model": "hmm of 2 states, adjusted Rand index", "value": own, "limit": 0.1,
         "good": own <= 0.1},
    ]  # fmt: skip


def ring(seed: int, size: int = 8, pieces: int = 120, bins: int = 60) -> tuple:
    """Return activity of five assemblies, each led by another, and the model that made it."""
    hidden, place = 5, np.arange(5 * size)
    weights = np.where(place[:, None] // size == np.arange(hidden), 2.5, 0.0)
    rng = np.random.default_rng(seed)
    weights *= rng.uniform(0.7, 1.3, weights.shape)
    follows = 3.5 * np.roll(np.eye(hidden), 1, axis=0) - 2.0 * np.roll(np.eye(hidden), -1, axis=0)
    one = {"dtype": torch.float32}
    field = torch.full((len(place),), -2.5)
    rbm = RBM(Bernoulli(field), Bernoulli(torch.full((hidden,), -7.0)),
              torch.tensor(weights, **one))  # fmt: skip
    context = FollowingAssemblies(
        torch.tensor(follows, **one), torch.zeros(hidden), torch.zeros(hidden),
        torch.zeros((0, len(place))),
    )  # fmt: skip
    truth = ContextualRBM(rbm, Contexts((context,), field.double()))
    label = np.arange(pieces).repeat(bins)
    layout = Sequences(np.zeros((len(label), len(place)), dtype=np.uint8), label, WIDTH)
    drawn = free_run(truth, layout, Generator.from_seed(seed, "ring"))
    folds = np.repeat(
        [0, 1, 2], (2 * pieces // 3, pieces // 8, pieces - 2 * pieces // 3 - pieces // 8)
    )
    activity = Activity(
        drawn.states, WIDTH, label.astype(np.int32),
        rng.permutation(folds).repeat(bins).astype(np.int8),
        pd.DataFrame({"id": range(len(place))}), {}, (), Source("planted", "planted", "", {}),
    )  # fmt: skip
    return activity, truth


def led(model: ContextualRBM) -> np.ndarray:
    """Return what the fields of neurons gain by neurons a bin before: W U W'."""
    (part,) = model.contexts.parts
    weights = model.rbm.weights.double()
    return (weights @ part.recurrence.double() @ weights.T).numpy()


def recurrent(seed: int) -> list[Line]:
    """Tell who sees that assemblies follow each other, and whether the recurrence is found."""
    activity, truth = ring(seed)
    plan = {"hidden": 5, "hidden_kind": "bernoulli", "seed": seed}

    def fitted(which: Activity, context: str | None) -> tuple[Any, np.ndarray, float]:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            run = bb.fit(which, out=Path(folder) / "run", context=context, **plan)
            model = run.best if context is None else run.in_context()
        seconds = time.monotonic() - began
        if context is None:
            states = which.states_of("test")
            return model, log_likelihood(model, exact_log_partition(model), states), seconds
        return model, predicted(model, which, 0).scores, seconds

    _, alone, seconds = fitted(activity, None)
    lines = [line_of(activity, alone, "rbm", seconds=seconds)]
    lines += [one for name in ("hmm", "history") for one in with_time(activity, name)]
    model, scores, seconds = fitted(activity, "assemblies")
    lines.append(line_of(activity, scores, "rbm, assemblies", seconds=seconds))
    best = predicted(truth, activity, 0).scores
    lines.append(line_of(activity, best, "the truth"))
    way = float((scores - alone).mean() / (best - alone).mean())
    like = float(np.corrcoef(led(model).ravel(), led(truth).ravel())[0, 1])
    free = free_run_agreement(model, activity, seed)["covariances"]
    rng, mixed = np.random.default_rng(seed), activity.states.copy()
    for number in np.unique(activity.segment):
        there = np.flatnonzero(activity.segment == number)
        mixed[there] = activity.states[rng.permutation(there)]
    mixed = replace(activity, states=mixed)
    more = fitted(mixed, "assemblies")[1] - fitted(mixed, None)[1]
    noise, most = float(more.mean()), 0.1 * float((scores - alone).mean())
    lines += [
        {"model": "way from the RBM to the truth", "value": way, "limit": 0.5, "good": way >= 0.5},
        {"model": "W U W', correlated", "value": like, "limit": 0.9, "good": like >= 0.9},
        {"model": "gain of assemblies over the RBM, bins shuffled", "value": noise, "limit": most,
         "good": noise <= most},
    ]  # fmt: skip
    for lag, one in free.items():
        # the ceiling itself is but 0.1 to 0.5 at 8 bins
        least = one["ceiling"] - 0.1 if int(lag) < 8 else one["ceiling"] / 2
        lines.append({"model": f"free run, covariances at lag {lag}", "value": one["pearson"],
                      "limit": least, "good": one["pearson"] >= least})  # fmt: skip
    return lines


def folds_of(activity: Activity) -> list[Sequences]:
    return [Sequences.of_fold(activity, fold) for fold in ("train", "validation", "test")]


def line_of(activity: Activity, scores: np.ndarray, model: str, **more: Any) -> Line:
    scorer = TestScorer(activity, 0)
    gain = scores - scorer.base
    sums = np.bincount(scorer.clusters.label, gain)
    return {"model": model, "gain": gain.mean(), "sums": json.dumps(sums.tolist()),
            "sizes": json.dumps(scorer.clusters.sizes.tolist()), **more}  # fmt: skip


def with_time(activity: Activity, name: str) -> list[Line]:
    train, validation, test = folds_of(activity)
    model = fit_in_time(name, train, validation, Generator.from_seed(0, "baselines", name))
    scorer = TestScorer(activity, 0)
    without = float((model.log_likelihood(test.states) - scorer.base).mean())
    return [line_of(activity, model.predictive(test), name, without=without,
                    seconds=model.fit.seconds, chosen=json.dumps(model.fit.chosen))]  # fmt: skip


def pairwise(activity: Activity, name: str) -> list[Line]:
    began = time.monotonic()
    train, validation, test = folds_of(activity)
    generator = Generator.from_seed(0, "baselines", name)
    model = fit_baseline(name, train.states, validation.states, generator)
    seconds, scores = time.monotonic() - began, model.log_likelihood(test.states)
    return [line_of(activity, scores, name, seconds=seconds, chosen=json.dumps(model.fit.chosen))]


def rbm(activity: Activity) -> list[Line]:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        model = bb.fit(activity, out=Path(folder) / "run", seed=0).best
    scorer = TestScorer(activity, 0)
    forward = forward_log_partition(model, scorer.field, 0, chains=500, rungs=1000)
    scores = log_likelihood(model, forward.value, scorer.states)
    return [line_of(activity, scores, "rbm", seconds=time.monotonic() - began)]


def in_context(activity: Activity, names: str, *, free: bool = False) -> list[Line]:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        model = bb.fit(activity, out=Path(folder) / "run", seed=0, context=names).in_context()
    seconds, scorer = time.monotonic() - began, TestScorer(activity, 0)
    alone = model.at_mean(activity)
    forward = forward_log_partition(alone, scorer.field, 0, chains=500, rungs=1000)
    found = predicted(model, activity, 0)
    if found.states is None:
        alone_scores = log_likelihood(alone, forward.value, scorer.states)
    else:
        alone_scores = found.states.states.without_time(scorer.states, found.states.rbm)
    without = float((alone_scores - scorer.base).mean())
    told = describe_rows(found.partitions)
    chosen = json.dumps({name: told[name] for name in ("value", "stderr", "effective_share")})
    chosen = f"log Z {chosen}"
    if free:
        chosen += f"; {words_of(free_run_agreement(model, activity, 0))}"
    return [line_of(activity, found.scores, f"rbm, {names}", without=without, seconds=seconds,
                    chosen=chosen)]  # fmt: skip


def controls(activity: Activity) -> list[Line]:
    found = time_controls(activity, 0)
    return [
        {"model": f"control: {name}", "gain": one["gain"]["value"], "value": one["gain"]["stderr"]}
        for name, one in found.items()
        if isinstance(one["gain"]["value"], float)
    ]


def speed(activity: Activity) -> list[Line]:
    """One fit each, not the choice among several."""
    train, validation, _ = folds_of(activity)
    generator, lines = Generator.from_seed(0), []
    began = time.monotonic()
    hidden = climb_from_blocks(train, 32, generator)[0]
    lines.append(("hmm, 32 states", time.monotonic() - began))
    alone = fit_history(train, validation, generator)
    lines.append(("history", alone.fit.seconds))
    began = time.monotonic()
    hidden = climb_from_blocks(train, 4, generator)[0]
    regression = PastRegression(train, int(alone.fit.chosen["axes"]))
    begin = regression.with_states(point_of(alone), hidden.fields)
    fit_states(regression, train, hidden.chain, begin, Penalties(alone.fit.chosen["l2"]))
    lines.append(("hmmglm, 4 states", time.monotonic() - began))
    return [
        {"model": f"speed: {name}", "value": seconds, "limit": SPEED_S[name],
         "good": seconds <= SPEED_S[name]}
        for name, seconds in lines
    ]  # fmt: skip


def shifted(score: Callable[[np.ndarray], float], path: np.ndarray) -> Line:
    """Return a score of a path of states, and its rank among circular shifts."""
    own, rng = score(path), np.random.default_rng(0)
    null = [score(np.roll(path, lag)) for lag in rng.integers(10, len(path) - 10, SHIFTS)]
    p = (1 + sum(one >= own for one in null)) / (SHIFTS + 1)
    return {"value": own, "limit": float(np.quantile(null, 0.95)), "chosen": f"p = {p:.3f}"}


def recorded_allen() -> tuple[np.ndarray, np.ndarray]:
    """Return states (bin, neuron) in bins of 0.5 s, and the period of every bin."""
    folder = DATA / "allen_epochs"
    counts = np.loadtxt(folder / "Y.csv", delimiter=",").astype(int)
    counts = counts if counts.shape[0] == 63 else counts.T
    periods = np.loadtxt(folder / "Lab_states.csv", delimiter=",").astype(int).ravel()
    return (counts > np.median(counts, axis=1)[:, None]).T.astype(np.uint8), periods


def allen() -> list[Line]:
    active, periods = recorded_allen()
    block = np.arange(len(active)) // 20
    # every fourth block of 10 s chooses the number of states
    held = block % 4 == 3
    parts = [Sequences(active[one], block[one], 0.5) for one in (~held, held)]
    model = fit_hmm(*parts, Generator.from_seed(0), states=(1, 2, 3, 4, 6, 8))
    whole = Sequences(active, np.zeros(len(active), dtype=np.int64), 0.5)
    path = model.posterior(whole).argmax(axis=1)
    found = shifted(lambda one: float(adjusted_rand_score(periods, one)), path)
    return [{"model": f"hmm of {len(model.chain)} states, adjusted Rand index", **found}]


def path_of_states(activity: Activity, block: int) -> np.ndarray:
    """Return the most probable of eight states of every bin; every fourth block validates."""
    bins = len(activity.states)
    held = (np.arange(bins) // block) % 4 == 3
    activity = replace(activity, fold=held.astype(np.int8))
    with tempfile.TemporaryDirectory() as folder:
        run = bb.fit(activity, out=Path(folder) / "run", seed=0, context=f"states:{STATES}")
        model = run.in_context()
    whole = Sequences(activity.states, np.zeros(bins, dtype=np.int64), activity.bin_width_s)
    return model.contexts.states.posterior(whole, model.rbm).argmax(axis=1)


def allen_states() -> list[Line]:
    active, periods = recorded_allen()
    bins, began = len(active), time.monotonic()
    activity = Activity(
        active, 0.5, np.zeros(bins, dtype=np.int32), np.zeros(bins, dtype=np.int8),
        pd.DataFrame({"id": range(active.shape[1])}), {}, (), Source("allen", "allen", "", {}),
    )  # fmt: skip
    path = path_of_states(activity, 20)
    found = shifted(lambda one: float(adjusted_rand_score(periods, one)), path)
    return [{"model": f"rbm of {STATES} states, adjusted Rand index", **found,
             "seconds": time.monotonic() - began}]  # fmt: skip


def explained(states: np.ndarray, velocity: np.ndarray) -> float:
    """Return the share of the variance of a velocity that means of states explain."""
    means = [velocity[states == state] for state in np.unique(states)]
    between = sum(len(part) * (part.mean() - velocity.mean()) ** 2 for part in means)
    return float(between / (len(velocity) * velocity.var()))


def worm_states(path: Path) -> list[Line]:
    activity, began = bb.read(path).deconvolve().binarize(), time.monotonic()
    velocity = np.load(path, allow_pickle=False)["velocity"][: len(activity.states)]
    found = shifted(lambda one: explained(one, velocity), path_of_states(activity, 40))
    return [{"model": f"rbm of {STATES} states, velocity explained", **found,
             "seconds": time.monotonic() - began}]  # fmt: skip


def worm(path: Path) -> list[Line]:
    velocity = np.load(path, allow_pickle=False)["velocity"]
    activity = bb.read(path).deconvolve().binarize()
    bins = len(activity.states)
    held = (np.arange(bins) // 40) % 4 == 3
    label = np.arange(bins) // 40
    parts = [
        Sequences(activity.states[one], label[one], activity.bin_width_s) for one in (~held, held)
    ]
    model = fit_hmm(*parts, Generator.from_seed(0), states=(1, 2, 3, 4, 6, 8))
    whole = Sequences(activity.states, np.zeros(bins, dtype=np.int64), activity.bin_width_s)
    states = model.posterior(whole).argmax(axis=1)
    found = shifted(lambda one: explained(one, velocity[:bins]), states)
    return [{"model": f"hmm of {len(model.chain)} states, velocity explained", **found}]


def tasks(options: argparse.Namespace) -> Iterator[tuple[str, str, Callable[[], list[Line]]]]:
    """Yield part, name and what makes the lines."""
    yield "planted", "three states", three_states
    for seed in range(options.seeds):
        yield "planted", f"no states, seed {seed}", lambda seed=seed: no_states(seed)
    yield "planted", "locked to the trial", locked
    for seed in range(DECISIVE):
        yield "planted", f"decisive, seed {seed}", lambda seed=seed: decisive(seed)
    for seed in range(RECURRENT):
        yield "planted", f"recurrent, seed {seed}: models", lambda seed=seed: recurrent(seed)
    for session in options.sessions:
        for split in options.splits:

            def read(session: int = session, split: int = split) -> Activity:
                folder = DATA / "steinmetz"
                found = bb.read(folder / f"session{session}.npz").binarize(bin_ms=20)
                return found.split(folds=f"{folder / f'session{session}_folds.csv'}:split{split}")

            yield from of_recording("steinmetz", f"session {session}, split {split}", read)
            if split == 0 and session == 10:
                yield "steinmetz", "speed", lambda read=read: speed(read())

    def retina() -> Activity:
        return bb.read(DATA / "retina" / "salamander.npz").binarize().split(by="segments")

    for model in STATIC:
        yield "retina", f"salamander: {model}", lambda model=model: pairwise(retina(), model)
    yield from of_recording("retina", "salamander", retina)
    yield "allen", "periods", allen
    yield "allen", "periods: states", allen_states
    for path in sorted((DATA / "celegans").glob("*.npz")):
        if "velocity" in np.load(path, allow_pickle=False).files:
            yield "worms", path.stem, lambda path=path: worm(path)
            yield "worms", f"{path.stem}: states", lambda path=path: worm_states(path)

            def split(path: Path = path) -> Activity:
                return bb.read(path).deconvolve().binarize().split()

            yield "worms", f"worm {path.stem}: rbm", lambda split=split: rbm(split())
            for model in ("hmm", "history"):
                yield ("worms", f"worm {path.stem}: {model}",
                       lambda split=split, model=model: with_time(split(), model))  # fmt: skip
            yield ("worms", f"worm {path.stem}: rbm, assemblies",
                   lambda split=split: in_context(split(), "assemblies", free=True))  # fmt: skip


def of_recording(
    part: str, name: str, read: Callable[[], Activity]
) -> Iterator[tuple[str, str, Callable[[], list[Line]]]]:
    yield part, f"{name}: rbm", lambda: rbm(read())
    for model in MODELS:
        yield part, f"{name}: {model}", lambda model=model: with_time(read(), model)
    for names in CONTEXTS:
        yield part, f"{name}: rbm, {names}", lambda names=names: in_context(read(), names)
    yield part, f"{name}: controls", lambda: controls(read())


def summary(table: pd.DataFrame) -> tuple[str, bool]:
    """Return the text, and whether all that must hold does."""
    text, good = [], True
    nulls = table[(table.part == "planted") & table.name.str.startswith("no states")]
    if len(nulls):
        one = int((nulls.value == 1).sum())
        fine = one >= 0.95 * len(nulls)
        good &= fine
        text.append(f"no states planted: one is chosen in {one} of {len(nulls)} "
                    f"{'' if fine else 'NOT GOOD'}")  # fmt: skip
    judged = table[table.good.notna() & ~table.name.str.startswith("no states")]
    for line in judged.itertuples():
        fine = str(line.good) == "True"
        good &= fine
        text.append(f"{line.part}, {line.name}, {line.model}: {line.value:.3g} (limit "
                    f"{line.limit:g}) {'' if fine else 'NOT GOOD'}")  # fmt: skip
    text += [
        f"{line.part}, {line.name}, {line.model}: {line.value:.3f}, 95 % of shifts below "
        f"{line.limit:.3f}, {line.chosen}"
        for line in table[table.limit.notna() & table.good.isna()].itertuples()
    ]
    table = table.assign(recording=table.name.str.rpartition(": ")[0])
    lifts = [one for one in lifted(table) if one is not None]
    if lifts:
        mean, least = np.mean([one[0] for one in lifts]), min(one[0] / one[1] for one in lifts)
        fine = bool(mean >= LEAST_LIFT and least >= ERRORS)
        good &= fine
        text.append(f"session 10: the past lifts the RBM by {mean:.2f} nats a bin, mean of "
                    f"{len(lifts)} splits (limit {LEAST_LIFT:g}), at least {least:.1f} standard "
                    f"errors (limit {ERRORS:g}) {'' if fine else 'NOT GOOD'}")  # fmt: skip
    for recording, lines in table[table.gain.notna()].groupby("recording", sort=False):
        text.append(f"\n{recording}: nats per test bin over independent neurons")
        sums = {line.model: np.array(json.loads(line.sums)) for line in lines.itertuples()
                if isinstance(line.sums, str)}  # fmt: skip
        for line in lines.itertuples():
            if line.model not in sums:
                text.append(f"  {line.model:<32} {line.gain:+7.2f} ± {line.value:.2f}")
                continue
            sizes = np.array(json.loads(line.sizes))
            words = f"  {line.model:<32} {line.gain:+7.2f} ± "
            words += f"{stderr_of_sums(sums[line.model], sizes):.2f}"
            if line.model != "rbm" and "rbm" in sums:
                less = sums["rbm"] - sums[line.model]
                words += f"  RBM less this {less.sum() / sizes.sum():+.2f} ± "
                words += f"{stderr_of_sums(less, sizes):.2f}"
            if line.without == line.without:
                words += f"  without time {line.without:+.2f}"
            if line.seconds == line.seconds:
                words += f"  {line.seconds:.0f} s"
            text.append(words + (f"  {line.chosen}" if isinstance(line.chosen, str) else ""))
    return "\n".join(text), bool(good)


def lifted(table: pd.DataFrame) -> Iterator[tuple[float, float] | None]:
    """Yield for each split of session 10 what the past adds to the RBM, and its error."""
    for _, lines in table[table.name.str.startswith("session 10,")].groupby("recording"):
        pair = [lines[lines.model == model] for model in ("rbm", "rbm, past")]
        if any(one.empty for one in pair):
            yield None
            continue
        sums = [np.array(json.loads(one.sums.iloc[0])) for one in pair]
        sizes = np.array(json.loads(pair[0].sizes.iloc[0]))
        more = sums[1] - sums[0]
        yield float(more.sum() / sizes.sum()), float(stderr_of_sums(more, sizes))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=list(PARTS), choices=PARTS)
    parser.add_argument("--sessions", nargs="*", type=int, default=[10, 12])
    parser.add_argument("--splits", nargs="*", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--models", nargs="*", help="those of a recording alone, e.g. 'rbm, past'")
    parser.add_argument("--table", type=Path, default=ROOT / "proofs" / "models_with_time.csv")
    options = parser.parse_args()
    torch.set_grad_enabled(False)
    done = {one["name"] for one in read_lines(options.table)}
    for part, name, make in tasks(options):
        model = name.rpartition(": ")[2]
        if part not in options.only or name in done or model not in (options.models or [model]):
            continue
        lines = make()
        add_lines(options.table, COLUMNS, *({"part": part, "name": name, **line} for line in lines))
        print(part, name, [{k: v for k, v in one.items() if k not in ("sums", "sizes")}
                           for one in lines], flush=True)  # fmt: skip
    text, good = summary(pd.read_csv(options.table))
    options.table.with_suffix(".txt").write_text(text + "\n", encoding="utf-8")
    print(text)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
