"""Is the RBM worth it? Simpler models on the same folds of two real recordings, by the same scores.

    python proofs/baselines.py [--sessions 10 12] [--splits 0 1 2 3 4] [--models NAME ...]
        [--updates N] [--table FILE.csv] [--no-speed]

For every session and split it fits the RBM by its default recipe, as proofs/main_job.py does, and
runs `evaluate --baselines` with every baseline: gain on the test bins (a lower bound for the VAE)
and bits per spike of every neuron given the others, with clustered errors and those of log Z, and
the paired differences from the RBM. A finished (session, split) stands in baselines.csv and is not
run again, so that the proof can be stopped and gone on with. Then it times the pairwise Ising model
on 1000 simulated neurons x 10,000 training bins.

Writes baselines.txt from all lines there are: the scores, each model's optimiser, updates and
seconds, the grids with the validation score of each point, and where a choice lies at the edge of
its grid or a log Z is doubtful. Exits 1 if the comparison of a split
took more than 30 minutes or the Ising model more than 10. Some three hours on 2 cores; two
processes of one thread each (OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1) may share the sessions.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from kept_lines import add_lines, read_lines

from boltzbrain.foundations.showing.numbers import number

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data" / "steinmetz"
TABLE = ROOT / "proofs" / "baselines.csv"
COLUMNS = (
    "session", "split", "model", "title", "kind", "gain", "gain_stderr", "conditional",
    "conditional_stderr", "rbm_less_gain", "rbm_less_gain_stderr", "rbm_less_conditional",
    "rbm_less_conditional_stderr", "covariances", "seconds", "updates", "optimiser", "chosen",
    "judged_by", "grid", "grid_edge", "unreliable", "comparison_seconds",
)  # fmt: skip
COMPARISON_S, ISING_S = 1800.0, 600.0
NEURONS, TRAIN, HELD_OUT = 1000, 10_000, 1500


def one(session: int, split: int, models: list[str], updates: int | None) -> list[dict]:
    """Fit and compare one split; return a line for each model."""
    import boltzbrain as bb
    from boltzbrain.pages.verdicts.baselines import gain_error

    activity = bb.read(DATA / f"session{session}.npz").binarize(bin_ms=20)
    activity = activity.split(folds=f"{DATA / f'session{session}_folds.csv'}:split{split}")
    with tempfile.TemporaryDirectory() as folder:
        more = {} if updates is None else {"updates": updates}
        run = bb.fit(activity, out=Path(folder) / "run", seed=0, **more)
        began = time.monotonic()
        found = bb.evaluate(run, baselines=models)["baselines"]
        seconds = time.monotonic() - began
    nothing = {"value": None, "stderr": None}
    lines = []
    for name, figures in found.items():
        less = figures.get("rbm_minus_this", {"gain": nothing, "conditional": nothing})
        gain, conditional, fit = figures["gain"], figures["conditional"], figures["fit"]
        lines.append({
            "session": session, "split": split, "model": name, "title": figures["title"],
            "kind": gain["kind"], "gain": gain["value"], "gain_stderr": gain_error(gain),
            "conditional": conditional["bits_per_spike"],
            "conditional_stderr": conditional["stderr"], "rbm_less_gain": less["gain"]["value"],
            "rbm_less_gain_stderr": less["gain"]["stderr"],
            "rbm_less_conditional": less["conditional"]["value"],
            "rbm_less_conditional_stderr": less["conditional"]["stderr"],
            "covariances": figures["statistics"]["covariances_pearson"],
            "seconds": round(fit["seconds"], 1), "updates": fit["updates"],
            "optimiser": fit["optimiser"], "chosen": json.dumps(fit["chosen"]),
            "judged_by": fit["judged_by"], "grid": json.dumps(fit["grid"]),
            "grid_edge": fit["grid_edge"],
            "unreliable": "; ".join(figures.get("log_partition", {}).get("unreliable", [])),
            "comparison_seconds": round(seconds),
        })  # fmt: skip
    return lines


def shown(value: str, error: str, digits: int) -> str:
    if not value:
        return "-"
    text = number(float(value), digits)
    return f"{text} ± {float(error):.{digits}f}" if error else text


def remarks(line: dict[str, str]) -> str:
    """Return what a line must not be read without."""
    edge = ", at the edge of the grid" if line["grid_edge"] == "True" else ""
    return f"{edge}, doubtful: {line['unreliable']}" if line["unreliable"] else edge


def averaged(lines: list[dict[str, str]], name: str, digits: int) -> str:
    """Return the mean over splits, and the mean of the errors of one split: folds overlap."""
    values = [float(line[name]) for line in lines if line[name]]
    errors = [float(line[f"{name}_stderr"]) for line in lines if line[f"{name}_stderr"]]
    if not values:
        return "-"
    error = f" ± {np.mean(errors):.{digits}f}" if errors else ""
    return f"{number(float(np.mean(values)), digits)}{error}"


def summary(lines: list[dict[str, str]]) -> tuple[list[str], bool]:
    """Return the text, and whether every comparison was quick enough."""
    text, good = [], True
    head = f"{'model':<20} {'kind':<15} {'gain':>14} {'RBM less this':>14} "
    head += (
        f"{'given the others':>16} {'RBM less this':>16} {'covar':>6} {'seconds':>8} {'updates':>8}"
    )
    for session in sorted({int(line["session"]) for line in lines}):
        here = [line for line in lines if int(line["session"]) == session]
        splits = sorted({int(line["split"]) for line in here})
        longest = max(float(line["comparison_seconds"]) for line in here)
        good = good and longest <= COMPARISON_S
        text.append(
            f"session {session}, splits {', '.join(map(str, splits))}: means over splits, errors "
            "of one split; gains in nats per test bin, conditional scores in bits per spike; "
            f"longest comparison {longest:.0f} s (at most {COMPARISON_S:.0f})"
        )
        text.append(head)
        for model in dict.fromkeys(line["model"] for line in here):
            mine = [line for line in here if line["model"] == model]
            covariances = [float(line["covariances"]) for line in mine if line["covariances"]]
            covariance = number(float(np.mean(covariances)), 3) if covariances else "-"
            text.append(
                f"{mine[0]['title']:<20} {mine[0]['kind']:<15} {averaged(mine, 'gain', 2):>14} "
                f"{averaged(mine, 'rbm_less_gain', 2):>14} "
                f"{averaged(mine, 'conditional', 3):>16} "
                f"{averaged(mine, 'rbm_less_conditional', 4):>16} {covariance:>6} "
                f"{np.mean([float(line['seconds']) for line in mine]):>8.0f} "
                f"{np.mean([int(line['updates']) for line in mine]):>8.0f}"
            )
        text.append("by split, gain and bits per spike given the others:")
        text += [
            f"  split {line['split']} {line['title']:<20} "
            f"{shown(line['gain'], line['gain_stderr'], 2):>14} "
            f"{shown(line['conditional'], line['conditional_stderr'], 3):>16}  "
            f"chosen {line['chosen']}{remarks(line)}"
            for line in here
        ]
        text.append(f"how each was fitted, and its grid on split {splits[0]}:")
        for line in here:
            if int(line["split"]) == splits[0]:
                grid = "; ".join(
                    ", ".join(
                        f"{name} none" if value is None else f"{name} {value:g}"
                        for name, value in row.items()
                    )
                    for row in json.loads(line["grid"])
                )
                text.append(f"  {line['title']}: {line['optimiser']}")
                if grid:
                    text.append(f"    judged by {line['judged_by']}: {grid}")
    return text, good


def speed() -> tuple[str, bool]:
    """Time the pairwise Ising model at the size that is promised."""
    from boltzbrain.baselines.pairwise.fit import fit_pairwise
    from boltzbrain.foundations.random import Generator
    from boltzbrain.sampling.synthetic import simulate_assemblies

    truth = simulate_assemblies(
        Generator.from_seed(0, "proofs", "baselines"), neurons=NEURONS, bins=TRAIN + HELD_OUT,
        sizes=(20, 100),
    )  # fmt: skip
    began = time.monotonic()
    found = fit_pairwise(truth.states[:TRAIN], truth.states[TRAIN:], Generator.from_seed(0))
    seconds = time.monotonic() - began
    gap = abs(found.forward.value - found.backward.value)
    return (
        f"pairwise Ising, {NEURONS} neurons x {TRAIN} bins, both penalties chosen: {seconds:.0f} s "
        f"(at most {ISING_S:.0f}); log Z forward and backward {gap:.3f} nats apart",
        seconds <= ISING_S,
    )


def main() -> int:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from boltzbrain.comparison.compare import NAMES

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, nargs="+", default=[10, 12])
    parser.add_argument("--splits", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--models", nargs="+", default=list(NAMES))
    parser.add_argument("--updates", type=int, help="of the RBM, for a trial of this script")
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--no-speed", action="store_true", help="do not time the Ising model")
    given = parser.parse_args()
    done = {(int(line["session"]), int(line["split"])) for line in read_lines(given.table)}
    for session in given.sessions:
        for split in given.splits:
            if (session, split) not in done:
                lines = one(session, split, given.models, given.updates)
                add_lines(given.table, COLUMNS, *lines)
                print(f"session {session} split {split}: ", end="")
                print(f"{lines[0]['comparison_seconds']} s", flush=True)
    text, good = summary(read_lines(given.table))
    if not given.no_speed:
        words, quick = speed()
        good = good and quick
        text.append(words)
    text = [f"{os.cpu_count()} cores", *text]
    print("\n".join(text))
    given.table.with_suffix(".txt").write_text("\n".join(text) + "\n", encoding="utf-8")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
