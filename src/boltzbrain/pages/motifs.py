"""The motifs of several animals: `connectome`, and their page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from boltzbrain.data.activity import Activity
from boltzbrain.data.recording import Recording
from boltzbrain.data.study import Study
from boltzbrain.foundations.checks import one_of, whole_number_in
from boltzbrain.foundations.folders import folder_to_write, given_path, one_writer, together
from boltzbrain.foundations.progress import Callback
from boltzbrain.foundations.showing.display import showing
from boltzbrain.foundations.showing.numbers import number
from boltzbrain.foundations.showing.told import counted, listed
from boltzbrain.interpretation.motifs.choices import MotifChoices
from boltzbrain.interpretation.motifs.find import Motifs, find_motifs
from boltzbrain.interpretation.motifs.rank import AGREE, LEAST, no_surrogate_is_as_good
from boltzbrain.pages import figures
from boltzbrain.pages.html import rendered, write_html
from boltzbrain.pages.panels.panel import Image, draw
from boltzbrain.training.run.run import TrainingRun

_MOST_NAMED = 6
"""Members of a community that are named, the strongest ones."""


def connectome(
    animals: Mapping[str, Any] | Study | Recording | Activity | TrainingRun,
    *,
    beside: Mapping[str, TrainingRun | str | Path] | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    callbacks: Sequence[Callback] = (),
    progress: bool = True,
    **choices: Any,
) -> Motifs:
    """Find which neurons change together, when, and in which animals.

    Parameters
    ----------
    animals
        Name to recording or activity, or a study; or one of them alone. Neurons of several animals
        are told by name: the column ``label`` of the table of neurons, else their id. Finished runs
        in place of recordings: motifs of their couplings in windows of ``window_bins`` bins.
    beside
        Animal to a run of it (or its folder), whose couplings and assemblies are held against the
        motifs; the runs themselves where they are given.
    out
        Folder for motifs.h5 and motifs.html; nothing is written if None.
    seed
        Of every stream.
    callbacks, progress
        As in `fit`, phase by phase: "components", "surrogates", "communities", "models".
    **choices
        Fields of `interpretation.motifs.choices.MotifChoices`, e.g. ``rank=3``.

    Raises
    ------
    InputError
        If a choice is unknown or out of range, animals share fewer than 3 names, the affinities do
        not fit into memory, or the folder cannot be written.
    """
    whole_number_in("seed", seed, low=0)
    asked = MotifChoices(**choices)
    folder = None if out is None else folder_to_write("out", out)
    if isinstance(animals, Recording | Activity | TrainingRun):
        animals = {"animal": animals}
    named = dict(animals)
    models = {name: _opened(one) for name, one in (beside or {}).items()}
    for name in models:
        one_of("beside", name, named)
    with showing(progress, "finding motifs", callbacks, phases=True) as heard:
        if folder is None:
            return find_motifs(named, asked, beside=models, seed=seed, callbacks=heard)
        with one_writer(folder, "connectome"):
            found = find_motifs(named, asked, beside=models, seed=seed, callbacks=heard)
            with together(folder) as place:
                found.save(place("motifs.h5"))
                write_motifs_page(found, place("motifs.html"))
    return found


def _opened(run: TrainingRun | str | Path) -> TrainingRun:
    return run if isinstance(run, TrainingRun) else TrainingRun.open(given_path("beside", run))


def motif_words(found: Motifs) -> list[str]:
    """Return in sentences what was found, as the page and the terminal say it."""
    facts = found.summary
    couplings = facts.get("couplings", False)
    what = f"{'couplings of ' if couplings else ''}{facts['nodes']} {facts['of']}"
    asked = facts["options"]
    size = f"{asked['window_bins']:,} bins" if couplings else f"{asked['window_s']:g} s"
    sentences = [
        f"{counted(len(found), 'motif')} of {what} in {counted(len(facts['animals']), 'animal')}, "
        f"{sum(facts['windows']):,} windows of {size}."
    ]
    if couplings and len(found):
        return sentences + _of_couplings(found)
    if not len(found):
        fails = (
            "and couplings changed more than in mixed windows"
            if couplings
            else "and told entries that were held out better than neurons shifted in time"
        )
        return [*sentences, f"No number of motifs was agreed on by random starts {fails}."]
    row = next(one for one in facts["tried"] if one["rank"] == len(found))
    sentences.append(
        f"Two random starts resemble each other at {number(row['agreement'], 2)} (least "
        f"{number(row['least'], 2)}); entries that were held out are explained to "
        f"{number(row['held_out'], 3)} beyond each pair's mean, at most "
        f"{number(max(row['by_chance']), 3)} where every neuron is shifted in time."
    )
    if facts["asked"]:
        sentences.append("The number of motifs was asked for.")
    doubts = motif_doubts(found)
    if doubts:
        sentences.append(f"These motifs should not be interpreted: {'; '.join(doubts)}.")
    return sentences


def _of_couplings(found: Motifs) -> list[str]:
    """Return what is said of motifs of couplings, in sentences."""
    row = next(one for one in found.summary["tried"] if one["rank"] == len(found))
    sentences = [
        f"Two random starts resemble each other at {number(row['agreement'], 2)} (least "
        f"{number(row['least'], 2)}); where windows are mixed, couplings change by at most "
        f"{max(row['by_chance']):.0%} of what they do between windows."
    ]
    doubts = motif_doubts(found)
    if doubts:
        sentences.append(f"These motifs should not be interpreted: {'; '.join(doubts)}.")
    return sentences


def motif_doubts(found: Motifs) -> list[str]:
    """Return why motifs should not be interpreted, as where a number that fails was asked for."""
    facts = found.summary
    row = next((one for one in facts["tried"] if one["rank"] == len(found)), None)
    if row is None:
        return []
    doubts = []
    if (row["agreement"] or 0.0) < AGREE or (row["least"] or 0.0) < LEAST:
        doubts.append("random starts do not agree on them")
    if row["p_value"] is None or not no_surrogate_is_as_good(row["p_value"], row["by_chance"]):
        doubts.append(
            "couplings change no more than in mixed windows"
            if facts.get("couplings")
            else "they tell entries that were held out no better than shifted neurons do"
        )
    return doubts


def write_motifs_page(found: Motifs, path: Path) -> Path:
    """Write the page of motifs, whole or not at all.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    text = rendered(
        "motifs/motifs.html.j2",
        answer=motif_words(found),
        doubtful=bool(motif_doubts(found)),
        motifs=[_motif(found, one) for one in range(len(found))],
        heads=(
            "motifs",
            "explained",
            "agreement of starts",
            "least",
            "size of changes" if found.summary.get("couplings") else "held out",
            "by chance",
            "p over numbers",
        ),
        couplings=found.summary.get("couplings", False),
        rows=[_row(one, len(found)) for one in found.summary["tried"]],
    )
    return write_html(path, text)


def _motif(found: Motifs, motif: int) -> dict[str, Any]:
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
    communities = [
        (
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
    beside = [
        (
            one["animal"],
            one["epoch"] or "all bins",
            f"{number(one['rank_correlation'], 2)} (p = {one['rank_correlation_p']:.2g})",
            f"{number(one['adjusted_rand'], 2)} (p = {one['adjusted_rand_p']:.2g})",
        )
        for one in found.summary.get("beside", [])
        if one["motif"] == motif
    ]
    follows = [
        (
            one["name"],
            one["animal"],
            number(one["rank_correlation"], 2),
            f"{one['p_value']:.2g}",
            f"{one['q_value']:.2g}",
        )
        for one in found.summary.get("behaviour", [])
        if one["motif"] == motif
    ]
    return {
        "images": images,
        "communities": communities,
        "epochs": epochs,
        "beside": beside,
        "behaviour": follows,
    }


def _within(found: Motifs, motif: int, members: Any) -> float:
    """Return the mean share of starts that put two members into one community."""
    inside = found["motifs/together"][motif][np.ix_(members, members)]
    count = len(inside)
    return float((inside.sum() - np.trace(inside)) / max(count * (count - 1), 1))


def _row(tried: Mapping[str, Any], rank: int) -> tuple[str, ...]:
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
