"""Couplings between regions: maps, and the distribution of couplings within each region.

The map of the Neuropixels paper (figure 4d) is read here as the mean coupling, that of the text of
the zebrafish paper as the mean of |J| and that of its code as the root mean square; all three are
given. The diagonal of J is never counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from boltzbrain.data.atlas import split_hemisphere
from boltzbrain.data.regions import Regions
from boltzbrain.foundations.checks import bad_input, has_shape, number_in, whole_number_in
from boltzbrain.foundations.showing.told import Brief
from boltzbrain.interpretation.couplings.low_rank import Couplings, LowRank, row_blocks
from boltzbrain.interpretation.marginal import Floats, Indices

KINDS = ("mean", "l1", "rms")


@dataclass(frozen=True, eq=False, repr=False)
class RegionMaps(Brief):
    """Couplings averaged over pairs of neurons of two regions.

    Attributes
    ----------
    names
        Regions that have enough neurons, in their order.
    counts
        (region,) neurons.
    pairs
        (region, region) ordered pairs of different neurons.
    mean, l1, rms
        (region, region) mean of J, mean of |J| and root mean square of J over these pairs.
    """

    names: tuple[str, ...]
    counts: Indices
    pairs: Floats
    mean: Floats
    l1: Floats
    rms: Floats

    def of(self, kind: str) -> Floats:
        """Return the map "mean", "l1" or "rms"."""
        if kind not in KINDS:
            raise bad_input("kind", "be one of: " + ", ".join(KINDS), kind)
        result: Floats = getattr(self, kind)
        return result


def large_regions(regions: Regions, min_neurons: int, *, both_hemispheres: bool = False) -> Indices:
    """Return the numbers of the regions with enough neurons.

    Parameters
    ----------
    regions
        Membership of the neurons.
    min_neurons
        At least 2, so that there are pairs within every region.
    both_hemispheres
        A region of one side needs a partner of the other side that has as many too.
    """
    whole_number_in("min_neurons", min_neurons, low=2)
    enough = regions.counts() >= min_neurons
    if both_hemispheres:
        bases = [split_hemisphere(name)[0] for name in regions.names]
        sides: dict[str, set[str]] = {}
        for number in np.flatnonzero(enough).tolist():
            sides.setdefault(bases[number], set()).add(regions.hemisphere[number])
        for number, side in enumerate(regions.hemisphere):
            other = {"left": "right", "right": "left"}.get(side)
            if other and other not in sides.get(bases[number], set()):
                enough[number] = False
    return np.flatnonzero(enough).astype(np.int64)


def region_maps(
    couplings: Couplings,
    regions: Regions,
    *,
    min_neurons: int = 5,
    both_hemispheres: bool = False,
) -> RegionMaps:
    """Return the mean, L1 and root mean square couplings between regions.

    Parameters
    ----------
    couplings
        Symmetric (neuron, neuron) array, of any origin, or in factors; its diagonal is not counted.
        A neuron may lie in several regions.
    regions
        Membership of the neurons.
    min_neurons, both_hemispheres
        See `large_regions`.

    Raises
    ------
    InputError
        If the neurons do not fit or no region is large enough.
    """
    _same_neurons(couplings, regions)
    kept = large_regions(regions, min_neurons, both_hemispheres=both_hemispheres)
    if len(kept) == 0:
        raise bad_input("min_neurons", "leave at least one region", min_neurons)
    membership = regions.membership[:, kept].toarray().astype(np.float64)
    thin = torch.from_numpy(membership)
    if isinstance(couplings, LowRank) or couplings.dtype == np.float32:
        thin = thin.to(torch.float32)
    sums = torch.zeros((3, len(kept), len(kept)), dtype=torch.float64)
    for first, block in row_blocks(couplings, upper=True):
        part = torch.from_numpy(np.array(block))
        rows, size = thin[first : first + len(part)], len(part)
        part.fill_diagonal_(0.0)
        for number in range(3):
            if number:
                part = part.abs_() if number == 1 else part.square_()
            # pairs within the rows stand in both orders there, the others in one
            inner = rows.T @ (part[:, :size] @ rows)
            outer = rows.T @ (part[:, size:] @ thin[first + size :])
            sums[number] += (inner + outer + outer.T).to(torch.float64)
    counts = membership.sum(axis=0)
    pairs = np.outer(counts, counts) - membership.T @ membership
    # two regions that share their only neurons have no pair of different neurons
    safe = np.where(pairs > 0, pairs, 1.0)
    mean, l1, square = sums.numpy() / safe
    return RegionMaps(
        tuple(regions.names[number] for number in kept.tolist()),
        counts.astype(np.int64),
        pairs,
        mean,
        l1,
        np.sqrt(square),
    )


def _same_neurons(couplings: Couplings, regions: Regions) -> None:
    neurons = regions.membership.shape[0]
    if not isinstance(couplings, LowRank):
        has_shape("couplings", couplings, (neurons, neurons))
    elif len(couplings) != neurons:
        raise bad_input("couplings", f"be of {neurons} neurons", len(couplings))


@dataclass(frozen=True, eq=False)
class Distribution:
    """The values of the pairs of one region.

    Attributes
    ----------
    name, neurons
        Region and its number of neurons.
    mean, deviation, skewness
        Of the pairs within the region; skewness is m3 / m2**1.5, None where nothing varies.
    count_ratio
        Pairs above the threshold over pairs below minus the threshold; None where there are none
        below.
    strength_ratio
        Sum of the former over the sum of the sizes of the latter; None likewise. Both are ratios of
        statistical couplings, not of synapses or cell types; the papers define neither.
    edges, counts
        Histogram of the values.
    """

    name: str
    neurons: int
    mean: float
    deviation: float
    skewness: float | None
    count_ratio: float | None
    strength_ratio: float | None
    edges: Floats
    counts: Indices


def distribution(
    name: str, neurons: int, values: Floats, *, threshold: float = 0.0, bins: int = 60
) -> Distribution:
    """Return what `Distribution` lists of the values of pairs (pair,).

    Parameters
    ----------
    name, neurons
        What the values are of.
    values
        (pair,) at least one.
    threshold
        Values of smaller size count as neither positive nor negative; near-zero couplings would
        else dominate the ratio of counts.
    bins
        Bins of the histogram.
    """
    number_in("threshold", threshold, low=0.0)
    if len(values) == 0:
        raise bad_input("values", "hold at least one pair", "none")
    up, down = values[values > threshold], values[values < -threshold]
    # here, as it takes half a second that a page need not wait for
    from scipy import stats

    varies = values.std() > 1e-12 * max(float(np.abs(values).max()), 1e-300)
    counts, edges = np.histogram(values, bins=bins)
    return Distribution(
        name,
        neurons,
        float(values.mean()),
        float(values.std()),
        float(stats.skew(values)) if varies else None,
        len(up) / len(down) if len(down) else None,
        float(up.sum() / -down.sum()) if len(down) else None,
        edges,
        counts.astype(np.int64),
    )


def region_distributions(
    couplings: Couplings,
    regions: Regions,
    *,
    min_neurons: int = 30,
    threshold: float = 0.0,
    bins: int = 60,
) -> list[Distribution]:
    """Return the distribution of couplings within every region (figure 5 of the Neuropixels paper).

    Parameters
    ----------
    couplings
        (neuron, neuron) array, e.g. of couplings or of their spread R, or couplings in factors.
    regions
        Membership of the neurons.
    min_neurons
        Fewest neurons of a region, at least 2.
    threshold, bins
        As in `distribution`.
    """
    _same_neurons(couplings, regions)
    result = []
    for number in large_regions(regions, min_neurons).tolist():
        mine = regions.membership[:, [number]].nonzero()[0]
        if isinstance(couplings, LowRank):
            block = np.concatenate(
                [couplings.row_block(row, row + 1)[:, mine] for row in mine.tolist()]
            ).astype(np.float64)
        else:
            block = couplings[np.ix_(mine, mine)]
        values = block[np.triu_indices(len(mine), 1)]
        result.append(
            distribution(regions.names[number], len(mine), values, threshold=threshold, bins=bins)
        )
    return result


@dataclass(frozen=True)
class LogNormality:
    """How well the positive entries of a map follow a log-normal and a normal law.

    Attributes
    ----------
    entries
        Positive entries of one triangle, diagonal included.
    log_mean, log_deviation
        Of the natural logarithm.
    distance_log_normal, distance_normal
        Kolmogorov-Smirnov distance to the fitted law.
    gain
        Mean log-likelihood per entry of the log-normal over the normal fit, in nats.
    """

    entries: int
    log_mean: float
    log_deviation: float
    distance_log_normal: float
    distance_normal: float
    gain: float


def log_normality(values: Floats) -> LogNormality:
    """Compare a log-normal and a normal fit to a symmetric map (zebrafish paper, figure 5D).

    The paper's "mutual information with a fit" is not defined there; the difference of the mean
    log-likelihoods is ours.

    Raises
    ------
    InputError
        If fewer than 3 different positive entries are there.
    """
    has_shape("map", values, (None, None))
    upper = values[np.triu_indices(len(values))]
    x = upper[upper > 0]
    if len(np.unique(x)) < 3:
        raise bad_input("map", "hold at least 3 different positive entries", len(np.unique(x)))
    from scipy import stats

    logs = np.log(x)
    log_law = stats.norm(logs.mean(), logs.std())
    law = stats.norm(x.mean(), x.std())
    gain = float((log_law.logpdf(logs) - logs - law.logpdf(x)).mean())
    return LogNormality(
        len(x),
        float(logs.mean()),
        float(logs.std()),
        _distance(log_law.cdf(np.sort(logs))),
        _distance(law.cdf(np.sort(x))),
        gain,
    )


def _distance(cumulated: NDArray[np.float64]) -> float:
    steps = np.arange(len(cumulated) + 1) / len(cumulated)
    return float(max((steps[1:] - cumulated).max(), (cumulated - steps[:-1]).max()))
