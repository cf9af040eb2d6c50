"""What was lost of a recording on the way to a model: by whom, how large a share, what mends it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from boltzbrain.data.activity import Activity
    from boltzbrain.data.recording import Recording

Kind = Literal["fault", "method", "order", "choice"]

LARGE_SHARE = 0.1
"""A loss of more than this share is said before a training, and is to be mended first."""

NOT_TIMES = "spike times that are no times"
UNSORTED_TRAINS = "unsorted trains"
NO_REGION = "neurons without a region"
COARSE_TIMES = "coarse times"
UNITS_LEFT_OUT = "units left out"
"""Names of losses, for those who look for them."""

_KEY = "losses"
# how files before 0.3.0 counted trains that were sorted, beside units that were dropped
_OLD_UNSORTED = "spike trains out of order, sorted"
_SHARE_DIGITS = 2


@dataclass(frozen=True)
class Loss:
    """Part of a recording that is no longer there, or not as it was measured.

    Attributes
    ----------
    name
        The fault, as `boltzbrain info --check` calls it.
    what
        What was lost, in words that follow "3 of 10 spikes:".
    lost, of
        How much, of how much; `of` is None where an older file does not tell.
    unit
        What is counted: "spikes", "units", "intervals", "s".
    by
        The reader or step that lost it; "" in what a reader stores, which its source names.
    mend
        The option that mends it, to be given as it is, or what to do with the file.
    kind
        "fault"; "method" if binning itself loses it; "order" if only an order was restored;
        "choice" if a default left it out.
    option
        Field of `Preparation` by which a choice is made.
    """

    name: str
    what: str
    lost: float
    of: float | None
    unit: str
    by: str = ""
    mend: str | None = None
    kind: Kind = "fault"
    option: str | None = None

    @property
    def share(self) -> float | None:
        """Lost part of the whole, 0 to 1."""
        return self.lost / self.of if self.of else None

    @property
    def large(self) -> bool:
        """Whether it is more than `LARGE_SHARE`; what was only put in order never is."""
        return self.kind != "order" and (self.share or 0.0) > LARGE_SHARE

    def in_words(self) -> str:
        """Return the loss in one sentence.

        Examples
        --------
        >>> Loss("a", "below 0, dropped", 5, 10, "spikes", "the phy reader").in_words()
        '50 % of the spikes (5 of 10): below 0, dropped by the phy reader'
        >>> Loss("a", "below 0, dropped", 5, None, "spikes", "the phy reader").in_words()
        '5 spikes: below 0, dropped by the phy reader'
        """
        by = f" by {self.by}" if self.by else ""
        if self.share is None or self.of is None:
            return f"{self.lost:,.6g} {self.unit}: {self.what}{by}"
        # three digits near the whole, so that 99.96 % is not called all
        shown = f"{100 * self.share:.{_SHARE_DIGITS if self.share < 0.99 else 4}g} %"
        return (
            f"{shown} of the {self.unit} ({_count(self.lost)} of {_count(self.of)}): "
            f"{self.what}{by}"
        )

    def said(self) -> str:
        """Return the loss and what mends it."""
        return self.in_words() + (f"; mend: {self.mend}" if self.mend else "")


def stored(losses: Iterable[Loss]) -> dict[str, list[dict[str, Any]]]:
    """Return the entry of ``Source.options`` or ``Step.options`` that holds losses; {} of none."""
    told = [asdict(one) for one in losses if one.lost]
    return {_KEY: told} if told else {}


def losses_in(options: Mapping[str, Any]) -> list[Loss]:
    """Return the losses that `stored` put into options."""
    told = options.get(_KEY)
    return [Loss(**one) for one in told] if isinstance(told, list) else []


def losses_of(data: Recording | Activity) -> list[Loss]:
    """Return every loss of a recording, or of an activity and the recording it was made of."""
    source = data.source
    by = f"the {source.format} reader"
    result = [one if one.by else replace(one, by=by) for one in losses_in(source.options)]
    rare = next((step for step in data.steps if step.name == "drop_rare_neurons"), None)
    gone = len(rare.options["dropped"]) if rare else 0
    result += _of_filter(source.options, len(data.neurons) + gone, by)
    for step in data.steps:
        result += losses_in(step.options)
    if rare and gone:
        least = rare.options["min_active_bins"]
        result.append(
            Loss(
                "rarely active neurons",
                f"active in fewer than {least} training bins, dropped",
                gone,
                len(data.neurons) + gone,
                "neurons",
                "split",
                "--min-active-bins 0, a longer recording or longer bins",
                "choice",
                "min_active_bins",
            )
        )
    result += _of_regions(data)
    return result


def _of_filter(options: Mapping[str, Any], neurons: int, by: str) -> Iterator[Loss]:
    """Yield what the reader's filter of units left out; older files count other things there."""
    told = options.get("dropped")
    if not isinstance(told, Mapping):
        return
    old = {why for why in told if why == _OLD_UNSORTED or str(why).startswith("spike times ")}
    counts = {why: int(n) for why, n in told.items() if isinstance(n, int) and why not in old}
    for why, count in counts.items():
        yield Loss(
            UNITS_LEFT_OUT,
            str(why),
            count,
            neurons + sum(counts.values()),
            "units",
            f"{by} (--units {options['units']})" if options.get("units") else by,
            "--units none" if options.get("units") else None,
            "choice",
            "units",
        )
    for why in sorted(map(str, old)):
        if why == _OLD_UNSORTED:
            what = "not in order of time: sorted"
            yield Loss(UNSORTED_TRAINS, what, told[why], neurons, "trains", by, kind="order")
        else:
            what = f"{why.removeprefix('spike times ')}, dropped"
            yield Loss(NOT_TIMES, what, told[why], None, "spikes", by)


def _of_regions(data: Recording | Activity) -> Iterator[Loss]:
    """Yield the neurons that the first atlas leaves without a region, if it names any."""
    first = next(iter(data.regions.values()), None)
    if first is None or not len(first.names):
        return
    outside = int((first.membership.sum(axis=1) == 0).sum())
    if outside:
        yield Loss(
            NO_REGION,
            "the file names none for them, and no region map counts them",
            outside,
            len(data.neurons),
            "neurons",
            mend="name their regions in the file, or leave these neurons out of it",
        )


def _count(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4g}"
