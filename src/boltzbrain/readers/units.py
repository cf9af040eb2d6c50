"""Unit filters that the field uses, by name.

A comparison with NaN is false, so a rule drops units whose metric is not a number; such units are
counted on their own, since a reader of the result should know that they were never measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from boltzbrain.foundations.checks import bad_input, closest, one_of

AREA = "area"
"""Name under which a reader offers the region label of each unit, "" where it has none."""
VALID_CHANNEL = "valid_data"
"""Name under which a reader offers whether the unit's electrode is valid, 0, 1 or NaN."""

_ALIASES: Mapping[str, tuple[str, ...]] = {
    "isi_violations": ("isi_violations_ratio", "isi_viol", "isi_violation"),
    "firing_rate": ("firing_rate_hz",),
    "quality": ("group", "KSLabel", "kilosort2_label", "ks2_label", "label"),
    "phy_annotations": ("_phy_annotation",),
    "accepted": ("iscell", "is_cell", "Accepted", "valid_roi"),
    "waveform_duration": ("peak_to_trough_duration", "peak_to_trough_duration_ms"),
}
_OUTSIDE = ("root", "void", "fiber tracts", "")


@dataclass(frozen=True)
class Rule:
    """One condition on one column; a unit is kept where it holds."""

    column: str
    test: Literal["<=", "<", ">=", ">", "is", "is not"]
    value: float | str | tuple[str, ...]

    def __str__(self) -> str:
        """Return the condition in words."""
        if isinstance(self.value, tuple):
            return f"{self.column} {self.test} " + ", ".join(text or "empty" for text in self.value)
        return f"{self.column} {self.test} {self.value}"


_GOOD = Rule("quality", "is", "good")

PRESETS: Mapping[str, tuple[Rule, ...]] = {
    "none": (),
    "good": (_GOOD,),
    "allen_strict": (
        _GOOD,
        Rule("isi_violations", "<=", 0.5),
        Rule("amplitude_cutoff", "<=", 0.1),
        Rule("presence_ratio", ">=", 0.9),
    ),
    "allen_vbn_quickstart": (
        Rule("snr", ">", 1.0),
        Rule("isi_violations", "<", 1.0),
        Rule("firing_rate", ">", 0.1),
    ),
    "openscope": (
        Rule("isi_violations", "<", 0.5),
        Rule("amplitude_cutoff", "<", 0.5),
        Rule("presence_ratio", ">", 0.9),
    ),
    "channel": (Rule(VALID_CHANNEL, ">=", 1.0), Rule(AREA, "is not", ("root", "grey", ""))),
    # stored as 0, 0.33, 0.67, 1 with two digits: two thirds, give or take the rounding
    "ibl": (Rule("ibl_quality_score", ">=", 0.66), Rule(AREA, "is not", _OUTSIDE)),
    "ibl_strict": (Rule("ibl_quality_score", ">=", 1.0), Rule(AREA, "is not", _OUTSIDE)),
    "steinmetz": (Rule("phy_annotations", ">=", 2.0),),
    "accepted": (Rule("accepted", ">=", 0.5),),
    "fast_spiking": (Rule("waveform_duration", "<", 0.4),),
    "regular_spiking": (Rule("waveform_duration", ">=", 0.4),),
}
"""Name of a filter to its rules; what each stands for is told by `describe`."""

_SOURCES: Mapping[str, str] = {
    "none": "every unit of the file",
    "good": "units labelled 'good' by the sorter or the curator",
    "allen_strict": "the trio of the Allen Institute's Visual Coding release, labelled good",
    "allen_vbn_quickstart": "a mild filter used with Visual Behavior Neuropixels",
    "openscope": "the filter of the OpenScope releases",
    "channel": "units on valid channels within a named structure, as the Allen table of units",
    "ibl": "two of the three quality criteria of the International Brain Laboratory, in the brain",
    "ibl_strict": "all three quality criteria of the International Brain Laboratory, in the brain",
    "steinmetz": "units that Steinmetz et al. (2019) annotated as good",
    "accepted": "regions of interest that the pipeline or the curator accepted as cells",
    "fast_spiking": "narrow waveforms, under 0.4 ms from trough to peak",
    "regular_spiking": "broad waveforms, 0.4 ms or more from trough to peak",
}


def describe(preset: str) -> str:
    """Return in words what a preset keeps, with its rules.

    Examples
    --------
    >>> describe("steinmetz")
    'units that Steinmetz et al. (2019) annotated as good: phy_annotations >= 2.0'
    """
    one_of("units", preset, PRESETS)
    rules = ", ".join(str(rule) for rule in PRESETS[preset])
    return _SOURCES[preset] + (f": {rules}" if rules else "")


def rules_of(preset: str) -> tuple[Rule, ...]:
    """Return the rules of a preset, or of several joined by "+".

    Raises
    ------
    InputError
        If a preset is unknown.
    """
    if not isinstance(preset, str):
        raise bad_input("units", "be one of: " + ", ".join(PRESETS), preset)
    names = [one_of("units", name.strip(), PRESETS) for name in preset.split("+")]
    return tuple(rule for name in names for rule in PRESETS[name])


def find_column(column: str, known: Mapping[str, Any] | tuple[str, ...]) -> str | None:
    """Return the name under which a metric is stored, by itself or an alias, None if it is not."""
    return next((name for name in (column, *_ALIASES.get(column, ())) if name in known), None)


def apply_rules(
    preset: str, columns: Mapping[str, NDArray[Any]], count: int, *, file: object = None
) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """Return which units a preset keeps, and how many each of its rules dropped.

    Parameters
    ----------
    preset
        Name of a preset, or several joined by "+".
    columns
        Column name to (unit,) values; `AREA` and `VALID_CHANNEL` are columns like others.
    count
        Number of units.
    file
        The file, for messages.

    Returns
    -------
    keep
        (unit,) bool.
    dropped
        Rule in words to the number of units that it dropped of those which the rules before it
        left; units whose metric is not a number stand apart.

    Raises
    ------
    InputError
        If the preset is unknown, a column is missing, or no unit is left.

    Examples
    --------
    >>> keep, dropped = apply_rules("steinmetz", {"phy_annotations": np.array([1, 3, np.nan])}, 3)
    >>> keep.tolist(), dropped
    ([False, True, False], {'phy_annotations >= 2.0': 1, 'phy_annotations is not a number': 1})
    """
    keep = np.ones(count, dtype=np.bool_)
    dropped: dict[str, int] = {}
    for rule in rules_of(preset):
        name = find_column(rule.column, columns)
        if name is None:
            others = sorted(columns)
            raise bad_input(
                f"units.{rule.column}",
                f"be a column for the unit filter '{preset}'",
                "the columns " + (", ".join(others) or "none"),
                suggestion=closest(rule.column, others),
                file=file,
            )
        holds, missing = _test(rule, columns[name], file)
        dropped[str(rule)] = int((keep & ~holds & ~missing).sum())
        if unmeasured := int((keep & missing).sum()):
            dropped[f"{rule.column} is not a number"] = unmeasured
        keep &= holds & ~missing
    if count > 0 and not keep.any():
        told = ", ".join(f"{rule}: {number}" for rule, number in dropped.items() if number)
        raise bad_input(
            "units",
            "leave at least one unit",
            f"0 of {count} by '{preset}' (dropped by {told})",
            file=file,
        )
    return keep, dropped


def _test(
    rule: Rule, values: NDArray[Any], file: object
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return where the rule holds, and where the value is not a number."""
    if isinstance(rule.value, float):
        if values.dtype.kind not in "biuf":
            raise bad_input(f"units.{rule.column}", "hold numbers", "text", file=file)
        numbers = values.astype(np.float64)
        compare = {"<=": np.less_equal, "<": np.less, ">=": np.greater_equal, ">": np.greater}
        with np.errstate(invalid="ignore"):
            holds: NDArray[np.bool_] = compare[rule.test](numbers, rule.value)
        return holds, np.isnan(numbers)
    wanted = {rule.value} if isinstance(rule.value, str) else set(rule.value)
    found = np.array(
        [str(value).strip().lower() in wanted for value in values.tolist()], dtype=bool
    )
    return (found if rule.test == "is" else ~found), np.zeros(len(found), dtype=bool)
