"""Series and trials given beside a recording, as a file or as an object in memory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from boltzbrain.data.behaviour.covariates import RULES, Covariate
from boltzbrain.data.recording import Recording
from boltzbrain.foundations.checks import bad_input, closest, one_of
from boltzbrain.readers.behaviour.tables import (
    covariate,
    covariates_of_table,
    read_words,
    trials_of_table,
)
from boltzbrain.readers.containers.zip_archive import open_npz


def with_trials(recording: Recording, given: Any) -> Recording:
    """Return a recording with its trials, in place of those that it has.

    Parameters
    ----------
    recording
        The recording.
    given
        A csv file as `boltzbrain.readers.behaviour.tables` tells, a data frame of the same columns,
        or an IntervalSet of pynapple, also as the npz that it saves.

    Raises
    ------
    InputError
        If the table does not fit the recording.
    """
    if isinstance(given, (str, os.PathLike)):
        path = Path(given)
        return replace(recording, trials=trials_of_table(_read(path), recording, file=path))
    if type(given).__name__ == "IntervalSet":
        given = given.as_dataframe()
    if not isinstance(given, pd.DataFrame):
        must = "be a csv file, a data frame or an IntervalSet of pynapple"
        raise bad_input("trials", must, type(given).__name__)
    return replace(recording, trials=trials_of_table(given, recording))


def with_covariates(recording: Recording, given: Any) -> Recording:
    """Return a recording with covariates beside those that it has; one of the same name is new.

    Parameters
    ----------
    recording
        The recording.
    given
        A csv file as `boltzbrain.readers.behaviour.tables` tells, a data frame of the same columns,
        a dataset of xarray with a coordinate ``time_s`` (or another of the names of the time
        column), a Tsd or TsdFrame of pynapple, also as the npz that it saves, or a dictionary of
        name to any of: `Covariate`, Tsd, an array of xarray, a pair of times in seconds and values.

    Raises
    ------
    InputError
        If the series do not fit the recording.
    """
    found: dict[str, Covariate]
    if isinstance(given, (str, os.PathLike)):
        path = Path(given)
        found = covariates_of_table(_read(path), recording, file=path)
    elif isinstance(given, Mapping) and not hasattr(given, "data_vars"):
        found = {}
        for name, one in given.items():
            found |= _one(str(name), one, recording)
    else:
        found = _one("", given, recording)
    return replace(recording, covariates={**recording.covariates, **found})


def _read(path: Path) -> pd.DataFrame:
    """Return the table of a csv, or of an npz that pynapple saved: a Tsd or an IntervalSet."""
    if path.suffix.lower() != ".npz" or not path.is_file():
        return read_words(path)
    with open_npz(path) as archive:
        names = set(archive.names)
        if {"t", "d"} <= names:
            table = pd.DataFrame({"time_s": archive.read("t")})
            values = archive.read("d")
            columns = values.reshape(len(values), -1)
            if len(table) == len(columns) and values.dtype.kind in "biuf":
                labels = [str(one) for one in range(columns.shape[1])]
                if columns.shape[1] == 1:
                    labels = [path.stem]
                elif "columns" in names:
                    labels = [str(one) for one in archive.read("columns").tolist()]
                return table.assign(**dict(zip(labels, columns.T, strict=True)))
        elif {"start", "end"} <= names:
            return pd.DataFrame({one: archive.read(one) for one in ("start", "end")})
    raise bad_input(
        "the table", "be a csv, or a Tsd, TsdFrame or IntervalSet that pynapple saved",
        f"an npz with {', '.join(sorted(names)) or 'nothing'}", file=path,
    )  # fmt: skip


def _one(name: str, given: Any, recording: Recording) -> dict[str, Covariate]:
    """Return the series of one object, by name."""
    kind = type(given).__name__
    if isinstance(given, Covariate):
        return {name: given}
    if isinstance(given, pd.DataFrame):
        return covariates_of_table(given, recording)
    if kind in ("Tsd", "TsdFrame"):
        values = np.asarray(given.values, dtype=np.float64)
        names = [name or "covariate"] if values.ndim == 1 else [str(one) for one in given.columns]
        table = pd.DataFrame(values.reshape(len(values), -1), columns=names)
        return covariates_of_table(table.assign(time_s=np.asarray(given.times())), recording)
    if kind in ("DataArray", "Dataset"):
        return _of_xarray(name, given, recording)
    if isinstance(given, tuple) and len(given) == 2:
        times, values = (np.asarray(one, dtype=np.float64) for one in given)
        if times.shape != values.shape or times.ndim != 1:
            raise bad_input(
                f"covariates.{name}", "have one time per value", f"{times.shape}, {values.shape}"
            )
        table = pd.DataFrame({"time_s": times, name: values})
        return covariates_of_table(table, recording)
    must = (
        "be a csv file, a data frame, a Covariate, a pair of times and values, a Tsd of pynapple, "
        "or an array of xarray"
    )
    raise bad_input(f"covariates.{name}" if name else "covariates", must, kind)


def _of_xarray(name: str, given: Any, recording: Recording) -> dict[str, Covariate]:
    if type(given).__name__ == "DataArray":
        given = given.to_dataset(name=name or str(given.name or "covariate"))
    if len(given.sizes) != 1:
        raise bad_input("covariates", "have one axis, time", ", ".join(map(str, given.sizes)))
    units = {str(one): str(given[one].attrs.get("units", "")) for one in given.data_vars}
    table = given.to_dataframe().reset_index()
    found = covariates_of_table(table, recording)
    return {
        one: covariate(one, series.times, series.values, units.get(one, ""), series.segment)
        for one, series in found.items()
        if one in units
    }


def with_rules(recording: Recording, rules: Mapping[str, str]) -> Recording:
    """Return a recording whose covariates go into bins by the rules named.

    Raises
    ------
    InputError
        If there is no such covariate or rule.
    """
    known = dict(recording.covariates)
    for name, rule in rules.items():
        if name not in known:
            raise bad_input(
                "--covariate-bins",
                f"name a covariate of the recording ({', '.join(known) or 'it has none'})",
                name,
                suggestion=closest(name, known),
            )
        known[name] = replace(known[name], rule=one_of(f"--covariate-bins {name}", rule, RULES))
    return replace(recording, covariates=known)
