"""Every row of offsets annealed on its own, from independent units with that row in place.

The independent model of a row is normalised exactly, so that nothing is shared between rows: the
error of their mean is that of many independent estimates, and falls with their number. The bias of
each does not, and is taken away by the jackknife.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from boltzbrain.foundations.checks import has_shape, whole_number_in
from boltzbrain.foundations.memory import slices
from boltzbrain.foundations.progress import SILENT, Teller
from boltzbrain.foundations.random import Generator
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.annealing import PILOT_CHAINS, AnnealedPath, schedule_along
from boltzbrain.sampling.bridge import bridge
from boltzbrain.sampling.rows.estimate import RowPartitions, effective_shares, jackknifed

_BESIDE = 10
"""Chains of one row of the pilot run."""

_CHECKED, _SWEEPS = 100, 20
"""Rows that are annealed back, and sweeps of a chain before."""

_CELLS = 1 << 22
"""Values of a layer of all chains that climb at once."""


class RowPaths:
    """The paths of all rows from independent units to the model, with one set of rungs.

    Parameters
    ----------
    model, offsets
        The model, and a row for each.
    visible_field
        Field of the independent visible units, (visible,); the model's own where None.
    foot
        (row, visible), their offsets, in place of the model's: of a model that knows every
        neuron's rate in every bin already, a history GLM for instance.
    """

    def __init__(
        self,
        model: RBM,
        offsets: Offsets,
        visible_field: Tensor | None = None,
        foot: Tensor | None = None,
    ) -> None:
        offsets.require(len(offsets), model.weights)
        if visible_field is not None:
            has_shape("visible_field", visible_field, (len(model.visible),))
        if foot is not None:
            has_shape("foot", foot, (len(offsets), len(model.visible)))
            foot = foot.to(model.weights)
        self.model, self.offsets, self.foot = model, offsets, foot
        self.base = model.independent(visible_field)

    def of(self, rows: Tensor, chains: int) -> AnnealedPath:
        """Return the path of so many chains of each of some rows."""
        foot = None if self.foot is None else self.foot[rows].repeat_interleave(chains, dim=0)
        return AnnealedPath(self.base, self.model, self.offsets[rows].repeated(chains), foot)

    def schedule(self, generator: Generator, rungs: int) -> list[float]:
        """Return rungs for all rows, by a pilot run of a few of them."""
        some = torch.from_numpy(generator.integers(len(self.offsets), PILOT_CHAINS // _BESIDE))
        pilot = self.of(some, _BESIDE)
        return schedule_along(pilot, generator, rungs, beside=_BESIDE)

    def climb(
        self, rows: Tensor, chains: int, ts: list[float], generator: Generator
    ) -> tuple[Tensor, Tensor]:
        """Return (row, chain) log-weights of log Z, and the last states, (row * chain, visible)."""
        path = self.of(rows, chains)
        visible, gains = path.climb(path.start(len(rows) * chains, generator), ts, generator)
        log_weights = path.log_partitions_start().cpu() + gains.sum(dim=0).cpu()
        return log_weights.reshape(len(rows), chains), visible

    def climb_all(
        self, chains: int, ts: list[float], generator: Generator, kept: Tensor, tell: Teller
    ) -> tuple[Tensor, Tensor]:
        """Return (row, chain) log-weights of all rows, and a state of each row in `kept`, rising.

        A state is one of its row's chains, drawn in proportion to the weights.
        """
        total, order = len(self.offsets), torch.arange(len(self.offsets))
        found, states = [], []
        for part in slices(total, chains * sum(self.model.weights.shape), _CELLS):
            tell(part.start, total)
            log_weights, visible = self.climb(order[part], chains, ts, generator)
            found.append(log_weights)
            here = kept[(kept >= part.start) & (kept < part.stop)] - part.start
            states.append(visible[here * chains + _drawn(log_weights[here], generator)])
        tell(total, total)
        return torch.cat(found), torch.cat(states)

    def descend(
        self, rows: Tensor, samples: Tensor, ts: list[float], generator: Generator
    ) -> Tensor:
        """Return log-weights of -log Z from one sample of each of some rows' models, (row,)."""
        path = self.of(rows, 1)
        _, gains = path.climb(samples, ts[::-1], generator)
        return gains.sum(dim=0).cpu() - path.log_partitions_start().cpu()


def annealed_rows(
    model: RBM,
    offsets: Offsets,
    generator: Generator,
    *,
    chains: int = 20,
    rungs: int = 300,
    visible_field: Tensor | None = None,
    foot: Tensor | None = None,
    samples: Tensor | None = None,
    tell: Teller = SILENT,
) -> RowPartitions:
    """Estimate log Z of every row by annealing all of them.

    Parameters
    ----------
    model, offsets
        The model, and a row for each.
    generator
        Moves on.
    chains
        Chains of a row, at least 2.
    rungs
        Rungs from the independent units to the model, at least 2.
    visible_field, foot
        Of the independent units, as `RowPaths` takes them.
    samples
        (row, visible), an exact sample of every row's model, as data simulated from it are, to be
        annealed back. Where None, up to 100 rows' own chains are, after some sweeps, which hides
        what all chains miss.
    tell
        Told the rows.

    Raises
    ------
    InputError
        If an option is out of range or something does not fit the model.
    """
    whole_number_in("chains", chains, low=2)
    whole_number_in("rungs", rungs, low=2)
    if samples is not None:
        has_shape("samples", samples, (len(offsets), len(model.visible)))
    paths = RowPaths(model, offsets, visible_field, foot)
    ts = paths.schedule(generator, rungs)
    checked = _spread_out(len(offsets), _CHECKED if samples is None else len(offsets))
    log_weights, ends = paths.climb_all(chains, ts, generator, checked, tell)
    values, errors = jackknifed(log_weights)
    if samples is None:
        kept = offsets[checked.to(model.weights.device)]
        samples, _ = model.sweep(ends, generator, _SWEEPS, kept)
    downwards = torch.cat(
        [
            paths.descend(checked[part], samples[part], ts, generator)
            for part in slices(len(checked), sum(model.weights.shape), _CELLS)
        ]
    )
    centre = values[checked]
    # a row is what is independent: its chains, and its one way back
    both = bridge((log_weights[checked] - centre[:, None]).T, (-downwards - centre)[None])
    return RowPartitions(
        values,
        errors,
        float(errors.square().sum().sqrt()) / len(values),
        "annealed",
        annealed=len(values),
        effective_share=float(effective_shares(log_weights).mean()),
        gap=both.value,
        gap_stderr=float(both.residual.square().sum().sqrt() / both.slope.sum()),
    )


def _drawn(log_weights: Tensor, generator: Generator) -> Tensor:
    """Draw one chain of each row in proportion to the weights (row, chain), (row,) int64."""
    ends = torch.softmax(log_weights, dim=1).cumsum(dim=1)
    place = generator.uniform((len(ends), 1)) * ends[:, -1:]
    return torch.searchsorted(ends, place, right=True)[:, 0].clamp_max_(ends.shape[1] - 1)


def _spread_out(count: int, most: int) -> Tensor:
    """Return at most so many of `count` rows, evenly spread."""
    some = min(count, most)
    return torch.tensor([math.floor(count * place / some) for place in range(some)])
