"""The command `boltzbrain info`: the data card of a recording, and what may be chosen at all."""

from __future__ import annotations

from typing import Annotated

import typer

from boltzbrain.cli.commands.checking import show_findings, widths_ms
from boltzbrain.cli.options import RecordingPaths, option, takes
from boltzbrain.cli.summaries.results import show_card
from boltzbrain.cli.terminal import out, say, say_json
from boltzbrain.foundations.options import names_of
from boltzbrain.foundations.showing.display import Display
from boltzbrain.preparing.preparation import BINS, RECORDING, Preparation
from boltzbrain.preparing.prepare import bin_as_asked, read_as_asked, size_of


def _show_schema(asked: bool) -> None:
    if asked:
        from boltzbrain.cli.schema import schema

        say_json(schema())
        raise typer.Exit


def _show_machine(asked: bool) -> None:
    if asked:
        from boltzbrain.training.run.folder import environment

        say_json(environment())
        raise typer.Exit


@takes("preparation", Preparation, names_of(Preparation, RECORDING, BINS), whole=True)
def info(
    recording: RecordingPaths,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the data card as JSON, for a program.")
    ] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Look for faults, and name the option that mends each."),
    ] = False,
    bins: Annotated[
        str | None,
        option("--bins", metavar="MS,MS,...", text="Compare bin widths, as in --bins 5,10,20,50."),
    ] = None,
    schema: Annotated[
        bool,
        typer.Option(
            "--schema",
            callback=_show_schema,
            is_eager=True,
            help="Print every option of preparation, training and interpretation as JSON Schema, "
            "and leave; no recording is read.",
        ),
    ] = False,
    machine: Annotated[
        bool,
        typer.Option(
            "--machine",
            callback=_show_machine,
            is_eager=True,
            help="Print versions, cores, and which way the loops go on this processor, as JSON, "
            "and leave; no recording is read.",
        ),
    ] = False,
    *,
    preparation: Preparation,
) -> None:
    """Show the data card of a recording: neurons, bins, rates, regions, memory."""
    display = Display()
    widths = None if bins is None else widths_ms(bins)
    from boltzbrain.readers.study import is_study

    if len(recording) == 1 and is_study(recording[0]):
        with display.stage("reading the animals"):
            from boltzbrain.readers.study import read_study

            study = read_study(recording[0])
        say(*str(study).splitlines())
        return
    whole = read_as_asked(preparation, recording, display)
    if check or widths is not None:
        show_findings(preparation, whole, check, widths, as_json, display)
        return
    asked = {"bin_ms", "epochs", "memory_limit_gb"} & set(preparation.given)
    activity = bin_as_asked(preparation, whole, display) if asked else None
    with display.stage("counting" + ("" if asked else size_of(preparation, whole))):
        from boltzbrain.preparing.card.card import data_card

        card = data_card(whole, activity)
    if as_json:
        say_json(card.to_json())
    else:
        show_card(out(), card)
