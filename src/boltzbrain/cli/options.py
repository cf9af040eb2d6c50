"""The options that several commands share, each with its one explanation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from boltzbrain.foundations.checks import bad_input

FROM_FILE = "The recording"
INTO_BINS = "From recording to activity"
INTO_FOLDS = "Folds"
LEARNING = "Model and training (defaults: those of the preset 'binary')"


def option(
    *names: str,
    text: str,
    default: str | None = None,
    panel: str | None = None,
    metavar: str | None = None,
) -> Any:
    """Return an option whose default is told in words, as it is chosen further down."""
    told = "" if default is None else f" [dim]\\[default: {default}][/]"
    return typer.Option(
        *names, help=text + told, show_default=False, rich_help_panel=panel, metavar=metavar
    )


def named_values(option_name: str, texts: list[str] | None) -> dict[str, str]:
    """Return what was given as NAME=VALUE, none of the names twice.

    Examples
    --------
    >>> named_values("--set", ["optimizer=adam", "ais-rungs=100"])
    {'optimizer': 'adam', 'ais_rungs': '100'}
    """
    values: dict[str, str] = {}
    for text in texts or []:
        name, equals, value = (part.strip() for part in text.partition("="))
        name = name.replace("-", "_")
        if not (equals and name and value):
            raise bad_input(option_name, "be NAME=VALUE", text)
        if name in values:
            raise bad_input(name, "be given once", f"{values[name]} and {value}")
        values[name] = value
    return values


def baseline_names(text: str | None) -> list[str]:
    """Return the names of baselines given as NAME,NAME, 'all' for every one."""
    names = [part.strip() for part in (text or "").split(",") if part.strip()]
    if names == ["all"]:
        # here, as it takes a second
        from boltzbrain.comparison.compare import NAMES

        return list(NAMES)
    return names


RecordingPaths = Annotated[
    list[str],
    typer.Argument(
        metavar="RECORDING...",
        help="File or folder of the recording, or the http address of an HDF5 file; "
        "docs/recordings.md lists the formats. Several are joined as --join says.",
    ),
]
Join = Annotated[
    str | None,
    option(
        "--join",
        metavar="WAY",
        text="How several recordings become one: [bold]probes[/] (different neurons at the same "
        "time) or [bold]sessions[/] (the same neurons one after another).",
        panel=FROM_FILE,
    ),
]
RunFolder = Annotated[
    Path, typer.Argument(metavar="RUN", help="Run folder that 'boltzbrain fit' wrote.")
]
Format = Annotated[
    str | None,
    option(
        "--format",
        metavar="NAME",
        text="Read the file as this format.",
        default="found by looking into the file",
        panel=FROM_FILE,
    ),
]
Units = Annotated[
    str | None,
    option(
        "--units",
        metavar="PRESET",
        text="Keep the units that pass a filter, e.g. allen_strict, ibl, channel.",
        default="all units",
        panel=FROM_FILE,
    ),
]
ReaderOptions = Annotated[
    list[str] | None,
    option(
        "--read",
        metavar="NAME=VALUE",
        text="An option of the format's reader, e.g. --read frame_s=0.25 for a zebrafish file "
        "without times; may be given several times. docs/recordings.md lists them.",
        panel=FROM_FILE,
    ),
]
BinMs = Annotated[
    float | None,
    option(
        "--bin-ms",
        metavar="MS",
        text="Width of a bin in milliseconds.",
        default="20 for spike times, else the stored width",
        panel=INTO_BINS,
    ),
]
Epochs = Annotated[
    list[str] | None,
    option(
        "--epoch",
        metavar="LABEL",
        text="Keep this epoch only; may be given several times.",
        default="the whole recording",
        panel=INTO_BINS,
    ),
]
MemoryLimit = Annotated[
    float | None,
    option(
        "--memory-limit-gb",
        metavar="GB",
        text="Refuse to take more memory than this for the activity.",
        default="the memory that is free",
        panel=INTO_BINS,
    ),
]
Calcium = Annotated[
    str | None,
    option(
        "--calcium",
        metavar="METHOD",
        text="Make calcium traces binary by bsd (blind sparse deconvolution), oasis, threshold, or "
        "deconvolved (for traces that the pipeline deconvolved).",
        panel=INTO_BINS,
    ),
]
CalciumKernel = Annotated[
    str | None,
    option(
        "--kernel",
        metavar="KERNEL",
        text="Response to one event: gcamp6s, gcamp6f, RISE,DECAY in seconds, estimate (one for "
        "all cells) or each.",
        default="estimate",
        panel=INTO_BINS,
    ),
]
CalciumThreshold = Annotated[
    float | None,
    option(
        "--calcium-threshold",
        metavar="K",
        text="Threshold of the method in units of each trace's noise.",
        default="that of the method: 4, 4, 3, 3",
        panel=INTO_BINS,
    ),
]
Mend = Annotated[
    list[str] | None,
    option(
        "--mend",
        metavar="WHAT",
        text="Mend a fault that 'boltzbrain info --check' names: duplicate-spikes, refractory, "
        "silent, drifting, unstable, duplicate-neurons, laser; may be given several times.",
        default="nothing",
        panel=FROM_FILE,
    ),
]
MinActiveBins = Annotated[
    int | None,
    option(
        "--min-active-bins",
        text="Drop neurons that are active in fewer training bins.",
        default="20",
        panel=INTO_BINS,
    ),
]
SplitWay = Annotated[
    str | None,
    option(
        "--split",
        text="How bins are divided into train, validation and test: whole [bold]segments[/] at "
        "random, [bold]blocks[/] of time with a gap, tenths of the recording chosen so that "
        "the folds have like [bold]statistics[/], [bold]shuffled[/] bins (leaks), or "
        "[bold]auto[/]: segments where there are at least 20, else blocks.",
        default="auto",
        panel=INTO_FOLDS,
        metavar="WAY",
    ),
]
FoldFile = Annotated[
    str | None,
    option(
        "--folds",
        text="Take the folds from a csv: a column 'segment', and the named column of train, "
        "validation and test.",
        default="they are drawn",
        panel=INTO_FOLDS,
        metavar="FILE:COLUMN",
    ),
]
ValidationShare = Annotated[
    float | None,
    option(
        "--validation",
        text="Share of the bins that choose the model.",
        default="0.15",
        panel=INTO_FOLDS,
    ),
]
TestShare = Annotated[
    float | None,
    option("--test", text="Share of the bins that score it.", default="0.15", panel=INTO_FOLDS),
]
GapS = Annotated[
    float | None,
    option(
        "--gap-s",
        text="Seconds left out between blocks.",
        default="2, at most 1 % of the recording",
        panel=INTO_FOLDS,
    ),
]
Preset = Annotated[
    str | None,
    option("--preset", text="Recipe.", default="binary", panel=LEARNING, metavar="NAME"),
]
Updates = Annotated[
    int | None,
    option("--updates", text="Gradient steps at most.", default="2000", panel=LEARNING),
]
Others = Annotated[
    list[str] | None,
    option(
        "--set",
        metavar="NAME=VALUE",
        text="Any other hyperparameter of the plan, e.g. --set optimizer=adam; may be given "
        "several times. docs/training.md lists them.",
        panel=LEARNING,
    ),
]
