"""What motifs tell of themselves."""

from __future__ import annotations

import numpy as np

from boltzbrain.foundations.showing.numbers import number
from boltzbrain.foundations.showing.told import Told, counted, listed
from boltzbrain.interpretation.motifs.find import Motifs
from boltzbrain.pages.motifs.words import motif_doubts, motif_line
from boltzbrain.pages.objects.pictures import picture_of_courses


def motifs_told(found: Motifs) -> Told:
    """Return what motifs tell: how sure their number is, in whom each is, and its communities."""
    animals = [str(one) for one in found["animals/name"]]
    rows = [("animals", listed(animals))]
    row = next((one for one in found.summary["tried"] if one["rank"] == len(found)), None)
    if row is not None:
        agree = f"agree to {number(row['agreement'], 2)}, {number(row['least'], 2)} at least"
        chance = number(max(row["by_chance"]), 3)
        score = f"{number(row['held_out'], 3)}, surrogates {chance} at most"
        what = "changes" if found.summary["couplings"] else "held out"
        rows += [("starts", agree), (what, score), ("doubts", "; ".join(motif_doubts(found)))]
    for motif in range(len(found)):
        sizes = np.bincount(found["motifs/community"][motif]).tolist()
        shares = found["motifs/animal"][motif].tolist()
        told = {name: f"{share:.0%}" for name, share in zip(animals, shares, strict=True)}
        where = f"; in {listed(told, 4)}" if len(animals) > 1 else ""
        of = f"communities of {listed([f'{one}' for one in sizes])}"
        rows.append((f"motif {motif + 1}", of + where))
    rows.append(("arrays", f"{counted(len(found.entries), 'array')} by path; matrix(0) of motif 1"))
    first = found["windows/animal"] == 0
    courses = {
        f"motif {motif + 1}": (found["windows/start_s"][first], found["motifs/time"][motif][first])
        for motif in range(len(found))
    }
    return Told(
        motif_line(found).removesuffix("."),
        tuple(rows),
        (lambda: picture_of_courses(courses)) if courses else None,
    )
