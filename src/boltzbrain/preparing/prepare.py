"""From a file to the activity that a model sees, as a `Preparation` asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.progress import Stages
from boltzbrain.preparing.preparation import JOINS, Preparation

if TYPE_CHECKING:
    from boltzbrain.data.activity import Activity
    from boltzbrain.data.recording import Recording


def read_as_asked(asked: Preparation, paths: Sequence[str], display: Stages) -> Recording:
    """Read the recording, or several that are one, made binary and mended as asked.

    Raises
    ------
    InputError
        If several recordings are given and not how they are joined, or the other way round.
    """
    if (len(paths) > 1) != (asked.join is not None):
        given = "no" if asked.join is None else "a"
        raise bad_input(
            "--join",
            f"be {' or '.join(JOINS)} for several recordings, and only for them",
            f"{given} --join for {len(paths)}",
        )
    recordings = [_read_one(asked, path, display) for path in paths]
    # of sessions each has a clock of its own, of probes all have one
    parts = recordings if asked.join == "sessions" else recordings[:1]
    recordings[: len(parts)] = _with_tables(asked, parts)
    recording = recordings[0]
    if asked.join is not None:
        with display.stage("joining"):
            from boltzbrain.preparing.joining import join_probes, join_sessions

            join = join_probes if asked.join == "probes" else join_sessions
            names = [Path(path).stem for path in paths]
            recording = join(recordings, names if len(set(names)) == len(names) else None)
    return _made_and_mended(asked, recording, display)


def _made_and_mended(asked: Preparation, recording: Recording, display: Stages) -> Recording:
    """Return a recording made binary and mended as asked."""
    if asked.covariate_bins:
        from boltzbrain.readers.behaviour.attach import with_rules

        recording = with_rules(recording, asked.covariate_bins)
    recording = _made_binary(asked, recording, display)
    if asked.mend:
        # of the states, as what was found was found in them
        with display.stage("mending"):
            return recording.mend(
                *asked.mend,
                bin_ms=asked.bin_ms,
                epochs=asked.epochs or None,
                memory_limit_gb=asked.memory_limit_gb,
            )
    return recording


def _read_one(asked: Preparation, path: str, display: Stages) -> Recording:
    with display.stage(f"reading {Path(path).name}"):
        from boltzbrain.readers.detect import read

        options: dict[str, Any] = {
            name: _number_or_text(text) for name, text in asked.reader.items()
        }
        for name, wanted in (("units", asked.units), ("format", asked.format)):
            if wanted is not None and name in options:
                raise bad_input(f"--{name}", "be given once", f"--read {name} as well")
            options.setdefault(name, wanted)
        return read(path, **options)


def _with_tables(asked: Preparation, parts: list[Recording]) -> list[Recording]:
    """Return the parts with the tables of series and trials that are given beside them."""
    from boltzbrain.readers.behaviour.attach import with_covariates, with_trials

    for flag, files, put in (
        ("--covariates", asked.covariates, with_covariates),
        ("--trials", asked.trials, with_trials),
    ):
        if not files:
            continue
        if len(files) != len(parts):
            raise bad_input(
                flag, f"be given once for each recording with a clock of its own ({len(parts)})",
                f"{len(files)} files",
            )  # fmt: skip
        parts = [put(one, file) for one, file in zip(parts, files, strict=True)]
    return parts


def _made_binary(asked: Preparation, recording: Recording, display: Stages) -> Recording:
    """Return the events of traces if they were asked for."""
    given_options = {"kernel": asked.kernel, "threshold": asked.calcium_threshold}
    chosen = {name: value for name, value in given_options.items() if value is not None}
    if asked.calcium is None:
        if chosen:
            raise bad_input("--calcium", "be given too", f"--{next(iter(chosen))} alone")
        return recording
    with display.stage("finding events") as stage:
        return recording.deconvolve(method=asked.calcium, callbacks=[stage.show], **chosen)


def size_of(asked: Preparation, recording: Recording) -> str:
    """Return what the activity will take, to be said before it is taken; "" of traces."""
    from boltzbrain.data.signals import Traces
    from boltzbrain.foundations.memory import show_bytes
    from boltzbrain.preparing.bins.plan import plan_bins

    if isinstance(recording.signal, Traces):
        return ""
    plan = plan_bins(recording, bin_ms=asked.bin_ms, epochs=asked.epochs or None)
    size = show_bytes(plan.memory_bytes)
    return f" ({size} for {plan.bins:,} bins x {plan.neurons:,} neurons)"


def bin_as_asked(asked: Preparation, recording: Recording, display: Stages) -> Activity:
    """Bin a recording."""
    with display.stage(f"binning{size_of(asked, recording)}"):
        return recording.binarize(
            bin_ms=asked.bin_ms,
            epochs=asked.epochs or None,
            memory_limit_gb=asked.memory_limit_gb,
        )


def prepare(asked: Preparation, paths: Sequence[str], seed: int, display: Stages) -> Activity:
    """Read, bin and split.

    Parameters
    ----------
    asked
        The options.
    paths
        The recording, or several that are joined.
    seed
        Seed of the folds.
    display
        Where progress is shown.
    """
    asked.refuse_conflicts()
    return _binned_and_split(asked, read_as_asked(asked, paths, display), seed, display)


def prepare_recording(
    asked: Preparation, recording: Recording, seed: int, display: Stages
) -> Activity:
    """Bin and split a recording that is read already; parameters as of `prepare`."""
    asked.refuse_conflicts()
    recording = _made_and_mended(asked, recording, display)
    return _binned_and_split(asked, recording, seed, display)


def _binned_and_split(
    asked: Preparation, recording: Recording, seed: int, display: Stages
) -> Activity:
    whole = bin_as_asked(asked, recording, display)
    if asked.all_data:
        return whole.split(by="none", **asked.of_split())
    with display.stage("making folds"):
        return whole.split(seed=seed, **asked.of_split())


def _number_or_text(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
