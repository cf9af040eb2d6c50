"""What is proposed to real-valued hidden units: a law made from the data, and never changed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from boltzbrain.foundations.checks import has_shape
from boltzbrain.foundations.random import Generator
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM

DRAWS = 2000
"""States of each hidden unit given data from which its proposals are made."""
_BINS = 92
_RARER = 1 / 3
"""Share of the proposals on the side of 0 that a unit is rarely on."""
_UNIFORM = 0.02
"""Share of the proposals that is spread evenly over the whole range."""
_BEYOND = (0.05, 0.3)
"""How far beyond the draws the range reaches, in units of their own, in two steps."""
_FEWEST, _MORE = 4, 0.2
_LEAST_WIDTH = 1e-3
_LEAST_BIN = 1e-5


@dataclass(frozen=True, eq=False)
class Proposal:
    """A piecewise constant law of each hidden unit, none of which follows the chains.

    Attributes
    ----------
    edges
        (hidden, bin + 1) float64, rising.
    log_density
        (hidden, bin) float64.
    cumulative
        (hidden, bin + 1) float64, from 0 to 1.
    """

    edges: Tensor
    log_density: Tensor
    cumulative: Tensor

    def draw(self, chains: int, generator: Generator, dtype: torch.dtype) -> Tensor:
        """Draw states, (chain, hidden)."""
        shape, device = (chains, len(self.edges)), self.edges.device
        place = generator.uniform(shape, device=device).T.contiguous()
        within = generator.uniform(shape, device=device).T
        chosen = self._bin(self.cumulative, place)
        low, high = self.edges.gather(1, chosen), self.edges.gather(1, chosen + 1)
        return (low + within * (high - low)).T.to(dtype)

    def log_probability(self, hidden: Tensor) -> Tensor:
        """Return the log density of states (chain, hidden), -inf outside the range, float64."""
        values = hidden.to(torch.float64).T.contiguous()
        density = self.log_density.gather(1, self._bin(self.edges, values))
        inside = (values >= self.edges[:, :1]) & (values <= self.edges[:, -1:])
        return torch.where(inside, density, -torch.inf).T

    def _bin(self, edges: Tensor, values: Tensor) -> Tensor:
        found = torch.searchsorted(edges, values, right=True) - 1
        return found.clamp_(0, self.log_density.shape[1] - 1)


def proposal_from(
    model: RBM,
    states: Tensor,
    generator: Generator,
    *,
    as_often: bool = False,
    offsets: Offsets | None = None,
) -> Proposal | None:
    """Return proposals from the law of each hidden unit given data; None for two-valued units.

    Bins of equal probability under h given the states, a third of it on the rarer side of 0, and
    `_UNIFORM` of it spread evenly over a range that reaches beyond the draws by three tenths of it.
    With `as_often` both sides of 0 are as probable as given the states.

    Parameters
    ----------
    model
        The model.
    states
        (bin, visible) states, e.g. of the training fold, at least one.
    generator
        Moves on.
    as_often
        Whether the law is one to start from, and not only to propose from.
    offsets
        A row for every state.
    """
    has_shape("states", states, (None, len(model.visible)))
    if model.hidden.all_states() is not None:
        return None
    some = torch.from_numpy(generator.integers(len(states), DRAWS)).to(states.device)
    rows = None if offsets is None else offsets[some]
    given = model.sample_hidden(states[some], generator, rows).to(torch.float64)
    drawn = _balanced(given, generator)
    places = torch.linspace(0, 1, _BINS + 1, dtype=torch.float64, device=drawn.device)
    middle = torch.quantile(drawn, places, dim=0).T
    low, high = middle[:, :1], middle[:, -1:]
    width = (high - low).clamp(min=_LEAST_WIDTH)
    near, far = (part * width for part in _BEYOND)
    edges = torch.cat([low - far, low - near, middle, high + near, high + far], dim=1)
    if not model.hidden.signed:
        edges = edges.clamp(min=0.0)
    steps = torch.arange(edges.shape[1], dtype=torch.float64, device=drawn.device)
    edges = torch.cummax(edges, dim=1).values + _LEAST_BIN * width * steps
    sizes = edges.diff(dim=1)
    share = torch.zeros_like(sizes)
    share[:, 2:-2] = (1 - _UNIFORM) / _BINS
    if as_often:
        counts = _counts(given, edges)
        share = (1 - _UNIFORM) * counts / counts.sum(dim=1, keepdim=True)
    share += _UNIFORM * sizes / sizes.sum(dim=1, keepdim=True)
    cumulative = torch.cat([share.new_zeros((len(share), 1)), share.cumsum(dim=1)], dim=1)
    return Proposal(edges, share.log() - sizes.log(), cumulative / cumulative[:, -1:])


def _counts(drawn: Tensor, edges: Tensor) -> Tensor:
    """Return how many draws (draw, hidden) lie in each bin, and a fifth more, (hidden, bin)."""
    bins = edges.shape[1] - 1
    places = torch.searchsorted(edges, drawn.T.contiguous(), right=True) - 1
    counts = torch.full((len(edges), bins), _MORE, dtype=torch.float64, device=drawn.device)
    ones = torch.ones_like(places, dtype=torch.float64)
    return counts.scatter_add_(1, places.clamp_(0, bins - 1), ones)


def _balanced(drawn: Tensor, generator: Generator) -> Tensor:
    """Return as many draws (draw, hidden), `_RARER` of them on the rarer side of 0 if there is one.

    A unit that is on in one bin of a hundred would else be tried there as rarely.
    """
    count = len(drawn)
    result = drawn.clone()
    for unit in range(drawn.shape[1]):
        above = drawn[:, unit] > 0
        sides = sorted((drawn[above, unit], drawn[~above, unit]), key=len)
        if len(sides[0]) < _FEWEST:
            continue
        sizes = round(_RARER * count), count - round(_RARER * count)
        result[:, unit] = torch.cat(
            [
                side[torch.from_numpy(generator.integers(len(side), size)).to(drawn.device)]
                for side, size in zip(sides, sizes, strict=True)
            ]
        )
    return result
