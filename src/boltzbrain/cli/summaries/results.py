"""What the commands print on stdout when they are done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from boltzbrain.cli.streams import path_to_type
from boltzbrain.cli.terminal import note
from boltzbrain.foundations.showing.console import Terminal
from boltzbrain.foundations.showing.numbers import with_error
from boltzbrain.training.context.names import given_what

if TYPE_CHECKING:
    from boltzbrain.data.activity import Activity
    from boltzbrain.interpretation.animals.compare import Comparison
    from boltzbrain.interpretation.file import Interpretation
    from boltzbrain.preparing.card.card import DataCard
    from boltzbrain.training.run.run import TrainingRun

UNDEFINED = "none"
"""What stands for a figure that does not exist."""


def signed(value: float, error: float | None = None, digits: int = 2) -> str:
    """Return a number with its sign, the minus as a minus sign, and its standard error.

    Examples
    --------
    >>> signed(11.5, 0.2), signed(-150.214)
    ('+11.50 ± 0.20', '−150.21')
    """
    return with_error(value, error, digits, "+")


def figure(value: float | None, error: float | None = None, digits: int = 2) -> str:
    """Return a figure with its standard error.

    Examples
    --------
    >>> figure(-150.214, 0.83), figure(3.0), figure(None)
    ('−150.21 ± 0.83', '3.00', 'none')
    """
    return UNDEFINED if value is None else with_error(value, error, digits)


def show_card(console: Terminal, card: DataCard) -> None:
    """Print the data card."""
    # here, as it takes a second
    from boltzbrain.preparing.card.words import card_in_words

    console.pairs(card_in_words(card))


def activity_line(activity: Activity) -> str:
    """Return what the model will see, in one line."""
    folds = ", ".join(
        f"{name} {len(activity.bins_of(name))}" for name in ("train", "validation", "test")
    )
    rare = activity.step("drop_rare_neurons")
    dropped = set(rare.options["dropped"]) if rare else set()
    always = len(dropped & set(rare.options["always_active"])) if rare else 0
    few = len(dropped) - always
    reasons = [f"{few} more are too rarely active"] if few else []
    reasons += [f"{always} more are active in every training bin"] if always else []
    return (
        f"{activity.n_neurons} neurons"
        + (f" ({', '.join(reasons)})" if reasons else "")
        + f", {activity.n_bins} bins of {activity.bin_width_s * 1000:g} ms ({folds})"
    )


def show_run(console: Terminal, run: TrainingRun) -> None:
    """Print where a run is, how good its model is, and what to do next."""
    info, log, chosen = run.info, run.log(), run.chosen_update
    row = log[log["update"] == chosen].iloc[-1].to_dict()
    rows = [("run", str(run.folder))]
    if "validation_nats_per_bin" in row:
        score = row["validation_nats_per_bin"]
        gain = score - row["validation_independent"]
        rows += [
            (
                "chosen update",
                f"{chosen} of {info['updates_done']}, the latest that is as good as the best on "
                "validation, within one standard error",
            ),
            ("validation", f"{figure(score, float(row['validation_stderr']))} nats per bin"),
            (
                "gain",
                # runs of earlier versions have no error of it
                f"{signed(gain, row.get('validation_gain_stderr'))} nats per bin over "
                "independent neurons",
            ),
        ]
        if gain < 0:
            note(
                "Warning: the model is worse than independent neurons: the training went astray; "
                f"try a smaller learning rate than {run.plan.learning_rate:g}"
            )
    else:
        rows += [
            ("chosen update", f"{chosen}, the last: there is no validation fold"),
            ("held-out score", "none: every bin trained the model"),
        ]
    rows.append(("training", convergence_line(info.get("convergence"))))
    # here, as it takes a second
    from boltzbrain.pages.verdicts.score import training

    if (judged := training(log, chosen)).level == "fair":
        rows.append(("updates", judged.text))
    console.pairs(rows, soft_wrap=True)
    name = path_to_type(run.folder)
    for command, meaning in (
        ("evaluate", "the score on the test fold, and the statistics"),
        ("interpret", "couplings, assemblies and regions"),
        ("report", "the page, after these"),
    ):
        console.sentence(f"next: boltzbrain {command} {name}  ({meaning})")


def convergence_line(found: Mapping[str, Any] | None) -> str:
    """Return whether a training converged, and why not, in one line.

    Examples
    --------
    >>> convergence_line({"status": "recovered", "restarts": 1, "reason": None})
    'recovered, after 1 restart'
    """
    if found is None:
        return "not judged"
    # the page and run.json say "failed" of a training that ended, too; here that is kept for one
    # that did not
    text = "not converged" if found["status"] == "failed" else str(found["status"])
    if found["restarts"]:
        text += f", after {found['restarts']} restart" + ("s" if found["restarts"] > 1 else "")
    if found.get("abandoned"):
        text += ", after a trial of a larger L1 penalty was given up"
    return text if found["reason"] is None else f"{text}: {found['reason']}"


def show_mixing(console: Terminal, drawn: Activity) -> None:
    """Print how many independent samples a drawing gave, and how its chains mix."""
    # here, as no other command needs it
    from boltzbrain.pages.verdicts.chains import chains

    step = drawn.step("sample")
    facts = {} if step is None else step.options
    if "context" in facts:
        segments = len(set(drawn.segment.tolist()))
        console.sentence(
            f"bins that follow in time, in {segments} segments, each from its first bin on given "
            f"{given_what(facts['context'])}; {facts['sweeps']} sweeps a bin"
        )
        return
    if facts.get("sampler") == "gibbs":
        console.sentence(
            f"independent samples: {facts['n']}, one chain each after {facts['sweeps']} sweeps, "
            "which must be many autocorrelation times"
        )
    else:
        independent = facts["independent_samples"]
        count = UNDEFINED if independent is None else f"about {independent:.0f} of {facts['n']}"
        how = f"{facts['chains']} chains"
        if "rungs" in facts:
            how += (
                f" on {facts['rungs']} rungs, {facts['round_trips']} round trips, least exchange "
                f"rate {facts['least_acceptance']:.2f}"
            )
        console.sentence(f"independent samples: {count}; {how}")
    console.columns(
        ("series", "autocorrelation time (steps)", "effective samples", "split R-hat"),
        [
            (
                name.replace("_", " "),
                figure(one["autocorrelation_time"]),
                figure(one["effective_samples"], digits=0),
                figure(one["r_hat"], digits=3),
            )
            for name, one in facts["mixing"].items()
        ],
    )
    verdict = chains(facts)
    if verdict.level == "unknown":
        console.sentence(verdict.text)
    elif verdict.level == "poor":
        note(f"Warning: {verdict.text}")


def show_evaluation(console: Terminal, found: Mapping[str, Any]) -> None:
    """Print the scores and the statistics of an evaluation."""
    scores, independent = found["log_likelihood"], found["log_likelihood"]["independent"]
    folds = ("train", "validation", "test")
    console.columns(
        ("nats per bin", *folds),
        [
            (
                "model" if found["predictive"].get("context") is None else "without its context",
                *(figure(scores[one]["nats_per_bin"], scores[one]["stderr"]) for one in folds),
            ),
            (
                "independent neurons",
                *(figure(independent[one], independent["stderr"][one]) for one in folds),
            ),
        ],
    )
    partition = scores["log_partition"]["forward"]
    rows = [
        *_context_rows(found["predictive"]),
        *_gain_rows(scores),
        (
            "log-partition",
            f"{figure(partition['value'], partition['stderr'])}, effective sample size "
            f"{partition['effective_sample_size']:.0f} of {partition['chains']}"
            + ("" if partition["reliable"] else ": UNRELIABLE, and so are the scores"),
        ),
    ]
    others = [
        f"{name} {figure(one['value'], one['stderr'])}"
        for name, one in scores["log_partition"].items()
        if name != "forward" and one["value"] is not None
    ]
    if others:
        rows.append(("", "checked by " + ", ".join(others)))
    console.pairs(rows, soft_wrap=True)
    for words in scores["unreliable"]:
        note(f"Warning: {words}")
    statistics = found["statistics"]
    console.columns(
        ("Pearson with test", "generated", "train (ceiling)"),
        [
            (
                name,
                figure(statistics[name]["pearson"], digits=3),
                figure(statistics["ceiling"][name]["pearson"], digits=3),
            )
            for name in ("rates", "covariances")
        ],
    )
    # without any gain its line says why
    path = "log_likelihood.gain.stderr"
    if scores["gain"]["value"] is not None and path in found.get("reasons", {}):
        console.sentence(f"{path}: none, as {found['reasons'][path]}")


def show_belief(console: Terminal, run: TrainingRun, found: Mapping[str, Any]) -> None:
    """Print how a model scores and whether to believe it, in the words of its page."""
    # here, as no other command needs it
    from boltzbrain.pages import story
    from boltzbrain.pages.verdicts.checks import belief, checks, counted

    console.sentence(story.scored(found))
    told = checks(found, run.log(), run.chosen_update, run.info.get("convergence"))
    console.sentence(f"{belief(told).text} {counted(told)}.")


def _context_rows(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a model with a context says of the test bins, nothing of one without."""
    if found.get("context") is None:
        return []
    names = {
        "gain": f"given {given_what(found['context'])}",
        "over_itself_without_time": "over itself without",
        "over_run": "over the run it began with",
    }
    rows = [
        (name, f"{signed(found[key]['value'], found[key]['stderr'])} nats per bin")
        for key, name in names.items()
        if found[key]["value"] is not None
    ]
    parts = found.get("split", {}).get("parts", [])
    told = [
        f"{given_what(one['name'])} {signed(one['value'], one['stderr'])}"
        for one in parts
        if one["value"] is not None
    ]
    return [*rows, ("of which", "; ".join(told))] if told else rows


def _gain_rows(scores: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the gain on the test fold, or that there is none, with its name and unit."""
    gain = scores["gain"]
    if gain["value"] is None:
        # a fold that has bins has a mean
        validation = scores["validation"]["nats_per_bin"] is not None
        held = " for the test fold" if validation else ", as every bin trained the model"
        return [("gain on test", f"none: no bins were held out{held}")]
    bits = figure(scores["bits_per_spike"], scores.get("bits_per_spike_stderr"), 3)
    return [
        ("gain on test", f"{figure(gain['value'], gain['stderr'])} nats per bin"),
        ("", f"{bits} bits per spike"),
    ]


def show_interpretation(console: Terminal, found: Interpretation) -> None:
    """Print what was read out of a model, first in the words of its page."""
    # here, as no other command needs it
    from boltzbrain.pages import story

    summary = found.summary
    couplings = summary["couplings"]
    norms, fields = couplings["norms"], found["couplings/fields"]
    rows = [
        ("fields", f"{figure(fields.mean())} on average (Ising, uniform reference)"),
        (
            "norms",
            f"fields {figure(norms['fields'])}, pairs {figure(norms['pairs'])}, triplets "
            + figure(norms["triplets"], None if norms["exact"] else norms["triplets_stderr"]),
        ),
    ]
    if norms["explained"] is not None:
        error = None if norms["exact"] else norms["explained_stderr"]
        rows.append(("orders 1 to 3", f"{figure(norms['explained'], error)} of the variance"))
    changed = couplings.get("strong_pairs_that_change_sign")
    if changed is not None:
        rows.append(
            ("references", f"{changed:.0%} of the strongest pairs change sign under the data's")
        )
    regions = summary["regions"]
    if regions:
        rows.append(("regions", f"{len(found['regions/names'])} in the map"))
    if drive := summary.get("common_drive"):
        shares = [
            f"{figure(100 * one['value'], 100 * one['stderr'])} % of |J| {words}"
            for name, words in (("between", "between regions"), ("within", "within regions"))
            if (one := drive["totals"][name]) is not None
        ]
        left = f"{drive['remaining']} of {drive['assemblies']} assemblies remain"
        rows.append(("common drive", "; ".join([*shares, left])))
    for sentence in story.found(found):
        console.sentence(sentence)
    console.pairs(rows, soft_wrap=True)
    for path, reason in summary["reasons"].items():
        console.sentence(f"{path}: none, as {reason}")


def show_comparison(console: Terminal, found: Comparison) -> None:
    """Print how runs and animals agree, first in the words of their page."""
    # here, as it takes a second
    from boltzbrain.pages.comparison import comparison_words

    summary = found.summary
    for sentence in comparison_words(summary):
        console.sentence(sentence)
    console.columns(
        ("run", "animal", "gain (nats per bin)", "converged"),
        [
            (
                one["folder"],
                str(one["animal"]),
                figure(one["gain"], one["gain_stderr"]),
                "yes" if one["converged"] else "no",
            )
            for one in summary["runs"]
        ],
    )
    rows = [
        (f"{matrix}, {between}", f"{one['first']} and {one['second']}: correlation of maps "
         f"{figure(one['correlation'], digits=3)}")
        for matrix, maps in summary["maps"].items()
        for between in ("repeats", "animals")
        for one in maps[between]
    ]  # fmt: skip
    rows += [
        ("assemblies", f"{one['first']} and {one['second']}: similarity of matched weights "
         f"{figure(one['weights']['mean_similarity'], digits=3)} (by chance "
         f"{figure(one['weights']['chance'], digits=3)})")
        for one in summary["assemblies"]
    ]  # fmt: skip
    rows += [
        (f"structure, {matrix}", f"Spearman {figure(one['spearman'], digits=3)}, Mantel p "
         f"{figure(one['mantel_p'], digits=4)}")
        for matrix, one in (summary["structure"] or {}).items()
    ]  # fmt: skip
    console.pairs(rows, soft_wrap=True)
    together: dict[str, list[str]] = {}
    for path, reason in summary["reasons"].items():
        together.setdefault(reason, []).append(path)
    for reason, paths in together.items():
        console.sentence(f"{', '.join(paths)}: none, as {reason}")
