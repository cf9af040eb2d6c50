"""Several animals: recordings that are compared, and never joined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity
from boltzbrain.data.recording import Recording
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.showing.told import SelfTold

_SIDES = ("LR", "AP", "SI")


@dataclass(frozen=True)
class Frame:
    """The frame in which positions of several animals are told.

    Attributes
    ----------
    atlas
        Its name; empty where unknown.
    axes
        Where x, y and z lead to: one letter each of L or R (left, right), A or P (anterior,
        posterior), S or I (superior, inferior), as in "RAS". Empty where unknown.

    Raises
    ------
    InputError
        If the axes are not three of these, one of each pair.

    Examples
    --------
    >>> Frame("zbrain", "PRS").mirror_axes, Frame().mirror_axes
    ((1,), (0, 1, 2))
    """

    atlas: str = ""
    axes: str = ""

    def __post_init__(self) -> None:
        """Refuse axes that are none."""
        pairs = {pair for pair in _SIDES for letter in self.axes if letter in pair}
        if self.axes and (len(self.axes) != len(_SIDES) or len(pairs) != len(_SIDES)):
            must = "be three letters, one of LR, one of AP and one of SI, as in RAS"
            raise bad_input("axes", must, self.axes)

    @property
    def mirror_axes(self) -> tuple[int, ...]:
        """Numbers of the axes along which an animal may be mirrored: left to right, or any."""
        found = [place for place, letter in enumerate(self.axes) if letter in _SIDES[0]]
        return tuple(found) or (0, 1, 2)

    def turned(self, xyz: NDArray[np.float64], axes: str) -> NDArray[np.float64]:
        """Return positions that are told along other axes, (neuron, 3), in this frame.

        Axes that lead the other way change sign.

        Raises
        ------
        InputError
            If the frame or the positions have no axes.
        """
        if not self.axes or not axes:
            raise bad_input("axes", "be declared of the frame and of the animal", "only one")
        other = Frame(self.atlas, axes)
        order = [
            next(place for place, one in enumerate(other.axes) if one in pair)
            for pair in (next(two for two in _SIDES if letter in two) for letter in self.axes)
        ]
        signs = [1.0 if other.axes[place] == here else -1.0
                 for place, here in zip(order, self.axes, strict=True)]  # fmt: skip
        turned: NDArray[np.float64] = xyz[:, order] * np.array(signs)
        return turned


@dataclass(frozen=True, repr=False)
class Study(SelfTold):
    """Recordings of several animals, by name.

    Attributes
    ----------
    names
        One per animal, all different.
    recordings
        One per animal.
    frame
        In which their positions are told, micrometres.
    groups
        The group of each animal, a condition or genotype; empty where none is told.
    """

    names: tuple[str, ...]
    recordings: tuple[Recording, ...]
    frame: Frame = Frame()
    groups: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse names that do not tell the animals apart."""
        if len(self.names) != len(self.recordings) or not self.names:
            raise bad_input(
                "names", f"be one per recording ({len(self.recordings)})", len(self.names)
            )
        if len(set(self.names)) != len(self.names):
            raise bad_input("names", "be different", list(self.names))
        if self.groups and len(self.groups) != len(self.names):
            must = f"be one per animal ({len(self.names)}), or none"
            raise bad_input("groups", must, len(self.groups))

    @classmethod
    def of(
        cls,
        recordings: Sequence[Recording],
        names: Sequence[str] | None = None,
        frame: Frame | None = None,
    ) -> Study:
        """Make a study; animals without names are called "animal0", "animal1", ..."""
        told = [f"animal{n}" for n in range(len(recordings))] if names is None else names
        return cls(tuple(told), tuple(recordings), Frame() if frame is None else frame)

    def __len__(self) -> int:
        """Return the number of animals."""
        return len(self.recordings)

    def __iter__(self) -> Iterator[tuple[str, Recording]]:
        """Go through names and recordings."""
        return iter(zip(self.names, self.recordings, strict=True))

    def binarize(self, **options: Any) -> dict[str, Activity]:
        """Return the activity of every animal by name; options as of `Recording.binarize`."""
        return {name: recording.binarize(**options) for name, recording in self}

    def common_regions(self, atlas: str) -> tuple[str, ...]:
        """Return the regions of an atlas that hold a neuron of every animal, in alphabetical order.

        Raises
        ------
        InputError
            If an animal has no such atlas.
        """
        sets = []
        for name, recording in self:
            if atlas not in recording.regions:
                raise bad_input(
                    "atlas",
                    f"be one that every animal has (of {name}: "
                    f"{', '.join(recording.regions) or 'none'})",
                    atlas,
                )
            regions = recording.regions[atlas]
            counts = regions.counts().tolist()
            sets.append({one for one, n in zip(regions.names, counts, strict=True) if n})
        return tuple(sorted(set.intersection(*sets)))
