"""Metropolis moves of single hidden units with the visible units integrated out.

Where a hidden unit drives hundreds of neurons, block Gibbs sweeps hardly ever switch it: given the
neurons it stays, and given it they stay. A move changes the unit and lets all neurons follow. From
h to h' in unit a it is taken with probability min(1, r),

    r = exp{ log P(h') - log P(h) } q(h_a) / q(h'_a),
    log P(h) = -E_hidden(h) + sum_i log(1 + exp(x_i)) + const,  x_i = field_i + (W h)_i,

which leaves P(h) as it is. Two-valued units propose their other value. Others propose from a law q
that is made from the data once and then stands still (`moves.proposal`): where q is 0 a unit stays,
and only Gibbs sweeps bring it back. After a move the visible states are stale; they are drawn
from P(v | h) before anything looks at them together with h.

A pass over all units costs chains x weights that are not 0, and their visible inputs once.
"""

from __future__ import annotations

import torch
from torch import Tensor

from boltzbrain.foundations.checks import bad_input, has_shape, whole_number_in
from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.dispatch import take_steps
from boltzbrain.model.layers.layer import Layer
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.gibbs import Chains
from boltzbrain.sampling.moves.proposal import Proposal


def move_hidden(
    model: RBM,
    hidden: Tensor,
    proposal: Proposal | None,
    generator: Generator,
    *,
    offsets: Offsets | None = None,
    t: float = 1.0,
) -> Tensor:
    """Return the hidden states after one move of every unit, visible units integrated out.

    Parameters
    ----------
    model
        Visible units of {0, 1}.
    hidden
        (chain, hidden) states; left as they are. Visible states that belonged to them are stale.
    proposal
        As `proposal_from` gives it for units of this kind.
    generator
        Moves on.
    offsets
        A row for every chain.
    t
        Above 0; the law that is kept is P(h)**t q(h)**(1 - t), with q that of the proposals.

    Raises
    ------
    InputError
        If the visible units are of another kind, or the offsets do not fit.
    """
    if model.visible.kind != "bernoulli":
        raise bad_input("visible units", "be bernoulli for moves", model.visible.kind)
    has_shape("hidden", hidden, (None, len(model.hidden)))
    if proposal is None:
        values = model.hidden.all_states()
        if values is None:
            raise bad_input("proposal", f"be there for {model.hidden.kind} units", None)
        proposed = (values.sum() - hidden.to(values.dtype)).to(hidden.dtype)
        ratio = torch.zeros(hidden.shape, dtype=torch.float64, device=hidden.device)
    else:
        proposed = proposal.draw(len(hidden), generator, hidden.dtype)
        back, forth = proposal.log_probability(hidden), proposal.log_probability(proposed)
        # a proposal that rounding took out of the range is none
        ratio = torch.where(forth.isfinite(), back - forth, -torch.inf)
    steps = proposed.to(torch.float64) - hidden.to(torch.float64)
    gained = ratio + _log_weight(model.hidden, proposed) - _log_weight(model.hidden, hidden)
    if offsets is not None and offsets.hidden is not None:
        gained += offsets.hidden.to(torch.float64) * steps
    bound = generator.uniform((len(hidden), len(model.hidden)), device=hidden.device).log()
    order = torch.from_numpy(generator.permutation(len(model.hidden)))
    inputs = model.inputs_to_visible(hidden, offsets) + model.visible.parameters()["field"]
    taken = take_steps(inputs, model.weights, steps, bound / t - gained, order)
    return torch.where(taken, proposed, hidden)


def _log_weight(layer: Layer, states: Tensor) -> Tensor:
    """Return -E of each unit alone, (chain, unit) float64."""
    exact = layer.to(torch.float64)
    found, values = exact.statistics(states), exact.parameters()
    total = torch.zeros(states.shape, dtype=torch.float64, device=states.device)
    for name, value in values.items():
        total += found[name] * value
    return total


def advance_by_moves(
    model: RBM,
    chains: Chains,
    proposal: Proposal | None,
    steps: int = 1,
    offsets: Offsets | None = None,
) -> Chains:
    """Return the chains after steps of h given v, one move of every hidden unit, v given h.

    Offsets have a row for every chain.

    Raises
    ------
    InputError
        If `steps` is below 1, or chains or offsets do not fit.
    """
    whole_number_in("steps", steps, low=1)
    has_shape("chains.visible", chains.visible, (None, len(model.visible)))
    stream, visible, hidden = chains.generator.copy(), chains.visible, chains.hidden
    for _ in range(steps):
        hidden = model.sample_hidden(visible, stream, offsets)
        hidden = move_hidden(model, hidden, proposal, stream, offsets=offsets)
        visible = model.sample_visible(hidden, stream, offsets)
    return Chains(visible, hidden, stream, chains.sweeps + steps)
