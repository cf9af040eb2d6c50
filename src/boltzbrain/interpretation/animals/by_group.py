"""What is compared between two groups of animals: maps, where assemblies lie, named couplings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.atlas import canonical_name
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.animals.groups import GroupTest, group_test, told
from boltzbrain.interpretation.file import Interpretation
from boltzbrain.interpretation.regions.maps import RegionMaps

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

OCCUPANCY, COUPLINGS, WHOLE = "occupancy", "couplings", "whole"
"""Families beside the maps: assemblies by region, couplings of named neurons, the whole animal."""
MOST_COUPLINGS = 500
"""Neurons that all animals have up to which all their couplings are compared."""


@dataclass(frozen=True)
class OfAnimal:
    """One animal as it is compared.

    Attributes
    ----------
    name
        The folders of its runs.
    group
        Its group.
    found
        The interpretations of its converged runs.
    """

    name: str
    group: str
    found: Sequence[Interpretation]


@dataclass(frozen=True, eq=False)
class Groups:
    """Two groups of animals.

    Attributes
    ----------
    names
        The groups; differences are of the second less the first.
    animals
        Group to its animals.
    families
        Family to its test.
    left_out
        Family to the number of entries that some animal lacks.
    """

    names: tuple[str, str]
    animals: Mapping[str, Sequence[str]]
    families: Mapping[str, GroupTest]
    left_out: Mapping[str, int] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """Return what comparison.json says of them."""
        return {
            "names": list(self.names),
            "animals": {name: list(some) for name, some in self.animals.items()},
            "families": {
                name: {**told(one, self.names), "left_out": self.left_out.get(name, 0)}
                for name, one in self.families.items()
            },
        }

    def to_dataframe(self) -> pd.DataFrame:
        """Return a row for each entry of each family, as groups.csv has it."""
        import pandas as pd

        parts = [
            pd.DataFrame(
                {
                    "family": name,
                    "entry": one.entries,
                    self.names[0]: one.values[~one.second].mean(axis=0),
                    self.names[1]: one.values[one.second].mean(axis=0),
                    "difference": one.difference,
                    "effect": one.effect,
                    "p_value": one.p_value,
                    "corrected": one.corrected,
                    "animals_needed": one.needed,
                }
            )
            for name, one in self.families.items()
        ]
        return pd.concat(parts, ignore_index=True)


def two_groups(groups: Sequence[str], animals: Sequence[int]) -> tuple[str, str]:
    """Return the names of the two groups, in the order in which they come.

    Parameters
    ----------
    groups
        Of every run.
    animals
        Number of the animal of every run.

    Raises
    ------
    InputError
        If there are not two, or runs of one animal are said to be of both.
    """
    if len(groups) != len(animals):
        raise bad_input("groups", f"name the group of each of {len(animals)} runs", len(groups))
    names = list(dict.fromkeys(groups))
    if len(names) != 2:
        raise bad_input("groups", "name two groups", ", ".join(names) or "none")
    for animal in set(animals):
        own = {group for group, one in zip(groups, animals, strict=True) if one == animal}
        if len(own) > 1:
            raise bad_input("groups", "be one for all runs of an animal", " and ".join(sorted(own)))
    return names[0], names[1]


def compare_groups(
    animals: Sequence[OfAnimal],
    names: tuple[str, str],
    matrices: Sequence[str],
    kind: str,
    generator: Generator,
) -> Groups:
    """Compare two groups of animals, by every family of entries that all of them have.

    Parameters
    ----------
    animals
        At least two of each group.
    names
        The groups.
    matrices
        What maps are of, see `Interpretation.maps`.
    kind
        Which map.
    generator
        Each family draws from a stream of its own.
    """
    tables: dict[str, list[dict[str, float]]] = {
        f"maps.{matrix}": [_of_maps(one, matrix, kind) for one in animals] for matrix in matrices
    }
    tables[OCCUPANCY] = [_mean(one, _occupancy) for one in animals]
    tables[COUPLINGS] = _named(animals)
    tables[WHOLE] = [_mean(one, _whole) for one in animals]
    second = np.array([one.group == names[1] for one in animals])
    spelled = _spelled(animals)
    families, left_out = {}, {}
    for family, rows in tables.items():
        shared = [entry for entry in rows[0] if all(entry in one for one in rows)]
        every = {entry for one in rows for entry in one}
        if not shared:
            continue
        values = np.array([[one[entry] for entry in shared] for one in rows])
        entries = [spelled.get(entry, entry) for entry in shared]
        families[family] = group_test(entries, values, second, generator.child(family))
        left_out[family] = len(every) - len(shared)
    of = {name: [one.name for one in animals if one.group == name] for name in names}
    return Groups(names, of, families, left_out)


def _spelled(animals: Sequence[OfAnimal]) -> dict[str, str]:
    """Return the regions, and pairs of them, as the first animal that has them spells them."""
    regions: dict[str, str] = {}
    for animal in animals:
        for found in animal.found:
            for path in ("assemblies/region_names", "regions/names"):
                for name in found[path].tolist() if path in found else ():
                    regions.setdefault(canonical_name(str(name)), str(name))
    names = sorted(regions)
    pairs = {
        f"{one}, {two}": f"{regions[one]}, {regions[two]}"
        for place, one in enumerate(names)
        for two in names[place + 1 :]
    }
    return {**regions, **pairs}


def _mean(animal: OfAnimal, of: Any) -> dict[str, float]:
    """Return the mean over the runs of an animal of what all of them have."""
    rows = [of(one) for one in animal.found]
    shared = [entry for entry in rows[0] if all(entry in one for one in rows)]
    return {entry: float(np.mean([one[entry] for one in rows])) for entry in shared}


def _of_maps(animal: OfAnimal, matrix: str, kind: str) -> dict[str, float]:
    def pairs(found: Interpretation) -> dict[str, float]:
        maps: RegionMaps | None = found.maps(matrix)
        if maps is None:
            return {}
        table, names = maps.of(kind), [canonical_name(one) for one in maps.names]
        first, second = np.triu_indices(len(names))
        return {
            names[one] if one == two else ", ".join(sorted((names[one], names[two]))): float(
                table[one, two]
            )
            for one, two in zip(first.tolist(), second.tolist(), strict=True)
            if maps.pairs[one, two] > 0
        }

    return _mean(animal, pairs)


def _occupancy(found: Interpretation) -> dict[str, float]:
    """Return the mean over assemblies of their weights on a region, by region."""
    if "assemblies/region_occupancy" not in found:
        return {}
    names = (canonical_name(str(one)) for one in found["assemblies/region_names"])
    mean = found["assemblies/region_occupancy"].mean(axis=0, dtype=np.float64)
    # a region without neurons is none of the animal's
    return {name: value for name, value in zip(names, mean.tolist(), strict=True) if value > 0}


def _whole(found: Interpretation) -> dict[str, float]:
    sizes, neurons = found["assemblies/sizes"], len(found["neurons/id"])
    held = {
        "share of neurons in an assembly": float(np.median(sizes)) / neurons,
        "activity of assemblies": float(found["assemblies/mean_activity"].mean()),
        "rate": float(found["neurons/rate"].mean()),
    }
    if "assemblies/effective_regions" in found:
        regions = found["assemblies/effective_regions"]
        held["regions of an assembly"] = float(regions.mean())
    return held


def _named(animals: Sequence[OfAnimal]) -> list[dict[str, float]]:
    """Return the couplings of neurons that all animals have by name, by pair of names."""
    tables = [one.found for one in animals]
    sets = [{str(name) for name in one["neurons/id"]} for some in tables for one in some]
    shared = sorted(set.intersection(*sets))
    # numbers of rows are no names
    dense = all("couplings/pairs" in one for some in tables for one in some)
    if len(shared) < 2 or len(shared) > MOST_COUPLINGS or not dense:
        return [{} for _ in animals]
    if all(name.isdecimal() for name in shared):
        return [{} for _ in animals]
    first, second = np.triu_indices(len(shared), 1)
    entries = [f"{shared[one]}, {shared[two]}" for one, two in zip(first, second, strict=True)]

    def pairs(found: Interpretation) -> dict[str, float]:
        place = {str(name): row for row, name in enumerate(found["neurons/id"])}
        rows = np.array([place[name] for name in shared])
        values = found["couplings/pairs"][rows[first], rows[second]]
        return dict(zip(entries, values.astype(float).tolist(), strict=True))

    return [_mean(one, pairs) for one in animals]
