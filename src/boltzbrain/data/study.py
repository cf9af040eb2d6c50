"""Several animals: recordings that are compared, and never joined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from boltzbrain.data.activity import Activity
from boltzbrain.data.recording import Recording
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.showing.told import SelfTold


@dataclass(frozen=True, repr=False)
class Study(SelfTold):
    """Recordings of several animals, by name.

    Attributes
    ----------
    names
        One per animal, all different.
    recordings
        One per animal.
    """

    names: tuple[str, ...]
    recordings: tuple[Recording, ...]

    def __post_init__(self) -> None:
        """Refuse names that do not tell the animals apart."""
        if len(self.names) != len(self.recordings) or not self.names:
            raise bad_input(
                "names", f"be one per recording ({len(self.recordings)})", len(self.names)
            )
        if len(set(self.names)) != len(self.names):
            raise bad_input("names", "be different", list(self.names))

    @classmethod
    def of(cls, recordings: Sequence[Recording], names: Sequence[str] | None = None) -> Study:
        """Make a study; animals without names are called "animal0", "animal1", ..."""
        told = [f"animal{n}" for n in range(len(recordings))] if names is None else names
        return cls(tuple(told), tuple(recordings))

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
