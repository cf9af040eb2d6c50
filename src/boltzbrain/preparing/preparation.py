"""From a file to the activity that a model sees, as the command line asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boltzbrain.foundations.checks import bad_input, one_of
from boltzbrain.foundations.progress import Stages

if TYPE_CHECKING:
    from boltzbrain.data.activity import Activity
    from boltzbrain.data.recording import Recording

JOINS = ("probes", "sessions")


@dataclass(frozen=True)
class Preparation:
    """Options of reading, binning and splitting; None stands for an option that was not given.

    Attributes
    ----------
    format, units, reader
        Of `readers.detect.read`; `reader` holds further options of the format's reader, as text.
    join
        How several recordings become one, a name of `JOINS`.
    mend
        Of `Recording.mend`.
    calcium, kernel, calcium_threshold
        Of `Recording.deconvolve`: method, kernel, threshold.
    bin_ms, epochs, memory_limit_gb, min_active_bins
        Of `Recording.binarize`.
    by, folds, validation, test, gap_s
        Of `Activity.split`.
    all_data
        Train on every bin.
    """

    format: str | None = None
    units: str | None = None
    reader: Mapping[str, str] = field(default_factory=dict)
    join: str | None = None
    mend: list[str] | None = None
    calcium: str | None = None
    kernel: str | None = None
    calcium_threshold: float | None = None
    bin_ms: float | None = None
    epochs: list[str] | None = None
    memory_limit_gb: float | None = None
    min_active_bins: int | None = None
    by: str | None = None
    folds: str | None = None
    validation: float | None = None
    test: float | None = None
    gap_s: float | None = None
    all_data: bool = False

    @property
    def given(self) -> list[str]:
        """Names of the options that were given, as on the command line."""
        names = {"by": "split", "epochs": "epoch", "reader": "read"}
        return [
            "--" + names.get(name, name).replace("_", "-")
            for name, value in vars(self).items()
            # 0 was given, None and False were not
            if value is not None and value is not False and value != {}
        ]

    def refuse_conflicts(self) -> None:
        """Refuse options that exclude each other, before any work.

        Raises
        ------
        InputError
            If two options cannot both be meant.
        """
        of_split = {
            "--split": self.by,
            "--validation": self.validation,
            "--test": self.test,
            "--gap-s": self.gap_s,
        }
        given = [name for name, value in of_split.items() if value is not None]
        if self.all_data and self.folds is not None:
            given.append("--folds")
        ruler = "--all-data" if self.all_data else "--folds" if self.folds is not None else None
        if ruler and given:
            raise bad_input(ruler, "be the only option on folds", f"{ruler} with {given[0]}")

    def read(self, paths: Sequence[str], display: Stages) -> Recording:
        """Read the recording, or several that are one, made binary and mended as asked.

        Raises
        ------
        InputError
            If several recordings are given and not how they are joined, or the other way round.
        """
        if self.join is not None:
            one_of("--join", self.join, JOINS)
        if (len(paths) > 1) != (self.join is not None):
            given = "no" if self.join is None else "a"
            raise bad_input(
                "--join",
                f"be {' or '.join(JOINS)} for several recordings, and only for them",
                f"{given} --join for {len(paths)}",
            )
        recordings = [self._read_one(path, display) for path in paths]
        recording = recordings[0]
        if self.join is not None:
            with display.stage("joining"):
                from boltzbrain.preparing.joining import join_probes, join_sessions

                join = join_probes if self.join == "probes" else join_sessions
                names = [Path(path).stem for path in paths]
                recording = join(recordings, names if len(set(names)) == len(names) else None)
        recording = self._made_binary(recording, display)
        if self.mend:
            # of the states, as what was found was found in them
            with display.stage("mending"):
                return recording.mend(
                    *self.mend,
                    bin_ms=self.bin_ms,
                    epochs=self.epochs or None,
                    memory_limit_gb=self.memory_limit_gb,
                )
        return recording

    def _made_binary(self, recording: Recording, display: Stages) -> Recording:
        """Return the events of traces if they were asked for."""
        given_options = {"kernel": self.kernel, "threshold": self.calcium_threshold}
        chosen = {name: value for name, value in given_options.items() if value is not None}
        if self.calcium is None:
            if chosen:
                raise bad_input("--calcium", "be given too", f"--{next(iter(chosen))} alone")
            return recording
        with display.stage("finding events") as stage:
            return recording.deconvolve(method=self.calcium, callbacks=[stage.show], **chosen)

    def _read_one(self, path: str, display: Stages) -> Recording:
        with display.stage(f"reading {Path(path).name}"):
            from boltzbrain.readers.detect import read

            options: dict[str, Any] = {
                name: _number_or_text(text) for name, text in self.reader.items()
            }
            for name, wanted in (("units", self.units), ("format", self.format)):
                if wanted is not None and name in options:
                    raise bad_input(f"--{name}", "be given once", f"--read {name} as well")
                options.setdefault(name, wanted)
            return read(path, **options)

    def size_of(self, recording: Recording) -> str:
        """Return what the activity will take, to be said before it is taken; "" of traces."""
        from boltzbrain.data.signals import Traces
        from boltzbrain.foundations.memory import show_bytes
        from boltzbrain.preparing.bins.plan import plan_bins

        if isinstance(recording.signal, Traces):
            return ""
        plan = plan_bins(recording, bin_ms=self.bin_ms, epochs=self.epochs or None)
        size = show_bytes(plan.memory_bytes)
        return f" ({size} for {plan.bins:,} bins x {plan.neurons:,} neurons)"

    def binarize(self, recording: Recording, display: Stages) -> Activity:
        """Bin a recording."""
        options: dict[str, Any] = {"bin_ms": self.bin_ms, "epochs": self.epochs or None}
        if self.min_active_bins is not None:
            options["min_active_bins"] = self.min_active_bins
        with display.stage(f"binning{self.size_of(recording)}"):
            return recording.binarize(**options, memory_limit_gb=self.memory_limit_gb)

    def activity(self, paths: Sequence[str], seed: int, display: Stages) -> Activity:
        """Read, bin and split.

        Parameters
        ----------
        paths
            The recording, or several that are joined.
        seed
            Seed of the folds.
        display
            Where progress is shown.
        """
        self.refuse_conflicts()
        whole = self.binarize(self.read(paths, display), display)
        if self.all_data:
            return whole.split(by="none")
        given: dict[str, Any] = {
            "by": self.by,
            "folds": self.folds,
            "validation": self.validation,
            "test": self.test,
            "gap_s": self.gap_s,
        }
        with display.stage("making folds"):
            return whole.split(
                seed=seed, **{name: value for name, value in given.items() if value is not None}
            )


def _number_or_text(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
