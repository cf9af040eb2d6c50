"""What motifs say in sentences: how many, how sure, and why they should not be interpreted."""

from __future__ import annotations

from boltzbrain.foundations.showing.numbers import number
from boltzbrain.foundations.showing.told import counted
from boltzbrain.interpretation.motifs.find import Motifs
from boltzbrain.interpretation.motifs.rank import AGREE, LEAST, no_surrogate_is_as_good


def motif_line(found: Motifs) -> str:
    """Return in a sentence how many motifs there are, and of what."""
    facts, asked = found.summary, found.summary["options"]
    what = f"{'couplings of ' if facts['couplings'] else ''}{facts['nodes']} {facts['of']}"
    of_couplings = f"{asked['window_bins']:,} bins"
    size = of_couplings if facts["couplings"] else f"{asked['window_s']:g} s"
    return (
        f"{counted(len(found), 'motif')} of {what} in {counted(len(facts['animals']), 'animal')}, "
        f"{sum(facts['windows']):,} windows of {size}."
    )


def motif_words(found: Motifs) -> list[str]:
    """Return in sentences what was found, as pages and the terminal say it."""
    couplings = found.summary["couplings"]
    if not len(found):
        fails = (
            "and couplings changed more than in mixed windows"
            if couplings
            else "and told entries that were held out better than neurons shifted in time"
        )
        none = f"No number of motifs was agreed on by random starts {fails}."
        return [motif_line(found), none]
    row = next(one for one in found.summary["tried"] if one["rank"] == len(found))
    chance = max(row["by_chance"])
    sure = (
        f"where windows are mixed, couplings change by at most {chance:.0%} of what they do "
        "between windows."
        if couplings
        else f"entries that were held out are explained to {number(row['held_out'], 3)} beyond "
        f"each pair's mean, at most {number(chance, 3)} where every neuron is shifted in time."
    )
    sentences = [
        motif_line(found),
        f"Two random starts resemble each other at {number(row['agreement'], 2)} (least "
        f"{number(row['least'], 2)}); {sure}",
    ]
    if found.summary["asked"]:
        sentences.append("The number of motifs was asked for.")
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
            if facts["couplings"]
            else "they tell entries that were held out no better than shifted neurons do"
        )
    return doubts
