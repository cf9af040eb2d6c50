"""Sampling and updates wait for no GPU: no tensor is read back by the host inside their loops.

They run on the meta device, whose tensors have shapes and no values, so that whatever depends on a
value cannot run; a dispatch mode names the operation that asks for one.
"""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from boltzbrain.foundations.numerics import half_normal_quantile
from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.layers.layer import KINDS
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.gibbs import advance, start_chains
from boltzbrain.training.plan import TrainingPlan
from boltzbrain.training.update.gradient import Ascent

READS_BACK = {"_local_scalar_dense", "item", "nonzero", "masked_select", "is_nonzero", "equal"}


class HostCopyError(Exception):
    """A value was asked for."""


class NoHostCopies(TorchDispatchMode):
    """Refuse operations on another device's tensors that hand a value or a tensor to the host."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = function.overloadpacket.__name__
        tensors = [part for part in args if isinstance(part, torch.Tensor)]
        elsewhere = any(tensor.device.type != "cpu" for tensor in tensors)
        target = kwargs.get("device")
        to_host = target is not None and torch.device(target).type == "cpu"
        # an index of truth values has as many results as are true
        by_truth = name == "index" and any(
            index is not None and index.dtype == torch.bool for index in args[1]
        )
        if elsewhere and (name in READS_BACK or to_host or by_truth):
            raise HostCopyError(name)
        return function(*args, **kwargs)


def model_of(kind):
    hidden = KINDS[kind].standard(4)
    return RBM(Bernoulli(torch.zeros(6)), hidden, torch.zeros(6, 4)).to("meta")


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_sweeps_read_nothing_back(kind):
    model, generator = model_of(kind), Generator(1, 2)
    with NoHostCopies():
        chains = advance(model, start_chains(model, 5, generator), 3)
    assert chains.visible.device.type == "meta"
    assert chains.visible.shape == (5, 6)
    assert chains.hidden.shape == (5, 4)


@pytest.mark.parametrize("kind", ["bernoulli", "gaussian", "relu", "drelu"])
def test_updates_read_nothing_back(kind):
    plan = TrainingPlan(hidden=4, hidden_kind=kind, l1=0.01)
    ascent = Ascent(model_of(kind), plan)
    batch, chains = (torch.zeros((5, 6), dtype=torch.uint8, device="meta") for _ in range(2))
    with NoHostCopies():
        ascent.step(batch, chains, 1)
        ascent.step(batch, chains, 2)
    assert ascent.model.weights.device.type == "meta"


def test_the_far_formula_asks_for_no_value():
    x = torch.full((3, 2), 9.0, device="meta", dtype=torch.float64)
    with NoHostCopies():
        assert half_normal_quantile(x, torch.full_like(x, 0.5)).shape == (3, 2)


@pytest.mark.parametrize(
    "fault",
    [
        lambda states: states.sum().item(),
        lambda states: bool(states.any()),
        lambda states: states.cpu(),
        lambda states: states[states > 0],
        lambda states: states.tolist(),
    ],
)
def test_a_value_read_back_is_noticed(fault):
    states = torch.zeros((2, 3), device="meta")
    with NoHostCopies(), pytest.raises(HostCopyError):
        fault(states)
