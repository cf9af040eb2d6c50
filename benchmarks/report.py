"""Seconds of `boltzbrain report` on both papers' sizes, as a person waits for them.

Usage: python -m benchmarks.report FOLDER [--rounds 3] [--updates 200] [--profile]

FOLDER keeps the two runs of `proofs/full_size.py` (a mouse of 2,000 units and one hour; a fish of
40,000 neurons in 72 regions and 4,000 frames), evaluated and interpreted: made there, in some ten
minutes, if they are not. Their trainings are short, as the page draws as much of a poor model. Each
round is the whole process, its start included. Exits 1 if the median of the mouse is above 10 s,
that of the fish above 20 s, or a page larger than 10 or 25 MB. `--profile` shows instead where the
time goes.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIMITS_S = {"mouse": 10.0, "fish": 20.0}
LIMITS_MB = {"mouse": 10.0, "fish": 25.0}


def run_of(name: str, folder: Path, updates: int) -> Path:
    """Return the run of one of the recordings, made if it is not there."""
    run = folder / f"{name}_run"
    if not (run / "interpretation.h5").exists():
        words = ["--only", name, "--updates", str(updates), "--keep", str(folder)]
        script = ROOT / "proofs" / "full_size.py"
        # its exit code judges the model as well, which a short training does not serve
        subprocess.run([sys.executable, str(script), *words], cwd=folder, check=False)
    return run


def seconds_of(run: Path, page: Path) -> float:
    """Return the seconds of one whole process."""
    words = [sys.executable, "-m", "boltzbrain.cli.main", "report", str(run), "-o", str(page)]
    began = time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def profile(run: Path, page: Path) -> None:
    """Print what takes longest, in one process."""
    from boltzbrain.pages import sharing
    from boltzbrain.pages.report import write_report
    from boltzbrain.training.run.run import TrainingRun

    sharing.cores = lambda: 1  # what other processes do is not seen
    with cProfile.Profile() as profiled:
        write_report(TrainingRun.open(run), page)
    pstats.Stats(profiled).sort_stats("cumulative").print_stats(60)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder that keeps recordings and runs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=200, help="updates of the trainings")
    parser.add_argument("--only", choices=list(LIMITS_S))
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    folder = given.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    good = True
    for name in [given.only] if given.only else list(LIMITS_S):
        run, page = run_of(name, folder, given.updates), folder / f"{name}.html"
        if given.profile:
            profile(run, page)
            continue
        taken = [seconds_of(run, page) for _ in range(given.rounds)]
        middle, limit = statistics.median(taken), LIMITS_S[name]
        size, most = page.stat().st_size / 1e6, LIMITS_MB[name]
        good = good and middle <= limit and size <= most
        print(
            f"{name}: {middle:.1f} s ({min(taken):.1f} to {max(taken):.1f}), at most {limit:g} s: "
            f"{'yes' if middle <= limit else 'NO'}; page {size:.1f} MB, at most {most:g} MB: "
            f"{'yes' if size <= most else 'NO'}"
        )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
