"""The command line: puts the commands together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

import typer

from boltzbrain.cli.commands.compare import compare
from boltzbrain.cli.commands.connectome import connectome
from boltzbrain.cli.commands.convert import convert
from boltzbrain.cli.commands.demo import demo
from boltzbrain.cli.commands.evaluate import evaluate
from boltzbrain.cli.commands.fit import fit
from boltzbrain.cli.commands.info import info
from boltzbrain.cli.commands.interpret import interpret
from boltzbrain.cli.commands.pages import figures, methods, report, view
from boltzbrain.cli.commands.sample import sample
from boltzbrain.cli.commands.sweep import sweep
from boltzbrain.cli.commands.transform import transform
from boltzbrain.cli.several.align import align, translate
from boltzbrain.cli.streams import plain_where_needed
from boltzbrain.cli.terminal import Command, Commands, failures_as_status, warnings_as_lines

app = typer.Typer(
    name="boltzbrain",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="First steps: boltzbrain demo, then boltzbrain fit RECORDING -o run, "
    "boltzbrain evaluate run, boltzbrain report run. Status 2: something given cannot be used; "
    "3: the training failed; 130: stopped by Ctrl-C.",
)

PANELS: Mapping[str, Sequence[Callable[..., None]]] = {
    "From a recording": (info, fit, sweep, connectome, convert),
    "Several animals": (align, translate),
    "From a run": (evaluate, interpret, compare, sample, transform, report, figures, view, methods),
    "To try it": (demo,),
}
"""The commands, as the help shows them."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit status.

    Parameters
    ----------
    arguments
        Words after the program's name; those of the process if None.
    """
    with plain_where_needed(), failures_as_status(), warnings_as_lines():
        app(None if arguments is None else list(arguments), prog_name="boltzbrain")


def _version(asked: bool) -> None:
    if asked:
        import boltzbrain

        typer.echo(f"boltzbrain {boltzbrain.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Models large neural recordings with Restricted Boltzmann Machines."""


for _panel, _commands in PANELS.items():
    for _command in _commands:
        app.command(cls=Command, rich_help_panel=_panel)(_command)


if __name__ == "__main__":
    main()
