"""What long work tells of itself: one record, one kind of callback, one clock."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from boltzbrain.foundations.pace import Pace

_MOVED = {"update": "done", "updates": "total", "updates_per_second": "rate"}
_FACTS = ("validation", "restarts", "failed", "name", "error", "best")


@dataclass(frozen=True)
class Progress:
    """What a callback is told.

    Attributes
    ----------
    phase
        What is being done.
    done, total, unit
        Units of the phase done and planned, and what they are: "steps", "updates", "cells".
    seconds
        Since the work began; of a training over all its sittings.
    rate
        Units per second over the later half of those of the phase, what is told by another name
        left out; None before the first.
    seconds_left
        Expected seconds until the end of the phase; None until they are known within a factor of
        two, which the first units, that compile, do not tell.
    note
        What else there is to say, in words; may be empty.
    facts
        What else is known, by name. Of a training: ``validation``, the newest
        `training.progress.Score` or None, and ``restarts``, every
        `training.health.restarts.Restart`. Of a sweep: ``failed``, how many runs have failed;
        ``name``, the run done last or None; ``error``, what went wrong with it or None; ``best``,
        the highest validation score so far and its standard error, or None.
    """

    phase: str
    done: int
    total: int
    unit: str
    seconds: float
    rate: float | None = None
    seconds_left: float | None = None
    note: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Give attributes of 0.1.0 under their old names, with a warning."""
            if name in _MOVED:
                new, value = _MOVED[name], getattr(self, _MOVED[name])
                value = 0.0 if value is None else value
            elif name in _FACTS and name in self.facts:
                new, value = f"facts[{name!r}]", self.facts[name]
            else:
                raise AttributeError(f"'Progress' object has no attribute {name!r}")
            warnings.warn(
                f"progress.{name} is deprecated: use progress.{new}",
                DeprecationWarning,
                stacklevel=2,
            )
            return value


Callback = Callable[[Progress], None]


@dataclass(frozen=True)
class Teller:
    """The clock of a piece of work, and whoever listens.

    Work calls ``tell(done, total)``, gives `phase` to what it calls for a phase of its own, and
    `part` to what does some units of its own phase.

    Attributes
    ----------
    callbacks
        Whoever listens.
    name, unit
        The phase, and what is counted in it.
    before
        Seconds of the work before this sitting.
    started
        When this sitting began, by `time.monotonic`.
    pace
        That of the phase, shared by its parts.
    offset, whole
        Units of the phase done before this part of it, and units of the whole phase; None where
        this is no part.
    """

    callbacks: Sequence[Callback] = ()
    name: str = ""
    unit: str = "steps"
    before: float = 0.0
    started: float = field(default_factory=lambda: time.monotonic())
    pace: Pace = field(default_factory=lambda: Pace(time.monotonic()), compare=False)
    offset: int = 0
    whole: int | None = None

    @property
    def seconds(self) -> float:
        """Seconds since the work began, over all sittings."""
        return self.before + time.monotonic() - self.started

    def phase(self, name: str, unit: str | None = None) -> Teller:
        """Return the teller of a phase that begins now."""
        return replace(
            self,
            name=name,
            unit=self.unit if unit is None else unit,
            pace=Pace(time.monotonic()),
            offset=0,
            whole=None,
        )

    def part(self, offset: int, whole: int) -> Teller:
        """Return the teller of a part of this phase, `offset` units of `whole` into it."""
        return replace(
            self,
            offset=self.offset + offset,
            whole=whole if self.whole is None else self.whole,
        )

    def __call__(
        self,
        done: int,
        total: int,
        *,
        worked: int | None = None,
        name: str = "",
        to_come: Mapping[str, int] | None = None,
        note: str = "",
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """Tell every callback.

        Parameters
        ----------
        done, total
            Units done and planned.
        worked
            Units since the phase began, where they are not those that are done.
        name
            Of what begins now within the phase and takes its own time, such as scoring; "" where
            the next unit begins.
        to_come
            How many times each of those named so is still to be done.
        note, facts
            As of `Progress`.
        """
        if not self.callbacks:
            return
        done, total = self.offset + done, total if self.whole is None else self.whole
        self.pace.told(name, done if worked is None else worked, time.monotonic())
        left = {**({} if to_come is None else to_come), "": total - done}
        progress = Progress(
            name or self.name,
            done,
            total,
            self.unit,
            self.seconds,
            self.pace.rate(),
            self.pace.seconds_left(left),
            note,
            {} if facts is None else facts,
        )
        for callback in self.callbacks:
            callback(progress)


SILENT = Teller()
"""The teller to which nobody listens."""


def with_old(
    callbacks: Sequence[Callback],
    callback: Callable[[int, int], None] | None,
    stacklevel: int = 3,
) -> Sequence[Callback]:
    """Return the callbacks with the one of 0.1.0, which takes units done and planned; warn of it.

    The warning points `stacklevel` frames up from here.
    """
    if callback is None:
        return callbacks
    warn_of_old_callback(stacklevel + 1)
    return (*callbacks, lambda progress: callback(progress.done, progress.total))


def warn_of_old_callback(stacklevel: int) -> None:
    """Warn that ``callbacks`` has replaced ``callback``."""
    warnings.warn(
        "callback is deprecated: use callbacks=[...], each called with a "
        "foundations.progress.Progress",
        DeprecationWarning,
        stacklevel=stacklevel,
    )


class Stage(Protocol):
    """One piece of long work that is shown to somebody."""

    def show(self, progress: Progress) -> None:
        """Show how far it is: a `Callback`."""
        ...


class Stages(Protocol):
    """Where stages show themselves."""

    def stage(self, title: str) -> AbstractContextManager[Stage]:
        """Open a stage; until something is told it only shows that it lives."""
        ...
