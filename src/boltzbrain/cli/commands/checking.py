"""`boltzbrain info --check` and `--bins`: what is wrong with a recording, and which bin width."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from boltzbrain.cli.terminal import out, say_json
from boltzbrain.foundations.checks import bad_input, number_in
from boltzbrain.preparing.prepare import bin_as_asked

if TYPE_CHECKING:
    from boltzbrain.data.activity import Activity
    from boltzbrain.data.recording import Recording
    from boltzbrain.foundations.showing.display import Display
    from boltzbrain.preparing.card.bin_widths import BinWidths
    from boltzbrain.preparing.faults.find import Validation
    from boltzbrain.preparing.faults.points import Point
    from boltzbrain.preparing.preparation import Preparation

MOST_WIDTHS = 100
"""A table of more rows would not be read; each bins the whole recording."""


def widths_ms(text: str) -> list[float]:
    """Return bin widths given as "5,10,20".

    Raises
    ------
    InputError
        If one is no number above 0, or there are more than `MOST_WIDTHS`.

    Examples
    --------
    >>> widths_ms("5,10, 20")
    [5.0, 10.0, 20.0]
    """
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise bad_input("--bins", "be milliseconds with commas between", text) from error
    if len(values) > MOST_WIDTHS:
        raise bad_input("--bins", f"be at most {MOST_WIDTHS} bin widths", len(values))
    return [number_in("--bins", value, low=0.0, include_low=False) for value in values]


def show_findings(
    preparation: Preparation,
    recording: Recording,
    check: bool,
    widths: list[float] | None,
    as_json: bool,
    display: Display,
) -> None:
    """Print what was asked for: the validation, the table of bin widths, or both."""
    from boltzbrain.preparing.card.bin_widths import compare_bin_widths
    from boltzbrain.preparing.faults.find import validate

    found: dict[str, Any] = {}
    if check:
        activity = _activity(preparation, recording, display)
        with display.stage("checking"):
            validation = validate(recording, activity)
        found["check"] = validation.to_json()
        if not as_json:
            _show_validation(validation)
    if widths is not None:
        with display.stage("binning"):
            choice = compare_bin_widths(
                recording,
                widths,
                epochs=preparation.epochs or None,
                memory_limit_gb=preparation.memory_limit_gb,
            )
        found["bins"] = choice.to_json()
        if not as_json:
            _show_bins(choice)
    if as_json:
        say_json(found)


def _activity(preparation: Preparation, recording: Recording, display: Display) -> Activity | None:
    """Return the bins, None of traces that are not binary yet."""
    from boltzbrain.data.signals import Traces

    if isinstance(recording.signal, Traces):
        return None
    return bin_as_asked(preparation, recording, display)


def _show_validation(validation: Validation) -> None:
    rows = [
        ("verdict", validation.verdict),
        *((point.name, point.found + _what_to_do(point)) for point in validation.points),
    ]
    named = {point.name for point in validation.points}
    rows.append(
        ("not found", ", ".join(name for name in validation.looked_for if name not in named))
    )
    out().pairs(rows)


def _what_to_do(point: Point) -> str:
    if point.mended is not None:
        return f"; mended: {point.mended}"
    if point.mend is None and point.severity == "fact":
        return ""
    return f"; mend: {point.mend or 'nothing here mends it'}"


def _show_bins(choice: BinWidths) -> None:
    heads = ("bin", "bins", "active", "multi-spike", "lag-1", "independent")
    rows = [
        (
            f"{row.bin_ms:g} ms",
            f"{row.bins:,}",
            f"{100 * row.mean_activity:.2f} %",
            _shown(row.multi_spike_fraction, "{:.1%}"),
            _shown(row.lag1_correlation, "{:.2f}"),
            _shown(row.independent_bins, "{:,.0f}"),
        )
        for row in choice.table
    ]
    console = out()
    console.columns(heads, rows)
    console.sentence(f"recommended: {choice.recommended_ms:g} ms, {choice.reason}")


def _shown(value: float | None, form: str) -> str:
    return "none" if value is None else form.format(value)
