"""What assemblies do: planted tuning is found, chance is kept, and what real assemblies tell.

    python proofs/what_assemblies_do.py [--only planted steinmetz worms noise] [--sets 200]
        [--sessions 10 12] [--splits 0 1 2 3 4] [--updates N] [--runs FOLDER] [--table FILE.csv]

One line of what_assemblies_do.csv a data set, or a column of a run; a line that stands there is not
made again, so that the proof can be stopped and gone on with. Parts (`--only`):

- planted: in every data set assemblies of ten neurons that are driven by a stimulus or a covariate,
  by a covariate at a lag, by a slow drift and by nothing, each with a memory of its own. Trials:
  labels whose share drifts through the session, as an assembly does with them, and another by
  itself. Series: one stretch, a covariate with memory, shifts. Sessions:
  twelve, in which covariate and assembly drift, swapped whole. Driven ones must be found in nine of
  ten sets; of the others no more may be called tuned (p of 0.05) than 5 % by the exact binomial
  test; the F test that takes trials or bins for independent is the negative control and must have
  three times as many false alarms.
- steinmetz: sessions 10 and 12, five splits: side of the stimulus, contrasts and feedback decoded
  from hidden units, neurons and components, with chance; tuned assemblies, tuned neurons by region.
- worms: four worms, velocity and reversals; are the same named neurons tuned in each, beyond names
  shuffled among the neurons that are named?
- noise: fields that follow the place in the trial and both contrasts, on from the run of
  `steinmetz`: the share of |J| between regions, and of the couplings' gain, that was common drive,
  beside a context of contrasts permuted among trials. `--updates` of these trainings.

Writes what_assemblies_do.txt from all lines there are; exits 1 if a planted part fails. Recordings
are reported as found. Runs are kept in `--runs`, where the training of a line goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from kept_lines import add_lines, read_lines
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.stats import binomtest

import boltzbrain as bb
from boltzbrain.data.behaviour.covariates import Covariate
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.behaviour.nulls import SeriesNull
from boltzbrain.interpretation.behaviour.series import tuning_of_series
from boltzbrain.interpretation.behaviour.trials import column_of, tuning_of_trials

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
PARTS = ("planted", "steinmetz", "worms", "noise")
CONTEXT = "trial,behaviour:contrast_left,behaviour:contrast_right"
COLUMNS = ("part", "name", "design", "unit", "p_value", "p_plain", "figures")
LEVEL, LEAST_FOUND, LEAST_CONTROL = 0.05, 0.9, 3.0
MEMBERS, DRAWS = 10, 400
WORMS = ("2022-07-26-31", "2022-07-26-38", "2022-07-27-31", "2022-07-27-45")

Floats = NDArray[np.float64]


def slow(rng: np.random.Generator, bins: int, memory: float) -> Floats:
    """Return a series that remembers so many bins, of variance 1, (bin,)."""
    keep = 1 - 1 / memory
    noise = rng.normal(size=bins) * np.sqrt(1 - keep**2)
    noise[0] /= np.sqrt(1 - keep**2)
    return np.asarray(lfilter([1], [1, -keep], noise), dtype=np.float64)


def assembly(rng: np.random.Generator, drive: Floats) -> Floats:
    """Return the share of ten neurons that are active in each bin, given their drive."""
    rate = 1 / (1 + np.exp(2.5 - drive))
    return rng.binomial(MEMBERS, rate) / MEMBERS


def planted_trials(seed: int) -> Iterator[dict[str, Any]]:
    """Yield the assemblies of 400 trials, labels and one assembly drifting together."""
    rng = np.random.default_rng([seed, 0])
    place = np.arange(400) / 400
    # a drift of the session that both follow, as when an animal has had enough
    drift = sum(rng.normal() * np.cos(np.pi * one * place) for one in (1, 2, 3)) / np.sqrt(1.5)
    label = (rng.uniform(size=400) < 1 / (1 + np.exp(-1.5 * drift))).astype(np.float64)
    drives = {
        "driven": slow(rng, 400, 10) + 1.0 * label,
        "drift": 1.5 * drift,
        "drift of its own": 1.5 * slow(rng, 400, 150),
        "nothing": slow(rng, 400, 5),
    }
    values = np.stack(
        [assembly(rng, np.repeat(one, 10)).reshape(400, 10).mean(axis=1)
         for one in drives.values()], axis=1,
    )  # fmt: skip
    column = column_of(pd.DataFrame({"choice": label}), "choice")
    found = tuning_of_trials(
        values, column, draws=DRAWS, generator=Generator.from_seed(seed, "trials")
    )
    for place, unit in enumerate(drives):
        yield {"unit": unit, "p_value": found.p_value[place], "p_plain": found.p_plain[place]}


def planted_series(seed: int) -> Iterator[dict[str, Any]]:
    """Yield the assemblies of one stretch of 4000 bins beside a covariate with memory."""
    rng = np.random.default_rng([seed, 1])
    series = slow(rng, 4000, 20)
    late = np.r_[rng.normal(size=15), series[:-15]]
    drives = {
        "driven": series + slow(rng, 4000, 20),
        "lag": late + slow(rng, 4000, 20),
        "drift": 1.5 * slow(rng, 4000, 500),
        "nothing": slow(rng, 4000, 20),
    }
    values = np.stack([assembly(rng, one) for one in drives.values()], axis=1)
    segment = np.zeros(4000, dtype=np.int32)
    found = tuning_of_series(
        "x", series, values, segment, SeriesNull.of(segment), draws=DRAWS,
        generator=Generator.from_seed(seed, "series"), lags=(-15, 0, 15),
    )  # fmt: skip
    for place, unit in enumerate(drives):
        yield {"unit": unit, "p_value": found.p_value[place], "p_plain": found.p_plain[place],
               "figures": json.dumps({"lag": found.lag_s[place]})}  # fmt: skip


def planted_sessions(seed: int) -> Iterator[dict[str, Any]]:
    """Yield the assemblies of twelve sessions, in each of which all drift in a way of their own."""
    rng = np.random.default_rng([seed, 2])
    session = np.repeat(np.arange(12, dtype=np.int32), 250)
    time = np.tile(np.linspace(-1, 1, 250), 12)

    def drifting() -> Floats:
        return np.repeat(rng.normal(size=12), 250) * time

    series = 2 * drifting() + 0.5 * slow(rng, 3000, 10)
    drives = {
        "driven": series + slow(rng, 3000, 10),
        "drift": 2 * drifting(),
        "nothing": slow(rng, 3000, 10),
    }
    values = np.stack([assembly(rng, one) for one in drives.values()], axis=1)
    found = tuning_of_series(
        "x", series, values, session, SeriesNull.of(session, "sessions", session), draws=DRAWS,
        generator=Generator.from_seed(seed, "sessions"),
    )  # fmt: skip
    for place, unit in enumerate(drives):
        yield {"unit": unit, "p_value": found.p_value[place], "p_plain": found.p_plain[place]}


DESIGNS = {"trials": planted_trials, "series": planted_series, "sessions": planted_sessions}


def trials_of_session(session: int, folder: Path) -> Path:
    """Write the trials of a session with the side of the stimulus, and return the file."""
    table = pd.read_csv(DATA / "steinmetz" / f"session{session}_trials.csv")
    more = np.sign(table.contrast_right - table.contrast_left)
    table["side"] = np.where(more > 0, "right", np.where(more < 0, "left", ""))
    path = folder / f"session{session}_trials.csv"
    table.to_csv(path, index=False)
    return path


def run_of(folder: Path, activity: bb.Activity, **plan: Any) -> bb.TrainingRun:
    """Return the run in a folder, trained on unless that is done."""
    if (folder / "run.json").exists():
        return bb.resume(folder, progress=False)
    return bb.fit(activity, out=folder, progress=False, **plan)


def figures_of(run: bb.TrainingRun, name: str, regions: str | None) -> dict[str, Any]:
    """Return what is told of a column or covariate of a run: decoding, tuned units, by region."""
    told: dict[str, Any] = {}
    try:
        decoded = bb.decode(run, name)
        for kind, row in decoded.iterrows():
            told[str(kind)] = {one: float(row[one]) for one in
                               ("score", "stderr", "chance", "chance_95", "p_value")}  # fmt: skip
    except bb.InputError as error:
        told["not decoded"] = str(error)
    hidden = bb.tuning(run, name)
    neurons = bb.tuning(run, name, units="neurons")
    told["tuned"] = [int(hidden.tuned.sum()), len(hidden), int(neurons.tuned.sum()), len(neurons)]
    told["smallest"] = [float(hidden.smallest_effect.median()),
                        float(neurons.smallest_effect.median())]  # fmt: skip
    if regions:
        share = neurons.groupby(regions).tuned.agg(["mean", "size"])
        told["regions"] = {str(one): round(float(mean), 3) for one, (mean, size) in
                           share.iterrows() if size >= 10}  # fmt: skip
    else:
        told["tuned names"] = neurons.id[neurons.tuned].tolist()
        told["named"] = neurons.id.tolist()
    return told


def steinmetz(session: int, split: int, runs: Path) -> bb.TrainingRun:
    """Return the run of one split of a session."""
    runs.mkdir(parents=True, exist_ok=True)
    recording = bb.read(
        DATA / "steinmetz" / f"session{session}.npz", trials=trials_of_session(session, runs)
    )
    folds = f"{DATA}/steinmetz/session{session}_folds.csv:split{split}"
    activity = recording.binarize(bin_ms=20).split(folds=folds)
    return run_of(runs / f"session{session}_split{split}", activity, hidden=100, seed=split)


def noise(session: int, split: int, permuted: bool, options: argparse.Namespace) -> dict[str, Any]:
    """Return what of the couplings and of the gain goes when the fields follow the stimulus."""
    start = steinmetz(session, split, options.runs)
    activity = start.activity()
    if permuted:
        order = np.random.default_rng(split).permutation(len(activity.trials))
        columns = ["contrast_left", "contrast_right"]
        moved = activity.trials[columns].iloc[order].reset_index(drop=True)
        activity = replace(activity, trials=activity.trials.assign(**moved))
    name = f"session{session}_split{split}_{'permuted' if permuted else 'stimulus'}"
    plan = {} if options.updates is None else {"updates": options.updates}
    run = run_of(options.runs / name, activity, context=CONTEXT, start=start, **plan)
    evaluated = bb.evaluate(run, progress=False)["predictive"]
    found = bb.interpret(run, progress=False, behaviour=())
    told = found.summary["common_drive"]
    regions = bb.common_drive(run).sort_values("without", ascending=False)
    regions = regions[regions["first"] != regions["second"]]
    # both went on as long from the same weights: what only the stimulus takes away
    control = options.runs / f"session{session}_split{split}_permuted"
    beside = bb.common_drive(run, without=control)
    beside = beside[beside["first"] != beside["second"]]
    size = beside.pairs * beside.without
    over = float((size * beside.share).sum() / size.sum())
    return {
        "totals": told["totals"], "over_permuted": over,
        "remaining": [told["remaining"], told["assemblies"]],
        "split": evaluated["split"], "over_run": evaluated["over_run"],
        "regions": {f"{row['first']}, {row.second}": [round(row.share, 3), round(row.stderr, 3)]
                    for _, row in regions.head(8).iterrows()},
    }  # fmt: skip


def worm(name: str, runs: Path) -> bb.TrainingRun:
    """Return the run of one worm, its neurons named, with velocity and reversals."""
    recording = bb.read(DATA / "celegans" / f"{name}.npz")
    labels = recording.neurons["label"].tolist()
    names = [label or f"{name}-{place}" for place, label in enumerate(labels)]
    velocity = recording.covariates["velocity"]
    back = Covariate(velocity.times, (velocity.values < 0).astype(np.float64))
    recording = replace(
        recording, neurons=recording.neurons.assign(id=names),
        covariates={"velocity": velocity, "reversal": back},
    )  # fmt: skip
    activity = recording.deconvolve(method="bsd").binarize().split(seed=0, min_active_bins=10)
    return run_of(runs / name, activity, hidden=20)


def tasks(options: argparse.Namespace) -> Iterator[tuple[str, str, Any]]:
    """Yield part, name and what makes the lines."""
    for design, make in DESIGNS.items():
        for seed in range(options.sets):
            yield (
                "planted",
                f"{design} {seed}",
                lambda make=make, seed=seed, design=design: [
                    {"design": design, **line} for line in make(seed)
                ],
            )
    for session in options.sessions:
        for split in options.splits:
            for name in ("side", "contrast_left", "contrast_right", "feedback"):
                yield (
                    "steinmetz",
                    f"session {session}, split {split}: {name}",
                    lambda session=session, split=split, name=name: [
                        {"design": f"session {session}", "unit": name, "figures": json.dumps(
                            figures_of(steinmetz(session, split, options.runs), name, "region"))}
                    ],
                )  # fmt: skip
    for session in options.sessions:
        for split in options.splits:
            for kind in ("permuted", "stimulus"):
                yield "noise", f"session {session}, split {split}: {kind} as context", (
                    lambda session=session, split=split, kind=kind: [
                        {"design": f"session {session}", "unit": kind, "figures": json.dumps(
                            noise(session, split, kind == "permuted", options))}
                    ]
                )  # fmt: skip
    for one in WORMS:
        for name in ("velocity", "reversal"):
            yield "worms", f"{one}: {name}", lambda one=one, name=name: [
                {"design": one, "unit": name,
                 "figures": json.dumps(figures_of(worm(one, options.runs), name, None))}
            ]  # fmt: skip


def summary(table: pd.DataFrame) -> tuple[str, bool]:
    """Return what all lines say, and whether the planted parts hold."""
    text, good = ["planted: tuned at p <= 0.05"], True
    for (design, unit), lines in table[table.part == "planted"].groupby(["design", "unit"]):
        number = len(lines)
        found, plain = int((lines.p_value <= LEVEL).sum()), int((lines.p_plain <= LEVEL).sum())
        words = f"  {design}, {unit}: {found} of {number} sets; independent samples {plain}"
        if unit in ("driven", "lag"):
            fits = found >= LEAST_FOUND * number
        else:
            test = binomtest(found, number, LEVEL, alternative="greater")
            low, high = binomtest(found, number, LEVEL).proportion_ci(method="exact")
            fits = bool(test.pvalue > LEVEL)
            words += f"; false alarms {found / number:.1%} ({low:.1%} to {high:.1%})"
            if unit.startswith("drift"):
                fits &= plain >= LEAST_CONTROL * LEVEL * number
        if unit == "lag":
            lags = [json.loads(one)["lag"] for one in lines.figures]
            words += f"; the planted lag in {sum(lag == 15 for lag in lags)}"
        good &= fits
        text.append(words + ("" if fits else "  FAILS"))
    for part in ("steinmetz", "worms"):
        text += _recorded(table[table.part == part])
    text += _same_neurons(table[table.part == "worms"])
    text += _noise(table[table.part == "noise"])
    return "\n".join(text), bool(good)


def _recorded(table: pd.DataFrame) -> Iterator[str]:
    for (design, unit), lines in table.groupby(["design", "unit"]):
        told = [json.loads(one) for one in lines.figures]
        yield f"{design}, {unit} ({len(told)} runs)"
        for kind in ("hidden", "neurons", "components"):
            some = [one[kind] for one in told if kind in one]
            if some:
                score, error, chance, high = (
                    np.mean([one[key] for one in some])
                    for key in ("score", "stderr", "chance", "chance_95")
                )
                clear = sum(one["p_value"] <= LEVEL for one in some)
                yield (
                    f"  {kind}: {score:.3f} +- {error:.3f}, chance {chance:.3f} "
                    f"(95 % below {high:.3f}), above chance in {clear} of {len(some)}"
                )
        tuned = np.mean([one["tuned"] for one in told], axis=0)
        smallest = np.median([one["smallest"] for one in told], axis=0)
        yield (
            f"  tuned: {tuned[0]:.1f} of {tuned[1]:.0f} assemblies, {tuned[2]:.1f} of "
            f"{tuned[3]:.0f} neurons; seen from {smallest[0]:.1%} and {smallest[1]:.1%} on"
        )
        regions = pd.DataFrame([one["regions"] for one in told if "regions" in one]).mean()
        if len(regions):
            best = regions.sort_values(ascending=False).head(6)
            yield "  regions: " + ", ".join(f"{name} {share:.1%}" for name, share in best.items())


def _same_neurons(table: pd.DataFrame) -> Iterator[str]:
    """Yield how many named neurons are tuned in several worms, beside names shuffled."""
    rng = np.random.default_rng(0)
    for unit, lines in table.groupby("unit"):
        told = [json.loads(one) for one in lines.figures]
        named = [[one for one in each["named"] if "-" not in one] for each in told]
        tuned = [[one for one in each["tuned names"] if "-" not in one] for each in told]

        def several(chosen: list[list[str]]) -> int:
            return sum(count > 1 for count in Counter(chain(*chosen)).values())

        chance = [
            several([rng.choice(names, len(some), replace=False).tolist()
                     for names, some in zip(named, tuned, strict=True)]) for _ in range(2000)
        ]  # fmt: skip
        ours = several(tuned)
        p = (1 + sum(one >= ours for one in chance)) / 2001
        counts = Counter(chain(*tuned))
        shared = ", ".join(f"{name} {n}" for name, n in counts.most_common(12) if n > 1)
        yield (
            f"{unit}: {ours} named neurons tuned in two worms or more, by chance "
            f"{np.mean(chance):.1f} (p = {p:.3g}): {shared}"
        )


def _noise(table: pd.DataFrame) -> Iterator[str]:
    """Yield what was common drive, beside a context that means nothing."""
    for (design, unit), lines in table.groupby(["design", "unit"], sort=False):
        told = [json.loads(one) for one in lines.figures]
        yield f"{design}, {unit} as context ({len(told)} runs): share that was common drive"
        for name in ("between", "within"):
            yield f"  of |J| {name} regions: {_mean([one['totals'][name] for one in told])}"
        over = np.mean([one["over_permuted"] for one in told])
        yield f"  of |J| between regions beside permuted contrasts: {over:.3f}"
        yield f"  of the couplings' gain: {_mean([one['split']['common_drive'] for one in told])}"
        for place, part in enumerate(told[0]["split"]["parts"]):
            some = [one["split"]["parts"][place] for one in told]
            yield f"  gain by {part['name']}: {_mean(some)} nats"
        left, units = np.mean([one["remaining"] for one in told], axis=0)
        yield f"  assemblies that keep half of their weights: {left:.1f} of {units:.0f}"
        shares = pd.DataFrame([{name: one[0] for name, one in each["regions"].items()}
                               for each in told]).mean()  # fmt: skip
        yield "  pairs of regions: " + ", ".join(
            f"{one} {share:.1%}" for one, share in shares.items()
        )


def _mean(some: list[dict[str, float]]) -> str:
    """Return the mean of figures and its error, over runs where there are several."""
    values = np.array([one["value"] for one in some])
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else some[0]["stderr"]
    return f"{values.mean():.3f} +- {error:.3f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=list(PARTS), choices=PARTS)
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument("--sessions", nargs="*", type=int, default=[10, 12])
    parser.add_argument("--splits", nargs="*", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--updates", type=int)
    parser.add_argument("--runs", type=Path, default=Path("what_assemblies_do_runs"))
    parser.add_argument("--table", type=Path, default=ROOT / "proofs" / "what_assemblies_do.csv")
    options = parser.parse_args()
    done = {one["name"] for one in read_lines(options.table)}
    for part, name, make in tasks(options):
        if part not in options.only or name in done:
            continue
        lines = make()
        add_lines(options.table, COLUMNS, *({"part": part, "name": name, **line} for line in lines))
        if part != "planted":
            print(name, lines[0]["figures"][:300], flush=True)
    text, good = summary(pd.read_csv(options.table))
    options.table.with_suffix(".txt").write_text(text + "\n", encoding="utf-8")
    print(text)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
