"""The verdict on chains that samples were drawn by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from boltzbrain.pages.verdicts.thresholds import POOR_R_HAT, SHORT
from boltzbrain.pages.verdicts.verdict import Verdict


def chains(facts: Mapping[str, Any]) -> Verdict:
    """Judge whether chains agree, by the worst split R-hat of what was followed along them.

    Parameters
    ----------
    facts
        Options of the step "sample" of drawn activity.
    """
    followed = facts["mixing"].values()
    worst = max((one["r_hat"] or 1.0 for one in followed), default=1.0)
    slowest = max((one["autocorrelation_time"] or 0.0 for one in followed), default=0.0)
    if worst <= POOR_R_HAT:
        return Verdict("good", f"the chains agree (split R-hat {worst:.2f})")
    if facts["steps"] < SHORT * slowest:
        return Verdict(
            "unknown",
            f"the chains are too short to tell whether they agree: {facts['steps']} steps, "
            f"autocorrelation time {slowest:.0f}; more samples would tell",
        )
    return Verdict(
        "poor",
        f"the chains do not agree yet (split R-hat {worst:.2f}, above {POOR_R_HAT}): "
        "the samples may leave out modes of the model; raise --sweeps, or --warm-up of a ladder",
    )
