"""The preparation of one activity done again, on a recording that the same model is to see."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity
from boltzbrain.data.behaviour.of_bins import BehaviourOfBins
from boltzbrain.data.recording import Recording
from boltzbrain.data.signals import SpikeTimes, Traces
from boltzbrain.data.steps import Step
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.progress import Callback
from boltzbrain.preparing.bins.binarize import binarize
from boltzbrain.preparing.bins.plan import plan_bins
from boltzbrain.preparing.bins.times import bin_times
from boltzbrain.preparing.calcium.deconvolve import deconvolve
from boltzbrain.preparing.faults.mend import mend

_OF_SPIKES = ("duplicate-spikes", "empty")
_OF_TIME = ("unstable", "laser")
"""Mending that takes spikes or time; what takes neurons is settled by matching them."""
_NAMED = 10
"""Most ids that a message lists."""


@dataclass(frozen=True)
class Again:
    """A recording prepared as an earlier one was.

    Attributes
    ----------
    states
        (bin, neuron) uint8, the neurons those of the earlier activity in its order; 0 where one is
        missing.
    times_s
        (bin,) start of each bin, seconds.
    segment
        (bin,) int32; bins with one number are contiguous in time.
    bin_width_s
        Seconds per bin.
    missing
        (neuron,) bool, those that the recording lacks.
    steps
        What was done, in order.
    epoch, epoch_names
        As of `Activity`.
    behaviour
        Its trials and covariates, in these bins.
    """

    states: NDArray[np.uint8]
    times_s: NDArray[np.float64]
    segment: NDArray[np.int32]
    bin_width_s: float
    missing: NDArray[np.bool_]
    steps: tuple[Step, ...]
    epoch: NDArray[np.int32] | None = None
    epoch_names: tuple[str, ...] = ()
    behaviour: BehaviourOfBins | None = None


def prepare_again(
    recording: Recording,
    before: Activity,
    *,
    epochs: Sequence[str] | None = None,
    may_miss: bool = False,
    memory_limit_gb: float | None = None,
    callbacks: Sequence[Callback] = (),
) -> Again:
    """Bin a recording as an earlier one was, its neurons matched to the earlier ones by id.

    Traces become binary by the method, threshold and kernel found before; spikes and stretches of
    time are mended as before, while neurons are kept if the earlier activity has them, whatever was
    dropped then; bins have the same width.

    Parameters
    ----------
    recording
        As it was read.
    before
        The earlier activity.
    epochs
        Labels of the epochs to bin; those of the earlier activity if None, the whole recording if
        empty.
    may_miss
        Whether neurons may be missing.
    memory_limit_gb
        As of `binarize`.
    callbacks
        Told the progress of `deconvolve`.

    Warns
    -----
    UserWarning
        If ids are mere row numbers, of another file than before, or traces had been made binary by
        another rule.

    Raises
    ------
    InputError
        If neurons are missing, an id is there twice, or the recording cannot be so prepared.
    """
    where = recording.source.path
    wanted = before.neurons["id"].astype(str).tolist()
    _require_found(wanted, recording, may_miss)
    _warn_of_numbers(recording, before)
    keep = recording.neurons["id"].astype(str).isin(wanted).to_numpy(dtype=np.bool_)
    others = int((~keep).sum())
    recording = _binary_again(recording.select(keep), before, callbacks)
    binned = _options(before, "binarize")
    chosen = binned.get("epochs") if epochs is None else list(epochs)
    options: dict[str, Any] = {
        "bin_ms": binned.get("bin_ms", before.bin_width_s * 1000),
        "epochs": chosen or None,
        "memory_limit_gb": memory_limit_gb,
    }
    again = [name for name in _mended(before) if name not in _mended(recording)]
    if not isinstance(recording.signal, SpikeTimes):
        again = [name for name in again if name not in _OF_SPIKES]
    if again:
        recording = mend(recording, again, **options)
    # events are found in some cells and not in others
    missing = _require_found(wanted, recording, may_miss)
    activity = binarize(recording, **options)
    plan = plan_bins(recording, bin_ms=options["bin_ms"], epochs=options["epochs"])
    row = {name: number for number, name in enumerate(recording.neurons["id"].astype(str))}
    there = [row[name] for name in wanted if name in row]
    states = activity.states
    if there != list(range(len(wanted))):
        states = np.zeros((activity.n_bins, len(wanted)), dtype=np.uint8)
        states[:, ~missing] = activity.states[:, there]
    told = {
        "matched": len(there),
        "missing": [name for name, gone in zip(wanted, missing, strict=True) if gone],
        "of_no_use": others,
    }
    return Again(
        states,
        bin_times(recording, plan),
        activity.segment,
        activity.bin_width_s,
        missing,
        (*activity.steps, Step("match_neurons", {"file": where, **told})),
        activity.epoch,
        activity.epoch_names,
        BehaviourOfBins(activity.covariates, activity.trials, np.arange(activity.n_bins)),
    )


def _options(before: Activity, name: str) -> Mapping[str, Any]:
    step = before.step(name)
    return {} if step is None else step.options


def _mended(data: Activity | Recording) -> list[str]:
    """Return the faults of spikes and of time that were mended, in order."""
    names = [str(step.options.get("what")) for step in data.steps if step.name == "mend"]
    return [name for name in dict.fromkeys(names) if name in (*_OF_SPIKES, *_OF_TIME)]


def _require_found(
    wanted: Sequence[str], recording: Recording, may_miss: bool
) -> NDArray[np.bool_]:
    """Return which of the neurons are missing, (neuron,); refuse it unless they may be."""
    ids = recording.neurons["id"].astype(str).tolist()
    where = recording.source.path
    known = set(wanted)
    twice = [name for name, count in Counter(ids).items() if count > 1 and name in known]
    if twice:
        raise bad_input("neurons", "have each id once", _listed(twice), file=where)
    have = set(ids)
    missing = np.array([name not in have for name in wanted], dtype=np.bool_)
    gone = [name for name in wanted if name not in have]
    if len(gone) == len(wanted):
        got = f"other ids: {_listed(ids)}"
        raise bad_input("neurons", f"be those of the model: {_listed(wanted)}", got, file=where)
    if gone and not may_miss:
        raise bad_input(
            "neurons",
            "be all those of the model, or missing='mean' (--missing mean) put those that are "
            "missing at their mean over the training bins",
            f"{len(gone)} of {len(wanted)} missing: {_listed(gone)}",
            file=where,
        )
    return missing


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _warn_of_numbers(recording: Recording, before: Activity) -> None:
    """Say that neurons are matched by nothing better than the number of their row."""
    ids = recording.neurons["id"].astype(str).tolist()
    same = before.source.sha256 and before.source.sha256 == recording.source.sha256
    if ids == [str(number) for number in range(len(ids))] and not same:
        warnings.warn(
            f"{recording.source.path}: its neurons have no ids but the numbers of their rows, by "
            "which they are matched with those of the model: make sure that they are the same "
            "neurons in the same order",
            stacklevel=4,
        )


def _binary_again(
    recording: Recording, before: Activity, callbacks: Sequence[Callback]
) -> Recording:
    """Return traces made binary as before; anything else as it is."""
    then = before.step("deconvolve")
    if not isinstance(recording.signal, Traces):
        mine = next((one for one in recording.steps if one.name == "deconvolve"), None)
        rules = [None if one is None else one.options.get("rule") for one in (mine, then)]
        if rules[0] != rules[1]:
            first, second = (rule or "none" for rule in rules)
            warnings.warn(
                f"{recording.source.path}: events were found by another rule than for the model: "
                f"{first}; then {second}",
                stacklevel=4,
            )
        return recording
    if then is None:
        return recording  # states as traces; anything else is refused where it is binned
    found, baseline = then.options, _options(before, "dff")
    options: dict[str, Any] = {"method": found["method"]}
    # a threshold of 0 is that of deconvolved values most of which are exactly 0
    if found["threshold"]:
        options["threshold"] = found["threshold"]
    if "rise_s" in found:
        options["kernel"] = (found["rise_s"], found["decay_s"])
    elif found.get("kernel") == "each":
        options["kernel"] = "each"
    if baseline:
        options |= {"baseline_s": baseline["window_s"], "background": baseline["background"]}
    return deconvolve(recording, callbacks=callbacks, **options)
