"""What the timings are compared with, each at the sizes of a model of ours.

`rbms` and scikit-learn are imported where they are used: the first comes with the extra `bench`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from boltzbrain.kernels import reference
from boltzbrain.model.rbm import RBM

MM = "bare float32 torch.mm, two per sweep, into preallocated output"
REFERENCE = "kernels.reference, eager PyTorch with the same draws"
RBMS = "rbms 0.5.0"
SKLEARN = "BernoulliRBM of scikit-learn"


def bare_products(model: RBM, chains: int, sweeps: int = 1) -> Callable[[], None]:
    """Return the two dense products of each sweep, nothing else."""
    visible, hidden = (torch.rand(chains, len(side)) for side in (model.visible, model.hidden))
    to_hidden, to_visible = torch.empty_like(hidden), torch.empty_like(visible)
    weights, turned = model.weights, model.weights.T

    def run() -> None:
        for _ in range(sweeps):
            torch.mm(visible, weights, out=to_hidden)
            torch.mm(hidden, turned, out=to_visible)

    return run


def reference_sweeps(model: RBM, visible: Tensor, sweeps: int) -> Callable[[], object]:
    """Return sweeps of a binary RBM by the reference kernels."""
    fields = (model.visible.parameters()["field"], model.hidden.parameters()["field"])
    return lambda: reference.sweep_bernoulli(visible, *fields, model.weights, sweeps, 1, 2)


def rbms_model(model: RBM) -> Any:
    """Return a binary RBM as one of rbms, with room for its gradient."""
    from rbms.bernoulli_bernoulli.classes import BBRBM

    fields = (model.visible.parameters()["field"], model.hidden.parameters()["field"])
    parameters = BBRBM(model.weights.clone(), *(field.clone() for field in fields))
    parameters.init_grad()
    return parameters


def rbms_sweeps(model: RBM, visible: Tensor, sweeps: int) -> Callable[[], object]:
    """Return sweeps by rbms."""
    parameters = rbms_model(model)
    chains = parameters.init_chains(len(visible), start_v=visible.to(torch.float32))

    @torch.no_grad()
    def run() -> object:
        return parameters.sample_state(chains=chains, n_steps=sweeps)

    return run


class RbmsTrainer:
    """Training as `rbms.training.pcd.train` does it: its own functions, less its files and bar."""

    def __init__(self, model: RBM, data: Tensor, chains: int, rate: float, sweeps: int) -> None:
        self.parameters, self.data, self.sweeps = rbms_model(model), data, sweeps
        self.weights = torch.ones(len(data))
        with torch.no_grad():
            start = self.parameters.init_chains(chains)
            self.chains = self.parameters.sample_state(chains=start, n_steps=sweeps)
        self.optimizer = torch.optim.SGD(self.parameters.parameters(), lr=rate, maximize=True)

    @torch.no_grad()
    def step(self, batch: int) -> None:
        """Make one update with a random batch."""
        from rbms.training.pcd import fit_batch_pcd

        chosen = torch.randperm(len(self.data))[:batch]
        self.optimizer.zero_grad(set_to_none=False)
        self.chains, _ = fit_batch_pcd(
            batch=(self.data[chosen], self.weights[chosen]),
            parallel_chains=self.chains,
            params=self.parameters,
            gibbs_steps=self.sweeps,
            beta=1.0,
            centered=True,
        )
        self.optimizer.step()


def sklearn_sweeps(model: RBM, visible: Tensor, sweeps: int) -> Callable[[], object]:
    """Return sweeps by scikit-learn's BernoulliRBM."""
    from sklearn.neural_network import BernoulliRBM

    machine = BernoulliRBM(n_components=len(model.hidden), random_state=0)
    machine.components_ = model.weights.T.contiguous().numpy()
    machine.intercept_visible_ = model.visible.parameters()["field"].numpy()
    machine.intercept_hidden_ = model.hidden.parameters()["field"].numpy()
    machine.random_state_ = np.random.RandomState(0)  # what gibbs() itself expects
    start = visible.numpy().astype(np.float32)

    def run() -> object:
        current = start
        for _ in range(sweeps):
            current = machine.gibbs(current)
        return current

    return run
