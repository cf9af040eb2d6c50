"""Several runs side by side: repeats of one animal, animals, and a structural matrix."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from boltzbrain.foundations.checks import InputError, bad_input, one_of, whole_number_in
from boltzbrain.foundations.disk.files import FileFormat, atomic_write, write_ours
from boltzbrain.foundations.disk.folders import one_writer, together
from boltzbrain.foundations.random import Generator
from boltzbrain.foundations.showing.told import SelfTold
from boltzbrain.interpretation.animals.agreement import (
    AverageMap,
    average_maps,
    map_agreement,
    match_assemblies,
    write_map,
)
from boltzbrain.interpretation.animals.by_group import (
    Groups,
    OfAnimal,
    compare_groups,
    two_groups,
)
from boltzbrain.interpretation.animals.structure import (
    RegionMatrix,
    compare_with_structure,
    read_structure,
)
from boltzbrain.interpretation.assemblies.assemblies import hidden_activity
from boltzbrain.interpretation.file import Interpretation
from boltzbrain.interpretation.interpret import interpretation_of
from boltzbrain.interpretation.marginal import Floats
from boltzbrain.interpretation.references import some_bins
from boltzbrain.interpretation.regions.maps import KINDS, RegionMaps
from boltzbrain.training.run.run import TrainingRun

FORMAT = FileFormat("boltzbrain comparison")
"""Of comparison.json; its version is that of the tables beside it, too."""
MATRICES = ("uniform", "data", "covariance", "correlation", "ising", "graphical_lasso")
"""What maps are made of: couplings under two references, statistics of the data, pair models."""
CONVERGED_SHARE = 0.5
"""A run counts as converged if it gains this share of what its animal's best run gains."""

_MATCHED_BINS = 5000


@dataclass(frozen=True, eq=False)
class FoundInRun:
    """One run and what was read out of it.

    Attributes
    ----------
    name
        Its folder.
    animal
        Number of its animal: runs of the same recording and neurons share one.
    duration_s
        Length of all bins of the activity.
    gain, gain_stderr
        Validation log-likelihood per bin over independent neurons, nats, and its standard error;
        None without such a fold. Runs of earlier versions have no error of it.
    converged
        Whether it counts; see `CONVERGED_SHARE`. The definition is ours.
    run, found
        The run and its interpretation.
    """

    name: str
    animal: int
    duration_s: float
    gain: float | None
    gain_stderr: float | None
    converged: bool
    run: TrainingRun
    found: Interpretation


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(SelfTold):
    """What `compare` returns.

    Attributes
    ----------
    summary
        The content of comparison.json.
    averages
        Matrix to the map averaged over animals (eq. 22), or None where nothing has regions.
    groups
        What differs between two groups of animals, if they were named.
    """

    summary: Mapping[str, Any]
    averages: Mapping[str, AverageMap]
    groups: Groups | None = None


def read_runs(runs: Sequence[TrainingRun]) -> list[FoundInRun]:
    """Open the interpretations of runs, find the animals and judge which runs converged.

    Raises
    ------
    InputError
        If there is no run, one of them twice, or one whose chosen model is not interpreted.
    """
    if not runs:
        raise bad_input("runs", "hold at least one run", "none")
    folders = [run.folder.resolve() for run in runs]
    if len(set(folders)) < len(folders):
        raise bad_input("runs", "be different folders", "one of them twice")
    animals: dict[tuple[str, tuple[str, ...]], int] = {}
    opened = []
    for run in runs:
        found = interpretation_of(run)
        data = run.info["data"]
        whose = data["recording_sha256"] or data["recording"]
        key = (whose, tuple(str(name) for name in found["neurons/id"]))
        activity = run.activity()
        animal = animals.setdefault(key, len(animals))
        duration = activity.n_bins * activity.bin_width_s
        opened.append((run, found, animal, duration, *_validation_gain(run)))
    best: dict[int, float] = {}
    for _, _, animal, _, gain, _ in opened:
        best[animal] = max(best.get(animal, 0.0), gain or 0.0)
    return [
        FoundInRun(
            run.folder.name,
            animal,
            duration,
            gain,
            error,
            gain is None or gain > max(0.0, CONVERGED_SHARE * best[animal]),
            run,
            found,
        )
        for run, found, animal, duration, gain, error in opened
    ]


def _validation_gain(run: TrainingRun) -> tuple[float | None, float | None]:
    """Return the gain of the chosen model on the validation fold, and its standard error."""
    log = run.log()
    if "validation_nats_per_bin" not in log:
        return None, None
    row = log[log["update"] == run.chosen_update].iloc[-1]
    error = row.get("validation_gain_stderr")
    return (
        float(row["validation_nats_per_bin"] - row["validation_independent"]),
        None if error is None else float(error),
    )


def compare_runs(
    runs: Sequence[TrainingRun],
    structure: RegionMatrix | None = None,
    *,
    groups: Sequence[str] | None = None,
    kind: str = "l1",
    permutations: int = 10_000,
    seed: int = 0,
) -> Comparison:
    """Compare interpreted runs: repeats of one animal, several animals, and anatomy.

    Parameters
    ----------
    runs
        Runs that `interpret` has read. Runs of the same recording and neurons are repeats of one
        animal.
    structure
        Structural matrix, if any.
    groups
        The group of each run, of two groups of animals, which are compared.
    kind
        Which map: "mean", "l1" or "rms".
    permutations
        Of the regions against the structural matrix.
    seed
        Of every stream.
    """
    one_of("kind", kind, KINDS)
    whole_number_in("permutations", permutations, low=10)
    interpreted = read_runs(runs)
    names = two_groups(groups, [one.animal for one in interpreted]) if groups else None
    generator = Generator.from_seed(seed, "comparison")
    reasons: dict[str, str] = {}
    averages: dict[str, AverageMap] = {}
    of_maps: dict[str, Any] = {}
    of_structure: dict[str, Any] = {}
    for matrix in MATRICES:
        held = [one for one in interpreted if one.converged and one.found.maps(matrix) is not None]
        if not held:
            reasons[f"maps.{matrix}"] = _why_no_map(interpreted)
            continue
        mine = [_maps(one, matrix) for one in held]
        averages[matrix], between = _average(held, mine, kind)
        of_maps[matrix] = {"repeats": _repeats(held, mine, kind), "animals": between}
        if structure is None:
            continue
        try:
            told = compare_with_structure(
                averages[matrix].names, averages[matrix].values, structure,
                generator.child("structure", matrix), permutations=permutations,
            )  # fmt: skip
            of_structure[matrix] = {
                name: value for name, value in asdict(told).items() if name != "null"
            }
        except InputError as error:
            reasons[f"structure.{matrix}"] = str(error)
    grouped = None
    if groups and names:
        animals = _animals(interpreted, groups)
        grouped = compare_groups(animals, names, MATRICES, kind, generator.child("groups"))
    summary = {
        **FORMAT.told,
        "options": {"kind": kind, "permutations": permutations, "seed": seed},
        "runs": [
            {
                "folder": str(one.run.folder),
                "animal": one.animal,
                "duration_s": one.duration_s,
                "gain": one.gain,
                "gain_stderr": one.gain_stderr,
                "converged": one.converged,
            }
            for one in interpreted
        ],
        "maps": of_maps,
        "assemblies": _matchings(interpreted, generator.child("assemblies")),
        "structure": of_structure or None,
        "groups": None if grouped is None else grouped.told(),
        "reasons": reasons if structure is not None else {**reasons, "structure": "none was given"},
    }
    return Comparison(summary, averages, grouped)


def _animals(interpreted: Sequence[FoundInRun], groups: Sequence[str]) -> list[OfAnimal]:
    """Return the animals of which a run converged, each with its group."""
    found: dict[int, tuple[list[FoundInRun], str]] = {}
    for one, group in zip(interpreted, groups, strict=True):
        if one.converged:
            found.setdefault(one.animal, ([], group))[0].append(one)
    return [
        OfAnimal(", ".join(one.name for one in some), group, [one.found for one in some])
        for some, group in found.values()
    ]


def _why_no_map(interpreted: Sequence[FoundInRun]) -> str:
    """Return why no run has a region map that counts."""
    converged = [one for one in interpreted if one.converged]
    if not converged:
        return "no run converged"
    if not any(one.found.summary["regions"] for one in converged):
        return "; ".join(sorted({one.found.summary["reasons"]["regions"] for one in converged}))
    return "no converged run has this region map"


def _maps(one: FoundInRun, matrix: str) -> RegionMaps:
    maps = one.found.maps(matrix)
    if maps is None:
        raise bad_input("matrix", "be one that the run has a map of", matrix)
    return maps


def _repeats(
    held: Sequence[FoundInRun], maps: Sequence[RegionMaps], kind: str
) -> list[dict[str, Any]]:
    """Return the agreement of every two runs of one animal."""
    return [
        {"first": held[told.first].name, "second": held[told.second].name, **_figures(told)}
        for told in map_agreement(maps, kind)
        if held[told.first].animal == held[told.second].animal
    ]


def _average(
    held: Sequence[FoundInRun], maps: Sequence[RegionMaps], kind: str
) -> tuple[AverageMap, list[dict[str, Any]]]:
    """Return the map averaged over animals, and the agreement of every two animals.

    The repeats of an animal are averaged first, each with the same weight.
    """
    numbers = sorted({one.animal for one in held})
    mean: list[RegionMaps] = []
    durations = []
    for animal in numbers:
        mine = [one for one, reading in zip(maps, held, strict=True) if reading.animal == animal]
        mean.append(_mean(mine))
        durations.append(max(one.duration_s for one in held if one.animal == animal))
    between = [
        {"first": numbers[told.first], "second": numbers[told.second], **_figures(told)}
        for told in map_agreement(mean, kind)
    ]
    return average_maps(mean, durations, kind), between


def _figures(told: Any) -> dict[str, Any]:
    return {name: value for name, value in asdict(told).items() if name not in ("first", "second")}


def _mean(maps: Sequence[RegionMaps]) -> RegionMaps:
    """Return the mean of maps of the same neurons and regions."""
    names = {one.names for one in maps}
    if len(names) > 1:
        raise bad_input(
            "runs", "be interpreted with the same regions (--atlas, --min-neurons)", "others"
        )
    mean, l1, rms = (np.mean([one.of(kind) for one in maps], axis=0) for kind in KINDS)
    return RegionMaps(maps[0].names, maps[0].counts, maps[0].pairs, mean, l1, rms)


def _matchings(interpreted: Sequence[FoundInRun], generator: Generator) -> list[dict[str, Any]]:
    """Return how well the assemblies of every two repeats match, by weights and by activity."""
    result = []
    for number, one in enumerate(interpreted):
        for other in interpreted[number + 1 :]:
            if one.animal != other.animal or not (one.converged and other.converged):
                continue
            states = some_bins(one.run.activity().states_of("train"), _MATCHED_BINS)
            tables: dict[str, tuple[Floats, Floats]] = {
                "weights": (_scaled(one), _scaled(other)),
                "activity": tuple(
                    hidden_activity(each.run.at_mean_context(), states).astype(np.float64)
                    for each in (one, other)
                ),  # type: ignore[dict-item]
            }
            found: dict[str, Any] = {"first": one.name, "second": other.name}
            for name, (first, second) in tables.items():
                told = match_assemblies(first, second, generator.child(name, number))
                found[name] = {
                    "mean_similarity": float(told.similarity.mean()),
                    "median_similarity": float(np.median(told.similarity)),
                    "chance": told.chance,
                    "pairs": told.pairs.tolist(),
                    "similarity": told.similarity.tolist(),
                }
            result.append(found)
    return result


def _scaled(one: FoundInRun) -> Floats:
    result: Floats = one.found["assemblies/weights"] * one.found["assemblies/scale"]
    return result


def compare_into(
    folder: Path | None,
    runs: Sequence[TrainingRun],
    structure: RegionMatrix | None = None,
    *,
    page: Callable[[Comparison, Path], object] | None = None,
    **options: Any,
) -> Comparison:
    """Compare runs; write comparison.json and a csv of each average map, all at once or not at all.

    Parameters
    ----------
    folder
        Made if need be; nothing is written if None.
    runs, structure, options
        As of `compare_runs`.
    page
        Writes comparison.html, which appears with the rest.

    Raises
    ------
    InputError
        As `compare_runs`, or if the folder is being written or cannot be.
    """
    if folder is None:
        return compare_runs(runs, structure, **options)
    with one_writer(folder, "compare"):
        found = compare_runs(runs, structure, **options)
        with together(folder) as place:
            for matrix, average in found.averages.items():
                write_map(place(f"map_{matrix}.csv"), average)
            write_ours(place("comparison.json"), FORMAT, found.summary)
            if found.groups is not None:
                with atomic_write(place("groups.csv")) as temporary:
                    found.groups.to_dataframe().to_csv(temporary, index=False)
            if page is not None:
                page(found, place("comparison.html"))
    return found


def load_structure(structure: RegionMatrix | str | Path | None) -> RegionMatrix | None:
    """Return a structural matrix from a csv file; what is one already stays."""
    if structure is None or isinstance(structure, RegionMatrix):
        return structure
    return read_structure(structure)
