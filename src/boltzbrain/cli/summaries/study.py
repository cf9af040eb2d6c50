"""What is said of a study: the scores of every pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

from boltzbrain.foundations.showing.console import Terminal

if TYPE_CHECKING:
    from boltzbrain.alignment.folder import StudyFolder

HEADS = ("student", "blind half", "shuffled", "spatial", "over own model")


def show_study(console: Terminal, study: StudyFolder) -> None:
    """Print the pairs of a study, what an animal lacks, and how many motifs were found."""
    from boltzbrain.alignment.shown.told import figure_words
    from boltzbrain.pages.motifs.words import motif_line

    info, motifs = study.info, study.motifs()
    names = ", ".join(f"{one['name']} ({one['neurons']:,})" for one in info["animals"])
    by = info["asked"].get("by")
    console.sentence(f"Animals (neurons): {names}" + (f"; by {by}" if by else ""))
    if motifs is not None:
        console.sentence(motif_line(motifs))
    if not info["pairs"]:
        console.sentence(f"Study: {study.folder}; runs of the animals in {study.folder / 'runs'}")
        return
    rows = [
        (
            f"{one['receiver']} of {one['teacher']}",
            figure_words(one["blind_half"]),
            figure_words(one["blind_half_shuffled"]),
            figure_words(one["spatial_correlation"]),
            figure_words(one["over_own_model"]),
        )
        for one in info["pairs"]
    ]
    console.columns(HEADS, rows)
    for one in info["pairs"]:
        lacking = len(one["units_not_found"]) + len(one["units_without_place"])
        if lacking:
            console.sentence(
                f"{one['receiver']} has {len(one['units']) - lacking} of {len(one['units'])} "
                f"assemblies of {one['teacher']}"
            )
    console.sentence(f"Study: {study.folder}")
