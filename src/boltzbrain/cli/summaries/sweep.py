"""What `boltzbrain sweep` prints on stdout when it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from boltzbrain.cli.streams import path_to_type
from boltzbrain.cli.summaries.results import UNDEFINED, convergence_line, figure, signed
from boltzbrain.cli.terminal import note
from boltzbrain.foundations.showing.console import Terminal

if TYPE_CHECKING:
    from boltzbrain.grid.folder import SweepFolder


def show_sweep(console: Terminal, sweep: SweepFolder) -> None:
    """Print the table of a sweep, the chosen run and why it was chosen."""
    from boltzbrain.foundations.showing.numbers import value_words
    from boltzbrain.grid.points import ALWAYS
    from boltzbrain.training.run.run import TrainingRun

    table, choice = sweep.table(), sweep.choice
    axes = list(dict.fromkeys((*ALWAYS, *sweep.grid.axes)))
    heads = (
        *(name.replace("_", " ") for name in axes),
        "seed",
        # in two lines, as the table must fit 80 columns
        "validation\n(nats per bin)",
        "test gain\n(nats per bin)",
        "status",
    )
    rows = []
    for _, row in table.iterrows():
        scored, words = row["status"] == "finished", row["unreliable"]
        gain, error = row["test_gain_over_independent"], row["test_stderr"]
        doubtful = isinstance(words, str)
        if doubtful:
            note(f"Warning: {row['run']}: {words}")
        rows.append(
            (
                *(value_words(row[name]) for name in axes),
                str(row["seed"]),
                figure(row["validation_nats_per_bin"], row["validation_stderr"])
                if scored
                else UNDEFINED,
                UNDEFINED if gain != gain else signed(gain, None if error != error else error),
                row["status"] + (", UNRELIABLE" if doubtful else ""),
            )
        )  # fmt: skip
    console.columns(heads, rows)
    console.sentence(f"chosen: {choice['reason']}")
    folder = sweep.folder / choice["run"]
    console.pairs([
        ("run", str(folder)),
        ("training", convergence_line(TrainingRun.open(folder).info.get("convergence"))),
        ("page", str(sweep.folder / "sweep.html")),
    ])  # fmt: skip
    name = path_to_type(folder)
    console.sentence(f"next: boltzbrain evaluate {name}")
