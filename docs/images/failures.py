"""The pictures of docs/limits.md: how a model fails, and what that looks like.

Usage: python docs/images/failures.py [NAME ...]

Each recording is simulated, so that the fault is known, and fitted in seconds; failure_*.png are
written beside this file, in few colours so that they stay small.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image

import boltzbrain as bb
from boltzbrain.foundations.random import Generator
from boltzbrain.pages.style import GENERATED, INK, MUTED, TEST, TRAIN, VALIDATION, house_style
from boltzbrain.sampling.synthetic import simulate_assemblies

HERE = Path(__file__).parent
COLOURS = 32
SIZE = (7.4, 2.5)
NEURONS = 60


def planted(bins: int) -> np.ndarray:
    """Return states with five assemblies, (bin, neuron)."""
    return simulate_assemblies(
        Generator.from_seed(7), neurons=NEURONS, assemblies=5, bins=bins, sizes=(8, 14),
        on_fraction=(0.05, 0.1), firing=0.5, background=0.03, overlap=0.1,
    ).states  # fmt: skip


def fitted(folder: Path, states: np.ndarray, **options: Any) -> Any:
    """Return a run of states, in bins of 20 ms."""
    recording = bb.from_states(states, 0.02)
    return bb.fit(recording, out=folder, progress=False, **options)


def too_little_data(folder: Path, axes: Any) -> None:
    """Draw the curves of a training on much and on little."""
    for ax, bins, title in ((axes[0], 12_000, "four minutes"), (axes[1], 700, "14 seconds")):
        run = fitted(folder / title, planted(bins), hidden=60, updates=4000, l2=0.0)
        log = run.log()
        for fold, colour in (("train", TRAIN), ("validation", VALIDATION)):
            gain = log[f"{fold}_nats_per_bin"] - log[f"{fold}_nats_per_bin"].iloc[0]
            ax.plot(log["update"], gain, color=colour, label=fold)
        ax.axvline(run.chosen_update, color=INK, linestyle=":", linewidth=0.8)
        ax.set(xscale="log", xlabel="update", ylabel="gain (nats per bin)", title=title)
        ax.legend(loc="upper left")


def slow_state(folder: Path, axes: Any) -> None:
    """Draw a hidden unit that is the state of the brain, beside one that is an assembly."""
    bins = 8000
    generator = np.random.default_rng(1)
    awake = (np.arange(bins) // 1600) % 2 == 1
    states = planted(bins) | (generator.random((bins, NEURONS)) < 0.12 * awake[:, None])
    run = fitted(folder / "slow", states, hidden=8, updates=2000, weights_from="data")
    activity = run.activity()
    bins_seen = torch.from_numpy(activity.states)
    hidden = run.best.in_sign_gauge().mean_hidden(bins_seen).numpy()
    course = np.array([np.convolve(one, np.ones(100) / 100, "same") for one in hidden.T])
    slow = np.argsort([-(np.corrcoef(one, awake)[0, 1] ** 2) for one in course])
    size = np.abs(run.best.weights.numpy())
    members = size > size.max(axis=0) / 2
    seconds = 0.02 * np.arange(len(hidden))
    for ax, unit, what in ((axes[0], slow[0], "a state"), (axes[1], slow[-1], "an assembly")):
        ax.plot(seconds, hidden[:, unit], color=MUTED, linewidth=0.2, alpha=0.6)
        ax.plot(seconds, course[unit], color=GENERATED, linewidth=1.4)
        ax.set(xlabel="time (s)", ylabel="mean of the hidden unit", ylim=(0, 1))
        ax.set_title(f"{what}: {members[:, unit].sum()} of {activity.n_neurons} neurons")


def twice_sorted(folder: Path, axes: Any) -> None:
    """Draw couplings where one neuron was sorted twice, and what `info --check` goes by."""
    states = planted(8000)
    generator = np.random.default_rng(2)
    twin = states[:, 10] & (generator.random(len(states)) < 0.95)
    both = np.column_stack([states, twin])
    run = fitted(folder / "twice", both, hidden=20, updates=2500)
    found = bb.interpret(run, progress=False)
    pairs = found.pairs("data")
    axes[0].imshow(np.abs(pairs), cmap="Greys", vmin=0, vmax=np.abs(pairs).max())
    axes[0].set(title="|J| of all pairs", xlabel="neuron", ylabel="neuron")
    axes[0].annotate("neuron 10, sorted twice", (60, 10), (8, 40), color=GENERATED,
                     bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
                     arrowprops={"arrowstyle": "->", "color": GENERATED})  # fmt: skip
    one, two = np.triu_indices(len(pairs), 1)
    correlation = np.corrcoef(run.activity().states.T)
    same = (one == 10) & (two == 60)
    x, y = correlation[one, two], pairs[one, two]
    axes[1].plot(x[~same], y[~same], ".", color=TEST, markersize=3)
    axes[1].plot(x[same], y[same], "o", color=GENERATED)
    axes[1].set(title="beside correlations", xlabel="correlation of the states", ylabel="J (nats)")


PICTURES: dict[str, Callable[[Path, Any], None]] = {
    "failure_little_data": too_little_data,
    "failure_state": slow_state,
    "failure_twice": twice_sorted,
}


def save(figure: Figure, path: Path) -> None:
    """Write a figure in few colours."""
    with io.BytesIO() as buffer:
        figure.savefig(buffer, format="png", dpi=110)
        picture = Image.open(buffer).convert("RGB")
        few = picture.quantize(COLOURS, dither=Image.Dither.NONE)
        few.save(path, optimize=True)


def main(names: Iterable[str]) -> None:
    """Draw some of the pictures."""
    for name in names:
        with tempfile.TemporaryDirectory() as folder, house_style():
            figure = Figure(figsize=SIZE, layout="constrained")
            PICTURES[name](Path(folder), figure.subplots(1, 2))
            save(figure, HERE / f"{name}.png")


if __name__ == "__main__":
    mpl.use("agg")
    main(sys.argv[1:] or PICTURES)
