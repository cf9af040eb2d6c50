"""Regions of an atlas: hemispheres, coarser regions, and names that two files spell differently."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from boltzbrain.data.regions import Regions

_SIDE = re.compile(r"[\s_\-.(]+(left|right)\)?$", re.IGNORECASE)
_SIDE_FIRST = re.compile(r"^(left|right)[\s_\-.]+", re.IGNORECASE)
_SPELLINGS = {"teberculum": "tuberculum"}


def split_hemisphere(name: str) -> tuple[str, str]:
    """Return the name without its side, and the side: "left", "right" or "".

    Examples
    --------
    >>> split_hemisphere("caudal_hypothalamus_LEFT"), split_hemisphere("Right habenula")
    (('caudal_hypothalamus', 'left'), ('habenula', 'right'))
    >>> split_hemisphere("VISp")
    ('VISp', '')
    """
    for pattern in (_SIDE, _SIDE_FIRST):
        found = pattern.search(name)
        if found:
            rest = name[: found.start()] + name[found.end() :]
            return rest.strip(), found.group(1).lower()
    return name, ""


def canonical_name(name: str) -> str:
    """Return a name as two files would both spell it: small letters, one underscore, the side last.

    The published mapzebrain table writes "teberculum" for tuberculum.

    Examples
    --------
    >>> canonical_name("Posterior teberculum LEFT") == canonical_name("posterior_tuberculum_left")
    True
    """
    base, side = split_hemisphere(name.strip())
    words = re.sub(r"[\s_]+", "_", base.strip().lower())
    for wrong, right in _SPELLINGS.items():
        words = words.replace(wrong, right)
    return f"{words}_{side}" if side else words


def zbrain_group(name: str) -> str:
    """Return the coarse region of a ZBrain mask, the text before its dash.

    Examples
    --------
    >>> zbrain_group("Diencephalon - Habenula"), zbrain_group("Ganglia")
    ('Diencephalon', 'Ganglia')
    """
    return name.split(" -", 1)[0].strip()


def merge_regions(regions: Regions, parent: Mapping[str, str] | Callable[[str], str]) -> Regions:
    """Return the regions merged into their parents; a neuron is in a parent if in any of its parts.

    Parameters
    ----------
    regions
        Any regions; hemispheres stay apart, so a parent may occur as left and as right.
    parent
        Name to parent, as a table (a name not in it stays itself) or a function such as
        `zbrain_group`. A parent "" drops the region.

    Returns
    -------
    Regions
        Parents in alphabetical order.
    """
    lookup = parent if callable(parent) else lambda name: parent.get(name, name)
    targets = [
        (lookup(name), side) for name, side in zip(regions.names, regions.hemisphere, strict=True)
    ]
    parents = sorted({target for target in targets if target[0]})
    column = {target: number for number, target in enumerate(parents)}
    kept = [number for number, target in enumerate(targets) if target[0]]
    merge = sparse.csr_array(
        (
            np.ones(len(kept), dtype=np.int64),
            (
                np.array(kept, dtype=np.int64),
                np.array([column[targets[k]] for k in kept], dtype=np.int64),
            ),
        ),
        shape=(len(targets), len(parents)),
    )
    sides: dict[str, int] = {}
    for name, _ in parents:
        sides[name] = sides.get(name, 0) + 1
    names = tuple(f"{name}_{side}" if sides[name] > 1 and side else name for name, side in parents)
    return Regions(
        names, _binary(regions.membership.astype(np.int64) @ merge), tuple(s for _, s in parents)
    )


def hemisphere_of(x_um: NDArray[np.float64], midline_um: float | None = None) -> NDArray[np.str_]:
    """Return "left" or "right" for each neuron, "" where the position is NaN.

    Parameters
    ----------
    x_um
        (neuron,) position from left to right, micrometres.
    midline_um
        Where the halves meet; the median of the positions, as the zebrafish paper's code has it, if
        None. The midline itself is right.
    """
    known = np.isfinite(x_um)
    if midline_um is None:
        midline_um = float(np.median(x_um[known])) if known.any() else 0.0
    side = np.where(x_um >= midline_um, "right", "left")
    result: NDArray[np.str_] = np.where(known, side, "")
    return result


def _binary(matrix: sparse.csr_array | sparse.csc_array | sparse.coo_array) -> sparse.csr_array:
    """Return the matrix with 1 wherever it is not 0, as uint8."""
    result = matrix.tocsr()
    result.eliminate_zeros()
    result.sort_indices()
    return sparse.csr_array(
        (np.ones(result.nnz, dtype=np.uint8), result.indices, result.indptr), shape=result.shape
    )
