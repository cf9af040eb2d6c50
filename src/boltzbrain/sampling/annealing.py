"""Importance weights between models, and the rungs from an independent model, never built.

Rung t has the visible fields (1 - t) b0 + t b, the weights t W and the hidden parameters as they
are: with I = v W computed once per state, its free energy and both its draws need only t I and
t h W^T. Between two rungs a chain gains the log-weight F_lower(v) - F_upper(v), with each rung's
own free energy. Offsets, a row for every chain, are there from the first rung on, and so may other
visible ones be that fade as t rises.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers.fused_sweeps import fused_climb
from boltzbrain.model.layers.layer import Layer
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM

PILOT_CHAINS, _PILOT_RUNGS = 100, 64


def log_weight(start: RBM, stop: RBM, visible: Tensor) -> Tensor:
    """Return F_start(v) - F_stop(v), (chain,) float64.

    Parameters
    ----------
    start, stop
        Models of equal kinds and sizes.
    visible
        (chain, visible) states.
    """
    before, after = start.visible.parameters(), stop.visible.parameters()
    result = torch.zeros(len(visible), dtype=torch.float64, device=visible.device)
    if any(after[name] is not value for name, value in before.items()):
        # energies are linear in the parameters, so their difference is one energy
        change = {name: value - after[name] for name, value in before.items()}
        result += start.visible.with_parameters(change).energy(visible)
    for model, sign in ((start, -1.0), (stop, 1.0)):
        gamma = model.hidden.log_partition(model.inputs_to_hidden(visible))
        result += sign * gamma.to(torch.float64).sum(dim=1)
    return result


class ModelPath(Protocol):
    """What carries chains from an independent model to a model along t from 0 to 1."""

    def start(self, chains: int, generator: Generator) -> Tensor:
        """Draw (chain, visible) states at t = 0, exactly."""
        ...

    def climb(
        self, visible: Tensor, ts: list[float], generator: Generator
    ) -> tuple[Tensor, Tensor]:
        """Carry chains along rungs; see `AnnealedPath.climb`."""
        ...

    def log_partition_start(self) -> float:
        """Return log Z at t = 0, exact."""
        ...


@dataclass(frozen=True, eq=False)
class AnnealedPath:
    """The rungs between an independent model and a model, addressed by t from 0 to 1.

    Attributes
    ----------
    base, model
        The two.
    offsets
        A row for every chain, there from the first rung on.
    foot
        (chain, visible), in place of the visible offsets at t = 0: they are (1 - t) of these and t
        of those.
    """

    base: RBM
    model: RBM
    offsets: Offsets | None = None
    foot: Tensor | None = None

    def log_partition_start(self) -> float:
        """Return log Z of the independent model without offsets, exact."""
        return self.base.log_partition_independent()

    def log_partitions_start(self) -> Tensor:
        """Return log Z of every chain's independent model, exact, (chain,) float64."""
        return _log_partitions(self.base.visible, self._visible_rows(0.0)) + _log_partitions(
            self.base.hidden, self._hidden_rows()
        )

    def _hidden_rows(self) -> Tensor | None:
        return None if self.offsets is None else self.offsets.hidden

    def _visible_rows(self, t: float) -> Tensor | None:
        rows = None if self.offsets is None else self.offsets.visible
        if self.foot is None:
            return rows
        faded = (1 - t) * self.foot
        return faded if rows is None else faded + t * rows

    def _hidden_inputs(self, inputs: Tensor, t: float) -> Tensor:
        rows = self._hidden_rows()
        return t * inputs if rows is None else t * inputs + rows

    def slope(self, visible: Tensor) -> Tensor:
        """Return d/dt of the log-weight of the visible layer alone, (chain,) float64."""
        total = torch.zeros(len(visible), dtype=torch.float64, device=visible.device)
        start, end = self.base.visible.parameters(), self.model.visible.parameters()
        if any(end[name] is not start[name] for name in end):
            statistics = self.model.visible.statistics(visible)
            for name, value in end.items():
                if value is not start[name]:
                    total += (statistics[name] @ (value - start[name])).to(torch.float64)
        if self.foot is not None:
            rows = None if self.offsets is None else self.offsets.visible
            change = -self.foot if rows is None else rows - self.foot
            total += (change.to(torch.float64) * visible).sum(dim=1)
        return total

    def log_weight(self, visible: Tensor, inputs: Tensor, start: float, stop: float) -> Tensor:
        """Return F_start(v) - F_stop(v), (chain,) float64, from inputs v W."""
        gamma = self.model.hidden.log_partition
        high, low = (gamma(self._hidden_inputs(inputs, t)) for t in (stop, start))
        gain = (high - low).to(torch.float64).sum(dim=1)
        return gain + (stop - start) * self.slope(visible)

    def start(self, chains: int, generator: Generator) -> Tensor:
        """Draw visible states of the independent model, exactly."""
        inputs = self.model.weights.new_zeros((chains, len(self.model.visible)))
        rows = self._visible_rows(0.0)
        return self.base.visible.sample(inputs if rows is None else inputs + rows, generator)

    def sweep(self, inputs: Tensor, t: float, generator: Generator) -> Tensor:
        """Draw hidden, then visible states of the rung t, from inputs v W."""
        given = self._hidden_inputs(inputs, t)
        hidden = self.model.hidden.sample(given, generator).to(inputs.dtype)
        layer, rows = self.base.visible.mixed(self.model.visible, t), self._visible_rows(t)
        back = self.model.inputs_to_visible(t * hidden)
        return layer.sample(back if rows is None else back + rows, generator)

    def climb(
        self, visible: Tensor, ts: list[float], generator: Generator
    ) -> tuple[Tensor, Tensor]:
        """Carry chains along rungs from samples of the first.

        The rungs may rise or fall. At every rung but the last the chains gain the log-weight to
        the next one; at every rung between they are swept once.

        Returns
        -------
        visible
            (chain, visible) states, weighted by the gains to be of the last rung.
        gains
            (step, chain) float64 log-weights.
        """
        kernel = fused_climb(self.model.visible, self.model.hidden)
        if kernel is not None:
            ends = self.base.visible, self.model.visible
            done = kernel(
                ends,
                self.model.hidden,
                self.model.weights,
                visible,
                ts,
                generator,
                self.foot,
                self.offsets,
            )
            if done is not None:
                return done
        gains = []
        inputs = self.model.inputs_to_hidden(visible)
        for step, (here, there) in enumerate(itertools.pairwise(ts)):
            if step > 0:
                visible = self.sweep(inputs, here, generator)
                inputs = self.model.inputs_to_hidden(visible)
            gains.append(self.log_weight(visible, inputs, here, there))
        return visible, torch.stack(gains)


def _log_partitions(layer: Layer, rows: Tensor | None) -> Tensor:
    """Return log Z of independent units given rows of inputs, (row,) float64, or (1,) of none."""
    if rows is None:
        rows = torch.zeros((1, len(layer)), device=layer.device)
    return layer.to(torch.float64).log_partition(rows.to(torch.float64)).sum(dim=1)


def _spaced(ts: Tensor, centred: Tensor, rungs: int) -> list[float]:
    """Return rungs at equal distances in the metric that a pilot run measured.

    `centred` are its gains, (step, chain), without their mean.

    The length of a step is the square root of the variance that it adds to the log-weights, or of
    the variance of its own gain where that is larger (Sivak and Crooks, Physical Review Letters
    108:190602, 2012: a ladder of least variance has rungs at equal such distances). A tenth of the
    mean length is added to every step, so that none is skipped on the word of a small pilot.
    """
    own = centred.square().mean(dim=1)
    added = own + 2 * (centred * (centred.cumsum(dim=0) - centred)).mean(dim=1)
    lengths = torch.maximum(own, added).sqrt()
    lengths = torch.nn.functional.avg_pool1d(
        lengths[None], 5, stride=1, padding=2, count_include_pad=False
    )[0]
    lengths = lengths + 0.1 * lengths.mean() + 1e-12
    distance = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
    wanted = torch.linspace(0, 1, rungs, dtype=torch.float64) * distance[-1]
    step = torch.searchsorted(distance, wanted, right=True).clamp_(1, len(lengths)) - 1
    spaced = ts[step] + (wanted - distance[step]) / lengths[step] * (ts[step + 1] - ts[step])
    return [0.0, *spaced[1:-1].tolist(), 1.0]


def annealing_schedule(
    model: RBM, generator: Generator, rungs: int, *, visible_field: Tensor | None = None
) -> list[float]:
    """Return `rungs` places t from 0 to 1 by a short pilot run, dense where log-weights spread.

    `visible_field` is that of the independent model at 0, the model's own where None.
    """
    return schedule_along(AnnealedPath(model.independent(visible_field), model), generator, rungs)


def schedule_along(
    path: ModelPath, generator: Generator, rungs: int, *, beside: int = PILOT_CHAINS
) -> list[float]:
    """Choose rungs along any path; see `annealing_schedule`.

    Of the `PILOT_CHAINS` chains `beside` in a row are of one model; what differs between models is
    no spread.
    """
    ts = torch.linspace(0, 1, min(rungs, _PILOT_RUNGS), dtype=torch.float64)
    if len(ts) == rungs:
        return ts.tolist()
    _, gains = path.climb(path.start(PILOT_CHAINS, generator), ts.tolist(), generator)
    parts = gains.cpu().split(beside, dim=1)
    centred = torch.cat([part - part.mean(dim=1, keepdim=True) for part in parts], dim=1)
    return _spaced(ts, centred, rungs)
