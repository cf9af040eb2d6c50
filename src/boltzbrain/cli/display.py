"""Progress for people, on stderr: a bar on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.text import Text

from boltzbrain.cli.summaries.results import figure, signed

if TYPE_CHECKING:
    from boltzbrain.evaluation.evaluate import EvaluationProgress
    from boltzbrain.interpretation.choices import InterpretationProgress
    from boltzbrain.training.progress import Progress as TrainingProgress

QUIET_SECONDS = 2.0
"""Work shorter than this leaves no plain line."""

_FIRST_INTERVAL, _LAST_INTERVAL = 5.0, 60.0


def duration(seconds: float) -> str:
    """Return a duration as people say it.

    Examples
    --------
    >>> duration(7.2), duration(75), duration(7300)
    ('7 s', '1 min 15 s', '2 h 1 min')
    """
    whole = round(max(seconds, 0.0))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


class Stage:
    """One piece of long work; whoever does the work calls `update`.

    Attributes
    ----------
    title, unit
        What is done, and what is counted; without a unit nothing is.
    done, total
        Units done and planned; `total` is None until the first `update`.
    rate, seconds_left
        Units per second and seconds to go, where they can be known.
    note
        What to show beside.
    """

    def __init__(self, title: str, unit: str, show: Callable[[Stage], None]) -> None:
        self.title, self.unit, self._show = title, unit, show
        self.started = self._phase_started = time.monotonic()
        self.done = 0
        self.total: int | None = None
        self.rate: float | None = None
        self.seconds_left: float | None = None
        self.note = ""

    def update(self, done: int, total: int) -> None:
        """Tell how many units are done and planned; the rate is that since the stage began."""
        elapsed = time.monotonic() - self._phase_started
        rate = done / elapsed if done and elapsed > 0 else None
        self._set(done, total, rate, (total - done) / rate if rate else None)

    def _set(self, done: int, total: int, rate: float | None, seconds_left: float | None) -> None:
        self.done, self.total, self.rate, self.seconds_left = done, total, rate, seconds_left
        self._show(self)

    def training(self, progress: TrainingProgress) -> None:
        """Show the progress of a training: a callback of `training.train`."""
        parts = ["scoring a checkpoint"] if progress.phase == "scoring" else []
        if progress.restarts:
            last = progress.restarts[-1]
            parts.append(
                f"restart {len(progress.restarts)}: at update {last.update} the training "
                f"{last.reason}, and went on from update {last.back_to} with smaller steps"
            )
        if progress.validation is not None:
            score = progress.validation
            by = " by the running estimate" if score.by == "running" else ""
            parts.append(
                f"validation {figure(score.nats_per_bin, score.stderr)} nats per bin at update "
                f"{score.update}{by}, "
                f"{signed(score.gain, score.gain_stderr)} over independent neurons"
            )
        self.note = "; ".join(parts)
        self._set(
            progress.update,
            progress.updates,
            progress.updates_per_second or None,
            progress.seconds_left,
        )

    def evaluation(self, progress: EvaluationProgress) -> None:
        """Show the progress of an evaluation: a callback of `evaluation.evaluate`."""
        self._phase(f"evaluating, {progress.phase}", progress.done, progress.total)

    def interpretation(self, progress: InterpretationProgress) -> None:
        """Show the progress of a reading: a callback of `interpretation.interpret`."""
        self._phase(f"reading, {progress.phase}", progress.done, progress.total)

    def _phase(self, title: str, done: int, total: int) -> None:
        if title != self.title:
            self.title, self._phase_started = title, time.monotonic()
        self.update(done, total)

    def words(self) -> str:
        """Return the state in one line."""
        if not self.total:
            return f"{self.title} ..."
        parts = [f"{self.title}: {self.done} of {self.total} {self.unit}"]
        if self.rate:
            parts.append(f"{self.rate:.3g} per second")
        if self.seconds_left is not None and self.done < self.total:
            parts.append(f"{duration(self.seconds_left)} left")
        return ", ".join(parts) + (f"; {self.note}" if self.note else "")


class _Figures(ProgressColumn):
    """Units done, units per second and time left."""

    def render(self, task: Task) -> Text:
        stage: Stage | None = task.fields.get("stage")
        if stage is None or not stage.total:
            return Text(duration(task.elapsed or 0.0), style="dim")
        text = Text(f"{stage.done}/{stage.total}")
        if stage.rate:
            text.append(f" · {stage.rate:.3g} {stage.unit}/s", style="cyan")
        if stage.seconds_left is not None:
            text.append(f" · {duration(stage.seconds_left)} left", style="green")
        return text


class _Bars(Progress):
    """Bars with the note of the running stage below them."""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        for task in self.tasks:
            stage: Stage | None = task.fields.get("stage")
            if stage is not None and stage.note and not task.finished:
                yield Text(f"  {stage.note}", style="dim")


class Display:
    """Where stages show themselves.

    Parameters
    ----------
    console
        A console on stderr; plain lines are written where it is no terminal.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)

    @contextmanager
    def stage(self, title: str, unit: str = "") -> Iterator[Stage]:
        """Open a stage; without a `unit` it has no total and only shows that it lives."""
        if self.console.is_terminal:
            with self._bar(title, unit) as stage:
                yield stage
        else:
            with self._lines(title, unit) as stage:
                yield stage

    @contextmanager
    def _bar(self, title: str, unit: str) -> Iterator[Stage]:
        bars = _Bars(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            _Figures(),
            console=self.console,
            transient=True,
            expand=True,
        )

        def show(stage: Stage) -> None:
            bars.update(task, description=stage.title, completed=stage.done, total=stage.total)

        stage = Stage(title, unit, show)
        with bars:
            task = bars.add_task(title, total=None, stage=stage)
            yield stage

    @contextmanager
    def _lines(self, title: str, unit: str) -> Iterator[Stage]:
        due = time.monotonic() + QUIET_SECONDS

        def write(stage: Stage) -> None:
            nonlocal due
            now = time.monotonic()
            spent = now - stage.started
            due = now + min(max(spent / 20, _FIRST_INTERVAL), _LAST_INTERVAL)
            # one line stays one line, however long
            self.console.print(stage.words(), soft_wrap=True, markup=False)

        def show(stage: Stage) -> None:
            if time.monotonic() >= due:
                write(stage)

        stage = Stage(title, unit, show)
        # work that does not report yet still says that it lives
        timer = threading.Timer(QUIET_SECONDS - 0.1, write, (stage,))
        timer.daemon = True
        timer.start()
        try:
            yield stage
        finally:
            timer.cancel()
