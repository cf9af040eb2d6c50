"""Evaluate 50,000 neurons x 5,000 bins with 200 hidden units: seconds and memory.

Usage: .venv/bin/python proofs/evaluate_full_size.py [--neurons 50000] [--bins 5000] [--hidden 200]

Simulates a recording with planted assemblies, takes the planted structure itself as the model
(evaluating takes as long whatever the weights), and scores it as `boltzbrain evaluate` does. Prints
seconds and the peak memory of the process, and writes proofs/evaluate_full_size.txt. Exits 1 above
20 minutes or 8 GiB.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from boltzbrain.evaluation.evaluate import evaluate_model
from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.synthetic import simulate_assemblies

ROOT = Path(__file__).resolve().parents[1]
MINUTES, GIB = 20.0, 8.0


def planted(neurons: int, bins: int, hidden: int):
    """Return a recording with planted assemblies and a model with the same ones."""
    truth = simulate_assemblies(
        Generator.from_seed(0, "full size"), neurons=neurons, bins=bins, assemblies=hidden,
        sizes=(neurons // 500, neurons // 100),
    )  # fmt: skip
    activity = truth.activity(bin_width_s=0.25)
    fold = np.where(np.arange(bins) < 0.7 * bins, 0, np.where(np.arange(bins) < 0.85 * bins, 1, 2))
    activity = replace(activity, fold=fold.astype(np.int8))
    member = torch.from_numpy(truth.membership.astype(np.float32))
    background = torch.from_numpy(truth.background).to(torch.float32)
    field = torch.logit(background)
    weights = member * (np.log(truth.firing / (1 - truth.firing)) - field[:, None]).clamp(0.5, 4.0)
    # a unit is on in about 6 % of the bins: its field pays for what its neurons gain
    pull = torch.log1p(torch.exp(field[:, None] + weights)) - torch.log1p(torch.exp(field))[:, None]
    hidden_field = -2.75 - pull.sum(dim=0)
    return RBM(Bernoulli(field), Bernoulli(hidden_field), weights), activity


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--neurons", type=int, default=50_000)
    parser.add_argument("--bins", type=int, default=5_000)
    parser.add_argument("--hidden", type=int, default=200)
    given = parser.parse_args()
    model, activity = planted(given.neurons, given.bins, given.hidden)
    began = time.monotonic()
    steps: list[str] = []

    def tell(progress) -> None:
        text = f"{time.monotonic() - began:6.0f} s  {progress.phase} {progress.done}"
        if not steps or steps[-1].split("s  ")[1] != text.split("s  ")[1]:
            steps.append(text)
            print(text, flush=True)

    result = evaluate_model(model, activity, callbacks=[tell])
    seconds = time.monotonic() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    statistics = result["statistics"]
    lines = [
        f"{os.cpu_count()} cores; {given.neurons} neurons x {given.bins} bins x {given.hidden} "
        f"hidden units, {activity.states.mean():.2%} active",
        f"{seconds:.0f} s (at most {60 * MINUTES:.0f}), peak memory {memory:.2f} GiB (at most "
        f"{GIB:g})",
        f"rates: ratio {statistics['rates']['ratio']:.4f}; compared "
        f"{statistics['compared']['covariances']['used']} of "
        f"{statistics['compared']['covariances']['entries']} pairs, error of the correlation from "
        f"leaving out the rest {statistics['compared']['covariances']['pearson_stderr']:.2e}",
        *(one for one in steps if one.endswith(" 0") or "statistics" in one),
    ]
    text = "\n".join(lines) + "\n"
    print(text, end="")
    (ROOT / "proofs" / "evaluate_full_size.txt").write_text(text, encoding="utf-8")
    return 0 if seconds <= 60 * MINUTES and memory <= GIB else 1


if __name__ == "__main__":
    sys.exit(main())
