"""Motifs beside the models of the same animals: their couplings, and their assemblies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata

from boltzbrain.data.activity import Activity
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.progress import Teller
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.couplings.couplings import couplings
from boltzbrain.interpretation.in_time.differences import BINS, couplings_of
from boltzbrain.interpretation.motifs.changes import names_of
from boltzbrain.model.rbm import RBM
from boltzbrain.training.context.refit import refitted
from boltzbrain.training.run.run import TrainingRun

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

PERMUTATIONS = 1000
EPOCH_BINS = 1000
"""Bins below which an epoch has no couplings of its own."""
FEWEST = 4
"""Neurons that an animal and the motifs must share."""


def motifs_beside(
    nodes: NDArray[Any],
    matrices: Floats,
    communities: Indices,
    epochs: tuple[NDArray[Any], Floats],
    runs: Mapping[str, TrainingRun],
    generator: Generator,
    tell: Teller,
) -> list[dict[str, Any]]:
    """Return how far couplings and assemblies of models go with motifs.

    Parameters
    ----------
    nodes
        (node,) names of the neurons of the motifs.
    matrices
        (motif, node, node) their pairs beyond chance.
    communities
        (motif, node) number of the community of every node.
    epochs
        Names, and (motif, epoch) the strength of each motif there.
    runs
        Animal to its run.
    generator
        Moves on; permutes the neurons.
    tell
        Told the animals.

    Returns
    -------
    list
        A row a motif and animal: ``motif``, ``animal``, ``neurons`` in common, ``epoch`` whose
        couplings they are (empty for the whole recording), ``rank_correlation`` of pairs of the
        motif with couplings (data reference), and ``adjusted_rand`` index of its communities and
        the strongest assembly of each neuron; each with its ``..._p``, neurons permuted.

    Raises
    ------
    InputError
        If an animal shares fewer than four neurons with the motifs.
    """
    rows = []
    for number, (animal, run) in enumerate(runs.items()):
        tell(number, len(runs))
        activity, model = run.activity(), run.at_mean_context()
        place = {name: row for row, name in enumerate(names_of(activity)) if name}
        mine = [row for row, name in enumerate(nodes.tolist()) if str(name) in place]
        if len(mine) < FEWEST:
            must = f"share {FEWEST} neurons or more with the motifs by name"
            raise bad_input(f"the run of {animal}", must, len(mine), file=run.folder)
        there = np.array([place[str(nodes[row])] for row in mine])
        held: dict[str, Floats] = {}
        strongest = model.weights.abs().argmax(dim=1).cpu().numpy()[there]
        for motif in range(len(matrices)):
            stream = generator.child(animal, motif)
            epoch = _epoch_of(activity, epochs[0], epochs[1][motif])
            if epoch not in held:
                held[epoch] = _couplings(model, activity, epoch, stream)[np.ix_(there, there)]
            size = matrices[motif][np.ix_(mine, mine)]
            rho, rho_p = _rank_correlation(size, held[epoch], stream)
            label = communities[motif][mine]
            rand, rand_p = _adjusted_rand(label, strongest, stream)
            rows.append(
                {
                    "motif": motif,
                    "animal": animal,
                    "neurons": len(mine),
                    "epoch": epoch,
                    "rank_correlation": rho,
                    "rank_correlation_p": rho_p,
                    "adjusted_rand": rand,
                    "adjusted_rand_p": rand_p,
                }
            )
    tell(len(runs), len(runs))
    return rows


def _epoch_of(activity: Activity, names: NDArray[Any], strength: Floats) -> str:
    """Return the epoch in which a motif is strongest, "" where the animal has too little of it."""
    if activity.epoch is None or not len(names):
        return ""
    for one in np.argsort(-strength, kind="stable").tolist():
        name = str(names[one])
        if name in activity.epoch_names:
            bins = int((activity.epoch == activity.epoch_names.index(name)).sum())
            if bins >= EPOCH_BINS:
                return name
    return ""


def _couplings(model: RBM, activity: Activity, epoch: str, generator: Generator) -> Floats:
    """Return couplings of an epoch, its fields fitted anew; of the whole recording for ""."""
    if not epoch:
        data = activity.states_of("train")
        return np.asarray(couplings(model, 2, "data", data=data, bins=BINS, check=False))
    assert activity.epoch is not None
    states = activity.states[activity.epoch == activity.epoch_names.index(epoch)]
    every = torch.ones((len(states), 1), dtype=torch.float64)
    rows = refitted(model, torch.from_numpy(states), every, generator)
    found: Floats = couplings_of(model, rows, states)[:, :, 0]
    return found


def _rank_correlation(one: Floats, other: Floats, generator: Generator) -> tuple[float, float]:
    """Return Spearman's correlation over pairs, and its p with the neurons permuted, two-sided."""
    first, second = np.triu_indices(len(one), 1)

    def unit(values: Floats) -> Floats:
        ranks = rankdata(values)
        ranks -= ranks.mean()
        found: Floats = ranks / max(float(np.linalg.norm(ranks)), 1e-300)
        return found

    mine, theirs = unit(one[first, second]), np.zeros_like(other)
    theirs[first, second] = unit(other[first, second])
    theirs += theirs.T
    rho = float(mine @ theirs[first, second])
    null = np.empty(PERMUTATIONS)
    for draw in range(PERMUTATIONS):
        order = generator.permutation(len(one))
        null[draw] = mine @ theirs[order[first], order[second]]
    beyond = (np.abs(null) >= abs(rho) - 1e-12).sum()
    return rho, float((1 + beyond) / (1 + PERMUTATIONS))


def _adjusted_rand(one: Indices, other: Indices, generator: Generator) -> tuple[float, float]:
    """Return the adjusted Rand index of two partitions (Hubert and Arabie 1985), and its p.

    The nodes are permuted. 0 where one partition has a single part, or none of two nodes.

    Examples
    --------
    >>> halves = np.arange(8) // 4
    >>> rand, p_value = _adjusted_rand(halves, 1 - halves, Generator.from_seed(0))
    >>> rand, p_value < 0.1
    (1.0, True)
    """
    first = (one[:, None] == np.unique(one)).astype(np.float64)
    second = (other[:, None] == np.unique(other)).astype(np.float64)

    def together(counts: Floats) -> float:
        """Return the number of pairs within parts of so many."""
        return float((np.square(counts) - counts).sum() / 2)

    sizes = together(first.sum(axis=0)), together(second.sum(axis=0))
    by_chance = sizes[0] * sizes[1] / (len(one) * (len(one) - 1) / 2)
    most = sum(sizes) / 2 - by_chance
    if most <= 0:
        return 0.0, 1.0

    def index(order: Indices | slice) -> float:
        return (together(first.T @ second[order]) - by_chance) / most

    rand = index(slice(None))
    null = [index(generator.permutation(len(one))) for _ in range(PERMUTATIONS)]
    beyond = sum(value >= rand - 1e-12 for value in null)
    return rand, (1 + beyond) / (1 + PERMUTATIONS)
