"""Figures of the training."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from boltzbrain.pages.style import (
    INDEPENDENT,
    INK,
    MUTED,
    TRAIN,
    VALIDATION,
    WIDE,
    figure,
    plain_logarithms,
    text_size,
)


@figure(WIDE)
def training_curve(ax: Axes, log: pd.DataFrame, chosen_update: int | None = None) -> None:
    """Draw the log-likelihood per bin along training, with the chosen update as a star.

    The figure 2 of Bereux et al. 2026, with validation bins in place of test bins.

    Parameters
    ----------
    log
        log.csv of a run: ``update``, ``train_nats_per_bin``, ``train_independent`` and, where there
        is a validation fold, ``validation_nats_per_bin``, ``validation_stderr``,
        ``validation_independent``. A shaded band is one standard error.
    chosen_update
        Update of the chosen model.
    ax
        Axes to draw on.
    """
    folds = [("train", TRAIN, "--"), ("validation", VALIDATION, "-")]
    drawn = [one for one in folds if f"{one[0]}_nats_per_bin" in log]
    update = log["update"].to_numpy(dtype=float)
    marker = "o" if len(update) < 40 else ""
    for name, colour, line in drawn:
        score = log[f"{name}_nats_per_bin"].to_numpy(dtype=float)
        ax.plot(update, score, line, color=colour, marker=marker, markersize=2.5, label=name)
        if name == "validation" and "validation_stderr" in log:
            error = log["validation_stderr"].to_numpy(dtype=float)
            ax.fill_between(
                update, score - error, score + error, color=colour, alpha=0.18, linewidth=0
            )
        level = log.get(f"{name}_independent")
        if level is not None and name == drawn[-1][0]:
            ax.axhline(
                float(level.iloc[-1]), color=INDEPENDENT, linestyle=":", linewidth=1.2,
                label=f"independent neurons ({name})",
            )  # fmt: skip
    last = drawn[-1][0]
    best = log[log["update"] == chosen_update]
    if len(best):
        ax.plot(
            best["update"], best[f"{last}_nats_per_bin"], "*", color=INK, markersize=11,
            markeredgecolor="white", markeredgewidth=0.8, linestyle="none", zorder=5,
            label=f"chosen: update {chosen_update}",
        )  # fmt: skip
    if update.max(initial=1) > 20 * max(update.min(initial=1), 1):
        plain_logarithms(ax)
    _frame_late_scores(ax, log, [name for name, _, _ in drawn])
    ax.set_xlabel("update")
    ax.set_ylabel("log-likelihood (nats per bin)")
    ax.yaxis.set_major_locator(MaxNLocator(5))
    ax.grid(axis="y", color=MUTED, alpha=0.15, linewidth=0.6)
    ax.legend(loc="best", fontsize=text_size(7.5))


def _frame_late_scores(ax: Axes, log: pd.DataFrame, folds: list[str]) -> None:
    """Keep a few very bad early scores from pressing the rest of the curve flat."""
    columns = [f"{name}_{kind}" for name in folds for kind in ("nats_per_bin", "independent")]
    values = log[[one for one in columns if one in log]].to_numpy(dtype=float)
    high, low = float(np.max(values)), float(np.min(values))
    usual = float(np.quantile(values, 0.15))
    floor = low if low > high - 4 * (high - usual) else usual - 0.5 * (high - usual)
    room = max(high - floor, 1e-9)
    ax.set_ylim(floor - 0.08 * room, high + 0.12 * room)
