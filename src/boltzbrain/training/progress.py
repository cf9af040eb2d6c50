"""What a training tells its callbacks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from boltzbrain.training.health.restarts import Restart


@dataclass(frozen=True)
class Score:
    """A score of the validation fold.

    Attributes
    ----------
    update
        Of the model that was scored.
    nats_per_bin, stderr
        The score and its standard error.
    gain, gain_stderr
        It less that of the independent model, and the standard error of that, paired.
    by
        How log Z was estimated: "annealing", at a kept checkpoint, or "running".
    """

    update: int
    nats_per_bin: float
    stderr: float
    gain: float
    gain_stderr: float
    by: Literal["annealing", "running"]


@dataclass(frozen=True)
class Progress:
    """What a callback is told after every update.

    Attributes
    ----------
    phase
        "training", or "scoring" while a checkpoint's likelihood is estimated.
    update, updates
        Updates done and planned.
    seconds
        Seconds of training over all sittings.
    updates_per_second
        Over this sitting, scoring included; 0 before the first update.
    seconds_left
        Expected seconds until the last planned update, None before the first update.
    validation
        Newest score on the validation fold, None until there is one.
    restarts
        Every time the training went wrong and went back to a good checkpoint.
    """

    phase: str
    update: int
    updates: int
    seconds: float
    updates_per_second: float
    seconds_left: float | None
    validation: Score | None
    restarts: tuple[Restart, ...] = ()


Callback = Callable[[Progress], None]


class Sitting:
    """The clock of one sitting, and whoever listens.

    Parameters
    ----------
    callbacks
        Called with a `Progress`.
    updates
        Planned.
    before
        Seconds of training of earlier sittings.
    """

    def __init__(self, callbacks: Sequence[Callback], updates: int, before: float) -> None:
        self.callbacks, self.updates, self.before = callbacks, updates, before
        self.done = 0
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds of training over all sittings."""
        return self.before + time.monotonic() - self._started

    def tell(
        self, phase: str, update: int, validation: Score | None, restarts: tuple[Restart, ...]
    ) -> None:
        """Call every callback."""
        seconds = self.seconds
        elapsed = seconds - self.before
        rate = self.done / elapsed if elapsed > 0 else 0.0
        progress = Progress(
            phase=phase,
            update=update,
            updates=self.updates,
            seconds=seconds,
            updates_per_second=rate,
            seconds_left=(self.updates - update) / rate if rate else None,
            validation=validation,
            restarts=restarts,
        )
        for callback in self.callbacks:
            callback(progress)
