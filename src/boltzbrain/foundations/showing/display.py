"""Progress for people: a bar on a terminal or in a notebook, elsewhere a line every few seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

from rich.console import RenderableType
from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.progress import Progress as Bars
from rich.text import Text

from boltzbrain.foundations.compiling.heard import hearing
from boltzbrain.foundations.progress import Callback, Progress
from boltzbrain.foundations.showing.console import Terminal
from boltzbrain.foundations.showing.notebook import Bar, notebook_display
from boltzbrain.foundations.showing.numbers import with_error
from boltzbrain.foundations.stopping import stoppable

QUIET_SECONDS = 2.0
"""Work shorter than this leaves no plain line."""

COMPILING = "compiling loops for this machine, which is done once"
_FIRST_INTERVAL, _LAST_INTERVAL = 5.0, 60.0
_CELL_SECONDS = 0.25
"""A cell of a notebook changes no more often."""


def duration(seconds: float) -> str:
    """Return a duration as people say it.

    Examples
    --------
    >>> duration(7.2), duration(75), duration(120), duration(7300)
    ('7 s', '1 min 15 s', '2 min', '2 h 1 min')
    """
    whole = round(max(seconds, 0.0))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    return f"{whole // 3600} h {whole % 3600 // 60} min"


class Stage:
    """One piece of long work; whoever does the work calls `show`.

    Attributes
    ----------
    title
        What is done.
    progress
        What was told last, None before.
    """

    def __init__(self, title: str, phases: bool, draw: Callable[[Stage], None]) -> None:
        self.title, self._work, self._phases, self._draw = title, title, phases, draw
        self.started = time.monotonic()
        self.progress: Progress | None = None
        self._note, self._compilations = "", 0

    def show(self, progress: Progress) -> None:
        """Show how far it is: a callback of everything that takes its time."""
        self.progress = progress
        if self._phases:
            self.title = f"{self._work}, {progress.phase}"
        parts = [progress.note, _newest(progress.facts), _best(progress.facts)]
        self._note = "; ".join(part for part in parts if part)
        self._draw(self)

    def hear(self, begins: bool) -> None:
        """Show that a loop is being compiled, as that stops the rest for many seconds."""
        self._compilations += 1 if begins else -1
        if begins:
            self._draw(self)

    @property
    def note(self) -> str:
        """What to show beside."""
        return "; ".join(filter(None, (COMPILING if self._compilations > 0 else "", self._note)))

    def words(self) -> str:
        """Return the state in one line."""
        return self.figures() + (f"; {self.note}" if self.note else "")

    def figures(self) -> str:
        """Return how far it is in one line."""
        told = self.progress
        if told is None or not told.total:
            return f"{self.title} ..."
        parts = [f"{self.title}: {told.done} of {told.total} {told.unit}"]
        if told.rate:
            parts.append(f"{told.rate:.3g} per second")
        if told.seconds_left is not None and told.done < told.total:
            parts.append(f"{duration(told.seconds_left)} left")
        return ", ".join(parts)


class InWords(Protocol):
    """A fact that says itself what there is to show of it, as `training.progress.Score` does."""

    def in_words(self) -> str:
        """Return it in words."""
        ...


def _newest(facts: Mapping[str, Any]) -> str:
    """Return the newest validation score of a training in words, "" without one."""
    score: InWords | None = facts.get("validation")
    return "" if score is None else score.in_words()


def _best(facts: Mapping[str, Any]) -> str:
    """Return the best validation score of a sweep in words, "" without one."""
    best: tuple[float, float] | None = facts.get("best")
    return "" if best is None else f"best validation so far {with_error(*best, 2)} nats per bin"


class _Figures(ProgressColumn):
    """Units done, units per second and time left."""

    def __init__(self, shown: Callable[[str], str]) -> None:
        super().__init__()
        self._shown = shown

    def render(self, task: Task) -> Text:
        stage: Stage | None = task.fields.get("stage")
        told = None if stage is None else stage.progress
        if told is None or not told.total:
            return Text(duration(task.elapsed or 0.0), style="dim")
        text = Text(f"{told.done}/{told.total}")
        if told.rate:
            text.append(self._shown(f" · {told.rate:.3g} {told.unit}/s"), style="cyan")
        if told.seconds_left is not None:
            text.append(self._shown(f" · {duration(told.seconds_left)} left"), style="green")
        return text


class _Bars(Bars):
    """Bars with the note of the running stage below them."""

    console: Terminal

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        for task in self.tasks:
            stage: Stage | None = task.fields.get("stage")
            if stage is not None and stage.note and not task.finished:
                yield Text(self.console.shown(f"  {stage.note}"), style="dim")


class Display:
    """Where stages show themselves.

    Parameters
    ----------
    console
        A console on stderr; plain lines are written where it is no terminal.
    """

    def __init__(self, console: Terminal | None = None) -> None:
        self.console = console or Terminal(stderr=True)

    @contextmanager
    def stage(self, title: str, *, phases: bool = False) -> Iterator[Stage]:
        """Open a stage; until something is told it only shows that it lives.

        With `phases` the title is followed by the phase that is told.
        """
        display = notebook_display()
        if display is not None:
            shown = self._cell(title, phases, display)
        elif self.console.is_terminal:
            shown = self._bar(title, phases)
        else:
            shown = self._lines(title, phases)
        with shown as stage, hearing(stage.hear):
            yield stage

    @contextmanager
    def _cell(self, title: str, phases: bool, display: Callable[..., Any]) -> Iterator[Stage]:
        due = 0.0

        def bar(before: str = "") -> Bar:
            told = stage.progress
            share = told.done / told.total if told is not None and told.total else None
            return Bar(before + stage.figures(), stage.note, share)

        def show(_: Stage) -> None:
            nonlocal due
            now = time.monotonic()
            if now >= due:
                due = now + _CELL_SECONDS
                handle.update(bar())

        stage = Stage(title, phases, show)
        handle = display(bar(), display_id=True)
        with ExitStack() as left_early:
            left_early.callback(lambda: handle.update(bar("stopped: ")))
            yield stage
            left_early.pop_all()
        told = stage.progress
        whole = told is not None and told.total and not phases
        figures = f", {told.done} of {told.total} {told.unit}" if told and whole else ""
        spent = duration(time.monotonic() - stage.started)
        handle.update(Bar(f"{title}: done in {spent}{figures}", stage.note, 1.0))

    @contextmanager
    def _bar(self, title: str, phases: bool) -> Iterator[Stage]:
        shown = self.console.shown
        bars = _Bars(
            SpinnerColumn("line" if self.console.options.ascii_only else "dots"),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            _Figures(shown),
            console=self.console,
            transient=True,
            expand=True,
        )

        def show(stage: Stage) -> None:
            if stage.progress is not None:
                told = stage.progress
                bars.update(
                    task, description=shown(stage.title), completed=told.done, total=told.total
                )

        stage = Stage(title, phases, show)
        with bars:
            task = bars.add_task(shown(title), total=None, stage=stage)
            yield stage

    @contextmanager
    def _lines(self, title: str, phases: bool) -> Iterator[Stage]:
        due = time.monotonic() + QUIET_SECONDS

        def write(stage: Stage) -> None:
            nonlocal due
            now = time.monotonic()
            spent = now - stage.started
            due = now + min(max(spent / 20, _FIRST_INTERVAL), _LAST_INTERVAL)
            self.console.sentence(stage.words())

        def show(stage: Stage) -> None:
            if time.monotonic() >= due:
                write(stage)

        stage = Stage(title, phases, show)
        # work that does not report yet still says that it lives
        timer = threading.Timer(QUIET_SECONDS - 0.1, write, (stage,))
        timer.daemon = True
        timer.start()
        try:
            yield stage
        finally:
            timer.cancel()


@contextmanager
def showing(
    progress: bool, title: str, callbacks: Sequence[Callback], *, phases: bool = False
) -> Iterator[Sequence[Callback]]:
    """Give the callbacks of a piece of work, with one that shows it where `progress` asks for it.

    Ctrl-C ends the work.

    Parameters
    ----------
    progress
        Whether to show it, on stderr or in the notebook.
    title
        What is done.
    callbacks
        Those of the caller.
    phases
        Follow the title by the phase that is told.
    """
    with stoppable():
        if not progress:
            yield callbacks
            return
        with Display().stage(title, phases=phases) as stage:
            yield (*callbacks, stage.show)
