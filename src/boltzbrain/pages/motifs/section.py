"""Motifs as a section of a page: the same figures, captions and tables wherever they are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.foundations.showing.numbers import number
from boltzbrain.foundations.showing.told import listed
from boltzbrain.interpretation.motifs.find import Motifs
from boltzbrain.pages import figures
from boltzbrain.pages.motifs.words import motif_doubts, motif_words
from boltzbrain.pages.panels.panel import Image, draw

_MOST_NAMED = 6
"""Members of a community that are named, the strongest ones."""
_OF_BESIDE = (
    "model of",
    "couplings of",
    "rank correlation with the motif",
    "assemblies and communities (adjusted Rand)",
)
_OF_NUMBERS = ("goes with", "animal", "rank correlation over windows", "p (moved in time)", "q")
_OF_LABELS = (
    "differs by",
    "animal",
    "trials",
    "strongest in",
    "variance beyond chance",
    "p (swapped among neighbours)",
    "q",
)

Indices = NDArray[np.int64]
Row = tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table: what it is called for those who cannot see it, its heads and rows."""

    words: str
    heads: Row
    rows: Sequence[Row]


@dataclass(frozen=True)
class MotifShown:
    """One motif: its figures, and tables of what it is made of and goes with."""

    images: Sequence[Image]
    tables: Sequence[Table]


@dataclass(frozen=True)
class MotifSection:
    """Everything that a page shows of motifs.

    Attributes
    ----------
    words
        What was found, in sentences.
    motifs
        Each of them.
    numbers
        Every number of motifs that was tried.
    couplings
        Whether they are motifs of couplings.
    doubtful
        Whether they should not be interpreted.
    """

    words: Sequence[str]
    motifs: Sequence[MotifShown]
    numbers: Table
    couplings: bool
    doubtful: bool

    @property
    def contents(self) -> Sequence[tuple[str, str]]:
        """Anchor and heading of every part."""
        parts = [(f"motif{one + 1}", f"Motif {one + 1}") for one in range(len(self.motifs))]
        return [*parts, ("motif-numbers", "How many motifs")]

    @property
    def images(self) -> Sequence[Image]:
        """All figures."""
        return [image for one in self.motifs for image in one.images]


def motif_section(found: Motifs) -> MotifSection:
    """Return what a page shows of motifs; its pictures are drawn when they are asked for."""
    couplings = found.summary["couplings"]
    heads = (
        "motifs",
        "explained",
        "agreement of starts",
        "least",
        "size of changes" if couplings else "held out",
        "by chance",
        "p over numbers",
    )
    rows = [_row(one, len(found)) for one in found.summary["tried"]]
    return MotifSection(
        motif_words(found),
        [_motif(found, one) for one in range(len(found))],
        Table("numbers of motifs", heads, rows),
        couplings,
        bool(motif_doubts(found)),
    )


def _motif(found: Motifs, motif: int) -> MotifShown:
    label = found["motifs/community"][motif]
    names, animals = found["nodes/name"], found.summary["animals"]
    shares = found["motifs/animal"][motif]
    images: list[Image] = []
    whose = found["windows/animal"]
    if int(whose.max(initial=0)) == 0:
        animals_of_rows = ["all animals"] if len(animals) > 1 else animals
    else:
        animals_of_rows = animals
    courses = {
        str(name): (
            found["windows/start_s"][whose == place],
            found["motifs/time"][motif][whose == place],
        )
        for place, name in enumerate(animals_of_rows)
    }
    images.append(
        draw(figures.motif_course.later(courses), f"Strength of motif {motif + 1}", "when")
    )
    if len(animals) > 1:
        drawing = figures.motif_animals.later([str(one) for one in animals], shares)
        images.append(draw(drawing, f"Animals of motif {motif + 1}", "in which animals"))
    matrix = found.matrix(motif)
    order = np.lexsort((-matrix.sum(axis=1), label))
    matrix = matrix[np.ix_(order, order)]
    drawing = figures.motif_matrix.later([str(names[one]) for one in order], matrix, label[order])
    images.append(draw(drawing, f"Pairs of motif {motif + 1}", "which change together"))
    return MotifShown(images, [one for one in _tables(found, motif, order) if one.rows])


def _tables(found: Motifs, motif: int, order: Indices) -> list[Table]:
    """Return the tables of a motif, members of communities in an order of the nodes."""
    label, names = found["motifs/community"][motif], found["nodes/name"]
    communities = [
        (
            f"{one + 1}",
            f"{int((label == one).sum())}",
            number(_within(found, motif, label == one), 2),
            listed([str(name) for name in names[order][label[order] == one]], _MOST_NAMED),
        )
        for one in range(int(label.max()) + 1)
    ]
    epochs = [
        (str(name), number(float(value), 2))
        for name, value in zip(found["epochs/name"], found["motifs/epoch"][motif], strict=True)
    ]

    def rows(of: str) -> list[Mapping[str, Any]]:
        return [one for one in found.summary[of] if one["motif"] == motif]

    beside = [
        (
            one["animal"],
            one["epoch"] or "all bins",
            f"{number(one['rank_correlation'], 2)} (p = {one['rank_correlation_p']:.2g})",
            f"{number(one['adjusted_rand'], 2)} (p = {one['adjusted_rand_p']:.2g})",
        )
        for one in rows("beside")
    ]
    follows = [
        (
            one["name"],
            one["animal"],
            number(one["rank_correlation"], 2),
            f"{one['p_value']:.2g}",
            f"{one['q_value']:.2g}",
        )
        for one in rows("behaviour")
    ]
    labels = [
        (
            one["name"],
            one["animal"],
            f"{one['trials']:,}",
            f"{one['preferred']} (of {len(one['levels'])})",
            number(one["effect"], 3),
            f"{one['p_value']:.2g}",
            f"{one['q_value']:.2g}",
        )
        for one in rows("labels")
    ]
    return [
        Table(
            "communities", ("community", "members", "together over starts", "which"), communities
        ),
        Table("models beside", _OF_BESIDE, beside),
        Table("behaviour", _OF_NUMBERS, follows),
        Table("labels of trials", _OF_LABELS, labels),
        Table("epochs", ("epoch", "strength relative to all windows"), epochs),
    ]


def _within(found: Motifs, motif: int, members: Any) -> float:
    """Return the mean share of starts that put two members into one community."""
    inside = found["motifs/together"][motif][np.ix_(members, members)]
    count = len(inside)
    return float((inside.sum() - np.trace(inside)) / max(count * (count - 1), 1))


def _row(tried: Mapping[str, Any], rank: int) -> Row:
    chance = max(tried["by_chance"], default=None)
    return (
        f"{tried['rank']}{' (taken)' if tried['rank'] == rank else ''}",
        number(tried["explained"], 3),
        number(tried["agreement"], 2),
        number(tried["least"], 2),
        number(tried["held_out"], 3),
        "" if chance is None else f"at most {number(chance, 3)}",
        "" if tried["p_value"] is None else f"{tried['p_value']:.2g}",
    )
