"""What long work tells of itself: one record, one kind of callback, one clock."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from boltzbrain.foundations.stopping import raise_if_pressed

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


UNIT = ""
"""The kind of work that the units themselves are."""

_MOST_MARKS = 512


class _Marks:
    """Units and seconds of one kind of work, each time that some were done."""

    def __init__(self) -> None:
        self._marks = [(0, 0.0)]

    def add(self, units: int, seconds: float) -> None:
        done, spent = self._marks[-1]
        self._marks.append((done + units, spent + seconds))
        if len(self._marks) > _MOST_MARKS:
            self._marks = [*self._marks[:-1:2], self._marks[-1]]

    def _from(self, share: float, first: int) -> int:
        """Return the first mark, from `first` on, at which a share of the units was done."""
        least = self._marks[first][0] + share * (self._marks[-1][0] - self._marks[first][0])
        return next(at for at in range(first, len(self._marks)) if self._marks[at][0] >= least)

    def _cost(self, first: int, last: int) -> float:
        (units, seconds), (more, later) = self._marks[first], self._marks[last]
        return (later - seconds) / (more - units)

    def bounds(self) -> tuple[float, float]:
        """Return the least and the most seconds that a further unit is expected to take.

        The first half of the units is left out: compiling and warming up lie there. What follows is
        taken in two parts, which are the bounds; from too few units only the upper one is known.
        """
        last = len(self._marks) - 1
        if last < 1:
            return 0.0, math.inf
        half = self._from(0.5, 0)
        if half == last:
            return 0.0, self._cost(last - 1, last)
        middle = self._from(0.5, half)
        if middle == last:
            return 0.0, self._cost(half, last)
        parts = self._cost(half, middle), self._cost(middle, last)
        return min(parts), max(parts)

    def rate(self) -> float | None:
        """Return units per second over the later half of them, None where none took any time."""
        last = len(self._marks) - 1
        if last < 1:
            return None
        half = self._from(0.5, 0)
        cost = self._cost(0 if half == last else half, last)
        return 1 / cost if cost > 0 else None


class Pace:
    """The pace of a piece of work: of its units, and of what is done between them.

    Parameters
    ----------
    now
        Seconds of the clock that all further times are of.
    """

    def __init__(self, now: float) -> None:
        self._doing, self._since, self._done = UNIT, now, 0
        self._marks = {UNIT: _Marks()}

    def told(self, kind: str, done: int, now: float) -> None:
        """Take note that `done` units are done, and that work of a kind begins now.

        Parameters
        ----------
        kind
            `UNIT`, or the name of what is done between units, such as a score.
        done
            Units that are done.
        now
            Seconds of the clock.
        """
        more, spent = done - self._done, now - self._since
        if self._doing == kind == UNIT and more <= 0:
            return  # within a unit
        if self._doing != UNIT:
            self._marks.setdefault(self._doing, _Marks()).add(1, spent)
        elif more > 0:
            self._marks[UNIT].add(more, spent)
        self._doing, self._since, self._done = kind, now, done

    def rate(self) -> float | None:
        """Return units per second, what is done between them left out; None before the first."""
        return self._marks[UNIT].rate()

    def seconds_left(self, to_come: Mapping[str, int]) -> float | None:
        """Return the seconds that the units to come will take, None until that is known.

        It is known when its bounds lie within a factor of two; their geometric mean is told.

        Parameters
        ----------
        to_come
            Units of each kind.
        """
        bounds = [
            (count, *self._marks.get(kind, _Marks()).bounds())
            for kind, count in to_come.items()
            if count > 0
        ]
        low = sum(count * least for count, least, _ in bounds)
        high = sum(count * most for count, _, most in bounds)
        return math.sqrt(low * high) if high <= 2 * low else None


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

        Raises
        ------
        KeyboardInterrupt
            If the key was pressed and it was dropped, or caught: see `foundations.stopping`.
        """
        raise_if_pressed()
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
