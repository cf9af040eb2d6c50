"""How much likelier one set of held values is than another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.in_silico.conditioned import Clamp, condition
from boltzbrain.interpretation.in_silico.perturb import is_small
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.enumeration import exact_log_partition
from boltzbrain.sampling.partition import annealed_importance


@dataclass(frozen=True)
class FreeEnergyDifference:
    """log P(clamp) - log P(baseline), in nats.

    Attributes
    ----------
    value
        Positive if the clamped values are the likelier ones.
    stderr
        Standard error; 0 if exact.
    exact
        Whether all states were summed.
    reliable
        False where the effective sample size of annealed importance sampling is small.
    """

    value: float
    stderr: float
    exact: bool
    reliable: bool


def free_energy_difference(
    model: RBM,
    clamp: Clamp,
    baseline: Clamp,
    generator: Generator,
    *,
    chains: int = 500,
    rungs: int = 500,
) -> FreeEnergyDifference:
    """Return log P(clamp) - log P(baseline), everything else summed over.

    With a density in place of a probability for clamped continuous hidden units. It compares like
    with like where both clamps hold the same units.

    Parameters
    ----------
    model, clamp, baseline
        See `conditioned`.
    generator
        Moves on unless everything is exact: a layer of few free two-valued units is summed; else
        annealed importance sampling.
    chains, rungs
        Of annealed importance sampling.
    """
    total, variance, exact, reliable = 0.0, 0.0, True, True
    for held, sign in ((clamp, 1.0), (baseline, -1.0)):
        given = condition(model, held)
        if is_small(given.model):
            value = exact_log_partition(given.model)
        else:
            found = annealed_importance(given.model, generator, chains=chains, rungs=rungs)
            value, exact = found.value, False
            variance += found.stderr**2
            reliable = reliable and found.reliable
        total += sign * (given.log_weight + value)
    return FreeEnergyDifference(total, float(np.sqrt(variance)), exact, reliable)
