"""What may be chosen of motifs."""

from __future__ import annotations

from typing import ClassVar

from boltzbrain.foundations.options import Options, setting

WINDOW_S = 2.0


class MotifChoices(Options):
    """Options of `connectome`."""

    noun: ClassVar[str] = "a choice of connectome"
    group: ClassVar[str] = "Motifs"

    rank: int | None = setting(
        None,
        "number of motifs",
        none="the most that starts agree on beyond chance",
        flag="--rank",
        ge=1,
        le=64,
    )
    most: int = setting(8, "most motifs that are tried", flag="--most", ge=1, le=64)
    starts: int = setting(10, "random starts of each fit", flag="--starts", ge=2)
    surrogates: int = setting(
        19,
        "surrogates, in each of which every neuron is shifted by a lag of its own",
        flag="--surrogates",
        ge=2,
    )
    window_s: float = setting(
        WINDOW_S,
        "affinities are averaged over so long",
        unit="s",
        flag="--window-s",
        metavar="S",
        gt=0,
    )
    window_bins: int = setting(
        3000,
        "bins of a window of couplings, where runs are given in place of recordings; of fewer the "
        "couplings of a window are mostly chance",
        unit="bins",
        flag="--window-bins",
        ge=50,
    )
    smooth_s: float | None = setting(
        None,
        "standard deviation of the smoothing",
        unit="s",
        none="0.75 s of traces, 0.1 s of spikes",
        flag="--smooth-s",
        metavar="S",
        gt=0,
    )
    signed: bool = setting(False, "also affinities of changes against each other", flag="--signed")
    one_clock: bool = setting(
        False,
        "what is at the same time in all animals is one window: they followed one protocol",
        flag="--one-clock",
    )
    atlas: str | None = setting(
        None,
        "take the regions of this atlas in place of neurons",
        none="neurons",
        flag="--atlas",
        metavar="NAME",
    )
