"""Sizes of a training that cannot be meant, refused before anything is read or made."""

from __future__ import annotations

from boltzbrain.foundations.memory import require_size
from boltzbrain.training.plan import TrainingPlan

_NUMBER = 4
"""Bytes of a parameter or a state."""
_COPIES = 3
"""Fewest copies of the weights that a training holds: those, their mean and their gradient."""


def require_sizes(plan: TrainingPlan, neurons: int = 1) -> None:
    """Refuse a plan of which one number alone asks for more memory or time than there is.

    Parameters
    ----------
    plan
        Every hyperparameter.
    neurons
        Neurons of the recording; one, the fewest, before it is read.

    Raises
    ------
    InputError
        If it is one; the message says how large the number may be.
    """
    # beside usual numbers of the others first, so that the message names the one that is too large
    states = min(plan.chains, TrainingPlan.model_fields["chains"].default)
    each = _NUMBER * (_COPIES * neurons + states)
    require_size("hidden", plan.hidden, each_bytes=each)
    for units in (neurons, neurons + plan.hidden):
        require_size("chains", plan.chains, each_bytes=_NUMBER * units)
        require_size("ais_chains", plan.ais_chains, each_bytes=_NUMBER * units)
    require_size("ais_rungs", plan.ais_rungs, each_bytes=8.0, steps=1.0)
    sweep = 4.0 * plan.chains * neurons * plan.hidden
    require_size("sweeps", plan.sweeps, steps=1.0, operations=sweep)
    require_size("updates", plan.updates, steps=plan.sweeps, operations=plan.sweeps * sweep)
