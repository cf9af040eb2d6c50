"""Are assemblies shared by animals, and can activity of one be read in another? Planted and real.

    python proofs/animals.py [--only planted four worms sessions groups] [--seeds 0 1 2]
        [--sets 200] [--kinds bernoulli drelu] [--cases aligned shuffled mirrored off elsewhere]
        [--small] [--table FILE.csv] [--folder FOLDER]

One line of animals.csv a student, by its name; a study whose lines stand there is not made again,
and one that was stopped goes on, so that the proof can be stopped and gone on with. Parts:

- planted: a teacher of 300 neurons, and the same 400 neurons aligned, at shuffled places, mirrored,
  0.3 of the box off, and another brain. Translation (0: mean rates, 1: the true models) must be
  above 0.6 aligned and below 0 shuffled; the blind half must tell these apart by five errors.
- four: four animals of 1,000 neurons (`--small`: 150), all twelve ordered pairs, one control each,
  in at most 50 minutes on two cores; an assembly that the fourth lacks is listed as not found.
- worms: four worms by the names of their neurons, all ordered pairs, against shuffled names.
- sessions: Steinmetz sessions 10 and 12 by regions, against shuffled regions; as found.
- groups: two groups of eight simulated animals, compared by permutation over animals. `--sets`
  studies without a difference and a quarter of them in which the second group lacks two of four
  assemblies, by maps of covariances: no more false alarms than 5 % by the exact binomial test, four
  planted of five found; the negative control permutes neurons in place of animals and must have
  three times as many false alarms. Then one of each, every animal trained and read, by
  `bb.compare(groups=...)`: the difference found, and nothing where there is none. Lines of
  animals_groups.csv.

Writes animals.txt from all lines there are; exits 1 if a planted part fails.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from kept_lines import add_lines, read_lines
from scipy.stats import binomtest

import boltzbrain as bb
from boltzbrain.alignment.folder import StudyFolder
from boltzbrain.alignment.translation import translated_rates
from boltzbrain.data.activity import Activity
from boltzbrain.data.regions import Regions
from boltzbrain.data.study import Frame
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.animals.groups import group_test
from boltzbrain.sampling.simulated.animals import (
    BOX_UM,
    SimulatedAnimal,
    SimulatedAnimals,
    simulate_animals,
)

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
PARTS = ("planted", "four", "worms", "sessions", "groups")
WORMS = ("2022-07-26-31", "2022-07-26-38", "2022-07-27-31", "2022-07-27-45")
COLUMNS = (
    "part", "name", "teacher", "receiver", "translation", "blind_half", "blind_half_stderr",
    "shuffled", "shuffled_stderr", "other_units", "spatial", "spatial_stderr", "over_own",
    "over_own_stderr", "divergence", "not_found", "units", "seconds",
)  # fmt: skip
LEAST, MOST, ERRORS, MINUTES = 0.6, 0.0, 5.0, 50.0
GROUP_COLUMNS = ("name", "planted", "found", "p_value", "neurons", "effect", "smallest", "needed")
EACH, LEVEL, LEAST_FOUND, LEAST_CONTROL = 8, 0.05, 0.8, 3.0
"""Animals of a group; level of a test; share of planted studies to find; false alarms of the
control over the level."""

CASES = ("aligned", "shuffled", "mirrored", "off", "elsewhere")
PLANTED: dict[str, Any] = {"radius": 0.15, "strength": 4.5, "probability": 0.12, "rate": 0.04}
"""Assemblies so small that neighbouring ones overlap little: a map that is smooth over half the box
would resemble that of another brain."""

Line = dict[str, Any]
PLANS: dict[str, dict[str, Any]] = {
    "bernoulli": {
        "preset": "binary", "hidden": 8, "weights_from": "data", "updates": 2000, "batch": 500,
        "chains": 300,
    },
    "drelu": {"preset": "compositional", "hidden": 8, "updates": 2000},
}  # fmt: skip


def known(table: Path) -> set[tuple[str, str, str, str]]:
    """Return part, name, teacher and receiver of the students that have a line."""
    lines = read_lines(table)
    return {(one["part"], one["name"], one["teacher"], one["receiver"]) for one in lines}


def lines_of(part: str, name: str, study: StudyFolder, seconds: float) -> list[Line]:
    found = []
    for one in study.info["pairs"]:
        told = {
            "blind_half": one["blind_half"],
            "shuffled": one["blind_half_shuffled"],
            "spatial": one["spatial_correlation"],
            "over_own": one["over_own_model"],
        }
        line: Line = {
            "part": part,
            "name": name,
            "teacher": one["teacher"],
            "receiver": one["receiver"],
            "other_units": one["blind_half_other_units"]["value"],
            "divergence": one["divergence"]["value"],
            "not_found": len(one["units_not_found"]) + len(one["units_without_place"]),
            "units": len(one["units"]),
            "seconds": seconds,
        }
        for key, figure in told.items():
            line[key], line[f"{key}_stderr"] = figure["value"], figure["stderr"]
        found.append({key: rounded(value) for key, value in line.items()})
    return found


def rounded(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value


def activity_of(animal: SimulatedAnimal) -> Activity:
    return animal.recording().binarize().split(min_active_bins=0)


def made(folder: Path, run: Path, others: list[Any], **asked: Any) -> tuple[StudyFolder, float]:
    """Return a study, made or gone on with, and the seconds that this took."""
    began = time.monotonic()
    if (folder / "study.json").exists():
        study = bb.resume_align(folder, progress=True, device="cpu")
    else:
        study = bb.align(run, others, folder, progress=True, device="cpu", **asked)
    return study, time.monotonic() - began


def trained(folder: Path, activity: Activity, **plan: Any) -> Path:
    if (folder / "run.json").exists():
        return bb.resume(folder, progress=False, device="cpu").folder
    return bb.fit(activity, out=folder, progress=False, device="cpu", **plan).folder


def moved(animal: SimulatedAnimal, xyz: np.ndarray) -> SimulatedAnimal:
    return replace(animal, xyz_um=xyz)


def planted(args: argparse.Namespace, place: Path, table: Path) -> None:
    bins = 1000 if args.small else 3000
    for seed in args.seeds:
        truth = simulate_animals(
            Generator.from_seed(seed, "animals"), neurons=(300, 400, 400), bins=bins,
            elsewhere=(2,), **PLANTED,
        )  # fmt: skip
        a, b, other = truth.animals.values()
        order = Generator.from_seed(seed, "places").permutation(len(b.names))
        mirrored = b.xyz_um * [-1, 1, 1] + [BOX_UM, 0, 0]
        cases = {
            "aligned": b,
            "shuffled": moved(b, b.xyz_um[order]),
            "mirrored": moved(b, mirrored),
            "off": moved(b, b.xyz_um + np.array([0, 0.3 * BOX_UM, 0])),
            "elsewhere": other,
        }
        cases = {one: cases[one] for one in args.cases}
        # the mirror check looks along the axis that leads from left to right: not this one, here
        frame = Frame(axes="ASR")
        for kind in args.kinds:
            name = f"{kind} {seed}"
            keys = [("planted", name, "a", one) for one in cases]
            if all(key in known(table) for key in keys):
                continue
            folder = place / f"planted_{kind}_{seed}"
            folder.mkdir(parents=True, exist_ok=True)
            run = trained(folder / "run", activity_of(a), seed=seed, **PLANS[kind])
            study, seconds = made(
                folder / "study", run, [activity_of(one) for one in cases.values()],
                names=["a", *cases], teacher="a", controls="none", seed=seed, frame=frame,
            )  # fmt: skip
            for line in lines_of("planted", name, study, seconds):
                line["translation"] = translation_of(truth, study, a, line["receiver"])
                add_lines(table, COLUMNS, line)


def translation_of(
    truth: SimulatedAnimals,
    study: StudyFolder,
    teacher: SimulatedAnimal,
    receiver: str,
) -> float:
    """Return the score of translated paired bins; that of another brain is that of its neurons."""
    models = study.run("a").best, study.student("a", receiver).best
    rates, _ = translated_rates(*models, teacher.paired, Generator.from_seed(0, "paired"))
    whose = "c" if receiver == "elsewhere" else "b"
    return round(truth.score("a", whose, rates), 4)


def four(args: argparse.Namespace, place: Path, table: Path) -> None:
    count = 150 if args.small else 1000
    plan = {"preset": "binary", "hidden": 8 if args.small else 40, "weights_from": "data"}
    for seed in args.seeds[:1]:
        name = f"{count} neurons, seed {seed}"
        if ("four", name, "d", "c") in known(table):
            continue
        truth = simulate_animals(
            Generator.from_seed(seed, "four"), neurons=(count,) * 4, lacking={3: (0,)}, **PLANTED
        )
        folder = place / f"four_{count}_{seed}"
        folder.mkdir(parents=True, exist_ok=True)
        activities = [activity_of(one) for one in truth.animals.values()]
        run = trained(folder / "run", activities[0], seed=seed, **plan)
        study, seconds = made(
            folder / "study", run, activities[1:], names=list(truth.animals), seed=seed
        )
        for line in lines_of("four", name, study, seconds):
            one, other = line["teacher"], line["receiver"]
            models = study.run(one).best, study.student(one, other).best
            paired = truth.animals[one].paired
            rates, _ = translated_rates(*models, paired, Generator.from_seed(0, "paired"))
            line["translation"] = round(truth.score(one, other, rates), 4)
            add_lines(table, COLUMNS, line)


def worms(args: argparse.Namespace, place: Path, table: Path) -> None:
    controls = "one" if args.small else "all"
    for kind in args.kinds:
        name = f"by names, {kind}"
        if ("worms", name, WORMS[-1], WORMS[-2]) in known(table):
            continue
        folder = place / f"worms_{kind}"
        folder.mkdir(parents=True, exist_ok=True)
        activities = [
            bb.read(DATA / "celegans" / f"{one}.npz").deconvolve().binarize().split(by="blocks")
            for one in WORMS
        ]
        plan = {**PLANS[kind], "hidden": 10}
        run = trained(folder / "run", activities[0], **plan)
        study, seconds = made(
            folder / "study", run, activities[1:], names=list(WORMS), by="names", controls=controls
        )
        for line in lines_of("worms", name, study, seconds):
            add_lines(table, COLUMNS, line)


def sessions(args: argparse.Namespace, place: Path, table: Path) -> None:
    for kind in args.kinds:
        name = f"by regions, {kind}"
        if ("sessions", name, "session12", "session10") in known(table):
            continue
        folder = place / f"sessions_{kind}"
        folder.mkdir(parents=True, exist_ok=True)
        activities = [
            bb.read(DATA / "steinmetz" / f"session{one}.npz")
            .binarize(bin_ms=20)
            .split(folds=DATA / "steinmetz" / f"session{one}_folds.csv:split0")
            for one in (10, 12)
        ]
        plan = {"preset": PLANS[kind]["preset"], "hidden": 10 if args.small else 50}
        if args.small:
            plan["updates"] = 300
        run = trained(folder / "run", activities[0], **plan)
        study, seconds = made(
            folder / "study", run, activities[1:], names=["session10", "session12"], by="regions",
            controls="all",
        )  # fmt: skip
        for line in lines_of("sessions", name, study, seconds):
            add_lines(table, COLUMNS, line)


def number(text: str) -> float | None:
    return float(text) if text not in ("", "None", None) else None


def judged(lines: list[Line]) -> tuple[list[str], bool]:
    """Return the lines of the report and whether the planted parts hold."""
    told, good = [], True
    for part in PARTS:
        mine = [one for one in lines if one["part"] == part]
        if not mine:
            continue
        told += ["", part, f"{'name':24} {'student':34} translation   blind half      shuffled"
                 "         spatial         over own       found"]  # fmt: skip
        for one in mine:
            pairs = [
                "none"
                if number(one[key]) is None
                else f"{number(one[key]):.2f} +- {number(one[f'{key}_stderr']) or 0:.2f}"
                for key in ("blind_half", "shuffled", "spatial", "over_own")
            ]
            units = int(one["units"] or 0)
            told.append(
                f"{one['name']:24} {one['receiver'] + ' of ' + one['teacher']:34} "
                f"{one['translation'] or 'none':>11}   "
                + "  ".join(f"{text:14}" for text in pairs)
                + f" {units - int(one['not_found'] or 0)} of {units}"
            )
    told.append("")
    by_name: dict[str, dict[str, Line]] = {}
    for one in lines:
        if one["part"] == "planted":
            by_name.setdefault(one["name"], {})[one["receiver"]] = one
    for name, cases in by_name.items():
        if not {"aligned", "shuffled"} <= cases.keys():
            continue
        right, wrong = cases["aligned"], cases["shuffled"]
        gap = float(right["blind_half"]) - float(wrong["blind_half"])
        error = np.hypot(float(right["blind_half_stderr"]), float(wrong["blind_half_stderr"]))
        checks = {
            f"translation aligned > {LEAST}": float(right["translation"]) > LEAST,
            f"translation shuffled < {MOST:g}": float(wrong["translation"]) < MOST,
            f"blind half apart by {gap / error:.1f} errors": gap > ERRORS * error,
        }
        good &= all(checks.values())
        told.append(
            f"{name}: " + ", ".join(f"{k} {'ok' if v else 'NO'}" for k, v in checks.items())
        )
    return told, good


def groups_of_animals(seed: int, planted: bool, bins: int, neurons: int) -> SimulatedAnimals:
    """Return twice eight animals; of a planted study the others lack two of four assemblies."""
    lacking = {number: [0, 1] for number in range(EACH, 2 * EACH)} if planted else {}
    return simulate_animals(
        Generator.from_seed(seed, "groups"), neurons=[neurons] * (2 * EACH), bins=bins, paired=1,
        assemblies=4, radius=0.25, strength=5.0, lacking=lacking,
    )  # fmt: skip


def quarters(one: SimulatedAnimal) -> Regions:
    """Return four quarters of the box, of as many neurons, as regions."""
    upper = (one.xyz_um[:, :2] > BOX_UM * np.array([np.sqrt(0.5), 0.5])).astype(int)
    return Regions.from_labels([f"quarter{x}{y}" for x, y in upper.tolist()])


def of_covariances(seed: int, planted: bool) -> Line:
    """Return what maps of covariances of one study tell, by animals and by neurons."""
    told = groups_of_animals(seed, planted, bins=600, neurons=60)
    second = np.arange(2 * EACH) >= EACH
    rows, of_neurons = [], []
    for one in told.animals.values():
        member = quarters(one).membership.toarray().astype(float)
        together = np.cov(one.states.T.astype(float))
        np.fill_diagonal(together, 0.0)
        counts = member.sum(axis=0)
        pairs = np.outer(counts, counts) - np.diag(counts)
        rows.append((member.T @ together @ member / np.maximum(pairs, 1))[np.triu_indices(4)])
        of_neurons.append(together @ member / counts)
    names = [str(number) for number in range(len(rows[0]))]
    found = group_test(names, np.array(rows), second, Generator.from_seed(seed), most=2000)
    every, whose = np.concatenate(of_neurons), second.repeat(60)
    neurons = group_test(names[:4], every, whose, Generator.from_seed(seed), most=500)
    best = int(np.abs(found.effect).argmax())
    return {
        "found": len(found.found), "p_value": found.corrected.min(), "neurons": len(neurons.found),
        "effect": found.effect[best], "smallest": found.smallest, "needed": found.needed[best],
    }  # fmt: skip


def of_models(seed: int, planted: bool, place: Path) -> Line:
    """Return what couplings between regions tell, every animal trained and read."""
    told = groups_of_animals(seed, planted, bins=3000, neurons=60)
    runs = []
    for name, one in told.animals.items():
        folder = place / f"groups-{planted}-{seed}" / name
        if not (folder / "interpretation.h5").exists():
            recording = replace(one.recording(), regions={"quarters": quarters(one)})
            activity = recording.binarize().split(seed=0)
            if (folder / "run.json").exists():
                run = bb.resume(folder, progress=False)
            else:
                run = bb.fit(activity, out=folder, hidden=6, updates=500, batch=500, chains=200,
                             progress=False)  # fmt: skip
            bb.interpret(run, min_neurons=3, triplets=100, shuffles=10, progress=False)
        runs.append(folder)
    labels = ["full"] * EACH + ["lacking" if planted else "full too"] * EACH
    out = place / f"groups-{planted}-{seed}-compared"
    found = bb.compare(runs, groups=labels, out=out).groups
    assert found is not None
    maps = found.families["maps.uniform"]
    best = int(np.abs(maps.effect).argmax())
    print(f"{len(maps.entries)} pairs of regions; page: {out / 'comparison.html'}", flush=True)
    return {
        "found": len(maps.found), "p_value": maps.corrected.min(), "neurons": "",
        "effect": maps.effect[best], "smallest": maps.smallest, "needed": maps.needed[best],
    }  # fmt: skip


def groups(args: argparse.Namespace, place: Path, table: Path) -> None:
    table = table.with_name(f"{table.stem}_groups.csv")
    done = {one["name"] for one in read_lines(table)}
    wanted = [
        *((f"covariances {one}", one, False) for one in range(args.sets)),
        *((f"covariances, planted {one}", one, True) for one in range(args.sets // 4)),
        ("models", 0, False), ("models, planted", 0, True),
    ]  # fmt: skip
    for name, seed, is_planted in wanted:
        if name in done:
            continue
        if name.startswith("models"):
            line = of_models(seed, is_planted, place)
        else:
            line = of_covariances(seed, is_planted)
        told = {key: rounded(value) for key, value in line.items()}
        add_lines(table, GROUP_COLUMNS, {"name": name, "planted": int(is_planted), **told})


def judged_groups(table: Path) -> tuple[list[str], bool]:
    """Return what the lines of two groups of animals say, and whether they hold."""
    table = table.with_name(f"{table.stem}_groups.csv")
    lines = read_lines(table)
    if not lines:
        return [], True
    sets = {
        planted: [one for one in lines
                  if one["name"].startswith("covariances") and one["planted"] == planted]
        for planted in "01"
    }  # fmt: skip
    told, good = [f"two groups of {EACH} animals, permutation over animals"], True
    if sets["0"]:
        number = len(sets["0"])
        alarms, wrong = (
            sum(int(one[key]) > 0 for one in sets["0"]) for key in ("found", "neurons")
        )
        low, high = binomtest(alarms, number, LEVEL).proportion_ci(method="exact")
        fits = binomtest(alarms, number, LEVEL, alternative="greater").pvalue > LEVEL
        more = wrong >= LEAST_CONTROL * LEVEL * number
        good &= bool(fits and more)
        told.append(
            f"  no difference: {alarms} of {number} sets have a finding, {alarms / number:.1%} "
            f"({low:.1%} to {high:.1%}) {'ok' if fits else 'NO'}; neurons permuted in place of "
            f"animals: {wrong / number:.1%} {'ok' if more else 'NO'}"
        )
    if sets["1"]:
        found = sum(int(one["found"]) > 0 for one in sets["1"]) / len(sets["1"])
        good &= found >= LEAST_FOUND
        effect = np.median([abs(float(one["effect"])) for one in sets["1"]])
        smallest = np.median([float(one["smallest"]) for one in sets["1"]])
        told.append(
            f"  two of four assemblies lacking: found in {found:.1%} of {len(sets['1'])} sets "
            f"{'ok' if found >= LEAST_FOUND else 'NO'}; largest effect {effect:.1f} sd, seen in "
            f"four of five from {smallest:.1f} on"
        )
    for one in lines:
        if one["name"].startswith("models"):
            fits = (int(one["found"]) > 0) == (one["planted"] == "1")
            good &= fits
            told.append(
                f"  {one['name']}: {one['found']} pairs of regions differ (smallest corrected p "
                f"{one['p_value']}, effect {one['effect']} sd, seen from {one['smallest']} on, "
                f"{one['needed']} animals a group) {'ok' if fits else 'NO'}"
            )
    return told, good


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=list(PARTS), choices=PARTS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--kinds", nargs="+", default=list(PLANS), choices=list(PLANS))
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument("--table", type=Path, default=ROOT / "proofs" / "animals.csv")
    parser.add_argument("--folder", type=Path, default=None)
    args = parser.parse_args()
    place = args.folder or Path(tempfile.mkdtemp(prefix="animals"))
    place.mkdir(parents=True, exist_ok=True)
    for name, part in zip(PARTS, (planted, four, worms, sessions, groups), strict=True):
        if name in args.only:
            part(args, place, args.table)
    told, good = judged(read_lines(args.table))
    more, fits = judged_groups(args.table)
    told, good = told + more, good and fits
    text = "\n".join(told)
    print(text)
    args.table.with_suffix(".txt").write_text(text.strip() + "\n", encoding="utf-8")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
