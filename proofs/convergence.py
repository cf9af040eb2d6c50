"""How many compositional trainings converge: many seeds on planted assemblies and on session 10.

Each seed trains the preset `compositional`; its line is added to convergence.csv at once, and seeds
that have a line are not trained again, so that the proof can be stopped and gone on with. On the
planted data (2,000 neurons, 20 assemblies) the seed draws both the data and the training, which
has the preset as it is; `missed` counts the assemblies whose members no unit's weights tell with
an area of 0.95. Two processes of one thread each.

    python proofs/convergence.py [--data planted session10] [--seeds 40] [--updates 5000] [--full 3]

`--updates` are those of session 10. `--full` is the number of trainings of session 10 with the
preset as it is, one after the other with all threads, which must take 15 minutes at most. Writes
convergence.txt from all lines there are, and exits 1 if fewer than 39 of 40 converge or recover, as
far as they were run.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from kept_lines import add_lines, read_lines

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data" / "steinmetz"
TABLE = ROOT / "proofs" / "convergence.csv"
TEXT = ROOT / "proofs" / "convergence.txt"
COLUMNS = (
    "data", "seed", "updates", "status", "restarts", "within_v", "within_h", "within_vh",
    "weight_std", "idle_units", "r_hat", "l1", "zero_fraction", "gain", "seconds", "reason",
    "recipe", "missed",
)  # fmt: skip
NEEDED, LEAST_AREA = 39 / 40, 0.95
MINUTES = 15


def train_one(data: str, seed: int, updates: int | None, threads: int) -> dict[str, Any]:
    """Train one seed and return its line; `updates` None takes those of the preset."""
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    import numba
    import torch
    from sklearn.metrics import roc_auc_score

    import boltzbrain as bb
    from boltzbrain.foundations.checks import TrainingFailedError
    from boltzbrain.foundations.random import Generator
    from boltzbrain.sampling.synthetic import simulate_assemblies

    torch.set_num_threads(threads)
    numba.set_num_threads(threads)
    if data == "planted":
        truth = simulate_assemblies(Generator.from_seed(seed, "proofs", "planted"))
        activity = truth.activity().split(
            by="shuffled", validation=0.15, test=0.05, seed=seed, min_active_bins=0
        )
        hidden, updates = 40, None
    else:
        activity = bb.read(DATA / "session10.npz").binarize(bin_ms=20)
        activity = activity.split(folds=f"{DATA / 'session10_folds.csv'}:split0")
        hidden = 100
    more = {} if updates is None else {"updates": updates}
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        try:
            run = bb.fit(activity, "compositional", hidden, out, seed, **more)
        except TrainingFailedError:
            run = bb.TrainingRun.open(out)
        found, plan = run.info["convergence"], run.plan
        line = {
            "data": data, "seed": seed, "updates": plan.updates, "status": found["status"],
            "restarts": found["restarts"], "l1": found["l1"], "reason": found["reason"] or "",
            "seconds": round(time.monotonic() - started),
        }  # fmt: skip
        line["recipe"] = plan.preset
        if data == "planted":
            weights = run.best.weights.double().numpy().T
            areas = [
                max(roc_auc_score(one, unit) for unit in weights) for one in truth.membership.T
            ]
            line["missed"] = sum(area < LEAST_AREA for area in areas)
        if "within" in found:
            row = run.log().set_index("update").loc[run.chosen_update]
            line |= {f"within_{name}": round(value, 4) for name, value in found["within"].items()}
            line |= {name: found[name] for name in ("weight_std", "idle_units", "r_hat")}
            line["zero_fraction"] = float((run.best.weights == 0).double().mean())
            line["gain"] = row["validation_nats_per_bin"] - row["validation_independent"]
    return line


def add(line: dict[str, Any]) -> None:
    """Add a line to the table."""
    add_lines(TABLE, COLUMNS, line)
    print(", ".join(f"{name} {value}" for name, value in line.items()), flush=True)


def interval(good: int, of: int) -> tuple[float, float]:
    """Return the exact binomial 95 % interval (Clopper and Pearson)."""
    from scipy.stats import beta

    low = float(beta.ppf(0.025, good, of - good + 1)) if good else 0.0
    high = float(beta.ppf(0.975, good + 1, of - good)) if good < of else 1.0
    return low, high


def summary() -> tuple[str, bool]:
    """Return the text of the proof, and whether what was run meets the bar."""
    text, good_enough = [], True
    groups: dict[tuple[str, str], list[dict[str, str]]] = {}
    for line in read_lines(TABLE):
        groups.setdefault((line["data"], line["updates"]), []).append(line)
    for (data, updates), group in groups.items():
        by = {
            status: sum(line["status"] == status for line in group)
            for status in ("converged", "recovered", "failed")
        }
        good = by["converged"] + by["recovered"]
        low, high = interval(good, len(group))
        good_enough &= good >= NEEDED * len(group)
        seconds = sorted(int(line["seconds"]) for line in group)
        text.append(
            f"{data}, {updates} updates: {good} of {len(group)} seeds converge or recover "
            f"({low:.1%} to {high:.1%}, exact binomial 95 % interval); {by['converged']} converged,"
            f" {by['recovered']} recovered, {by['failed']} failed; median "
            f"{seconds[len(seconds) // 2]} s, at most {seconds[-1]} s"
        )
        if data == "full":
            good_enough &= seconds[-1] <= 60 * MINUTES
        missed = [int(line["missed"]) for line in group if line["missed"]]
        if missed:
            text.append(
                f"  {sum(missed)} of {20 * len(missed)} assemblies missed, {max(missed)} at most"
            )
        text += [f"  seed {line['seed']}: {line['reason']}" for line in group if line["reason"]]
    return "\n".join(text) + "\n", good_enough


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="*", default=["planted", "session10"])
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--updates", type=int, default=5000)
    parser.add_argument("--full", type=int, default=3)
    given = parser.parse_args()
    done = {(line["data"], int(line["seed"])) for line in read_lines(TABLE)}
    wanted = [
        (data, seed)
        for seed in range(given.seeds)
        for data in given.data
        if (data, seed) not in done
    ]
    with ProcessPoolExecutor(2) as pool:
        jobs = [pool.submit(train_one, data, seed, given.updates, 1) for data, seed in wanted]
        for job in as_completed(jobs):
            add(job.result())
    for seed in range(given.full):
        if ("full", seed) not in done:
            add({**train_one("session10", seed, None, os.cpu_count() or 1), "data": "full"})
    text, good_enough = summary()
    print(text, end="")
    TEXT.write_text(text, encoding="utf-8")
    return 0 if good_enough else 1


if __name__ == "__main__":
    sys.exit(main())
