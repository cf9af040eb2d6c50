"""What trainings with a context are checked by: exact chains, slopes, and where a run ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from boltzbrain.data.activity import Activity
from boltzbrain.foundations.progress import Progress
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM, Moments
from boltzbrain.sampling.enumeration import all_states
from boltzbrain.training.plan import TrainingPlan
from boltzbrain.training.run.run import TrainingRun
from boltzbrain.training.train import resume, train
from boltzbrain.training.update.gradient import parameters_of


def weighted_moments(rbm: RBM, states: Tensor, offsets: Offsets, weight: Tensor) -> Moments:
    """Return the moments of states (state, visible) float64, each with a weight; these sum to 1."""
    inputs = rbm.inputs_to_hidden(states, offsets)
    means, statistics = rbm.hidden.mean(inputs), rbm.hidden.mean_statistics(inputs)
    return Moments(
        {"field": weight @ states},
        {name: weight @ value for name, value in statistics.items()},
        weight @ states, weight @ means, states, means * weight[:, None] * len(states),
    )  # fmt: skip


def exact_chains(
    rbm: RBM, given: Sequences, offsets: Offsets, weight: Tensor | None = None
) -> tuple[Moments, dict[str, Tensor]]:
    """Return moments of all states of the law of each bin, weighted, and data minus model.

    Parameters
    ----------
    rbm, given, offsets
        The model, the bins, and a row for each.
    weight
        (bin,) of each bin; all alike where None.
    """
    every, bins = all_states(rbm.visible).double(), len(given)
    rows = torch.arange(bins).repeat_interleave(len(every))
    laws, many = offsets[rows], every.repeat(bins, 1)
    law = torch.softmax(-rbm.free_energy(many, laws).reshape(bins, -1), dim=1)
    share = torch.full((bins,), 1.0 / bins, dtype=torch.float64) if weight is None else weight
    means, states = rbm.mean_hidden(many, laws), torch.from_numpy(given.states)
    each = law.flatten()[:, None]
    apart = {
        "visible": states.double() - (each * many).reshape(bins, len(every), -1).sum(dim=1),
        "hidden": rbm.mean_hidden(states, offsets)
        - (each * means).reshape(bins, len(every), -1).sum(dim=1),
    }
    return weighted_moments(rbm, many, laws, (share[:, None] * law).flatten()), apart


def slope(at: Tensor, put: Callable[[Tensor], float], entry: int = 1, step: float = 1e-5) -> float:
    """Return the derivative of a function by one entry of a tensor, by central differences."""
    high, low = at.clone(), at.clone()
    high.view(-1)[entry] += step
    low.view(-1)[entry] -= step
    return (put(high) - put(low)) / (2 * step)


def ends(run: TrainingRun) -> dict[str, Tensor]:
    """Return everything that the last checkpoint keeps, by name."""
    last = run.load(run.checkpoints()[-1].update)
    return {
        **{f"live {name}": value for name, value in parameters_of(last.live).items()},
        **{f"mean {name}": value for name, value in parameters_of(last.model).items()},
        **{
            f"{which} {part.name} {name}": value
            for which, contexts in (("live", last.live_contexts), ("mean", last.contexts))
            for part in contexts.parts
            for name, value in part.tensors().items()
        },
        "chains": last.chains.visible,
        **last.optimizer,
    }


def require_resumed_as_whole(activity: Activity, plan: TrainingPlan, folder: Path) -> None:
    """Train at once, and stopped three times and gone on with: both must end alike, bit for bit."""
    whole = train(activity, plan, folder / "whole")

    def stop_at(update: int) -> Callable[[Progress], None]:
        def callback(progress: Progress) -> None:
            if progress.done == update:
                raise KeyboardInterrupt

        return callback

    with pytest.raises(KeyboardInterrupt):
        train(activity, plan, folder / "cut", [stop_at(1)])
    for update in (2, 7):
        with pytest.raises(KeyboardInterrupt):
            resume(folder / "cut", [stop_at(update)])
    cut = resume(folder / "cut")
    assert ends(cut).keys() == ends(whole).keys()
    for name, value in ends(whole).items():
        assert torch.equal(value, ends(cut)[name]), name
    logs = [run.log().drop(columns="seconds") for run in (whole, cut)]
    assert logs[0].equals(logs[1])
