"""What the running validation score costs a training, and how well it agrees with annealing.

Trains on session 10 (split 0) and adds up the seconds spent in the running score, its start, checks
and files left in; the rest of the training, the annealing of its checkpoints left out, is what it
is compared with. At every kept checkpoint the running estimate of log Z stands beside that of
annealed importance sampling, before it is anchored by it.

    python proofs/running_score.py [--preset binary compositional] [--updates N]

Prints a table for each preset and writes them to proofs/running_score.txt; exits 1 if the cost is
above 5 %, or if with the preset binary the two estimates ever lie more than 0.5 nat apart.
"""

from __future__ import annotations

import argparse
import functools
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boltzbrain as bb
from boltzbrain.training.run import checkpoints
from boltzbrain.training.score.likelihood_log import LikelihoodLog
from boltzbrain.training.score.running import RunningScore

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data" / "steinmetz"
LARGEST_SHARE, LARGEST_GAP = 0.05, 0.5


class Watched:
    """The running score of one training, timed, with what each check found."""

    def __init__(self) -> None:
        self.seconds = {"following": 0.0, "annealing": 0.0}
        self.scores = self.lost = 0
        self.checks: list[tuple[int, float, float, float, float, bool]] = []

    def timed(self, kind: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return a call that adds its seconds to those of its kind."""

        @functools.wraps(call)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                self.seconds[kind] += time.perf_counter() - began

        return wrapped

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Watch every running score."""
        follow = self.timed("following", RunningScore.followed)
        check = self.timed("following", RunningScore.checked)

        def followed(score: RunningScore, *args: Any) -> RunningScore:
            found: RunningScore = follow(score, *args)
            self.scores += 1
            self.lost += found.lost
            return found

        def checked(score: RunningScore, model: Any, update: int, annealed: Any, *args: Any) -> Any:
            mine = score.running.estimate()
            self.checks.append(
                (update, annealed.value, annealed.stderr, mine.value, mine.stderr, score.lost)
            )
            return check(score, model, update, annealed, *args)

        with ExitStack() as stack:
            start = staticmethod(self.timed("following", RunningScore.start))
            write = self.timed("following", checkpoints._write_running_score)
            for owner, name, call in (
                (RunningScore, "followed", followed),
                (RunningScore, "checked", checked),
                (RunningScore, "start", start),
                (RunningScore, "frame", self.timed("following", RunningScore.frame)),
                (checkpoints, "_write_running_score", write),
                (LikelihoodLog, "estimate", self.timed("annealing", LikelihoodLog.estimate)),
                (LikelihoodLog, "row", self.timed("annealing", LikelihoodLog.row)),
            ):
                stack.enter_context(patch.object(owner, name, call))
            yield


def measure(preset: str, updates: int | None) -> tuple[list[str], bool]:
    """Train once; return the lines of its table, and whether it kept within the limits."""
    watched = Watched()
    recording = bb.read(DATA / "session10.npz").binarize(bin_ms=20)
    activity = recording.split(folds=f"{DATA / 'session10_folds.csv'}:split0", seed=0)
    with watched.listening(), tempfile.TemporaryDirectory() as folder:
        run = bb.fit(activity, preset=preset, out=Path(folder) / "run", updates=updates)
        seconds, resets = float(run.info["seconds"]), run.log()["running_resets"].iloc[-1]
        planned = run.plan.updates
    following, annealing = watched.seconds["following"], watched.seconds["annealing"]
    training = seconds - following - annealing
    share = following / training
    lines = [
        f"session 10, split 0, preset {preset}, {planned} updates, {os.cpu_count()} cores",
        "update   annealed log Z       running log Z      gap   in errors",
    ]
    for update, value, error, mine, my_error, lost in watched.checks:
        gap, errors = mine - value, math.hypot(error, my_error)
        told = f"{mine:9.3f} ± {my_error:5.3f} {gap:+8.3f} {gap / errors:+8.1f}"
        if lost:
            told = "the running chains were lost; annealed anew"
        lines.append(f"{update:6d} {value:9.3f} ± {error:5.3f}   {told}")
    gaps = [abs(mine - value) for _, value, _, mine, _, lost in watched.checks if not lost]
    cheap, close = share <= LARGEST_SHARE, max(gaps) <= LARGEST_GAP
    lines += [
        f"training {training:.1f} s, running score {following:.2f} s: {share:.1%}, at most "
        f"{LARGEST_SHARE:.0%}: {'yes' if cheap else 'NO'}; annealing of the checkpoints "
        f"{annealing:.1f} s",
        f"{watched.scores} running scores asked for, {watched.lost} while the chains were lost, "
        f"{resets} times annealed anew",
        f"largest gap {max(gaps):.3f} nats"
        + (f", at most {LARGEST_GAP:g}: {'yes' if close else 'NO'}" if preset == "binary" else ""),
        "",
    ]
    return lines, cheap and (close or preset != "binary")


def main() -> int:
    """Run the proof; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", nargs="+", default=["binary", "compositional"])
    parser.add_argument("--updates", type=int)
    given = parser.parse_args()
    lines, good = [], True
    for preset in given.preset:
        found, kept = measure(preset, given.updates)
        print("\n".join(found), flush=True)
        lines += found
        good &= kept
    Path(__file__).with_suffix(".txt").write_text("\n".join(lines))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
