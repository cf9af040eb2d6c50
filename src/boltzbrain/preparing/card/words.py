"""The data card in words: pairs of a label and a text, for the command line and the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from boltzbrain.foundations.memory import show_bytes
from boltzbrain.preparing.behaviour.told import words_of_behaviour
from boltzbrain.preparing.card.card import DataCard

_REGIONS_SHOWN = 12


def card_in_words(card: DataCard) -> list[tuple[str, str]]:
    """Return pairs of a label and a text; a reason why figures are not known stands once."""
    pairs: list[tuple[str, str | None]] = [
        ("file", f"{card.path} ({card.format}, {card.values})"),
        ("neurons", f"{card.neurons:,}"),
        ("bins", _bins(card)),
        ("mean activity", _show(card.mean_activity, lambda x: f"{100 * x:.2f} % of bins")),
        ("rates", _show(card.rates_hz, _show_rates)),
        ("silent", _silent(card)),
        ("regions", _regions(card)),
        ("multi-spike bins", _multi_spike(card)),
        ("lag-1 correlation", _lag1(card)),
        ("independent bins", _show(card.independent_bins, lambda x: f"about {x:,.0f}")),
        ("memory", _show(card.memory_bytes, lambda x: f"{show_bytes(x)} as uint8")),
    ]
    if card.epochs:
        pairs.append(
            (
                "epochs",
                "; ".join(
                    f"{epoch['label']} ({epoch['intervals']:,} x, {epoch['seconds']:,.1f} s)"
                    for epoch in card.epochs
                ),
            )
        )
    pairs += words_of_behaviour(card.trials, card.covariates)
    if any(card.dropped.values()):
        pairs.append(
            (
                "dropped units",
                ", ".join(f"{rule}: {count:,}" for rule, count in card.dropped.items()),
            )
        )
    if card.folds is not None:
        pairs.append(
            ("folds", ", ".join(f"{name} {count:,}" for name, count in card.folds.items() if count))
        )
    return [
        *((label, text) for label, text in pairs if text is not None),
        *_not_known(card, [label for label, text in pairs if text is None]),
        *(("note", text) for text in card.warnings if text not in card.reasons.values()),
    ]


def _not_known(card: DataCard, labels: Sequence[str]) -> list[tuple[str, str]]:
    """Return a line for each reason why figures are not known, with the labels of all of them."""
    together: dict[str, list[str]] = {}
    for label in labels:
        reasons = [card.reasons.get(name) for name in _FIGURES_OF[label]]
        reason = next((one for one in reasons if one is not None), "")
        together.setdefault(reason, []).append(label)
    return [
        ("not known", ", ".join(names) + (f": {reason}" if reason else ""))
        for reason, names in together.items()
    ]


_FIGURES_OF = {
    "bins": ("bins", "bin_width_s", "duration_s"),
    "mean activity": ("mean_activity",),
    "rates": ("rates_hz",),
    "silent": ("silent_neurons", "silent_bins_fraction"),
    "multi-spike bins": ("multi_spike_fraction", "multi_spike_fraction_of_all"),
    "lag-1 correlation": ("lag1_correlation",),
    "independent bins": ("independent_bins",),
    "memory": ("memory_bytes",),
}
"""The figures of the card that a line tells."""


def _bins(card: DataCard) -> str | None:
    if card.bins is None or card.bin_width_s is None or card.duration_s is None:
        return None
    segments = "1 segment" if card.segments == 1 else f"{card.segments:,} segments"
    return (
        f"{card.bins:,} of {1000 * card.bin_width_s:g} ms in {segments}, {card.duration_s:,.1f} s"
    )


def _silent(card: DataCard) -> str | None:
    if card.silent_neurons is None or card.silent_bins_fraction is None:
        return None
    return (
        f"{card.silent_neurons:,} neurons never active, "
        f"{100 * card.silent_bins_fraction:.1f} % of bins without any active neuron"
    )


def _regions(card: DataCard) -> str:
    if not card.regions:
        return "none named"
    ordered = sorted(card.regions.items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{name} {count:,}" for name, count in ordered[:_REGIONS_SHOWN])
    rest = len(ordered) - _REGIONS_SHOWN
    return f"{len(ordered)}: {shown}" + (f" and {rest} more" if rest > 0 else "")


def _multi_spike(card: DataCard) -> str | None:
    if card.multi_spike_fraction is None or card.multi_spike_fraction_of_all is None:
        return None
    return (
        f"{100 * card.multi_spike_fraction:.1f} % of active bins, "
        f"{100 * card.multi_spike_fraction_of_all:.2f} % of all bins "
        f"({card.spikes_lost:,} spikes count no further)"
    )


def _lag1(card: DataCard) -> str | None:
    if card.lag1_correlation is None:
        return None
    each = _show(card.lag1_correlation_neurons, lambda x: f", mean of neurons {x:.3f}") or ""
    return f"population count {card.lag1_correlation:.3f}{each}"


def _show(value: Any, how: Callable[[Any], str]) -> str | None:
    return None if value is None else how(value)


def _show_rates(rates: Mapping[str, float]) -> str:
    shown = ", ".join(f"{name} {rate:.3g}" for name, rate in rates.items())
    return f"{shown} Hz over neurons (active bins per second)"
