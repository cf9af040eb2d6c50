"""Models in HDF5: one group per layer, one dataset per parameter, and the weights.

A model group holds `visible/<parameter>` (visible,), `hidden/<parameter>` (hidden,), `weights`
(visible, hidden), the attribute `kind` on each layer's group, and `model_format` and
`model_version` on itself. The floating type is that of the model, so a round trip is bit for bit.
The group may be a whole file or a part of one: a checkpoint is a model file with more in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np
import torch
from torch import Tensor

from boltzbrain.foundations.checks import InputError, bad_input, one_of
from boltzbrain.foundations.disk.files import FileFormat, atomic_hdf5
from boltzbrain.model.layers.layer import KINDS, Layer

FORMAT = FileFormat(
    "boltzbrain model", what="the model file", names=("model_format", "model_version")
)


class Model(Protocol):
    """What a model file holds; an `RBM`."""

    @property
    def visible(self) -> Layer:
        """Visible layer."""
        ...

    @property
    def hidden(self) -> Layer:
        """Hidden layer."""
        ...

    @property
    def weights(self) -> Tensor:
        """(visible, hidden)."""
        ...


def write_model(group: h5py.Group, model: Model) -> None:
    """Write a model into an open HDF5 group that holds none yet."""
    group.attrs.update(FORMAT.told)
    for name, layer in (("visible", model.visible), ("hidden", model.hidden)):
        part = group.create_group(name)
        part.attrs["kind"] = layer.kind
        for parameter, value in layer.parameters().items():
            part.create_dataset(parameter, data=value.detach().cpu().numpy())
    group.create_dataset("weights", data=model.weights.detach().cpu().numpy())


def read_parts(group: h5py.Group) -> tuple[Layer, Layer, Tensor]:
    """Read the visible layer, the hidden layer and the weights of a model from an open HDF5 group.

    Raises
    ------
    InputError
        If the group holds no model, one of a newer version or of an unknown unit kind, or one whose
        parameters are missing, superfluous, misshapen or not finite.
    """
    file = group.file.filename
    FORMAT.require(group.attrs, file)
    weights = read_tensor(group, "weights", 2)
    if not bool(weights.isfinite().all()):
        count = int((~weights.isfinite()).sum())
        raise bad_input("weights", "be finite", f"{count} values that are not", file=file)
    visible, hidden = (_read_layer(group, name) for name in ("visible", "hidden"))
    return visible, hidden, weights


def save(model: Model, path: str | Path) -> None:
    """Write a model file, whole or not at all; a file of that name is replaced.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    with atomic_hdf5(Path(path)) as file:
        write_model(file, model)


def open_readable(path: str | Path) -> h5py.File:
    """Open an HDF5 file for reading.

    Raises
    ------
    InputError
        If it is missing, no HDF5, damaged or cut short.
    """
    if not Path(path).is_file():
        raise bad_input("the model file", "exist", "no such file", file=path)
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise InputError(f"{path}: the file must be whole HDF5; got {error}") from error


def _read_layer(group: h5py.Group, name: str) -> Layer:
    file = group.file.filename
    part = group.get(name)
    if not isinstance(part, h5py.Group):
        raise bad_input(name, "be a group of the file", "none", file=file)
    kind = one_of(f"{name} kind", _text(part.attrs.get("kind")), sorted(KINDS), file=file)
    known = KINDS[kind].parameter_names()
    if set(part) != set(known):
        must = "hold the parameters " + ", ".join(known)
        raise bad_input(name, must, ", ".join(part) or "none", file=file)
    parameters = {key: read_tensor(part, key, 1) for key in known}
    try:
        return KINDS[kind](**parameters)
    except InputError as error:
        raise InputError(f"{file}: {name}: {error}") from None


def read_tensor(group: h5py.Group, name: str, axes: int | None = None) -> Tensor:
    """Read a tensor of floating type, with so many axes or any.

    Raises
    ------
    InputError
        If it is none, of another type or other axes, or cannot be read.
    """
    file, label = group.file.filename, f"{group.name}/{name}".replace("//", "/")
    dataset = group.get(name)
    if not isinstance(dataset, h5py.Dataset):
        raise bad_input(label, "be a dataset of the file", "none", file=file)
    wrong = axes not in (None, dataset.ndim)
    if dataset.dtype not in (np.dtype("<f4"), np.dtype("<f8")) or wrong:
        must = "be float32 or float64" + (f" with {axes} axes" if wrong else "")
        raise bad_input(label, must, f"{dataset.dtype} {dataset.shape}", file=file)
    try:
        return torch.from_numpy(dataset[()])
    except OSError as error:
        raise InputError(f"{file}: {label} must be readable; got {error}") from error


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, str) else ""
