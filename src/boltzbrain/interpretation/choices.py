"""What may be chosen of a reading, and what is told while it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import model_validator

from boltzbrain.foundations.checks import bad_input, one_of
from boltzbrain.foundations.options import Options, setting

if TYPE_CHECKING:
    from boltzbrain.data.activity import Activity
    from boltzbrain.data.regions import Regions


RULES = ("effective", "fixed", "one_per_neuron", "participation", "mixture")
"""Rules for the members of assemblies, see `assemblies.assemblies.find_assemblies`."""
PAPER_THRESHOLD = 0.15
"""Threshold of the zebrafish paper's figure 3."""


class Choices(Options):
    """Options of `interpret`."""

    noun: ClassVar[str] = "a choice of interpret"
    group: ClassVar[str] = "What is read"

    rule: str = setting(
        "effective",
        "how the members of assemblies are chosen",
        flag="--rule",
        metavar="NAME",
        names=RULES,
    )
    threshold: float = setting(
        PAPER_THRESHOLD,
        "least size of a member's weight, for the rule `fixed` alone",
        flag="--threshold",
        gt=0,
    )
    atlas: str | None = setting(
        None, "which regions to use", none="the first by name", flag="--atlas", metavar="NAME"
    )
    min_neurons: int = setting(
        10, "fewest neurons of a region of the maps", flag="--min-neurons", ge=2
    )
    bins: int = setting(
        500,
        "training bins that the data reference averages over",
        unit="bins",
        flag="--bins",
        ge=1,
    )
    spread_samples: int = setting(
        200,
        "states or bins for R, the spread of a coupling over what the others do",
        flag="--spread-samples",
        ge=2,
    )
    triplets: int = setting(20_000, "triplets drawn at random", flag="--triplets", ge=2)
    partners: int = setting(100, "strongest partners kept of each neuron", flag="--partners", ge=1)
    checkpoints: int = setting(
        10,
        "checkpoints whose coupling norms are computed, the chosen one among them",
        flag="--checkpoints",
        ge=1,
    )
    shuffles: int = setting(1000, "shuffles of every test against chance", flag="--shuffles", ge=10)
    pairwise: bool = setting(
        False,
        "also map an Ising model of pairs, by pseudo-likelihood, and the graphical lasso; slow "
        "beyond some hundred neurons",
        flag="--pairwise",
    )
    behaviour: tuple[str, ...] | None = setting(
        None,
        "column of the trials, or covariate, whose tuning and decoding are read",
        none="the first 12 that the recording has; in Python, an empty tuple reads none",
        flag="--behaviour",
        metavar="NAME",
    )
    behaviour_draws: int = setting(
        2000,
        "draws of chance for tuning to columns of the trials; of covariates, which take longer, "
        "half of them for assemblies and a fifth for neurons; a tenth or a twentieth for decoding",
        flag="--behaviour-draws",
        ge=200,
    )
    behaviour_null: str = setting(
        "auto",
        "how a covariate is broken from the activity: moved in a circle within segments "
        "(`shifts`), `segments` or `sessions` swapped (epochs are the sessions), or `auto`: "
        "segments where there are at least 20 of like length, else shifts",
        flag="--behaviour-null",
        metavar="WAY",
        names=("auto", "shifts", "segments", "sessions"),
    )
    memory_limit_gb: float = setting(
        4.0,
        "memory for arrays of neurons x neurons, beyond which couplings are kept in factors",
        unit="GB",
        flag="--memory-limit-gb",
        metavar="GB",
        ge=0,
    )

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        """Refuse a threshold that no rule would use."""
        if self.rule != "fixed" and self.threshold != PAPER_THRESHOLD:
            raise bad_input(
                "threshold", "come with --rule fixed, the only rule that uses it",
                f"{self.threshold:g} with the rule {self.rule}",
            )  # fmt: skip
        return self

    def regions_of(self, activity: Activity) -> Regions | None:
        """Return the regions of the chosen atlas; None where the activity has none.

        Raises
        ------
        InputError
            If there is no atlas of that name.
        """
        if self.atlas is not None:
            return activity.regions[one_of("atlas", self.atlas, sorted(activity.regions))]
        return activity.regions[min(activity.regions)] if activity.regions else None
