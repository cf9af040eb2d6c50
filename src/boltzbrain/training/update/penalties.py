"""What the penalties on the weights do to a training, and what they leave in its finished model."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Penalties:
    """l1 sum |w| + l2 / 2 sum w**2 is taken from the mean log-likelihood of a bin, in nats.

    With `by_unit` a hidden unit u has an L1 penalty of its own, l1 s_u / mean(s) with s_u =
    sum_i |w_iu|, as if (sum_i |w_iu|)**2 were penalised (Tubiana, Cocco and Monasson, eLife
    8:e39397, 2019, do that). All units then come out equally sparse, and a weak one is not taken
    out: at equal penalties the likelihood that it gains falls short of its own before that of a
    strong one does.

    `released`, the L1 penalty only keeps the weights at 0 that it has brought there: it has chosen
    which neurons a unit reads, and shrinks the others no longer (the relaxed lasso of Meinshausen,
    Computational Statistics and Data Analysis 52, 2007).

    Attributes
    ----------
    l1, l2
        Penalties.
    by_unit
        Whether the L1 penalty of a unit is in proportion to its weights.
    released
        Whether weights that are not 0 go without the L1 penalty.
    """

    l1: float = 0.0
    l2: float = 0.0
    by_unit: bool = False
    released: bool = False

    def l1_of_units(self, weights: Tensor) -> Tensor:
        """Return the L1 penalty of every hidden unit, (hidden,), from weights (visible, hidden)."""
        if not self.by_unit:
            return weights.new_full((weights.shape[1],), self.l1)
        sizes = weights.abs().sum(dim=0)
        mean = sizes.mean()
        # without any weight all are equal
        return self.l1 * torch.where(mean > 0, sizes / mean, torch.ones_like(sizes))

    def pull(self, weights: Tensor) -> Tensor:
        """Return how far the penalties hold <v h> of data above that of the model.

        At the end of training that is l1 sign(w) + l2 w, (visible, hidden), and l2 w if released;
        where w = 0 it is less than l1, to either side.
        """
        pull = self.l2 * weights
        return pull if self.released else pull + self.l1_of_units(weights) * weights.sign()
