"""The grid of a sweep: which plans are trained, and the names of their runs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from boltzbrain.foundations.checks import bad_input, whole_number_in
from boltzbrain.foundations.showing.numbers import value_words
from boltzbrain.training.plan import TrainingPlan, make_plan

ALWAYS = ("hidden", "l1")
"""Hyperparameters that every table of a sweep names, varied or not, chosen in training or given."""

MOST_RUNS = 10_000
"""A sweep of more could not be meant: each is a training, and a folder of its own."""


@dataclass(frozen=True)
class GridRun:
    """One run of a sweep: its name, a folder name too, and its plan."""

    name: str
    plan: TrainingPlan


@dataclass(frozen=True)
class Grid:
    """All combinations of values of some hyperparameters, with several seeds each.

    Attributes
    ----------
    axes
        Hyperparameter to its values: those of `ALWAYS`, then all that are varied. The L1 penalty is
        left out where trainings choose it (`l1_choices`): it is not known before they end.
    runs
        Every combination, the seed changing fastest.
    """

    axes: dict[str, tuple[Any, ...]]
    runs: tuple[GridRun, ...]

    @classmethod
    def of(
        cls,
        preset: str,
        values: Mapping[str, Any],
        *,
        seeds: int = 1,
        seed: int = 0,
    ) -> Grid:
        """Build a grid.

        Parameters
        ----------
        preset
            The recipe.
        values
            Hyperparameter to a value, or to a list of values to try.
        seeds
            Trainings of every point, with the seeds `seed`, `seed` + 1 and so on.
        seed
            The first seed.

        Raises
        ------
        InputError
            If a name or value is not one of the plan, a value is given twice, or values of the L1
            penalty are given where trainings choose it.
        """
        whole_number_in("seeds", seeds, low=1)
        whole_number_in("seed", seed, low=0)
        lists = {
            name: value if isinstance(value, (list, tuple)) else [value]
            for name, value in values.items()
            if value is not None
        }
        for name, given in lists.items():
            if not given:
                raise bad_input(name, "have at least one value", "none")
        if "seed" in lists or "preset" in lists:
            raise bad_input("the grid", "vary neither seed nor preset", ", ".join(lists))
        wanted = seeds * math.prod(map(len, lists.values()))
        if wanted > MOST_RUNS:
            raise bad_input("the grid", f"hold at most {MOST_RUNS:,} runs", f"{wanted:,}")
        plans = [
            make_plan(preset, seed=number, **dict(zip(lists, point, strict=True)))
            for point in itertools.product(*lists.values())
            for number in range(seed, seed + seeds)
        ]
        known = list(ALWAYS)
        if any(plan.l1_choices is not None for plan in plans):
            known.remove("l1")
            if len(lists.get("l1", ())) > 1:
                raise bad_input(
                    "l1", "have one value where trainings choose it (l1_choices)", lists["l1"]
                )
        varied = (name for name, given in lists.items() if len(given) > 1 and name not in ALWAYS)
        names = [*known, *varied]
        grid = cls.from_runs(names, [GridRun(_name(plan, names), plan) for plan in plans])
        for name in names:
            if name in lists and len(grid.axes[name]) < len(lists[name]):
                raise bad_input(name, "have each value once", list(map(str, lists[name])))
        return grid

    @classmethod
    def from_runs(cls, axes: Sequence[str], runs: Sequence[GridRun]) -> Grid:
        """Return the grid of some runs, whose axes have the values that the runs have."""
        values = {name: _distinct([getattr(one.plan, name) for one in runs]) for name in axes}
        return cls(values, tuple(runs))


def _distinct(values: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(values))


def _name(plan: TrainingPlan, names: Sequence[str]) -> str:
    return "_".join(f"{name}-{value_words(getattr(plan, name))}" for name in (*names, "seed"))
