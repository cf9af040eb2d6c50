"""What moves the persistent chains of a training from one update to the next."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

from torch import Tensor

from boltzbrain.foundations.random import Generator
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.gibbs import Chains, advance
from boltzbrain.sampling.moves.hidden import advance_by_moves
from boltzbrain.sampling.moves.proposal import Proposal, proposal_from
from boltzbrain.training.plan import TrainingPlan

Step = Callable[[Chains], Chains]
"""A step of chains of one model."""

PROPOSE_EVERY = 25
"""Updates between two laws from which moves are proposed."""
_PROPOSAL = ("edges", "log_density", "cumulative")
SWEEPS_AND_MOVES = "sweeps and moves"
_SWEEPS, _SWEPT = 10, 10_000_000
"""Most sweeps per step of a judgement, and most weights that it sweeps over: of many neurons the
moves alone switch assemblies."""


class Mover(ABC):
    """What moves chains, and what it remembers from one update to the next.

    Attributes
    ----------
    plan
        Every hyperparameter.
    """

    def __init__(self, plan: TrainingPlan) -> None:
        self.plan = plan

    def begin(self, model: RBM, chains: Chains) -> Chains:
        """Return the chains with which a training begins, made of those of its first model."""
        return chains

    @abstractmethod
    def move(self, model: RBM, chains: Chains, update: int) -> Chains:
        """Return the chains moved under the live model after so many updates."""

    def tensors(self) -> dict[str, Tensor]:
        """Return what a checkpoint keeps of it, name to tensor."""
        return {}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:  # noqa: B027
        """Put back what `tensors` gave; others may be among them."""

    def judging(self, model: RBM) -> tuple[Step, str] | None:
        """Return how chains of a finished model move to judge it, and that in words.

        None: as the chains of any training, by sweeps and by moves.
        """
        return None


class ByGibbs(Mover):
    """Block Gibbs sweeps."""

    def move(self, model: RBM, chains: Chains, update: int) -> Chains:
        """Sweep."""
        return advance(model, chains, self.plan.sweeps)


class ByMoves(Mover):
    """Sweeps, each with a move of every hidden unit, the neurons following.

    Real-valued units are proposed from a law of theirs given the training bins, made anew every
    `PROPOSE_EVERY` updates.

    Parameters
    ----------
    plan
        Every hyperparameter.
    data
        (bin, neuron) uint8 training states.
    """

    def __init__(self, plan: TrainingPlan, data: Tensor) -> None:
        super().__init__(plan)
        self.data = data
        self._proposal: Proposal | None = None

    def move(self, model: RBM, chains: Chains, update: int) -> Chains:
        """Move every hidden unit once a sweep."""
        if update % PROPOSE_EVERY == 0:
            stream = Generator.from_seed(self.plan.seed, "proposals", update)
            self._proposal = proposal_from(model, self.data, stream)
        return advance_by_moves(model, chains, self._proposal, self.plan.sweeps)

    def tensors(self) -> dict[str, Tensor]:
        """Return the law of the proposals, nothing for two-valued units."""
        if self._proposal is None:
            return {}
        return {f"proposal/{name}": getattr(self._proposal, name) for name in _PROPOSAL}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back the law of the proposals."""
        found = [tensors.get(f"proposal/{name}") for name in _PROPOSAL]
        kept = [one.clone() for one in found if one is not None]
        self._proposal = Proposal(*kept) if len(kept) == len(_PROPOSAL) else None


def by_sweeps_and_moves(model: RBM, states: Tensor, generator: Generator) -> tuple[Step, str]:
    """Return a step of sweeps, the last with moves of every hidden unit, and that in words.

    Parameters
    ----------
    model
        The model.
    states
        (bin, visible) training states, from which moves are proposed.
    generator
        Moves on.
    """
    sweeps = min(_SWEEPS, max(1, _SWEPT // model.weights.numel()))
    proposal = proposal_from(model, states, generator)

    def step(chains: Chains) -> Chains:
        swept = advance(model, chains, sweeps - 1) if sweeps > 1 else chains
        return advance_by_moves(model, swept, proposal)

    return step, SWEEPS_AND_MOVES
