"""Which method finds planted assemblies? Compositional RBM, PCA, sparse VAE, NMF and k-means.

    python proofs/assemblies_recovered.py [--seeds 3] [--updates N] [--neurons N] [--bins N]

The activity is that of proofs/planted_assemblies.py: 2000 neurons, 20 assemblies of 40 to 200
neurons, 5000 bins. Every method has 40 latent variables, as the RBM has hidden units; NMF and
k-means also get the true number, 20, which a user would not know. For every assembly the latent
variable that tells its members from the other neurons best is taken, by the area under the ROC
curve: of weights, loadings, decoder weights, components, or a neuron's correlation with the mean of
a cluster. The oracle knows when each assembly is on. Hyperparameters are chosen on validation bins:
the L1 penalties of RBM and VAE; PCA, NMF and k-means have none but the number.

Writes assemblies_recovered.txt beside this file: for each method the worst and the median assembly,
median over seeds.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from planted_assemblies import HIDDEN, best_areas, oracle
from sklearn.cluster import KMeans
from sklearn.decomposition import NMF
from sklearn.exceptions import ConvergenceWarning

import boltzbrain as bb
from boltzbrain.baselines.choose import fit_baseline
from boltzbrain.foundations.random import Generator
from boltzbrain.recordings.activity import Activity
from boltzbrain.sampling.synthetic import simulate_assemblies

OUTPUT = Path(__file__).with_suffix(".txt")
Floats = NDArray[np.float64]


def standardised(states: NDArray[np.uint8]) -> Floats:
    dense = states.astype(np.float64)
    return (dense - dense.mean(axis=0)) / np.maximum(dense.std(axis=0), 1e-6)


def clusters(states: NDArray[np.uint8], number: int, seed: int) -> Floats:
    """Return the correlation of each neuron with the mean of each cluster of neurons."""
    scored = standardised(states)
    label = KMeans(number, n_init=5, random_state=seed).fit_predict(scored.T)
    means = np.stack(
        [scored[:, label == one].mean(axis=1) for one in range(number) if (label == one).any()]
    )
    return scored.T @ standardised(means.T) / len(scored)


def factors(states: NDArray[np.uint8], number: int, seed: int) -> Floats:
    """Return the components of a non-negative factorisation, (neuron, component)."""
    model = NMF(number, init="nndsvda", max_iter=500, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(states.astype(np.float32))
    return model.components_.T.astype(np.float64)


def compositional(activity: Activity, seed: int, updates: int | None) -> Floats:
    with tempfile.TemporaryDirectory() as folder:
        run = bb.fit(activity, "compositional", HIDDEN, Path(folder) / "run", seed, updates=updates)
        return run.best.weights.double().numpy()


def found_by_all(truth, activity: Activity, seed: int, given) -> dict[str, tuple[Floats, float]]:
    """Return the areas of all assemblies and the seconds of each method."""
    train, validation = (activity.states_of(fold) for fold in ("train", "validation"))
    generator = Generator.from_seed(seed, "proofs", "recovered")
    trial = {} if given.updates is None else {"updates": given.updates, "trial_updates": 50}
    methods = {
        "compositional RBM": lambda: compositional(activity, seed, given.updates),
        "PCA": lambda: fit_baseline(
            "pca", train, validation, generator, latents=(HIDDEN,)
        ).assemblies(),
        "sparse linear VAE": lambda: fit_baseline(
            "vae", train, validation, generator, latents=(HIDDEN,), **trial
        ).assemblies(),
        f"NMF, {HIDDEN}": lambda: factors(train, HIDDEN, seed),
        "NMF, true number": lambda: factors(train, truth.membership.shape[1], seed),
        f"k-means, {HIDDEN}": lambda: clusters(train, HIDDEN, seed),
        "k-means, true number": lambda: clusters(train, truth.membership.shape[1], seed),
    }
    result = {}
    for name, method in methods.items():
        began = time.monotonic()
        weights = method()
        result[name] = best_areas(weights, truth), time.monotonic() - began
    return {**result, "oracle": (oracle(truth), 0.0)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--updates", type=int, help="of RBM and VAE, for a trial of this script")
    parser.add_argument("--neurons", type=int, default=2000)
    parser.add_argument("--bins", type=int, default=5000)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    given = parser.parse_args()
    every: dict[str, list[tuple[Floats, float]]] = {}
    size = given.neurons / 2000
    for seed in range(given.seeds):
        truth = simulate_assemblies(
            Generator.from_seed(seed, "proofs", "planted"), neurons=given.neurons, bins=given.bins,
            sizes=(round(40 * size), round(200 * size)),
        )  # fmt: skip
        activity = truth.activity().split(
            by="shuffled", validation=0.15, test=0.05, seed=seed, min_active_bins=0
        )
        for name, found in found_by_all(truth, activity, seed, given).items():
            every.setdefault(name, []).append(found)
            print(f"seed {seed} {name}: worst {found[0].min():.4f}, median "
                  f"{np.median(found[0]):.4f}, {found[1]:.0f} s", flush=True)  # fmt: skip
    text = [
        f"area under the ROC curve of members against other neurons, {given.neurons} neurons, "
        f"{given.bins} bins; worst and median of 20 assemblies, median over {given.seeds} seeds",
        f"{'method':<22} {'worst':>7} {'median':>7} {'mean':>7} {'seconds':>8}",
    ]
    for name, seeds in every.items():
        figures = [
            float(np.median([pick(areas) for areas, _ in seeds]))
            for pick in (np.min, np.median, np.mean)
        ]
        seconds = float(np.median([seconds for _, seconds in seeds]))
        row = " ".join(f"{figure:7.4f}" for figure in figures)
        text.append(f"{name:<22} {row} {seconds:8.0f}")
    print("\n".join(text))
    given.output.write_text("\n".join(text) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
