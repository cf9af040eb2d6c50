"""How near a large update comes to the limit of memory: its bytes over the bandwidth measured.

Usage: python -m benchmarks.bandwidth [--json FILE] [--neurons 50000]

The weights of 50,000 x 200 are 40 MB, more than most caches hold: each sweep must read them once.
What an update of RMSprop moves at least, in passes over the weights: one read a sweep, one read for
the batch's hidden inputs, one write (and the read before it) of the gradient, and three reads and
two writes of the step. The bandwidth is that of a sum over 400 MB, all threads, in the same rounds.
"""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.cases import drelu_model, states
from benchmarks.timing import arguments, publish, rounds, row
from benchmarks.update import our_update
from boltzbrain.training.plan import TrainingPlan

SWEEPS, HIDDEN, CHAINS = 15, 200, 100
PASSES = SWEEPS + 1 + 2 + 5


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--neurons", type=int, default=50_000)
    given = parser.parse_args()
    model = drelu_model(given.neurons, HIDDEN, 0.03, 0.0)
    plan = TrainingPlan(
        hidden=HIDDEN,
        hidden_kind="drelu",
        normalised=True,
        chains=CHAINS,
        batch=CHAINS,
        sweeps=SWEEPS,
        optimizer="rmsprop",
        learning_rate=1e-5,
        l1=0.02,
        l2=0.0,
    )
    data = states(2 * CHAINS, given.neurons, 0.03, "data")
    much = torch.ones(100_000_000)
    seconds = rounds({"update": our_update(model, plan, data), "read": much.sum}, 9)
    updates, reads = (np.array(seconds[name]) for name in ("update", "read"))
    moved = PASSES * 4.0 * model.weights.numel()
    bandwidth = 4.0 * much.numel() / reads
    least = moved / bandwidth
    print(
        f"an update of {given.neurons} x {HIDDEN} moves {moved / 1e6:.0f} MB at least; "
        f"memory gives {np.median(bandwidth) / 1e9:.1f} GB/s: {1000 * np.median(least):.0f} ms of "
        f"{1000 * np.median(updates):.0f} ms, {np.median(least / updates):.0%}"
    )
    work = f"dReLU update, k = {SWEEPS}, {given.neurons} neurons, {HIDDEN} hidden, {CHAINS} chains"
    against = f"{moved / 1e6:.0f} MB at the bandwidth of a sum over 400 MB"
    publish([row("bandwidth_update", work, against, "float32", updates, least)], given.json)


if __name__ == "__main__":
    main()
