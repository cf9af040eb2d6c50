"""Communities of a weighted graph: a block model whose parameters are integrated out.

Each community has a law of its own for the weights within it, and one law holds between all
communities; or every two of them have theirs (``each_pair``). The laws:

- normal: Normal(mean, variance) with the normal-gamma prior (0, 0.1, 1, 0.2) of mean and precision,
  for weights that all stand on a level. Weights are taken from their mean in units of their spread.
- exponential: whether two nodes are connected is Bernoulli, the weight of a connection exponential,
  with a Beta(1, 1) and a Gamma(1, 1) prior, for weights that are 0 where there is no connection.
  n pairs of nodes, m of them connected with the sum S of weights, in units of their mean, have the
  log evidence log B(1 + m, 1 + n - m) + log Gamma(1 + m) - (1 + m) log(1 + S).

Partitions of N nodes into B communities of n_r have the log prior
-log N - log C(N-1, B-1) - log(N! / prod n_r!), as in Peixoto, Phys. Rev. E 95:012317 (2017).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist
from scipy.special import betaln, gammaln

from boltzbrain.foundations.checks import bad_input, has_shape, one_of, whole_number_in
from boltzbrain.foundations.random import Generator

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

MOST_NODES = 2000
"""Moves are tried one by one."""
_FROM = 40
"""Merging begins with so many blocks at most: those of a tree where there are more nodes."""
_BEGIN = 12
"""Communities of a random start, at most."""
_ROUNDS = 50
_LEAST_GAIN = 1e-9
_WEIGHT, _SHAPE, _RATE = 0.1, 1.0, 0.2
"""Of the normal-gamma prior: pairs that its mean is worth, shape and rate of the precision."""


@dataclass(frozen=True, eq=False)
class Communities:
    """A partition of the nodes.

    Attributes
    ----------
    of
        (node,) number of its community, the largest first.
    log_evidence
        Of weights and partition, nats.
    """

    of: Indices
    log_evidence: float


def find_communities(
    weights: Floats,
    generator: Generator,
    *,
    known: NDArray[np.bool_] | None = None,
    law: str = "normal",
    each_pair: bool = False,
    starts: int = 10,
) -> Communities:
    """Return the partition of the highest evidence that is found.

    The first start merges blocks as long as that helps, from single nodes where there are few; the
    others move nodes of random ones. Then nodes are moved one by one until none helps, and blocks
    merged again.

    Parameters
    ----------
    weights
        (node, node), symmetric; the diagonal is not looked at.
    generator
        Draws the random starts and the order of moves; moves on.
    known
        (node, node) pairs that are known at all; all if None.
    law
        "normal" or "exponential".
    each_pair
        Whether every two communities have parameters of their own, as two of them may share.
        Else one law holds between all communities, and each has its own within.
    starts
        Number of starts.
    """
    nodes = len(weights)
    has_shape("weights", weights, (nodes, nodes))
    whole_number_in("nodes", nodes, low=1, high=MOST_NODES)
    whole_number_in("starts", starts, low=1)
    if not np.isfinite(weights).all() or (law == "exponential" and (weights < 0).any()):
        raise bad_input("weights", "be finite, and not negative of the exponential law", "others")
    graph = _Graph(weights, known, law, each_pair)
    best: Communities | None = None
    for number in range(starts):
        label = _first_labels(graph, number, generator)
        if number:
            # merging blocks drawn at random would leave one
            label = _moved(graph, label, generator)
        last = -np.inf
        for _ in range(_ROUNDS):
            label = _moved(graph, _merged(graph, label), generator)
            now = graph.log_evidence(label)
            if now <= last + _LEAST_GAIN:
                break
            last = now
        if best is None or now > best.log_evidence:
            best = Communities(_by_size(label), now)
    assert best is not None
    return best


def log_evidence(
    weights: Floats,
    label: Indices,
    known: NDArray[np.bool_] | None = None,
    *,
    law: str = "normal",
    each_pair: bool = False,
) -> float:
    """Return the log evidence of a partition, (node,), nats, as of `find_communities`."""
    graph = _Graph(weights, known, law, each_pair)
    return graph.log_evidence(np.unique(label, return_inverse=True)[1])


class _Graph:
    """Sums over the pairs of a graph, 0 on the diagonal.

    Attributes
    ----------
    layers
        (3, node, node) whether a pair is known; for the normal law its weight and the square of it,
        for the exponential one whether it is connected and its weight.
    evidence
        Of pairs of blocks, from their (3, ...) sums.
    """

    def __init__(
        self, weights: Floats, known: NDArray[np.bool_] | None, law: str, each_pair: bool
    ) -> None:
        one_of("law", law, _LAWS)
        self.each_pair, self.evidence = each_pair, _LAWS[law]
        others = ~np.eye(len(weights), dtype=np.bool_)
        known = others if known is None else known & others
        there = known if law == "normal" else known & (weights > 0)
        mean = float(weights[there].mean()) if there.any() else 1.0
        if law == "normal":
            spread = float(weights[there].std()) if there.any() else 0.0
            # rounding is no spread
            scaled = (weights - mean) / (spread if spread > 1e-9 * abs(mean) else np.inf)
            layers = [known, np.where(known, scaled, 0.0), np.where(known, scaled**2, 0.0)]
        else:
            layers = [known, there, np.where(there, weights / mean, 0.0)]
        self.layers = np.stack([one.astype(np.float64) for one in layers])

    def __len__(self) -> int:
        return int(self.layers.shape[1])

    def sums(self, label: Indices) -> Floats:
        """Return (3, block, block) sums; within a block every pair counts once."""
        blocks = int(label.max()) + 1
        member = np.zeros((len(label), blocks))
        member[np.arange(len(label)), label] = 1.0
        result = member.T @ self.layers @ member
        within = np.arange(blocks)
        result[:, within, within] /= 2
        return np.asarray(result)

    def log_evidence(self, label: Indices) -> float:
        """Return the log evidence of a partition whose blocks are numbered from 0."""
        of_weights = _of_blocks(self.sums(label), self)
        return of_weights + _prior(np.bincount(label))


def _normal(sums: Floats) -> Floats:
    """Return the normal evidence from numbers, sums and sums of squares."""
    count, total, squares = sums
    mean = total / np.maximum(count, 1.0)
    shape, precision = _SHAPE + count / 2, _WEIGHT + count
    rate = _RATE + 0.5 * np.maximum(squares - count * mean**2, 0.0)
    rate = rate + 0.5 * _WEIGHT * count * mean**2 / precision
    result: Floats = gammaln(shape) - gammaln(_SHAPE) + _SHAPE * np.log(_RATE)
    result -= shape * np.log(rate) + 0.5 * np.log(precision / _WEIGHT)
    result -= 0.5 * np.log(2 * np.pi) * count
    return result


def _exponential(sums: Floats) -> Floats:
    """Return the exponential evidence from numbers of pairs, of connections, and their weight."""
    pairs, there, weight = sums
    result: Floats = betaln(1 + there, 1 + pairs - there) + gammaln(1 + there)
    result -= (1 + there) * np.log1p(weight)
    return result


_LAWS = {"normal": _normal, "exponential": _exponential}


def _of_blocks(sums: Floats, graph: _Graph) -> float:
    """Return the evidence of all pairs of blocks from their (3, block, block) sums."""
    if graph.each_pair:
        upper = np.triu_indices(sums.shape[1])
        return float(graph.evidence(sums[:, upper[0], upper[1]]).sum())
    within = np.diagonal(sums, axis1=1, axis2=2)
    return float(graph.evidence(within).sum() + graph.evidence(_between(sums)))


def _between(sums: Floats) -> Floats:
    """Return the sums over all pairs of different blocks, (3,)."""
    upper = np.triu_indices(sums.shape[1], 1)
    result: Floats = sums[:, upper[0], upper[1]].sum(axis=1)
    return result


def _prior(sizes: NDArray[np.integer]) -> float:
    """Return the log prior of a partition from the sizes of its blocks, empty ones left out."""
    sizes = sizes[sizes > 0]
    nodes, blocks = int(sizes.sum()), len(sizes)
    choices = gammaln(nodes) - gammaln(blocks) - gammaln(nodes - blocks + 1)
    return float(-np.log(nodes) - choices - gammaln(nodes + 1) + gammaln(sizes + 1.0).sum())


def _first_labels(graph: _Graph, start: int, generator: Generator) -> Indices:
    nodes = len(graph)
    if start == 0:
        if nodes <= _FROM:
            return np.arange(nodes, dtype=np.int64)
        # rows as profiles: nodes that are connected to the same others stand together
        tree = linkage(pdist(graph.layers[2]), method="ward")
        found = fcluster(tree, _FROM, criterion="maxclust")
        return np.unique(found, return_inverse=True)[1].astype(np.int64)
    blocks = 1 + int(generator.integers(min(_BEGIN, nodes), 1)[0])
    drawn = generator.integers(blocks, nodes)
    return np.unique(drawn, return_inverse=True)[1].astype(np.int64)


def _merged(graph: _Graph, label: Indices) -> Indices:
    """Merge the two blocks whose merging helps most, as long as one does."""
    sums = graph.sums(label)
    sizes = np.bincount(label)
    while len(sizes) > 1:
        first, second, gain = _best_merge(sums, sizes, graph)
        if gain <= _LEAST_GAIN:
            break
        label = np.where(label == second, first, label)
        label -= label > second
        joined = sums[:, first] + sums[:, second]
        joined[:, first] = sums[:, first, first] + sums[:, second, second] + sums[:, first, second]
        sums[:, first], sums[:, :, first] = joined, joined
        sums = np.delete(np.delete(sums, second, axis=1), second, axis=2)
        sizes[first] += sizes[second]
        sizes = np.delete(sizes, second)
    return label


def _best_merge(sums: Floats, sizes: NDArray[np.integer], graph: _Graph) -> tuple[int, int, float]:
    """Return the two blocks that gain most by being one, the smaller number first."""
    blocks = len(sizes)
    first, second = np.triu_indices(blocks, 1)
    evidence = graph.evidence
    own = evidence(np.diagonal(sums, axis1=1, axis2=2))
    if graph.each_pair:
        every, pair = evidence(sums), np.arange(len(first))
        # with all other blocks; what the two have among themselves comes apart
        change = evidence(sums[:, first] + sums[:, second]) - every[first] - every[second]
        change[pair, first] = change[pair, second] = 0.0
        gain = change.sum(axis=1) - every[first, second]
    else:
        between = _between(sums)
        gain = evidence(between[:, None] - sums[:, first, second]) - evidence(between)
    within = sums[:, first, first] + sums[:, second, second] + sums[:, first, second]
    gain += evidence(within) - own[first] - own[second]
    gain += gammaln(sizes[first] + sizes[second] + 1.0)
    gain -= gammaln(sizes[first] + 1.0) + gammaln(sizes[second] + 1.0)
    gain += _blocks_prior(int(sizes.sum()), blocks - 1) - _blocks_prior(int(sizes.sum()), blocks)
    best = int(np.argmax(gain))
    return int(first[best]), int(second[best]), float(gain[best])


def _blocks_prior(nodes: int, blocks: int) -> float:
    return float(-gammaln(nodes) + gammaln(blocks) + gammaln(nodes - blocks + 1))


def _moved(graph: _Graph, label: Indices, generator: Generator) -> Indices:
    """Move single nodes to where they help most, also into a block of their own."""
    label = label.copy()
    for _ in range(_ROUNDS):
        moved = False
        # one empty block stands ready
        blocks = int(label.max()) + 2
        sums = np.zeros((3, blocks, blocks))
        sums[:, :-1, :-1] = graph.sums(label)
        sizes = np.bincount(label, minlength=blocks)
        for node in generator.permutation(len(label)).tolist():
            here = int(label[node])
            to = np.zeros((3, blocks))
            for layer, one in enumerate(graph.layers):
                to[layer] = np.bincount(label, one[node], minlength=blocks)
            _put(sums, sizes, here, -to, -1)
            value = _values_of_moves(sums, sizes, to, graph)
            best = int(np.argmax(value))
            if value[best] <= value[here] + _LEAST_GAIN:
                best = here
            _put(sums, sizes, best, to, 1)
            if best != here:
                label[node] = best
                moved = True
                if sizes.all():
                    blocks += 1
                    sums = np.pad(sums, ((0, 0), (0, 1), (0, 1)))
                    sizes = np.append(sizes, 0)
        label = np.unique(label, return_inverse=True)[1].astype(np.int64)
        if not moved:
            break
    return label


def _put(sums: Floats, sizes: Indices, block: int, to: Floats, count: int) -> None:
    """Add a node, with its sums to every block, to a block; with a minus take it out."""
    own = to[:, block]
    sums[:, block] += to
    sums[:, :, block] += to
    sums[:, block, block] -= own
    sizes[block] += count


def _values_of_moves(sums: Floats, sizes: Indices, to: Floats, graph: _Graph) -> Floats:
    """Return the gain of putting a node, which is in no block, into each."""
    evidence = graph.evidence
    if graph.each_pair:
        # row: the block that takes the node
        value = (evidence(sums + to[:, None, :]) - evidence(sums)).sum(axis=1)
    else:
        within, between = np.diagonal(sums, axis1=1, axis2=2), _between(sums)
        others = to.sum(axis=1, keepdims=True) - to
        value = evidence(within + to) - evidence(within)
        value = value + evidence(between[:, None] + others) - evidence(between)
    value = value + gammaln(sizes + 2.0) - gammaln(sizes + 1.0)
    nodes, blocks = int(sizes.sum()) + 1, int((sizes > 0).sum())
    more = min(blocks + 1, nodes)
    result: Floats = value + np.where(
        sizes > 0, _blocks_prior(nodes, blocks), _blocks_prior(nodes, more)
    )
    return result


def _by_size(label: Indices) -> Indices:
    """Return the communities numbered by size, ties by their first node."""
    names, first, counts = np.unique(label, return_index=True, return_counts=True)
    order = np.lexsort((first, -counts))
    place = np.empty(len(names), dtype=np.int64)
    place[order] = np.arange(len(names))
    return place[np.searchsorted(names, label)]
