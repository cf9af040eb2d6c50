"""The couplings of a model as they are kept in interpretation.h5."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from boltzbrain.foundations.progress import Teller
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.choices import Choices
from boltzbrain.interpretation.couplings.beyond_pairs import MOST_DENSE_NEURONS, conditional_spread
from boltzbrain.interpretation.couplings.couplings import (
    DISAGREEMENT,
    ReferenceWarning,
    couplings,
    low_rank_couplings,
    pair_memory_gb,
    sign_disagreement,
    strongest_pairs,
)
from boltzbrain.interpretation.couplings.low_rank import Couplings, top_partners
from boltzbrain.interpretation.couplings.norms import Norms, coupling_norms, sampled_triplets
from boltzbrain.interpretation.file import Entries, Entry, pair_entries
from boltzbrain.interpretation.marginal import Floats, Indices
from boltzbrain.interpretation.references import States
from boltzbrain.model.rbm import RBM

REFERENCES = ("uniform", "data")
_SPINS = "in spins of -1 and +1"
_OTHERS = {
    "uniform": "all others active with probability 1/2, independently (uniform reference)",
    "data": "all others as in training bins (data reference)",
}
_STRONG_PAIRS = 200
_SPREAD_PAIRS = 1000


def find_couplings(
    model: RBM, states: States, choices: Choices, generator: Generator, tell: Teller
) -> tuple[Entries, dict[str, Any], dict[str, Couplings]]:
    """Return fields, pairs, R, triplets and top partners; their summary; the pairs by reference.

    Parameters
    ----------
    model
        The model.
    states
        (bin, neuron) training bins.
    choices
        The options.
    generator
        Streams of its own are made of it.
    tell
        Told about progress.
    """
    neurons = len(model.visible)
    dense = pair_memory_gb(neurons) <= choices.memory_limit_gb
    entries: Entries = {}
    pairs: dict[str, Couplings] = {}
    finding = tell.phase("couplings")
    for number, reference in enumerate(REFERENCES):
        finding(number, len(REFERENCES))
        folder = "couplings" if reference == "uniform" else f"couplings/{reference}"
        options: dict[str, Any] = {"data": states, "bins": choices.bins}
        fields = couplings(model, 1, reference, **options)
        entries[f"{folder}/fields"] = Entry(
            fields, f"(neuron,) field H_i {_SPINS}, {_OTHERS[reference]}", "nats"
        )
        found = pairs_under(model, reference, states, choices)
        told = f"pair coupling J_ij {_SPINS}, {_OTHERS[reference]}, zero diagonal"
        if reference == "data" and not dense:
            told += ", in Taylor form (van der Plas et al. 2023, eq. 17)"
        entries.update(pair_entries(found, reference, told))
        pairs[reference] = found
    finding(len(REFERENCES), len(REFERENCES))
    beyond = tell.phase("beyond pairs")
    summary: dict[str, Any] = {"form": "dense" if dense else "low rank"}
    if neurons > 1:
        partners, values = top_partners(pairs["uniform"], min(choices.partners, neurons - 1))
        entries["couplings/partners"] = Entry(
            partners,
            "(neuron, place) partners of largest |J_ij|, uniform reference, strongest first",
        )
        entries["couplings/partner_values"] = Entry(
            values, "(neuron, place) their couplings J_ij", "nats"
        )
        strong = _strong(pairs["uniform"], partners, values)
        summary["strong_pairs"] = len(strong)
        summary["strong_pairs_that_change_sign"] = _compared(model, strong, states, choices)
        entries.update(_spreads(model, states, choices, generator, beyond, dense))
    if neurons > 2:
        found_3 = sampled_triplets(model, choices.triplets, generator.child("triplets"))
        entries["couplings/triplets/tuples"] = Entry(
            found_3.tuples, "(triplet, 3) neurons, drawn with equal probability"
        )
        entries["couplings/triplets/values"] = Entry(
            found_3.values, f"(triplet,) coupling J_ijk {_SPINS}, uniform reference", "nats"
        )
    beyond(3, 3)
    return entries, summary, pairs


def pairs_under(model: RBM, reference: str, states: States, choices: Choices) -> Couplings:
    """Return the couplings of all pairs: one array where the memory allows it, else in factors."""
    options: dict[str, Any] = {"data": states, "bins": choices.bins}
    limit = choices.memory_limit_gb
    if pair_memory_gb(len(model.visible)) <= limit:
        return couplings(model, 2, reference, check=False, memory_limit_gb=limit, **options)
    return low_rank_couplings(model, reference, **options)


def _strong(pairs: Couplings, partners: Indices, values: Floats) -> Indices:
    """Return the strongest pairs that are not 0, (pair, 2)."""
    if isinstance(pairs, np.ndarray):
        strong = strongest_pairs(pairs, _STRONG_PAIRS)
        kept: Indices = strong[pairs[strong[:, 0], strong[:, 1]] != 0]
        return kept
    rows = np.repeat(np.arange(len(partners)), partners.shape[1])
    both: Indices = np.column_stack((rows, partners.ravel()))
    size = np.where(both[:, 0] < both[:, 1], np.abs(values.ravel()), 0.0)
    top = np.argsort(-size, kind="stable")[:_STRONG_PAIRS]
    chosen: Indices = both[top[size[top] > 0]]
    return chosen


def _compared(model: RBM, strong: Indices, states: States, choices: Choices) -> float | None:
    if len(strong) == 0:
        return None
    fraction = sign_disagreement(model, strong, *REFERENCES, data=states, bins=choices.bins)
    if fraction > DISAGREEMENT:
        warnings.warn(
            f"{fraction:.0%} of the {len(strong)} strongest pairs change sign between the "
            "references 'uniform' and 'data': look at both",
            ReferenceWarning,
            stacklevel=2,
        )
    return fraction


def _spreads(
    model: RBM,
    states: States,
    choices: Choices,
    generator: Generator,
    tell: Teller,
    dense: bool,
) -> Entries:
    """Return R of all pairs, or of pairs drawn at random where there are too many neurons."""
    neurons = len(model.visible)
    entries: Entries = {}
    tuples = None
    name, axes = "r_pairs", "(neuron, neuron)"
    if not dense or neurons > MOST_DENSE_NEURONS:
        name, axes = "r_sample/values", "(pair,)"
        draws = generator.child("pairs").integers(neurons, 2 * _SPREAD_PAIRS).reshape(-1, 2)
        tuples = draws[draws[:, 0] != draws[:, 1]]
        entries["couplings/r_sample/tuples"] = Entry(tuples, "(pair, 2) neurons drawn at random")
    for number, reference in enumerate(REFERENCES):
        tell(number, 3)
        folder = "couplings" if reference == "uniform" else f"couplings/{reference}"
        spread = conditional_spread(
            model, reference, tuples=tuples, data=states, samples=choices.spread_samples,
            generator=generator.child("spread"),
        )  # fmt: skip
        entries[f"{folder}/{name}"] = Entry(
            spread.deviation.astype(np.float32),
            f"{axes} R_ij, standard deviation of the coupling of a pair over states of the others: "
            f"{_OTHERS[reference]}; {spread.samples} states. The definition is ours",
            "nats",
        )
    return entries


NORM_COLUMNS = tuple(Norms.__dataclass_fields__)


def find_norms(
    models: Sequence[tuple[int, Callable[[], RBM]]],
    choices: Choices,
    generator: Generator,
    tell: Teller,
) -> tuple[Entries, dict[str, Any]]:
    """Return the norm of each order of coupling along training.

    Parameters
    ----------
    models
        Update and how to get its model.
    choices, generator, tell
        As in `find_couplings`.
    """
    found = []
    tell = tell.phase("norms along training")
    for number, (_, load) in enumerate(models):
        tell(number, len(models))
        # the same sets and states for every checkpoint, so that the curve is smooth
        found.append(coupling_norms(load(), triplets=choices.triplets, generator=generator.copy()))
    tell(len(models), len(models))
    definitions = {
        "fields": "root of the sum of squared Ising fields",
        "pairs": "root of the sum over pairs of squared Ising couplings",
        "triplets": "root of the sum over triplets of squared Ising couplings, sampled",
        "triplets_stderr": "its standard error",
        "variance": "variance of log P over uniform spins: the sum of squares of all orders",
        "variance_stderr": "its standard error",
        "explained": "fraction of that variance in orders 1 to 3; 0 where nothing varies",
        "explained_stderr": "its standard error",
    }
    updates = np.array([update for update, _ in models], dtype=np.int64)
    entries = {"couplings/norms/update": Entry(updates, "(checkpoint,) update of the training")}
    for name, definition in definitions.items():
        values = np.array([getattr(one, name) or 0.0 for one in found])
        squared = name.startswith("variance")
        unit = "1" if name.startswith("explained") else "nats^2" if squared else "nats"
        entries[f"couplings/norms/{name}"] = Entry(values, f"(checkpoint,) {definition}", unit)
    last = found[-1]
    return entries, {name: getattr(last, name) for name in NORM_COLUMNS}
