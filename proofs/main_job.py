"""The main job on two real recordings: five splits each, scored on their test folds.

Usage: .venv/bin/python proofs/main_job.py [--sessions 10 12] [--splits 0 1 2 3 4] [--keep FOLDER]

Runs, for every session and split, with no option but these,

    boltzbrain fit ../shared/data/steinmetz/sessionS.npz -o RUN --bin-ms 20 \
        --folds ../shared/data/steinmetz/sessionS_folds.csv:splitK --seed 0
    boltzbrain evaluate RUN

and checks what the README states: seconds of the fit, gain on the test fold with its standard
error, generated-vs-test correlations of rates and covariances beside the train-vs-test ceiling.
Prints a table and writes it to proofs/main_job.txt, the figures to proofs/main_job.json. Takes
about half an hour on 2 cores. Exits 1 if a limit is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data" / "steinmetz"
COMMAND = Path(sys.executable).with_name("boltzbrain")

LONGEST_FIT_S = 180.0
MEAN_GAIN = {10: 11.5}
STDERRS = {12: 10.0}
RATES, COVARIANCES = 0.98, 0.9
HEAD = "session split neurons   fit s  update   gain   stderr  rates  covar  ceiling  ratio    ESS"


def command(*words: object) -> float:
    """Run the command line as a user does; return its seconds."""
    began = time.monotonic()
    subprocess.run([COMMAND, *map(str, words)], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def one(session: int, split: int, run: Path) -> dict[str, float]:
    """Fit and score one split."""
    name = DATA / f"session{session}"
    folds = f"{name}_folds.csv:split{split}"
    seconds = command(
        "fit", f"{name}.npz", "-o", run, "--bin-ms", 20, "--folds", folds, "--seed", 0
    )
    command("evaluate", run)
    found = json.loads((run / "evaluation.json").read_text())
    scores, statistics = found["log_likelihood"], found["statistics"]
    ceiling = statistics["ceiling"]["covariances"]["pearson"]
    return {
        "session": session,
        "split": split,
        "neurons": found["activity"]["neurons"],
        "fit_seconds": seconds,
        "chosen_update": found["chosen_update"],
        "gain": scores["gain"]["value"],
        "gain_stderr": scores["gain"]["stderr"],
        "bits_per_spike": scores["bits_per_spike"],
        "test_nats_per_bin": scores["test"]["nats_per_bin"],
        "independent_test": scores["independent"]["test"],
        "effective_sample_size": scores["log_partition"]["forward"]["effective_sample_size"],
        "rates": statistics["rates"]["pearson"],
        "covariances": statistics["covariances"]["pearson"],
        "covariances_ceiling": ceiling,
        "covariances_ratio": statistics["covariances"]["pearson"] / ceiling,
    }


def row(figures: dict[str, float]) -> str:
    """Return one line of the table."""
    return (
        "{session:>7} {split:>5} {neurons:>7} {fit_seconds:>7.0f} {chosen_update:>7} "
        "{gain:>+7.2f} {gain_stderr:>7.2f} {rates:>6.3f} {covariances:>6.3f} "
        "{covariances_ceiling:>8.3f} {covariances_ratio:>6.3f} {effective_sample_size:>6.0f}"
    ).format(**figures)


def verdicts(session: int, rows: list[dict[str, float]]) -> list[tuple[bool, str]]:
    """Return which limits hold for one session."""
    gains = [each["gain"] for each in rows]
    mean = sum(gains) / len(gains)
    found = [(True, f"mean gain {mean:+.2f} nats per bin over {len(rows)} splits")]
    if session in MEAN_GAIN:
        limit = MEAN_GAIN[session]
        found.append((mean >= limit, f"mean gain at least {limit}"))
    if session in STDERRS:
        least = min(each["gain"] / each["gain_stderr"] for each in rows)
        limit = STDERRS[session]
        found.append((least > limit, f"gain above {limit:g} standard errors (least {least:.1f})"))
    longest = max(each["fit_seconds"] for each in rows)
    found.append((longest <= LONGEST_FIT_S, f"fit in {LONGEST_FIT_S:g} s (longest {longest:.0f})"))
    rates = min(each["rates"] for each in rows)
    found.append((rates >= RATES, f"rates correlate at least {RATES} (least {rates:.3f})"))
    ratio = min(each["covariances_ratio"] for each in rows)
    text = f"covariances at least {COVARIANCES} of the ceiling (least {ratio:.3f})"
    found.append((ratio >= COVARIANCES, text))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, nargs="+", default=[10, 12])
    parser.add_argument("--splits", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--keep", type=Path, help="folder in which the runs are kept")
    given = parser.parse_args()
    lines = [f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"]
    print(HEAD)
    lines.append(HEAD)
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for session in given.sessions:
            for split in given.splits:
                rows.append(one(session, split, folder / f"session{session}_split{split}"))
                lines.append(row(rows[-1]))
                print(lines[-1], flush=True)
    good = True
    for session in given.sessions:
        for holds, text in verdicts(session, [r for r in rows if r["session"] == session]):
            good = good and holds
            lines.append(f"session {session}: {text}: {'yes' if holds else 'NO'}")
            print(lines[-1])
    (ROOT / "proofs" / "main_job.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (ROOT / "proofs" / "main_job.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
