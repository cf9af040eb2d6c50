"""What says which neurons of two animals lie at one place: positions, names or regions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity
from boltzbrain.data.regions import NO_TEXT, Regions
from boltzbrain.data.study import Frame
from boltzbrain.foundations.checks import bad_input, one_of
from boltzbrain.foundations.random import Generator

Floats = NDArray[np.float64]

WAYS = ("positions", "names", "regions")
MOST_SPAN_RATIO = 3.0
"""Ratio of the extents of two animals above which they cannot be in one unit."""
MIRRORED_BETTER, MIRRORED_WELL = 0.25, 0.5
"""By how much, and how well, the density of a mirror image must fit that of the teacher for the
animal to be refused as mirrored: those of some hundred neurons differ by about 0.1 by chance."""
_CELLS = 4
"""Cells of an axis in which densities are counted."""
_FEWEST_PLACED = 0.5


@dataclass(frozen=True)
class Register:
    """By what neurons of several animals are told to lie at one place.

    Attributes
    ----------
    way
        One of `WAYS`.
    atlas
        Of regions; the first by name if empty.
    """

    way: str
    atlas: str = ""

    @classmethod
    def of(cls, by: str) -> Register:
        """Return what `positions`, `names`, `regions` or `regions:ATLAS` says.

        Raises
        ------
        InputError
            If it is none of these.
        """
        way, _, atlas = by.partition(":")
        if way in ("statistics", "nothing", "none"):
            raise bad_input(
                "by",
                "be positions, names or regions: without any of them a student finds other "
                "assemblies, as well as the first, and translates worse than mean rates",
                by,
            )
        one_of("by", way, WAYS)
        if atlas and way != "regions":
            raise bad_input("by", f"name an atlas with regions only, as in regions:{atlas}", by)
        return cls(way, atlas)


@dataclass(frozen=True, eq=False)
class Neurons:
    """What is known of the neurons of one animal.

    Attributes
    ----------
    animal
        Its name.
    xyz_um
        (neuron, 3) in the frame of the study, NaN where unknown.
    names
        (neuron,) names, "" where unknown.
    regions
        Of one atlas; None without one.
    """

    animal: str
    xyz_um: Floats
    names: NDArray[np.str_]
    regions: Regions | None

    def __len__(self) -> int:
        """Return the number of neurons."""
        return len(self.names)

    @classmethod
    def of(cls, animal: str, activity: Activity, register: Register) -> Neurons:
        """Take what is known from an activity.

        Raises
        ------
        InputError
            If it lacks what the register goes by.
        """
        table, file = activity.neurons, activity.source.path
        xyz = table[["x_um", "y_um", "z_um"]].to_numpy(dtype=np.float64)
        # a plane, as of one imaged layer
        xyz = np.where(np.isnan(xyz).all(axis=0), 0.0, xyz)
        unknown = table[["x_um", "y_um", "z_um"]].isna().all(axis=None)
        names = _names_of(activity)
        atlas = register.atlas or min(activity.regions, default="")
        if register.way == "positions":
            placed = 0.0 if unknown else float(np.isfinite(xyz).all(axis=1).mean())
            if placed < _FEWEST_PLACED:
                must = "have positions of at least half of its neurons to be aligned by positions"
                raise bad_input(animal, must, f"{placed:.0%}", file=file)
        elif register.way == "names" and not (names != "").any():
            raise bad_input(animal, "have names of neurons to be aligned by names", "none")
        elif register.way == "regions" and atlas not in activity.regions:
            known = ", ".join(activity.regions) or "none"
            must = f"have an atlas{f' {atlas}' if atlas else ''} to be aligned by regions"
            raise bad_input(animal, must, known, file=file)
        xyz = np.full_like(xyz, np.nan) if unknown else xyz
        return cls(animal, xyz, names, activity.regions.get(atlas))

    @property
    def placed(self) -> NDArray[np.bool_]:
        """(neuron,) whether its position is known."""
        return np.asarray(np.isfinite(self.xyz_um).all(axis=1), dtype=np.bool_)

    def permuted(self, order: NDArray[np.int64]) -> Neurons:
        """Return the neurons with the places, names and regions of others."""
        regions = None if self.regions is None else self.regions.select(order)
        return replace(self, xyz_um=self.xyz_um[order], names=self.names[order], regions=regions)

    def shuffled(self, generator: Generator) -> Neurons:
        """Return the neurons with places, names and regions permuted at large."""
        return self.permuted(generator.permutation(len(self)))

    def shuffled_within_regions(self, generator: Generator) -> Neurons | None:
        """Return the neurons permuted among those of their region; None without regions."""
        if self.regions is None:
            return None
        labels, order = self.regions.labels(), np.arange(len(self))
        for name in np.unique(labels):
            mine = np.flatnonzero(labels == name)
            order[mine] = mine[generator.permutation(len(mine))]
        return self.permuted(order)

    def mirrored(self, axis: int, midline: float) -> Neurons:
        """Return the neurons at their mirror images."""
        xyz = self.xyz_um.copy()
        xyz[:, axis] = 2 * midline - xyz[:, axis]
        return replace(self, xyz_um=xyz)


def _names_of(activity: Activity) -> NDArray[np.str_]:
    """Return names: the column `label` or `name` if there is one, else the ids."""
    table = activity.neurons
    column = next((one for one in ("label", "name") if one in table), "id")
    told = ["" if one is None else str(one).strip() for one in table[column].tolist()]
    words = ["" if one.lower() in NO_TEXT else one for one in told]
    counts: dict[str, int] = {}
    for one in words:
        counts[one] = counts.get(one, 0) + 1
    # a name that two neurons of an animal have is none
    return np.array([one if counts[one] == 1 else "" for one in words], dtype=np.str_)


def midline_of(teacher: Neurons, axis: int) -> float:
    """Return the middle of the teacher's extent along an axis, micrometres."""
    along = teacher.xyz_um[teacher.placed, axis]
    return float((along.min() + along.max()) / 2)


def require_one_frame(every: Mapping[str, Neurons], frame: Frame) -> dict[str, Any]:
    """Refuse animals that cannot lie in one frame: other units, or a mirror image.

    Parameters
    ----------
    every
        Animals by name, the first of them the one that the others are held against.
    frame
        The frame.

    Returns
    -------
    dict
        Animal to how well its density fits that of the first, and that of its mirror image.

    Raises
    ------
    InputError
        If one cannot.
    """
    first, *others = every.values()
    found: dict[str, Any] = {}
    span = np.ptp(first.xyz_um[first.placed], axis=0).max()
    for one in others:
        its = np.ptp(one.xyz_um[one.placed], axis=0).max()
        ratio = max(span, its) / max(min(span, its), 1e-9)
        if ratio > MOST_SPAN_RATIO:
            raise bad_input(
                f"positions of {one.animal}",
                f"be in one unit with those of {first.animal}: extents of {its:.3g} and "
                f"{span:.3g} um are more than {MOST_SPAN_RATIO:g} times apart",
                f"a ratio of {ratio:.3g}",
            )
        fits = {}
        for axis in frame.mirror_axes:
            image = one.mirrored(axis, midline_of(first, axis))
            plain, turned = (_density_fit(first, each) for each in (one, image))
            fits["xyz"[axis]] = {"as_it_is": plain, "mirrored": turned}
            if turned > MIRRORED_WELL and turned - plain > MIRRORED_BETTER:
                raise bad_input(
                    f"positions of {one.animal}",
                    f"not be the mirror image of those of {first.animal} along "
                    f"{'xyz'[axis]} (declare its axes or hemisphere)",
                    f"densities that fit with r = {plain:.2f}, mirrored with {turned:.2f}",
                )
        found[one.animal] = fits
    return found


def _density_fit(first: Neurons, second: Neurons) -> float:
    """Return the correlation of the densities of two animals, counted in one grid."""
    places = [one.xyz_um[one.placed] for one in (first, second)]
    low, high = places[0].min(axis=0), places[0].max(axis=0)
    edges = [
        np.linspace(a, b if b > a else a + 1.0, _CELLS + 1) for a, b in zip(low, high, strict=True)
    ]
    counts = [np.histogramdd(one, bins=edges)[0].ravel() for one in places]
    if any(one.std() == 0 for one in counts):
        return 0.0
    return float(np.corrcoef(counts[0], counts[1])[0, 1])
