"""What a training tells beside how far it is: its newest score, its restarts, how it goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from boltzbrain.foundations.showing.numbers import with_error
from boltzbrain.training.health.restarts import Restart

SCORING = "scoring"
"""The phase in which a checkpoint is scored."""


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

    def in_words(self) -> str:
        """Return it as it is shown beside a bar."""
        by = " by the running estimate" if self.by == "running" else ""
        return (
            f"validation {with_error(self.nats_per_bin, self.stderr, 2)} nats per bin at update "
            f"{self.update}{by}, "
            f"{with_error(self.gain, self.gain_stderr, 2, '+')} over independent neurons"
        )


def in_words(begins: str, restarts: Sequence[Restart]) -> str:
    """Return what there is to say of a training in which `SCORING` or an update ("") begins."""
    parts = ["scoring a checkpoint"] if begins == SCORING else []
    if restarts:
        last = restarts[-1]
        parts.append(
            f"restart {len(restarts)}: at update {last.update} the training {last.reason}, and "
            f"went on from update {last.back_to} with smaller steps"
        )
    return "; ".join(parts)


@contextmanager
def resumable(folder: Path) -> Iterator[None]:
    """Tell whoever stops a training how it goes on."""
    try:
        yield
    except KeyboardInterrupt as error:
        if (folder / "run.json").is_file():
            error.add_note(f"stopped; go on with it: boltzbrain.resume({str(folder)!r})")
        raise
