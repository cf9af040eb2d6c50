"""What may be chosen of a reading, and what is told while it goes on."""

from __future__ import annotations

from dataclasses import dataclass

from boltzbrain.data.activity import Activity
from boltzbrain.data.regions import Regions
from boltzbrain.foundations.checks import bad_input, number_in, one_of, whole_number_in
from boltzbrain.interpretation.assemblies.assemblies import PAPER_THRESHOLD, RULES


@dataclass(frozen=True)
class Choices:
    """Options of `interpret`.

    Attributes
    ----------
    rule, threshold
        How members of assemblies are chosen (`assemblies_by_rule`). A threshold other than the
        default is for the rule "fixed" alone.
    atlas
        Which regions to use; the first by name if None.
    min_neurons
        Fewest neurons of a region of the maps.
    bins
        Training bins that the data reference averages over.
    spread_samples
        States or bins for R, the spread of the conditional coupling.
    triplets
        Triplets drawn at random.
    partners
        Strongest partners kept of each neuron.
    checkpoints
        Checkpoints whose coupling norms are computed, the chosen one among them.
    shuffles
        Shuffles of every test against chance.
    pairwise
        Whether to fit two models of pairs to the training bins, for maps beside those of the RBM:
        an Ising model by pseudo-likelihood and the graphical lasso, slow beyond some hundred
        neurons.
    memory_limit_gb
        Most memory for arrays of neurons x neurons; beyond, couplings come in factors.
    """

    rule: str = "effective"
    threshold: float = PAPER_THRESHOLD
    atlas: str | None = None
    min_neurons: int = 10
    bins: int = 500
    spread_samples: int = 200
    triplets: int = 20_000
    partners: int = 100
    checkpoints: int = 10
    shuffles: int = 1000
    pairwise: bool = False
    memory_limit_gb: float = 4.0

    def __post_init__(self) -> None:
        """Refuse what no reading can use, before any work."""
        one_of("rule", self.rule, RULES)
        number_in("threshold", self.threshold, low=0.0, include_low=False)
        if self.rule != "fixed" and self.threshold != PAPER_THRESHOLD:
            raise bad_input(
                "threshold", "come with --rule fixed, the only rule that uses it",
                f"{self.threshold:g} with the rule {self.rule}",
            )  # fmt: skip
        number_in("memory_limit_gb", self.memory_limit_gb, low=0.0)
        for name, low in (
            ("min_neurons", 2),
            ("bins", 1),
            ("spread_samples", 2),
            ("triplets", 2),
            ("partners", 1),
            ("checkpoints", 1),
            ("shuffles", 10),
        ):
            whole_number_in(name, getattr(self, name), low=low)

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
