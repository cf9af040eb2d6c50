"""The data of a figure, read back from what was drawn, or as the figure tells them itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import PathCollection, PolyCollection, QuadMesh
from matplotlib.colors import to_rgb
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon, StepPatch
from matplotlib.ticker import FixedLocator
from numpy.typing import NDArray

from boltzbrain.pages.style import told

Floats = NDArray[np.float64]

COLUMNS = (
    "series", "kind", "x", "x_to", "x_low", "x_high", "x_name", "y", "y_to", "y_low", "y_high",
    "y_name", "value",
)  # fmt: skip
"""What a row may say, in this order."""


def data_of(ax: Axes) -> pd.DataFrame:
    """Return what a figure shows.

    A map (an image, a density) by itself gives its cells, a row of the table for each row of the
    map, with names or places at the side and on top. All else gives one row per point of a line,
    corner of a band, bar or point, in data coordinates: ``series`` is its name in the legend,
    ``kind`` one of line, band, histogram, bar, point and cell; ``x_to`` and ``y_to`` are the ends
    of a histogram's bins, ``low`` and ``high`` those of bands and error bars, ``x_name`` and
    ``y_name`` the names that stand at the axes. Lines that only guide the eye are left out. What a
    figure told of a part of it (`pages.style.tell`) stands in the place of what was drawn.
    """
    axes = [ax, *(one for one in ax.child_axes if isinstance(one, Axes))]
    parts = [pd.DataFrame(one) for each in axes for one in _series(each)]
    maps: list[AxesImage | QuadMesh] = [
        one for one in (*ax.images, *ax.collections) if isinstance(one, (AxesImage, QuadMesh))
    ]
    if len(maps) == 1 and not parts:
        return _map(ax, maps[0])
    parts += [_cells(one) for one in maps]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"series": []})
    for letter, axis in (("x", ax.xaxis), ("y", ax.yaxis)):
        if letter in table and (names := _names(axis, table[letter].to_numpy(dtype=np.float64))):
            table[f"{letter}_name"] = names
    told = [name for name in COLUMNS if name in table and _says(table[name])]
    return table.loc[:, told]


def _says(column: pd.Series[Any]) -> bool:
    return bool((column.notna() & (column.astype(str) != "")).any())


def _series(ax: Axes) -> Iterator[dict[str, Any]]:
    """Yield the columns of everything that was drawn as lines, bands, bars or points."""
    done: set[int] = set()
    for one in (*ax.containers, *ax.lines, *ax.patches, *ax.collections):
        if not isinstance(one, QuadMesh) and (columns := told(one)) is not None:
            done.add(id(one))
            if columns:
                yield dict(columns)
    for container in ax.containers:
        if isinstance(container, BarContainer):
            done |= {id(one) for one in (container.errorbar, *(container.patches or ()))}
            if id(container) not in done:
                yield _bars(container)
    for container in ax.containers:
        if isinstance(container, ErrorbarContainer):
            line, caps, bars = container.lines
            done |= {id(one) for one in (line, *caps, *bars)}
            if id(container) not in done:
                yield _with_errors(container)
    named: dict[Any, str] = {}
    for line in ax.lines:
        if id(line) not in done and not _is_guide(ax, line):
            yield _line(ax, line)
            named.setdefault(_rgb(line.get_color()), _label(line))
    for patch in ax.patches:
        if id(patch) in done:
            continue
        if isinstance(patch, StepPatch):
            values, edges, _ = patch.get_data()
            yield _histogram(_label(patch), edges, values)
        elif isinstance(patch, Polygon):
            yield _outline(patch)
    for collection in ax.collections:
        if id(collection) in done:
            continue
        if isinstance(collection, PathCollection):
            yield _points(collection)
        elif isinstance(collection, PolyCollection):
            # a band is named as the line in its colour
            name = _label(collection) or named.get(_rgb(collection.get_facecolor()[0]), "")
            yield from _bands(name, collection)


def _rgb(colour: Any) -> tuple[float, ...]:
    return tuple(round(one, 3) for one in to_rgb(colour))


def _label(artist: Any) -> str:
    """Return the name of an artist in the legend, as it was before it was made safe to draw."""
    name = str(artist.get_label())
    return "" if name.startswith("_") else name.replace("\u200b", "").replace("\\$", "$")


def _is_guide(ax: Axes, line: Line2D) -> bool:
    """Return whether a line has no name and no data: a zero, a diagonal, a mark at an axis."""
    if _label(line):
        return False
    bare = str(line.get_marker()) in ("None", "", " ")
    return line.get_transform() != ax.transData or (
        bare and np.size(line.get_xdata(orig=False)) <= 2
    )


def _line(ax: Axes, line: Line2D) -> dict[str, Any]:
    x, y = (np.asarray(one, dtype=np.float64) for one in line.get_data(orig=False))
    columns: dict[str, Any] = {"series": _label(line), "kind": "line", "x": x, "y": y}
    # a line across the axes has a place on one of them only
    if line.get_transform() == ax.get_yaxis_transform():
        columns |= {"x": [np.nan], "y": y[:1]}
    elif line.get_transform() == ax.get_xaxis_transform():
        columns |= {"x": x[:1], "y": [np.nan]}
    return columns


def _with_errors(container: ErrorbarContainer) -> dict[str, Any]:
    x, y = (np.asarray(one, dtype=np.float64) for one in container.lines[0].get_data(orig=False))
    columns = {"series": _label(container), "kind": "point", "x": x, "y": y}
    return {**columns, **_errors(container)}


def _errors(container: ErrorbarContainer) -> dict[str, Any]:
    names = [name for name, has in (("x", container.has_xerr), ("y", container.has_yerr)) if has]
    columns: dict[str, Any] = {}
    for name, one in zip(names, container.lines[2], strict=True):
        axis = 0 if name == "x" else 1
        # where an error is not known there is no segment
        ends = np.array(
            [part[:, axis] if len(part) == 2 else (np.nan, np.nan) for part in one.get_segments()]
        ).reshape(-1, 2)
        columns |= {f"{name}_low": ends[:, 0], f"{name}_high": ends[:, 1]}
    return columns


def _bars(container: BarContainer) -> dict[str, Any]:
    upright = container.orientation != "horizontal"
    along, other = ("x", "y") if upright else ("y", "x")
    boxes = [one.get_bbox() for one in container.patches]
    places = [0.5 * (one.x0 + one.x1 if upright else one.y0 + one.y1) for one in boxes]
    ends = [one.y1 if upright else one.x1 for one in boxes]
    columns = {"series": _label(container), "kind": "bar", along: places, other: ends}
    return columns if container.errorbar is None else {**columns, **_errors(container.errorbar)}


def _histogram(name: str, edges: Floats, values: Floats, along: str = "x") -> dict[str, Any]:
    other = "y" if along == "x" else "x"
    return {
        "series": name, "kind": "histogram", along: edges[:-1], f"{along}_to": edges[1:],
        other: values,
    }  # fmt: skip


def _outline(patch: Polygon) -> dict[str, Any]:
    """Read a histogram back from its outline, which goes up and down at every edge of a bin."""
    corners = np.asarray(patch.get_xy(), dtype=np.float64)
    # the first step leaves the axis on which the bins lie
    along = "x" if corners[0, 0] == corners[1, 0] else "y"
    turned = corners if along == "x" else corners[:, ::-1]
    return _histogram(_label(patch), turned[::2, 0], turned[1:-1:2, 1], along)


def _points(collection: PathCollection) -> dict[str, Any]:
    x, y = np.ma.filled(np.ma.asarray(collection.get_offsets(), dtype=np.float64), np.nan).T
    columns: dict[str, Any] = {"series": _label(collection), "kind": "point", "x": x, "y": y}
    value = collection.get_array()
    return columns if value is None else {**columns, "value": np.asarray(value)}


def _bands(name: str, collection: PolyCollection) -> Iterator[dict[str, Any]]:
    """Read bands back from their outlines: one side forwards, the other backwards."""
    for path in collection.get_paths():
        corners = np.asarray(path.vertices, dtype=np.float64)
        count = (len(corners) - 2) // 2
        one, other = corners[1 : count + 1], corners[count + 2 : 2 * count + 2][::-1]
        low, high = (side(one[:, 1], other[:, 1]) for side in (np.minimum, np.maximum))
        yield {"series": name, "kind": "band", "x": one[:, 0], "y_low": low, "y_high": high}


def _places(one: AxesImage | QuadMesh) -> tuple[Floats, Floats, Floats]:
    """Return the middles of columns and rows of a map, and its values, NaN where it has none."""
    shown = (told(one) or {}).get("value", one.get_array())
    values = np.ma.filled(np.ma.asarray(shown, dtype=np.float64), np.nan)
    x: Floats
    y: Floats
    if isinstance(one, QuadMesh):
        corners = np.asarray(one.get_coordinates(), dtype=np.float64)
        x, y = corners[0, :, 0], corners[:, 0, 1]
    else:
        left, right, bottom, top = one.get_extent()
        first, last = (bottom, top) if one.origin == "lower" else (top, bottom)
        x = np.linspace(left, right, values.shape[1] + 1)
        y = np.linspace(first, last, values.shape[0] + 1)
    return 0.5 * (x[1:] + x[:-1]), 0.5 * (y[1:] + y[:-1]), values


def _cells(one: AxesImage | QuadMesh) -> pd.DataFrame:
    x, y, values = _places(one)
    across, down = np.meshgrid(x, y)
    table = {"x": across.ravel(), "y": down.ravel(), "value": values.ravel()}
    return pd.DataFrame({"series": _label(one), "kind": "cell", **table})


def _map(ax: Axes, one: AxesImage | QuadMesh) -> pd.DataFrame:
    """Return a map as a table, its first column the names or places of the rows."""
    x, y, values = _places(one)
    columns = _names(ax.xaxis, x) or [f"{place:.6g}" for place in x.tolist()]
    table = pd.DataFrame(values, columns=pd.Index(columns))
    rows = _names(ax.yaxis, y) or y.tolist()
    table.insert(0, ax.get_ylabel() or "row", rows, allow_duplicates=True)
    return table


def _names(axis: Axis, places: Floats) -> Sequence[str]:
    """Return the names at places of an axis; none unless every place has one."""
    if not isinstance(axis.get_major_locator(), FixedLocator):
        return []
    ticks = np.asarray(axis.get_majorticklocs(), dtype=np.float64)
    words = axis.get_major_formatter().format_ticks(ticks.tolist())
    known = {
        round(tick, 6): word.replace("\u200b", "").replace("\\$", "$")
        for tick, word in zip(ticks.tolist(), words, strict=True)
    }
    found = [known.get(round(place, 6)) for place in places.tolist()]
    return [str(one) for one in found] if found and None not in found else []
