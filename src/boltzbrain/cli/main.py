"""The command line: one command per thing people do with a recording or a run."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from boltzbrain.cli.commands.checking import show_findings, widths_ms
from boltzbrain.cli.commands.fit import fit
from boltzbrain.cli.commands.sweep import sweep
from boltzbrain.cli.display import Display
from boltzbrain.cli.options import RecordingPaths, RunFolder, baseline_names, option
from boltzbrain.cli.preparation import BINNING, READING, prepares
from boltzbrain.cli.summaries import results as summaries
from boltzbrain.cli.summaries.baselines import show_baselines
from boltzbrain.cli.terminal import Commands, failures_as_status, out, warnings_as_lines
from boltzbrain.foundations.files import new_file
from boltzbrain.preparing.preparation import Preparation

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

FROM_A_RECORDING = "From a recording"
FROM_A_RUN = "From a run"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit status.

    Parameters
    ----------
    arguments
        Words after the program's name; those of the process if None.
    """
    # threads that wait sleep: on a machine shared with others, spinning ones cost a factor of ten
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with failures_as_status(), warnings_as_lines():
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


@app.command(rich_help_panel=FROM_A_RECORDING)
@prepares(READING, BINNING)
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
    *,
    preparation: Preparation,
) -> None:
    """Show the data card of a recording: neurons, bins, rates, regions, memory."""
    display = Display()
    widths = None if bins is None else widths_ms(bins)
    whole = preparation.read(recording, display)
    if check or widths is not None:
        show_findings(preparation, whole, check, widths, as_json, display)
        return
    asked = any(getattr(preparation, name) is not None for name in BINNING)
    activity = preparation.binarize(whole, display) if asked else None
    with display.stage("counting" + ("" if asked else preparation.size_of(whole))):
        from boltzbrain.preparing.card.card import data_card

        card = data_card(whole, activity)
    if as_json:
        typer.echo(json.dumps(card.to_json(), indent=2, allow_nan=False, ensure_ascii=False))
    else:
        summaries.show_card(out(), card)


app.command(rich_help_panel=FROM_A_RECORDING)(fit)
app.command(rich_help_panel=FROM_A_RECORDING)(sweep)


@app.command(rich_help_panel=FROM_A_RECORDING)
@prepares(READING, BINNING)
def convert(
    recording: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Recording in any format that is read; several are joined as --join says.",
        ),
    ],
    output: Annotated[
        Path, typer.Argument(metavar="OUTPUT", help="File to write, ending in .npz or .nwb.")
    ],
    *,
    preparation: Preparation,
) -> None:
    """Write a recording as npz (binned) or NWB (spike times)."""
    display = Display()
    with display.stage("starting"):
        from boltzbrain import api
        from boltzbrain.data.activity import Activity

        new_file("OUTPUT", output, api.RECORDING_ENDINGS)
    whole = preparation.read(recording, display)
    with display.stage(f"writing {output.name}"):
        written = api.convert(
            whole,
            output,
            bin_ms=preparation.bin_ms,
            epochs=preparation.epochs,
            memory_limit_gb=preparation.memory_limit_gb,
        )
    form = f"states in {written.n_bins} bins" if isinstance(written, Activity) else "as read"
    typer.echo(f"{output}: {len(written.neurons)} neurons, {form}")


@app.command(rich_help_panel=FROM_A_RUN)
def evaluate(
    run: RunFolder,
    seed: Annotated[
        int | None,
        option("--seed", text="Seed of samples and estimates.", default="that of the run"),
    ] = None,
    full: Annotated[
        bool,
        typer.Option("--full", help="Fit logistic regression to every neuron, not to 50 of them."),
    ] = False,
    baselines: Annotated[
        str | None,
        option(
            "--baselines",
            metavar="NAME,NAME,...",
            text="Simpler models to fit and score beside it, of independent, ising, kpairwise, "
            "glm, pca, vae, hopfield; 'all' for every one.",
            default="none; those fitted before are kept, if the model is the same",
        ),
    ] = None,
) -> None:
    """Score the chosen model on the test fold and compare its statistics."""
    display = Display()
    names = baseline_names(baselines)
    with display.stage("opening the run"):
        from boltzbrain import api
    with display.stage("evaluating", phases=True) as stage:
        found = api.evaluate(
            run,
            seed=seed,
            full=full,
            baselines=names,
            callbacks=(stage.show,),
        )
    summaries.show_evaluation(out(), found)
    if "baselines" in found:
        show_baselines(out(), found["baselines"], names)
    typer.echo(f"written: {run / 'evaluation.json'}\nnext:    boltzbrain report {_quoted(run)}")


@app.command(rich_help_panel=FROM_A_RUN)
def interpret(
    run: RunFolder,
    rule: Annotated[
        str,
        typer.Option(
            "--rule",
            help="Members of assemblies: effective, one_per_neuron, participation, mixture or "
            "fixed.",
        ),
    ] = "effective",
    threshold: Annotated[
        float, typer.Option("--threshold", help="Least size of a weight, for --rule fixed.")
    ] = 0.15,
    atlas: Annotated[
        str | None,
        option("--atlas", text="Which regions to use.", default="the first by name"),
    ] = None,
    min_neurons: Annotated[
        int, typer.Option("--min-neurons", help="Fewest neurons of a region of the maps.")
    ] = 10,
    pairwise: Annotated[
        bool,
        typer.Option(
            "--pairwise",
            help="Also map an Ising model of pairs and the graphical lasso; slow for many neurons.",
        ),
    ] = False,
    bins: Annotated[
        int, typer.Option("--bins", help="Training bins that the data reference averages over.")
    ] = 500,
    seed: Annotated[
        int | None,
        option("--seed", text="Seed of samples and shuffles.", default="that of the run"),
    ] = None,
    memory_limit_gb: Annotated[
        float,
        typer.Option(
            "--memory-limit-gb",
            metavar="GB",
            help="Beyond this, couplings are kept in factors instead of one array.",
        ),
    ] = 4.0,
) -> None:
    """Read couplings, assemblies and regions out of the chosen model."""
    display = Display()
    with display.stage("opening the run"):
        from boltzbrain import api
    with display.stage("reading", phases=True) as stage:
        found = api.interpret(
            run,
            seed=seed,
            callbacks=(stage.show,),
            rule=rule,
            threshold=threshold,
            atlas=atlas,
            min_neurons=min_neurons,
            bins=bins,
            pairwise=pairwise,
            memory_limit_gb=memory_limit_gb,
        )
    summaries.show_interpretation(out(), found)
    typer.echo(f"written: {run / 'interpretation.h5'}\nnext:    boltzbrain report {_quoted(run)}")


@app.command(rich_help_panel=FROM_A_RUN)
def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Run folders that 'boltzbrain interpret' has read."),
    ],
    output: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="Folder for the comparison.")
    ],
    structure: Annotated[
        Path | None,
        option(
            "--structure",
            metavar="CSV",
            text="Structural matrix, names of regions in the first row and column.",
            default="none",
        ),
    ] = None,
    kind: Annotated[
        str, typer.Option("--kind", help="Which region map to compare: mean, l1 or rms.")
    ] = "l1",
    seed: Annotated[int, typer.Option("--seed", help="Seed of every shuffle.")] = 0,
) -> None:
    """Compare runs: repeats of one animal, several animals, a structural matrix."""
    display = Display()
    with display.stage("comparing"):
        from boltzbrain import api

        found = api.compare(runs, structure=structure, out=output, kind=kind, seed=seed)
    summaries.show_comparison(out(), found)
    typer.echo(f"written: {output / 'comparison.json'}")


@app.command(rich_help_panel=FROM_A_RUN)
def sample(
    run: RunFolder,
    output: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE.npz", help="npz file to write.")
    ],
    n: Annotated[int, typer.Option("-n", help="Number of samples.")] = 10_000,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the samples.")] = 0,
    update: Annotated[
        int | None,
        option(
            "--update", text="Draw from the checkpoint of this update.", default="the chosen one"
        ),
    ] = None,
    sampler: Annotated[
        str,
        typer.Option(
            "--sampler",
            metavar="NAME",
            help="[bold]trajectory[/]: chains that exchange states along the checkpoints of the "
            "training; [bold]annealing[/], [bold]temperature[/]: along a ladder from independent "
            "neurons, or from a hot model; [bold]gibbs[/]: one annealed chain for each sample.",
        ),
    ] = "trajectory",
    chains: Annotated[
        int | None, option("--chains", text="Chains of each rung.", default="200")
    ] = None,
    sweeps: Annotated[
        int | None,
        option(
            "--sweeps",
            text="Sweeps between two samples of a chain; of gibbs: sweeps after annealing.",
            default="2; of gibbs 1000",
        ),
    ] = None,
    warm_up: Annotated[
        int | None,
        option("--warm-up", text="Steps before the first sample.", default="100"),
    ] = None,
    anneal: Annotated[
        int | None,
        option(
            "--anneal",
            text="Of gibbs: rungs from independent neurons to the model.",
            default="200",
        ),
    ] = None,
) -> None:
    """Draw activity from a trained model."""
    display = Display()
    with display.stage("opening the run"):
        from boltzbrain import api
    with display.stage("sampling") as stage:
        drawn = api.sample(
            run,
            n,
            seed=seed,
            update=update,
            sampler=sampler,
            chains=chains,
            sweeps=sweeps,
            warm_up=warm_up,
            anneal=anneal,
            out=output,
            callbacks=(stage.show,),
        )
    typer.echo(
        f"{output}: {drawn.n_bins} samples of {drawn.n_neurons} neurons, "
        f"mean activity {drawn.states.mean():.4f}"
    )
    summaries.show_mixing(out(), drawn)


@app.command(rich_help_panel=FROM_A_RUN)
def report(
    run: RunFolder,
    output: Annotated[
        Path | None,
        option("--out", "-o", metavar="FILE.html", text="The page.", default="RUN/report.html"),
    ] = None,
) -> None:
    """Write the page of a run: one html file that needs nothing else."""
    with Display().stage("drawing the page"):
        from boltzbrain import api

        page = api.report(run, output)
    typer.echo(str(page))


@app.command(rich_help_panel="To try it")
def demo(
    folder: Annotated[
        Path, typer.Option("--out", "-o", metavar="FOLDER", help="Folder for everything.")
    ] = Path("demo"),
    seed: Annotated[int, typer.Option("--seed", help="Seed of simulation and training.")] = 0,
) -> None:
    """Simulate a recording with known assemblies, then do everything with it."""
    from boltzbrain.cli.commands.demo import run_demo

    def command(words: list[str]) -> None:
        status = app(words, prog_name="boltzbrain", standalone_mode=False)
        if status:
            raise typer.Exit(status)

    run_demo(folder, seed=seed, command=command)


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


if __name__ == "__main__":
    main()
