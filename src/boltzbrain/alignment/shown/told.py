"""What a study tells of itself."""

from __future__ import annotations

from boltzbrain.alignment.folder import StudyFolder
from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.showing.numbers import with_error
from boltzbrain.foundations.showing.told import Told, counted, listed
from boltzbrain.pages.motifs.words import motif_line


def figure_words(figure: dict[str, float | None], digits: int = 2) -> str:
    """Return a figure of study.json with its error, "none" where it does not exist."""
    value = figure["value"]
    return "none" if value is None else with_error(value, figure["stderr"], digits)


def study_folder_told(study: StudyFolder) -> Told:
    """Return what a study tells: its animals, and the blind half of every pair."""
    try:
        info = study.info
        rows = [("animals", listed({one["name"]: one["neurons"] for one in info["animals"]}))]
        rows.append(("by", str(info["asked"].get("by") or "not aligned yet")))
        motifs = study.motifs()
        rows.append(("motifs", "" if motifs is None else motif_line(motifs)))
        if info["status"] == "started":
            rows.append(("state", "not at its end (--resume)"))
        rows += [
            (
                f"{one['receiver']} of {one['teacher']}",
                f"blind half {figure_words(one['blind_half'])}, shuffled "
                f"{figure_words(one['blind_half_shuffled'])}, spatial correlation "
                f"{figure_words(one['spatial_correlation'])}",
            )
            for one in info["pairs"]
        ]
        title = f"Study of {counted(len(info['animals']), 'animal')} in {study.folder}"
    except (InputError, KeyError, TypeError) as error:
        title, rows = f"Study in {study.folder}", [("state", str(error))]
    return Told(title, tuple(rows))
