"""What may be chosen on the way from a file to the activity that a model sees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.options import Options, describe, setting

RECORDING, BINS, FOLDS = "The recording", "From recording to activity", "Folds"
"""The groups of the options."""

JOINS = ("probes", "sessions")
WAYS = ("auto", "segments", "blocks", "statistics", "shuffled", "none")
"""Ways to divide bins into folds; "none" leaves all of them to training."""
MENDABLE = (
    "duplicate-spikes", "refractory", "silent", "saturated", "drifting", "unstable",
    "duplicate-neurons", "laser", "empty",
)  # fmt: skip
"""Faults that `faults.mend.mend` mends."""
THRESHOLDS: Mapping[str, float] = {"bsd": 4.0, "oasis": 4.0, "threshold": 3.0, "deconvolved": 3.0}
"""Method of `calcium.deconvolve.deconvolve` to its default threshold."""
DEFAULT_BIN_MS = 20.0
"""Bin width for spike times, milliseconds: the custom of maximum-entropy work on spikes."""
DEFAULT_GAP_S = 2.0
LARGEST_GAP_SHARE = 0.01
"""The gap between folds, seconds, and the share of the recording that it is at most."""
ENOUGH_SEGMENTS = 20
"""From so many segments on, whole segments are held out."""


def default_method(kind: str) -> str:
    """Return the calcium method for traces of a kind, where none is named."""
    return "deconvolved" if kind == "deconvolved" else "bsd"


class Preparation(Options):
    """Options of reading, binning and splitting; `prepare` does what they say.

    Those of `readers.detect.read` (format, units, and in `reader` the further options of the
    format's reader, as text), `Recording.deconvolve` (calcium, kernel, calcium_threshold),
    `Recording.mend`, `Recording.binarize` (bin_ms, epochs, memory_limit_gb) and `Activity.split`.
    """

    noun: ClassVar[str] = "an option of reading, binning or splitting"

    format: str | None = setting(
        None,
        "read the file as this format",
        none="found by looking into the file",
        flag="--format",
        metavar="NAME",
        group=RECORDING,
    )
    units: str | None = setting(
        None,
        "keep the units that pass a filter, e.g. allen_strict, ibl, channel",
        none="all units",
        flag="--units",
        metavar="PRESET",
        group=RECORDING,
    )
    reader: Mapping[str, str] = setting(
        {},
        "an option of the format's reader, e.g. `frame_s=0.25` for a zebrafish file without times; "
        "docs/recordings.md lists them",
        flag="--read",
        metavar="NAME=VALUE",
        group=RECORDING,
    )
    join: str | None = setting(
        None,
        "how several recordings become one: `probes` (different neurons at the same time) or "
        "`sessions` (the same neurons one after another)",
        none="there is only one",
        flag="--join",
        metavar="WAY",
        group=RECORDING,
        names=JOINS,
    )
    trials: tuple[str, ...] | None = setting(
        None,
        "table of the trials (csv: start_s and stop_s, or the segment, and columns of numbers or "
        "labels); of joined sessions one for each, in order",
        none="those of the recording's file",
        flag="--trials",
        metavar="FILE",
        group=RECORDING,
    )
    covariates: tuple[str, ...] | None = setting(
        None,
        "table of series beside the neurons (csv: time_s, or a row a bin, and columns of numbers); "
        "of joined sessions one for each, in order",
        none="those of the recording's file",
        flag="--covariates",
        metavar="FILE",
        group=RECORDING,
    )
    mend: tuple[str, ...] | None = setting(
        None,
        "mend a fault that 'boltzbrain info --check' names",
        none="nothing",
        flag="--mend",
        metavar="WHAT",
        group=RECORDING,
        names=MENDABLE,
    )
    calcium: str | None = setting(
        None,
        "make calcium traces binary by `bsd` (blind sparse deconvolution), `oasis`, `threshold` "
        "or `deconvolved` (for traces that the pipeline deconvolved)",
        none="traces of 0 and 1 only",
        flag="--calcium",
        metavar="METHOD",
        group=BINS,
        names=tuple(THRESHOLDS),
    )
    kernel: str | None = setting(
        None,
        "response to one event: `gcamp6s`, `gcamp6f`, `RISE,DECAY` in seconds, `estimate` (one for "
        "all cells) or `each`",
        none="estimate",
        flag="--kernel",
        metavar="KERNEL",
        group=BINS,
    )
    calcium_threshold: float | None = setting(
        None,
        "threshold of the method in units of each trace's noise",
        none="that of the method: "
        + ", ".join(f"{name} {value:g}" for name, value in THRESHOLDS.items())
        + " (0 where nearly all values are exactly 0)",
        flag="--calcium-threshold",
        metavar="K",
        group=BINS,
        gt=0,
    )
    bin_ms: float | None = setting(
        None,
        "width of a bin in milliseconds",
        unit="ms",
        none=f"{DEFAULT_BIN_MS:g} ms for spike times, else the stored width",
        flag="--bin-ms",
        metavar="MS",
        group=BINS,
        gt=0,
    )
    covariate_bins: Mapping[str, str] = setting(
        {},
        "what a bin takes of a covariate's samples: their `mean`, the `last`, or whether there is "
        "`any`, as in `licks=any` (any for values of 0 and 1, else the mean)",
        flag="--covariate-bins",
        metavar="NAME=RULE",
        group=BINS,
    )
    epochs: tuple[str, ...] | None = setting(
        None,
        "keep this epoch only",
        none="the whole recording",
        flag="--epoch",
        metavar="LABEL",
        group=BINS,
    )
    memory_limit_gb: float | None = setting(
        None,
        "refuse to take more memory than this for the activity",
        unit="GB",
        none="the memory that is free",
        flag="--memory-limit-gb",
        metavar="GB",
        group=BINS,
        gt=0,
    )
    by: str = setting(
        "auto",
        "how bins are divided into train, validation and test: whole `segments` at random, "
        "`blocks` of time with a gap, tenths of the recording chosen so that the folds have like "
        "`statistics`, `shuffled` bins (leaks), `none` (all bins train), or `auto`: segments where "
        f"there are at least {ENOUGH_SEGMENTS}, else blocks",
        flag="--split",
        metavar="WAY",
        group=FOLDS,
        names=WAYS,
    )
    folds: str | None = setting(
        None,
        "take the folds from a csv: a column 'segment', and the named column of train, validation "
        "and test",
        none="they are drawn",
        flag="--folds",
        metavar="FILE:COLUMN",
        group=FOLDS,
    )
    validation: float = setting(
        0.15,
        "share of the bins that choose the model",
        flag="--validation",
        group=FOLDS,
        gt=0,
        lt=1,
    )
    test: float = setting(
        0.15, "share of the bins that score it", flag="--test", group=FOLDS, gt=0, lt=1
    )
    gap_s: float | None = setting(
        None,
        "time left out between two folds of `blocks` or `statistics`",
        unit="s",
        none=f"{DEFAULT_GAP_S:g} s, at most {100 * LARGEST_GAP_SHARE:g} % of the recording",
        flag="--gap-s",
        metavar="S",
        group=FOLDS,
        ge=0,
    )
    min_active_bins: int = setting(
        20,
        "drop neurons that are active in fewer training bins, or in every one; 0 keeps all",
        unit="bins",
        flag="--min-active-bins",
        group=FOLDS,
        ge=0,
    )
    all_data: bool = setting(
        False,
        "train on every bin: no held-out score, and no choice of the best update",
        flag="--all-data",
        group=FOLDS,
    )

    @property
    def flags(self) -> list[str]:
        """The options that were given, as on the command line."""
        return [describe(type(self), name).flag for name in self.given]

    def of_split(self) -> dict[str, Any]:
        """Return the options of `Activity.split` that were given."""
        return {name: value for name, value in self.given.items() if name in _OF_SPLIT}

    def refuse_conflicts(self) -> None:
        """Refuse options that exclude each other, before any work.

        Raises
        ------
        InputError
            If two options cannot both be meant.
        """
        given = self.given
        ruler = next((name for name in ("all_data", "folds") if name in given), None)
        others = [name for name in _DRAWING if name in given and name != ruler]
        if ruler and others:
            first, second = (describe(type(self), name).flag for name in (ruler, others[0]))
            raise bad_input(first, "be the only option on folds", f"{first} with {second}")


_DRAWING = ("by", "validation", "test", "gap_s", "folds")
_OF_SPLIT = (*_DRAWING, "min_active_bins")
