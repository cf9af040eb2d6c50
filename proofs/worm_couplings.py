"""Couplings of four worms beside their wiring and the propagation of signals.

    pip download --no-deps wormneuroatlas==0.0.7.3 && unzip wormneuroatlas-*.whl -d ATLAS
    python proofs/worm_couplings.py --atlas ATLAS [--runs FOLDER]

The files of wormneuroatlas (Randi et al., Nature 2023, and the connectomes of White 1986 and
Witvliet 2021 that it holds) are read here and are no part of the package. An RBM is trained on each
worm of ../shared/data/celegans; the couplings of pairs of named neurons (data reference) are
averaged over the worms that have both, and so are correlations of traces, their partial
correlations (inverse of the Ledoit-Wolf covariance), and correlations of binary states. Pairs that
at least two worms have are held against

- synapses: chemical both ways and electrical, summed, of all pairs: |value| against their number;
- propagation: mean response of one neuron to the stimulation of the other, the larger of both
  directions in size, with its sign, of pairs that were stimulated and recorded.

Rank correlation, and p by permuting the names of the neurons of the worms (2,000 times, two-sided).
Left and right neuron of a kind are the strongest pairs of any map, so all is told once more without
them. Runs are kept in `--runs`, and not trained again. Writes worm_couplings.txt. Nothing is asked
of the result: it is reported as found.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.covariance import LedoitWolf

import boltzbrain as bb
from boltzbrain.interpretation.interpret import interpretation_of

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data" / "celegans"
WORMS = ("2022-07-26-31", "2022-07-26-38", "2022-07-27-31", "2022-07-27-45")
PLAN: dict[str, Any] = {"preset": "binary", "hidden": 20, "weights_from": "data", "updates": 2000}
PERMUTATIONS, LEAST_WORMS = 2000, 2

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def correlation_of(covariance: Floats) -> Floats:
    """Return the correlations of a covariance, (neuron, neuron)."""
    size = np.sqrt(np.diag(covariance))
    return covariance / np.where(size > 0, np.outer(size, size), np.inf)


def maps_of(worm: str, runs: Path) -> tuple[list[str], dict[str, Floats], str]:
    """Return the names of a worm's neurons, its maps by name, and how its training went."""
    recording = bb.read(DATA / f"{worm}.npz")
    activity = recording.deconvolve().binarize().split(by="blocks")
    folder = runs / worm
    if (folder / "interpretation.h5").exists():
        run = bb.TrainingRun.open(folder)
    else:
        run = bb.fit(activity, out=folder, progress=False, **PLAN)
        bb.evaluate(run, progress=False)
        bb.interpret(run, progress=False)
    found = interpretation_of(run)
    activity = run.activity()
    kept = [str(one) for one in activity.neurons["id"]]
    rows = {str(one): place for place, one in enumerate(recording.neurons["id"])}
    frames = np.asarray(recording.signal.frames, dtype=np.float64)[:, [rows[one] for one in kept]]
    frames = frames[np.isfinite(frames).all(axis=1)]
    scaled = (frames - frames.mean(axis=0)) / frames.std(axis=0)
    inverse = np.linalg.inv(LedoitWolf().fit(scaled).covariance_)
    states = activity.states.astype(np.float64)
    maps = {
        "couplings of the RBM": np.asarray(found["couplings/data/pairs"], dtype=np.float64),
        "correlations of states": correlation_of(np.cov(states.T)),
        "correlations of traces": correlation_of(np.cov(scaled.T)),
        "partial correlations": -correlation_of(inverse),
    }
    gain = run.evaluation.gain
    told = f"{worm}: {len(kept)} neurons, gain {gain.value:.2f} +- {gain.stderr:.2f} nats per bin"
    return [str(one) for one in activity.neurons["label"]], maps, told


def averaged(worms: list[tuple[list[str], dict[str, Floats], str]], names: list[str]) -> Any:
    """Return each map's mean over the worms that have a pair, and how many these are."""
    kinds = list(worms[0][1])
    total = {kind: np.zeros((len(names), len(names))) for kind in kinds}
    count = np.zeros((len(names), len(names)), dtype=np.int64)
    place = {name: number for number, name in enumerate(names)}
    for labels, maps, _ in worms:
        own = [number for number, name in enumerate(labels) if name in place]
        at = np.array([place[labels[number]] for number in own])
        count[np.ix_(at, at)] += 1
        for kind in kinds:
            total[kind][np.ix_(at, at)] += maps[kind][np.ix_(own, own)]
    return {kind: one / np.maximum(count, 1) for kind, one in total.items()}, count


def truths(atlas: Path, names: list[str]) -> dict[str, tuple[Floats, Mask]]:
    """Return synapses and propagation of pairs of names, and where each is known."""
    (data,) = atlas.glob("**/funatlas.h5")
    with h5py.File(data) as file:
        known = [one.decode() for one in file["neuron_ids"][:]]
        response, times = file["wt/dFF"][:], file["wt/occ1"][:]
    with h5py.File(data.with_name("aconnectome_default.h5")) as file:
        synapses = (
            file["chem"][:] + file["chem"][:].T + np.maximum(file["gap"][:], file["gap"][:].T)
        )
    at = np.ix_(*[[known.index(name) for name in names]] * 2)
    response = np.where((times > 0) & np.isfinite(response), response, np.nan)[at]
    back = response.T
    size, size_back = (np.nan_to_num(np.abs(one), nan=-1.0) for one in (response, back))
    larger = np.where(size >= size_back, response, back)
    everywhere = np.ones(larger.shape, dtype=bool)
    return {
        "synapses": (synapses[at], everywhere),
        "propagation": (np.nan_to_num(larger), np.isfinite(larger)),
    }


def against(values: Floats, truth: Floats, used: Mask, seed: int) -> tuple[float, float]:
    """Return the rank correlation over the pairs used, and its p under permuted names."""
    first, second = np.nonzero(np.triu(used, 1))
    target = rankdata(truth[first, second])
    target = (target - target.mean()) / target.std()
    rng = np.random.default_rng(seed)

    def at(order: NDArray[np.int64]) -> float:
        ranks = rankdata(values[np.ix_(order, order)][first, second])
        return float((ranks - ranks.mean()) @ target / (ranks.std() * len(target)))

    found = at(np.arange(len(values)))
    null = [at(rng.permutation(len(values))) for _ in range(PERMUTATIONS)]
    beyond = sum(abs(one) >= abs(found) - 1e-12 for one in null)
    return found, (1 + beyond) / (1 + PERMUTATIONS)


def sides(names: list[str]) -> Mask:
    """Return where two names are the left and the right neuron of a kind."""
    kind = [name[:-1] if name[-1] in "LR" else name for name in names]
    return np.array([[one == other for other in kind] for one in kind])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--atlas", type=Path, required=True)
    parser.add_argument("--runs", type=Path)
    given = parser.parse_args()
    runs = given.runs or Path(tempfile.mkdtemp())
    worms = [maps_of(worm, runs) for worm in WORMS]
    (ids,) = given.atlas.glob("**/neuron_ids.txt")
    known = {line.split()[1] for line in ids.read_text().splitlines() if line.strip()}
    labels = [name for one, _, _ in worms for name in one]
    names = sorted(name for name in set(labels) & known if labels.count(name) >= LEAST_WORMS)
    maps, count = averaged(worms, names)
    lines = [told for _, _, told in worms]
    lines += [f"{len(names)} named neurons that at least {LEAST_WORMS} worms and the atlas have"]
    beside = sides(names)
    for truth, (values, known_pairs) in truths(given.atlas, names).items():
        for without, asked in (("", ~np.eye(len(names), dtype=bool)), (", no left-right", ~beside)):
            used = known_pairs & asked & (count >= LEAST_WORMS)
            lines += ["", f"{truth}{without}: {int(np.triu(used, 1).sum())} pairs"]
            for kind, one in maps.items():
                value = np.abs(one) if truth == "synapses" else one
                rank, p = against(value, values, used, 0)
                lines.append(f"  {kind:24} {rank:7.3f}  p {p:.4f}")
    text = "\n".join(lines)
    print(text)
    Path(__file__).with_suffix(".txt").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
