"""The data of the viewer, packed: a header in JSON and arrays, each gzip in base64."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from boltzbrain.interpretation.marginal import Floats
from boltzbrain.model.hidden_activity import hidden_activity
from boltzbrain.pages.style import CATEGORIES
from boltzbrain.pages.viewer.places import Places, find_places, region_hulls
from boltzbrain.pages.viewer.scene import Frames, Scene

RULES: Mapping[str, str] = {
    "training": "as the training knows them",
    "effective": "the strongest of all weights",
    "fixed": "weights above a fixed size",
    "one_per_neuron": "as many weights as there are neurons",
    "participation": "the strongest weights of this unit",
    "mixture": "the upper of two sizes of weights",
}
"""How members were chosen, in the words of the viewer."""

_LEVELS = 127


@dataclass(frozen=True)
class Packed:
    """What the templates of the viewer show.

    Attributes
    ----------
    title, subtitle, words, version
        Texts around it.
    flat
        Whether neurons lie in one plane.
    alone
        Whether it is the whole page.
    parts
        Name of an array, or "header", to gzip in base64.
    script
        The bundle made of viewer/, which holds no end of a script element.
    """

    title: str
    subtitle: str
    words: str
    version: str
    flat: bool
    alone: bool
    parts: Mapping[str, str]
    script: Markup


def pack_scene(scene: Scene, *, alone: bool = False) -> Packed:
    """Pack what the viewer shows.

    Parameters
    ----------
    scene
        It.
    alone
        Whether the viewer is the whole page and not a part of it.
    """
    places = find_places(scene.xyz_um, scene.weights, scene.order)
    names = sorted(set(scene.regions))
    number = {name: place for place, name in enumerate(names)}
    faces, of = region_hulls(places, scene.regions)
    xyz, low, step = _grid(places)
    weights, weight_step = _levels(scene.weights.T)
    arrays: dict[str, NDArray[Any]] = {
        "xyz": xyz,
        "known": np.packbits(places.known),
        "region": np.array([number[name] for name in scene.regions], dtype=np.uint16),
        "rate": scene.rates.astype(np.float32),
        "strongest": scene.strongest.astype(np.int16),
        "weights": weights,
        "members": np.packbits(scene.membership.T, axis=1),
        "hull_faces": faces.astype(np.uint32),
        "hull_region": np.array([number[name] for name in of], dtype=np.uint16),
    }
    header: dict[str, Any] = {
        "title": scene.title,
        "neurons": len(scene.ids),
        "hidden": scene.weights.shape[1],
        "width_s": scene.bin_width_s,
        "ids": list(scene.ids),
        "regions": names,
        "palette": list(CATEGORIES),
        "order": scene.order.tolist(),
        "largest": int(scene.membership.sum(axis=0).argmax()),
        "rule": RULES.get(scene.rule, scene.rule),
        "weight_step": weight_step.tolist(),
        "places": _told_places(places, low, step),
        "sources": [],
    }
    if scene.partners is not None and scene.couplings is not None:
        couplings, coupling_step = _levels(scene.couplings)
        arrays["partners"] = scene.partners.astype(np.uint32)
        arrays["couplings"] = couplings
        header["partners"] = scene.partners.shape[1]
        header["coupling_step"] = [float(f"{one:.4g}") for one in coupling_step]
    if scene.tuned is not None:
        arrays["tuned"], header["tuned"] = scene.tuned.astype(np.int16), list(scene.tuned_names)
    for place, frames in enumerate(scene.frames):
        states, traces, told = _frames(scene, frames)
        arrays[f"states{place}"], arrays[f"traces{place}"] = states, traces
        header["sources"].append(told)
    held = scene.clamps
    arrays["held"], arrays["before"] = held.change, held.before
    header["clamp"] = {
        "values": held.values.tolist(),
        "step": held.step.tolist(),
        "support": [] if held.support is None else held.support.round(1).tolist(),
        "how": "exact" if held.support is None else "sampled",
        "of": "samples" if held.generated else "training bins",
    }
    header["arrays"] = {
        name: {"type": str(array.dtype), "shape": list(array.shape)}
        for name, array in arrays.items()
    }
    told_header = json.dumps(header, allow_nan=False, separators=(",", ":")).encode("utf-8")
    contents = {"header": told_header} | {name: one.tobytes() for name, one in arrays.items()}
    # compression leaves the interpreter to other threads
    with ThreadPoolExecutor() as pool:
        parts = dict(zip(contents, pool.map(_text, contents.values()), strict=True))
    what = f"{len(scene.ids):,} neurons, {scene.weights.shape[1]:,} hidden units"
    words = f"{places.words} Colours show each one's strongest assembly, until you choose others."
    bundle = files("boltzbrain.pages").joinpath("templates/viewer/viewer.js")
    script = Markup(bundle.read_text(encoding="utf-8"))
    return Packed(scene.title, what, words, scene.version, places.flat, alone, parts, script)


def _text(content: bytes) -> str:
    """Return bytes as base64 of gzip; the same bytes give the same text."""
    return base64.b64encode(gzip.compress(content, 6, mtime=0)).decode("ascii")


def _grid(places: Places) -> tuple[NDArray[np.uint16], Floats, Floats]:
    """Return places as steps of a grid, (neuron, 3), the lowest place and the step of each axis."""
    known = places.xyz[places.known]
    low, high = known.min(axis=0), known.max(axis=0)
    step = np.where(high > low, (high - low) / 65_535.0, 1.0)
    grid = np.where(places.known[:, None], (places.xyz - low) / step, 0.0)
    return grid.round().astype(np.uint16), low, step


def _told_places(places: Places, low: Floats, step: Floats) -> dict[str, Any]:
    known = places.xyz[places.known]
    size = np.ptp(known, axis=0)
    middle = (known.min(axis=0) + known.max(axis=0)) / 2.0
    radius = float(np.quantile(np.linalg.norm(known - middle, axis=1), 0.995)) or 1.0
    return {
        "low": low.tolist(),
        "step": step.tolist(),
        "box": {"middle": middle.tolist(), "size": size.tolist(), "radius": radius},
        "spacing": _spacing(known, radius),
        "names": list(places.names),
        "flat": places.flat,
        "stretched": places.stretched,
    }


def _spacing(known: Floats, alone: float) -> float:
    """Return the median distance of a neuron to the nearest other; another where it is alone."""
    if len(known) < 2:
        return alone
    return float(np.median(np.asarray(cKDTree(known).query(known, 2)[0])[:, 1]))


def _levels(values: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Return values (row, column) as int8 steps, and the step of each row."""
    most = np.abs(values).max(axis=1, initial=0.0)
    step = np.where(most > 0, most, 1.0) / _LEVELS
    return (values / step[:, None]).round().astype(np.int8), step


def _frames(
    scene: Scene, frames: Frames
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], dict[str, Any]]:
    """Return bits (frame, byte), hidden activity (hidden, frame) from 0 to 255, and a head."""
    activity = hidden_activity(scene.model, frames.states).T.astype(np.float64)
    low, high = activity.min(axis=1), activity.max(axis=1)
    span = np.where(high > low, high - low, 1.0)
    traces = ((activity - low[:, None]) / span[:, None] * 255).round().astype(np.uint8)
    told = {
        "name": frames.name,
        "title": frames.title,
        "words": frames.words,
        "frames": len(frames.states),
        "breaks": list(frames.breaks),
        "bands": [list(one) for one in frames.bands],
        "band_names": list(frames.band_names),
        "named": frames.bands_are,
        "timed": frames.timed,
        "width_s": scene.bin_width_s,
        "low": low.tolist(),
        "high": high.tolist(),
    }
    return np.packbits(frames.states, axis=1), traces, told
