"""Every threshold of a verdict of the page, and of what the command line says of a result.

A verdict judges a result. What is judged before there is one keeps its thresholds where it is
judged, as it changes what is done: faults and cautions of a recording (`preparing.faults`,
`preparing.card.cautions`), the health of a training (`training.health`), a log Z that no score may
rest on (`evaluation.partitions`). Thresholds without a source are ours: levels that told good from
poor models of real recordings apart.
"""

from __future__ import annotations

from typing import NamedTuple

from boltzbrain.pages.verdicts.verdict import Level
from boltzbrain.training.health.convergence import GREATEST_WIDTH, LEAST_WIDTH


class Limits(NamedTuple):
    """Where "good" ends, and where "fair" does."""

    good: float
    fair: float

    def low_is_good(self, value: float) -> Level:
        """Judge what is the better the lower it is."""
        return "good" if value <= self.good else "fair" if value <= self.fair else "poor"

    def high_is_good(self, value: float) -> Level:
        """Judge what is the better the higher it is."""
        return "good" if value >= self.good else "fair" if value >= self.fair else "poor"


LEAST = 0.001
"""Scores per spike, and shares of what could be told, below this count as 0."""
CLEAR = 2.0
"""A difference beyond this many of its standard errors is called clear."""

GAIN_ERRORS = Limits(4.0, CLEAR)
"""Standard errors by which the held-out gain lies above 0, which it must exceed."""
FEW_CLUSTERS = 10
"""Clusters of test bins below which an error over them is off by a quarter itself."""
LOG_PARTITION_ERROR = Limits(0.15, 0.5)
"""Standard error of log Z, nats: models that differ by a nat are told apart, or nothing is."""
SAMPLE_SHARE = Limits(0.3, 0.1)
"""Effective sample size of annealing over its chains: below a tenth few chains make the mean."""
STILL_RISING, RISING_SHARE, RISING_OF_MUCH = 0.1, 0.03, 0.005
"""Nats that a score may have risen since the checkpoint before: no more than a share of the gain,
and of a gain of many nats another share of it."""
LONG_AGO = 4.0
"""A checkpoint of fewer updates than the last by this factor tells nothing of the end."""

AGREEMENT = {
    "rates": Limits(0.99, 0.97),
    "covariances": Limits(0.9, 0.75),
    "triplets_most_active": Limits(0.85, 0.6),
}
"""Generated-vs-test over train-vs-test correlation; less is asked of what is harder to have."""
WIDEST_RATIO = 0.5
"""Width of the 95 % interval of a ratio to a ceiling above which it is not judged."""
COUNT_WITHOUT_BAND = 1.3
"""Stands in for the bootstrap band of the population count, over the training fold's distance."""
COUNT_ALWAYS = Limits(0.05, 0.15)
"""Total variation from the test fold that is good, or not poor, whatever the training fold has."""
COUNT_POOR = 2.5
"""Distance of the population count over the training fold's beyond which it is poor."""
MEAN_ACTIVITY = Limits(0.05, 0.15)
"""Generated over recorded mean activity, less 1."""
DISTANCE_RATIO = Limits(1.5, 3.0)
"""Kolmogorov-Smirnov distance from the test fold over the training fold's: half as much again is
within what two folds of one recording differ by."""
DISTANCE_ALWAYS = Limits(0.05, 0.2)
"""Kolmogorov-Smirnov distance that is good, or not poor, whatever the training fold has."""
CALIBRATION = Limits(0.01, 0.03)
"""Mean error of a probability."""
CALIBRATED_SHARE = 0.9
"""Least share of quantiles within 3 standard errors, where 99.7 % are expected."""
RECONSTRUCTION_SHARE = Limits(1.0, 0.7)
"""Median reconstruction over that of logistic regression on the same neurons."""
NORMALISED_ERROR = Limits(0.2, 0.4)
"""Normalised RMSE of a statistic of hidden units; 0 as the training fold, 1 as shuffled."""
LEAST_CEILING = 0.2
"""Correlation of training with test fold below which a normalised error is not judged: the training
fold is then nearer than a shuffled one by a tenth only."""
WEIGHT_WIDTH = (LEAST_WIDTH, GREATEST_WIDTH)
"""Standard deviation of the weights, as in training."""
CHANCE_TAIL = 0.01
"""A neuron is tied weakly, or strongly, beyond this quantile of the shuffled weights."""
MOST_WEAK = 0.5
"""Share of neurons that may be tied more weakly than by chance."""

MEMORY = Limits(0.9, 0.6)
"""Share of the power of the recorded autocorrelation that the model's explains."""
RELAXATION = Limits(0.85, 0.5)
"""The same of the return of the count, on which nothing is fitted: somewhat less is asked."""
SLOWER_P = 0.01
"""p-value below which hidden units are said to be slower than neurons."""
HIDDEN_CORRELATION = Limits(0.2, 0.5)
"""Mean absolute correlation of two hidden units."""
BIMODAL_SHARE = 0.5
"""Share of hidden units with two peaks."""

LONG_STAY = Limits(3.0, 1.5)
"""Bins that the middle hidden state stays: below, it says little of the next bin."""
BY_CHANCE_TIMES = 5.0
"""Times more influences or changing couplings are found than by chance, for them to be any."""
LOCKED_SHARE = 0.5
"""Share of the past's gain that the past of another segment may tell, so that the rest is time."""

NORMAL_SHARE = 1 / 3
"""Participation ratio of normal weights over their number; below it few strong ones stand out."""
MOST_REGIONS = 0.5
"""Share of the regions that the median assembly may occupy and still be read by anatomy."""

COMPACT_P = 0.05
"""p-value below which an assembly is counted as compact in space."""

POOR_R_HAT = 1.1
"""Chains with a larger split R-hat are said not to agree (Gelman et al., section 11.4)."""
SHORT = 20
"""Autocorrelation times below which split R-hat says nothing: halves of chains differ by chance."""
