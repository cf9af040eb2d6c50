"""An activity as an array of xarray, its axes named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from boltzbrain.data.activity import FOLDS, GAP, Activity
from boltzbrain.foundations.checks import extra

if TYPE_CHECKING:
    import xarray as xr


def to_xarray(activity: Activity) -> xr.DataArray:
    """Return the states of an activity as `Activity.to_xarray` says."""
    xarray = extra("xarray", "xarray")
    words = {number: name for name, number in FOLDS.items()} | {GAP: "gap"}
    table = activity.to_dataframe()
    coords: dict[str, Any] = {
        "neuron": ("neuron", table.pop("id").to_numpy(dtype=object)),
        "segment": ("bin", activity.segment),
        "fold": ("bin", np.array([words[int(one)] for one in activity.fold], dtype=object)),
        **{str(name): ("neuron", table[name].to_numpy()) for name in table},
    }
    attributes = {"bin_width_s": activity.bin_width_s, "source": activity.source.path}
    dims = ("bin", "neuron")
    made: xr.DataArray = xarray.DataArray(activity.states, coords, dims, "states", attributes)
    return made
