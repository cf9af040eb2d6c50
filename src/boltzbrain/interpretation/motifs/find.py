"""From what several animals' neurons did to motifs, with what chance would give beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity
from boltzbrain.data.recording import Recording
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.disk.files import FileFormat
from boltzbrain.foundations.disk.hdf5_tables import plain
from boltzbrain.foundations.progress import Callback, Teller
from boltzbrain.foundations.random import Generator
from boltzbrain.foundations.showing.told import SelfTold
from boltzbrain.interpretation.file import Entries, Entry, read_entries, write_entries
from boltzbrain.interpretation.motifs.affinities import Affinities, affinities_of
from boltzbrain.interpretation.motifs.behaviour import Row, motifs_and_behaviour
from boltzbrain.interpretation.motifs.beside import motifs_beside
from boltzbrain.interpretation.motifs.changes import Signal, changes_of, signal_of
from boltzbrain.interpretation.motifs.choices import MotifChoices
from boltzbrain.interpretation.motifs.communities import MOST_NODES, find_communities
from boltzbrain.interpretation.motifs.factors import (
    Factors,
    Fits,
    Floats,
    factorise,
    matched,
    pairs_given,
)
from boltzbrain.interpretation.motifs.of_couplings import spread_of, with_mixed_windows
from boltzbrain.interpretation.motifs.rank import (
    Tried,
    agreement_of,
    blocks_of,
    choose_rank,
    held_out_score,
    shifted,
    with_chance,
)
from boltzbrain.training.run.run import TrainingRun

FORMAT = FileFormat("boltzbrain motifs", what="motifs.h5", command="boltzbrain connectome")

_STARTS, _STARTS_BESIDE = 10, 2
"""Starts of the communities, and of those of the other starts of the components."""


@dataclass(frozen=True, eq=False, repr=False)
class Motifs(SelfTold):
    """What changes together, when and in which animals.

    Attributes
    ----------
    entries
        Path in motifs.h5 to array; docs/motifs.md lists them.
    summary
        Single figures in the types of JSON: ``rank``, ``tried`` and others.
    """

    entries: Mapping[str, Entry]
    summary: Mapping[str, Any]

    def __len__(self) -> int:
        """Return the number of motifs."""
        return int(self.summary["rank"])

    def __getitem__(self, path: str) -> NDArray[Any]:
        """Return the array at a path."""
        return self.entries[path].values

    def matrix(self, motif: int) -> Floats:
        """Return the pairs of a motif beyond chance, (node, node), symmetric; 0 if not known."""
        return square(
            self["pairs/nodes"], self["motifs/pair"][motif] - self["motifs/chance"][motif],
            len(self["nodes/name"]),
        )  # fmt: skip

    def save(self, path: Path) -> None:
        """Write motifs.h5, whole or not at all.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        write_entries(path, FORMAT, self.entries, self.summary)


def read_motifs(path: str | Path) -> Motifs:
    """Read motifs.h5.

    Raises
    ------
    InputError
        If the file is missing, damaged or of another format.
    """
    entries, summary, _ = read_entries(Path(path), FORMAT)
    return Motifs(entries, summary)


def square(pairs: NDArray[np.int64], values: Floats, nodes: int) -> Floats:
    """Return values of pairs as a symmetric matrix, those that change together alone."""
    result = np.zeros((nodes, nodes))
    some = slice(0, min(len(pairs), nodes * (nodes - 1) // 2))
    result[pairs[some, 0], pairs[some, 1]] = values[some]
    return result + result.T


def find_motifs(
    animals: Mapping[str, Recording | Activity | Signal] | Mapping[str, TrainingRun],
    choices: MotifChoices,
    *,
    beside: Mapping[str, TrainingRun] | None = None,
    seed: int = 0,
    callbacks: Sequence[Callback] = (),
) -> Motifs:
    """Find motifs: non-negative components of affinities (window, animal, pair).

    Parameters
    ----------
    animals
        Name to recording, or to finished run, of whose couplings in windows of time the motifs
        then are; their neurons are told by name.
    choices
        What is asked for.
    beside
        Runs of the animals, by name, whose couplings and assemblies stand beside the motifs; the
        runs themselves where they are given.
    seed
        Of every stream.
    callbacks
        Told phase by phase: "components", "surrogates", "communities", "models".

    Raises
    ------
    InputError
        If animals share too few names, windows of one clock differ in number, or memory is too
        small.
    """
    generator = Generator.from_seed(seed, "motifs")
    tell = Teller(callbacks)
    runs = {name: one for name, one in animals.items() if isinstance(one, TrainingRun)}
    if runs and len(runs) < len(animals):
        others = ", ".join(name for name in animals if name not in runs)
        raise bad_input("animals", "be all recordings or all runs", f"no run: {others}")
    signals: dict[str, Signal] = {}
    of_runs = choices.window_bins, choices.atlas, generator.child("couplings")
    if runs:
        affinities, surrogate = with_mixed_windows(runs, *of_runs)
    else:
        signals = {
            name: signal_of(one, choices.atlas)
            for name, one in animals.items()
            if not isinstance(one, TrainingRun)
        }
        affinities = affinities_of(
            signals, smooth_s=choices.smooth_s, window_s=choices.window_s, signed=choices.signed
        )
        surrogate = _shifted_neurons(signals, choices, generator)
    if choices.one_clock and len(set(affinities.windows)) > 1:
        must = "be left out where animals differ in the number of windows"
        raise bad_input("one_clock", must, list(affinities.windows))

    def score(of: Affinities, number: int) -> float:
        if runs:
            return spread_of(of)
        stream = generator.child("held out", number)
        return held_out_score(of, number, stream, one_clock=choices.one_clock)

    fits, tried = _fitted(affinities, choices, generator, score, tell.phase("components"))
    agreed = [one.rank for one in tried if one.agrees or choices.rank is not None]
    levels: dict[int, Floats] = {}
    if agreed:
        best = {number: fits[number].factors[0] for number in agreed}
        told = tell.phase("surrogates")
        scores = np.empty((len(tried), choices.surrogates))
        for draw in range(choices.surrogates):
            moved = surrogate(draw)
            scores[:, draw] = [score(moved, one.rank) for one in tried]
            blocks = blocks_of(moved, choices.one_clock)
            for number in agreed:
                pairs = pairs_given(blocks, best[number]) / choices.surrogates
                levels[number] = levels.get(number, 0.0) + pairs
            told(draw + 1, choices.surrogates)
        tried = with_chance(tried, scores)
    rank = choices.rank or choose_rank(tried)
    found = _found(
        affinities, fits.get(rank), levels.get(rank), tried, choices, rank, seed,
        generator.child("communities"), tell.phase("communities"),
    )  # fmt: skip
    models = dict(beside or {}) or runs
    rows: list[Row] = []
    if models and rank and choices.atlas is None:
        known = "epochs/name", "motifs/epoch"
        rows = motifs_beside(
            found["nodes/name"], np.array([found.matrix(motif) for motif in range(rank)]),
            found["motifs/community"], (found[known[0]], found[known[1]]), models,
            generator.child("models"), tell.phase("models"),
        )  # fmt: skip
    follows: list[Row] = []
    differ: list[Row] = []
    if rank and not runs:
        follows, differ = motifs_and_behaviour(
            found["motifs/time"], found["windows/animal"], signals, choices.window_s,
            generator.child("behaviour"),
        )  # fmt: skip
    more = {
        "couplings": bool(runs),
        "runs": {
            name: {"run": run.id, "update": run.chosen_update} for name, run in models.items()
        },
        "beside": rows,
        "behaviour": follows,
        "labels": differ,
    }
    return replace(found, summary={**found.summary, **more})


def _shifted_neurons(
    signals: Mapping[str, Signal], choices: MotifChoices, generator: Generator
) -> Callable[[int], Affinities]:
    """Return what makes affinities of neurons that are shifted, by the number of the surrogate."""
    changes = {name: changes_of(one, choices.smooth_s) for name, one in signals.items()}

    def made(draw: int) -> Affinities:
        return affinities_of(
            signals, window_s=choices.window_s, signed=choices.signed,
            changes=shifted(changes, signals, generator.child("shifts", draw)),
        )  # fmt: skip

    return made


def _fitted(
    affinities: Affinities,
    choices: MotifChoices,
    generator: Generator,
    score: Callable[[Affinities, int], float],
    tell: Teller,
) -> tuple[dict[int, Fits], list[Tried]]:
    """Fit every number of components; return the fits and what is told of them."""
    ranks = [choices.rank] if choices.rank else list(range(1, choices.most + 1))
    fits, tried = {}, []
    for done, rank in enumerate(ranks, 1):
        found = factorise(
            blocks_of(affinities, choices.one_clock), rank, generator.child("starts", rank),
            starts=choices.starts, one_clock=choices.one_clock,
        )  # fmt: skip
        fits[rank] = found
        told = score(affinities, rank)
        tried.append(Tried(rank, 1.0 - float(found.residual[0]), *agreement_of(found), told))
        tell(done, len(ranks))
    return fits, tried


def _found(
    affinities: Affinities,
    fits: Fits | None,
    level: Floats | None,
    tried: Sequence[Tried],
    choices: MotifChoices,
    rank: int,
    seed: int,
    generator: Generator,
    tell: Teller,
) -> Motifs:
    nodes, pairs = len(affinities.nodes), len(affinities.pairs)
    best = fits.factors[0] if fits is not None else _none(affinities)
    pair = best.size[:, None] * best.pair
    level = np.zeros((rank, pairs)) if level is None else level
    community = np.zeros((rank, nodes), dtype=np.int64)
    together = np.zeros((rank, nodes, nodes), dtype=np.float32)
    anywhere = np.asarray(affinities.shown.any(axis=0), dtype=np.float64)
    known = square(affinities.pairs, anywhere, nodes) > 0
    if fits is not None and nodes <= MOST_NODES:
        others: list[Floats] = [
            (other.size[:, None] * other.pair)[matched(best, other)] for other in fits.factors[1:]
        ]
        for motif in range(rank):
            for number, of_start in enumerate([pair, *others]):
                beyond: Floats = of_start - level
                weights = square(affinities.pairs, np.asarray(beyond[motif]), nodes)
                many = _STARTS_BESIDE if number else _STARTS
                found = find_communities(weights, generator, known=known, starts=many).of
                together[motif] += found[:, None] == found
                if not number:
                    community[motif] = found
            tell(motif + 1, rank)
        together /= len(fits.factors)
    shares = animal_shares(affinities, best)
    starts = affinities.start_s[:1] if choices.one_clock else affinities.start_s
    epochs = affinities.epochs[:1] if choices.one_clock else affinities.epochs
    whose = np.repeat(np.arange(len(starts)), [len(one) for one in starts])
    epoch = np.concatenate(epochs)
    entries: Entries = {
        "nodes/name": Entry(np.array(affinities.nodes, dtype=object), "(node,) neuron or region"),
        "animals/name": Entry(np.array(affinities.animals, dtype=object), "(animal,) name"),
        "animals/shown": Entry(
            affinities.shown.astype(np.uint8), "(animal, pair) 1 where the animal has both"
        ),
        "pairs/nodes": Entry(
            affinities.pairs, "(pair, 2) nodes; signed: against each other behind together"
        ),
        "windows/animal": Entry(
            whose, "(window,) number of its animal; one clock: 0, all animals share them"
        ),
        "windows/start_s": Entry(
            np.concatenate(starts), "(window,) since the beginning, time between segments left out",
            "s",
        ),
        "windows/epoch": Entry(epoch, "(window,) number of its epoch, -1 for none"),
        "epochs/name": Entry(np.array(affinities.epoch_names, dtype=object), "(epoch,) name"),
        "motifs/time": Entry(best.time, "(motif, window) strength, the sum of squares is 1"),
        "motifs/animal": Entry(shares, "(motif, animal) share of the motif's strength"),
        "motifs/pair": Entry(pair, "(motif, pair) affinity of norm 1 in time and animals"),
        "motifs/chance": Entry(level, "(motif, pair) the same of neurons shifted in time"),
        "motifs/community": Entry(community, "(motif, node) number of its community"),
        "motifs/together": Entry(
            together, "(motif, node, node) share of starts with both in one community"
        ),
        "motifs/epoch": Entry(
            strength_by_epoch(best.time, epoch, len(affinities.epoch_names)),
            "(motif, epoch) mean strength relative to that over all windows",
        ),
    }  # fmt: skip
    summary = {
        "rank": rank,
        "asked": choices.rank is not None,
        "animals": list(affinities.animals),
        "nodes": nodes,
        "of": "neurons" if choices.atlas is None else "regions",
        "windows": list(affinities.windows),
        "tried": [asdict(one) for one in tried],
        "options": choices.model_dump(),
        "seed": seed,
    }
    return Motifs(entries, plain(summary))


def animal_shares(affinities: Affinities, factors: Factors) -> Floats:
    """Return how much of each component lies in each animal, (component, animal), of sum 1.

    Of one clock its weights; else the mean strength of its windows.
    """
    if factors.animal.shape[1] > 1 or len(affinities.animals) == 1:
        weights = factors.animal
    else:
        parts = np.split(factors.time, np.cumsum(affinities.windows)[:-1], axis=1)
        weights = np.column_stack([part.mean(axis=1) for part in parts])
    result: Floats = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)
    return result


def strength_by_epoch(time: Floats, epoch: NDArray[np.int32], epochs: int) -> Floats:
    """Return the mean strength in each epoch relative to that over all windows, (component, epoch).

    0 in an epoch without windows.
    """
    result = np.zeros((len(time), epochs))
    level = np.maximum(time.mean(axis=1), 1e-300)
    for number in range(epochs):
        if (epoch == number).any():
            result[:, number] = time[:, epoch == number].mean(axis=1) / level
    return result


def _none(affinities: Affinities) -> Factors:
    rows, pairs = sum(affinities.windows), len(affinities.pairs)
    return Factors(np.zeros(0), np.zeros((0, rows)), np.zeros((0, 1)), np.zeros((0, pairs)))
