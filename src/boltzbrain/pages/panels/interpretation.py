"""What interpretation.h5 adds to the page: figures, tables and the data of interactive ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from boltzbrain.interpretation.assemblies.returning import RETURNS
from boltzbrain.interpretation.file import Interpretation
from boltzbrain.pages.html import embedded
from boltzbrain.pages.page import PageData
from boltzbrain.pages.panels.behaviour import behaviour_findings
from boltzbrain.pages.panels.findings import (
    Finding,
    assembly_findings,
    coupling_findings,
    region_findings,
)
from boltzbrain.pages.panels.tables import interpretation_tables

MEMBERS, TRACE_BINS, REGIONS_LISTED = 60, 300, 12
"""Members listed, bins of activity, regions of an assembly listed."""

_TRACE_VALUES = 150_000


@dataclass(frozen=True)
class InterpretationSection:
    """Everything of the page that comes from interpretation.h5.

    Attributes
    ----------
    findings
        The drawn figures.
    data
        JSON for the scripts of the page: neurons, assemblies, tables.
    tables
        Anchor, heading and explanation of each table.
    positioned
        Whether neurons have positions, so that members are drawn in space.
    """

    findings: Sequence[Finding]
    data: Markup
    tables: Sequence[tuple[str, str, str]]
    positioned: bool


def interpretation_section(page: PageData) -> InterpretationSection | None:
    """Return what the page shows of a reading; None if the run has not been interpreted."""
    found = page.interpretation
    if found is None or page.model is None:
        return None
    positioned = bool(found["neurons/positioned"].sum() > 1)
    tables = interpretation_tables(found)
    data = {
        "neurons": _neurons(found),
        "assemblies": _assemblies(found, page),
        "tables": {name: table.content() for name, table in tables.items()},
    }
    findings = [
        *behaviour_findings(found),
        *assembly_findings(found),
        *region_findings(found),
        *coupling_findings(found, page.chosen_update),
    ]
    return InterpretationSection(
        findings,
        embedded(data),
        [(name, table.title, table.words) for name, table in tables.items()],
        positioned,
    )


def _neurons(found: Interpretation) -> dict[str, Any]:
    labels = [str(name) for name in found["neurons/region"]]
    names = sorted(set(labels))
    place = {name: number for number, name in enumerate(names)}
    known = found["neurons/positioned"].astype(bool)
    positions: dict[str, Any] = {}
    if known.sum() > 1:
        xyz = found["neurons/xyz_um"].round().astype(int)
        positions = {
            "known": np.flatnonzero(known).tolist(),
            "xyz": [xyz[:, axis].tolist() for axis in range(3)],
        }
    return {
        "id": [str(name) for name in found["neurons/id"]],
        "regions": names,
        "region": [place[name] for name in labels],
        **positions,
    }


def _assemblies(found: Interpretation, page: PageData) -> dict[str, Any]:
    weights, member = found["assemblies/weights"], found["assemblies/membership"]
    units = weights.shape[1]
    activity = page.hidden_in_time[: max(20, min(TRACE_BINS, _TRACE_VALUES // max(units, 1)))]
    told = "assemblies/region_occupancy" in found
    regions = [str(name) for name in found["assemblies/region_names"]] if told else []
    has_regions = len(regions) > 1
    listed = []
    for unit in range(units):
        mine = weights[:, unit]
        members = np.flatnonzero(member[:, unit])
        top = np.argsort(-np.abs(mine), kind="stable")[:MEMBERS]
        one: dict[str, Any] = {
            "top": top.tolist(),
            "weights": [round(float(value), 4) for value in mine[top]],
            "members": members.tolist(),
            "trace": [round(float(value), 3) for value in activity[:, unit]],
        }
        if has_regions:
            occupancy = found["assemblies/region_occupancy"][unit]
            best = np.argsort(-occupancy, kind="stable")[:REGIONS_LISTED]
            one["regions"] = [
                (regions[number], round(float(occupancy[number]), 5))
                for number in best.tolist()
                if occupancy[number] > 0
            ]
        if "assemblies/agreement" in found:
            agreement = float(found["assemblies/agreement"][unit])
            one |= {"agreement": round(agreement, 2), "returns": agreement >= RETURNS}
        listed.append(one)
    return {
        "units": listed,
        "order": found["assemblies/order"].tolist(),
        "bin_width_s": page.bin_width_s,
        "fold": "test" if len(page.test) else "training",
    }
