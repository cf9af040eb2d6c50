"""The page of a study: pairs of animals, controls, shared assemblies, a translation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from boltzbrain.alignment.folder import StudyFolder
from boltzbrain.alignment.register import Floats, Neurons
from boltzbrain.alignment.shown.told import figure_words
from boltzbrain.alignment.translation import model_of, translate
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.disk.folders import page_file
from boltzbrain.foundations.showing.told import counted, listed
from boltzbrain.pages.figures.study import at_names, at_places, pair_controls, pair_matrix
from boltzbrain.pages.html import rendered, write_html
from boltzbrain.pages.motifs.section import MotifSection, motif_section
from boltzbrain.pages.panels.panel import Image, draw

PAGE = "study.html"
APART_ERRORS = 5.0
"""Errors by which a blind half must lie above that of the control to be told apart from it."""
_UNITS = 12
_PLACES = 14
_LONGEST = 10
_PAIRS_SHOWN = 12
_NAMES = {
    "blind_half": "Blind half",
    "spatial_correlation": "Spatial correlation",
    "over_own_model": "Over own model (nats per bin)",
}
_HEADS = (
    "pair", "blind half", "shuffled", "other units", "spatial correlation", "nats per bin",
    "over own model", "KL of hidden law (nats)", "without a start",
)  # fmt: skip

Pair = Mapping[str, Any]
Entry = tuple[str, str, Sequence[tuple[str, str]]]


@dataclass(frozen=True)
class UnitMaps:
    """An assembly in all animals: title, one image an animal, and what the pairs say."""

    title: str
    images: Sequence[Image]
    words: str


def write_study_page(study: StudyFolder | str | Path, path: str | Path | None = None) -> Path:
    """Write the page of a finished study.

    Parameters
    ----------
    study
        The study or its folder.
    path
        The html file; STUDY/study.html if None.

    Returns
    -------
    Path
        The page, one file that needs nothing else.

    Raises
    ------
    InputError
        If the study is not finished, or the page would replace something else.
    """
    opened = study if isinstance(study, StudyFolder) else StudyFolder.open(study)
    info = opened.info
    if info["status"] != "finished":
        must = "be finished (go on with `boltzbrain align --resume`)"
        raise bad_input("study", must, f"status {info['status']}", file=opened.folder)
    target = opened.folder / PAGE if path is None else page_file("out", path)
    pairs, names = info["pairs"], opened.animals
    neurons = {name: opened.neurons(name) for name in names}
    frames, words = _frames(opened, pairs, neurons)
    found = opened.motifs()
    motifs = None if found is None else motif_section(found)
    units = _units(opened, pairs, neurons)
    text = rendered(
        "study/page.html.j2",
        contents=_contents(bool(units), bool(frames), motifs),
        motifs=motifs,
        names=names,
        numbered=list(_short(names).values()) != names,
        by=info["asked"]["by"],
        answer=study_words(info),
        doubtful=_apart(pairs)[0] == 0,
        matrices=_matrices(names, pairs),
        controls=_controls(names, pairs),
        units=units,
        frames=frames,
        frames_words=words,
        lacking=_lacking(pairs),
        heads=_HEADS,
        rows=[_row(one) for one in pairs],
        version=info["environment"]["boltzbrain"],
    )
    return write_html(target, text)


def _contents(units: bool, frames: bool, motifs: MotifSection | None) -> list[Entry]:
    """Return anchor, heading and what is within, of every part of the page."""
    parts: list[Entry] = [
        ("glance", "At a glance", []),
        ("pairs", "Pairs of animals", []),
        ("controls", "Beside controls", []),
    ]
    parts += [("assemblies", "Shared assemblies", [])] if units else []
    parts += [("translation", "One animal told in another", [])] if frames else []
    parts += [("lacking", "Assemblies that are lacking", []), ("all", "All pairs", [])]
    return parts if motifs is None else [*parts, ("motifs", "Motifs", motifs.contents)]


def study_words(info: Mapping[str, Any]) -> list[str]:
    """Return in sentences what a study found."""
    pairs = info["pairs"]
    apart, judged = _apart(pairs)
    told = []
    if judged:
        told.append(
            f"Neurons that were not started from the teacher found its assemblies in {apart} of "
            f"{counted(judged, 'pair')} with a refitted control ({APART_ERRORS:g} standard errors "
            "above it)."
        )
    for name, words in (
        ("blind_half", "The blind half correlates at"),
        ("spatial_correlation", "Translated activity keeps its places at"),
    ):
        values = [one[name]["value"] for one in pairs if one[name]["value"] is not None]
        if values:
            told.append(
                f"{words} {np.median(values):.2f} in the median of {counted(len(values), 'pair')} "
                f"({min(values):.2f} to {max(values):.2f})."
            )
    return told or ["No pair has a score; the table says why."]


def _apart(pairs: Sequence[Pair]) -> tuple[int, int]:
    """Return how many pairs are told apart from their refitted control, and how many have one."""
    apart, judged = 0, 0
    for one in pairs:
        same, none = one["blind_half"], one["blind_half_shuffled"]
        if same["value"] is None or none["value"] is None:
            continue
        judged += 1
        error = float(np.hypot(same["stderr"] or 0.0, none["stderr"] or 0.0))
        apart += same["value"] - none["value"] > APART_ERRORS * error
    return apart, judged


def _short(names: Sequence[str]) -> dict[str, str]:
    """Return the names where they are short, else numbers in their order."""
    long = max(map(len, names)) > _LONGEST
    return {one: str(place) if long else one for place, one in enumerate(names, start=1)}


def _figure(one: Pair, name: str) -> tuple[float | None, float | None]:
    return one[name]["value"], one[name]["stderr"]


def _matrices(names: Sequence[str], pairs: Sequence[Pair]) -> list[Image]:
    images: list[Image] = []
    for name, words in _NAMES.items():
        values = {(one["teacher"], one["receiver"]): _figure(one, name) for one in pairs}
        images.append(draw(pair_matrix.later(names, values), f"{words} of every pair", words))
    return images


def _controls(names: Sequence[str], pairs: Sequence[Pair]) -> list[Image]:
    shown = _short(names)
    blind: dict[str, dict[str, Any]] = {}
    spatial: dict[str, dict[str, Any]] = {}
    for one in pairs[:_PAIRS_SHOWN]:
        name = f"{shown[one['receiver']]} of {shown[one['teacher']]}"
        blind[name] = {"blind half": _figure(one, "blind_half")}
        blind[name] |= {"other units": _figure(one, "blind_half_other_units")}
        spatial[name] = {"student": _figure(one, "spatial_correlation")}
        for kind, told in one["controls"].items():
            blind[name][kind] = _figure(told, "blind_half")
        for kind, told in one["untrained"].items():
            spatial[name][f"untrained, {kind}"] = (told["value"], told["stderr"])
    return [
        draw(pair_controls.later(blind, "blind half", "correlation"), "Blind half", "Blind half"),
        draw(
            pair_controls.later(spatial, "student", "correlation"),
            "Spatial correlation beside starts that nothing has trained",
            "Spatial correlation",
        ),
    ]


def _units(
    study: StudyFolder, pairs: Sequence[Pair], neurons: Mapping[str, Neurons]
) -> list[UnitMaps]:
    """Return the assemblies of the first teacher in all animals, the best found first."""
    teacher = study.teachers[0]
    mine = [one for one in pairs if one["teacher"] == teacher and one["units"]]
    if not mine:
        return []
    names = [teacher, *(one["receiver"] for one in mine)]
    weights = {
        name: model_of(study, teacher, name).best.weights.to(torch.float64).numpy()
        for name in names
    }
    count = weights[teacher].shape[1]
    scores = np.array([[one["units"][unit] or 0.0 for one in mine] for unit in range(count)])
    found = []
    for unit in np.argsort(-scores.mean(axis=1), kind="stable")[:_UNITS].tolist():
        maps = {name: weights[name][:, unit] for name in names}
        told = ", ".join(
            f"{one['receiver']} {'none' if one['units'][unit] is None else format(value, '.2f')}"
            f"{'' if unit not in one['units_not_found'] else ' (not found)'}"
            for one, value in zip(mine, scores[unit], strict=True)
        )
        found.append(
            UnitMaps(
                f"Assembly {unit} of {teacher}",
                _drawn(study, neurons, maps, f"assembly {unit}"),
                f"Blind half of this unit: {told}. The maps themselves were started from the "
                "teacher's.",
            )
        )
    return found


def _drawn(
    study: StudyFolder, neurons: Mapping[str, Neurons], maps: Mapping[str, Floats], what: str
) -> list[Image]:
    """Draw a value of every neuron in all animals, at places or by names or regions."""
    top = max(float(np.abs(one).max()) for one in maps.values()) or 1.0
    images: list[Image] = []
    if study.register.way == "positions":
        every = np.vstack([neurons[name].xyz_um[neurons[name].placed] for name in maps])
        axes = np.sort(np.argsort(-np.ptp(every, axis=0), kind="stable")[:2])
        limits = every[:, axes].min(axis=0), every[:, axes].max(axis=0)
        for name, values in maps.items():
            placed = neurons[name].placed
            drawing = at_places.later(
                neurons[name].xyz_um[placed][:, axes], values[placed], top, limits
            )
            images.append(draw(drawing, f"{what} in {name}", name))
        return images
    tables = {name: _by_label(study, neurons[name], values) for name, values in maps.items()}
    first = next(iter(tables.values()))
    shared = sorted(first, key=lambda label: -abs(first[label]))[:_PLACES]
    top = max((abs(one.get(label, 0.0)) for one in tables.values() for label in shared), default=1)
    for name, table in tables.items():
        values = np.array([table.get(label, np.nan) for label in shared])
        images.append(draw(at_names.later(shared, values, top or 1.0), f"{what} in {name}", name))
    return images


def _by_label(study: StudyFolder, neurons: Neurons, values: Floats) -> dict[str, float]:
    """Return the mean value of every name or region."""
    labels = neurons.names
    if study.register.way == "regions":
        assert neurons.regions is not None
        labels = neurons.regions.labels()
    return {
        name: float(values[labels == name].mean()) for name in np.unique(labels).tolist() if name
    }


def _frames(
    study: StudyFolder, pairs: Sequence[Pair], neurons: Mapping[str, Neurons]
) -> tuple[list[Image], str]:
    """Return a test bin of a teacher, and the same told in its receivers."""
    shown = [one for one in pairs if one["teacher"] == study.teachers[0]]
    shown = [one for one in shown if one["spatial_correlation"]["value"] is not None]
    if not shown:
        return [], ""
    teacher = shown[0]["teacher"]
    activity = study.activity(teacher)
    states = activity.states_of("test")
    bin_number = int(states.sum(axis=1).argmax())
    maps = {teacher: states[bin_number] - states.mean(axis=0)}
    for one in shown:
        rates = translate(study, teacher, one["receiver"]).rates.astype(np.float64)
        maps[one["receiver"]] = rates[bin_number] - rates.mean(axis=0)
    words = (
        f"The test bin of {teacher} with most active neurons, less the mean of each: its own "
        f"activity, and its rates told in {listed([one['receiver'] for one in shown])}."
    )
    return _drawn(study, neurons, maps, "activity"), words


def _lacking(pairs: Sequence[Pair]) -> list[str]:
    """Return what animals lack, in sentences."""
    told = []
    for one in pairs:
        count = len(one["units"])
        for key, why in (
            ("units_not_found", "blind neurons did not find"),
            ("units_without_place", "has no neurons at the places of"),
        ):
            units = one[key]
            if units:
                shown = ", ".join(map(str, units[:_PLACES]))
                more = "" if len(units) <= _PLACES else f" and {len(units) - _PLACES} more"
                told.append(
                    f"{one['receiver']}: {why} {len(units)} of {count} assemblies of "
                    f"{one['teacher']} ({shown}{more})."
                )
    return told or ["None: every receiver has every assembly of its teachers."]


def _row(one: Pair) -> tuple[str, ...]:
    share = one["start"].get("without_start")
    return (
        f"{one['receiver']} of {one['teacher']}",
        *(
            figure_words(one[name])
            for name in (
                "blind_half", "blind_half_shuffled", "blind_half_other_units",
                "spatial_correlation", "log_likelihood", "over_own_model", "divergence",
            )
        ),
        "none" if share is None else f"{share:.0%} of neurons",
    )  # fmt: skip
