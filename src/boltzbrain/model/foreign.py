"""Models trained elsewhere: `rbms` archives and the parameter arrays of PGM. Nothing is unpickled.

rbms (Decelle, Furtlehner, Navas Gomez and Seoane): weights (visible, hidden); its energies are
-vbias v - hbias h - v W h, and for Gaussian hidden units + N h**2 / 2 with N visible units, so the
precision is N. (Some of its releases sample those units with variance 1 in place of 1 / N; the
import follows the energy, which its likelihoods use.)

PGM (Tubiana, Cocco and Monasson; van der Plas et al. 2023): weights (hidden, visible), potentials
+theta h, so fields are -theta. Its 'ReLU' has both halves at one precision, which is our dReLU; its
'ReLU+' ('ReLUplus') is our ReLU. `mu_I`, `eta`, `delta` and the arrays that end in 0 belong to its
training and change nothing here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.foundations.checks import InputError, bad_input, closest, one_of
from boltzbrain.model.files import open_readable
from boltzbrain.model.layers.continuous import Gaussian
from boltzbrain.model.layers.discrete import Bernoulli, Ising
from boltzbrain.model.layers.layer import Layer
from boltzbrain.model.layers.rectified import DReLU, ReLU
from boltzbrain.model.rbm import RBM

_RBMS_LAYERS: dict[str, tuple[type[Bernoulli] | type[Ising], bool]] = {
    "BBRBM": (Bernoulli, False),
    "IIRBM": (Ising, False),
    "BGRBM": (Bernoulli, True),
    "IGRBM": (Ising, True),
}
"""Kind of the visible units, and whether the hidden ones are Gaussian or of the same kind."""


def read_rbms(
    path: str | Path,
    *,
    update: int | None = None,
    model_type: str | None = None,
    dtype: torch.dtype = torch.float32,
) -> RBM:
    """Read a model from an HDF5 archive of `rbms` or `fastrbm`.

    Parameters
    ----------
    path
        The archive; opened read-only.
    update
        Which checkpoint; the last one by default.
    model_type
        'BBRBM', 'IIRBM', 'BGRBM' or 'IGRBM'; needed for old archives that do not say.
    dtype
        Floating type of the model.

    Raises
    ------
    InputError
        If the file is not whole, no such archive, of a kind without a counterpart here (Potts), or
        has no such update.
    """
    with open_readable(path) as file:
        found = file.get("model_type")
        stored = None if found is None else _scalar_text(found[()])
        kind = one_of("model_type", stored or model_type or "none", _RBMS_LAYERS, file=path)
        updates = {
            int(match[1]): name for name in file if (match := re.fullmatch(r"update_(\d+)", name))
        }
        if not updates:
            raise bad_input("the archive", "hold groups update_<number>", "none", file=path)
        chosen = max(updates) if update is None else update
        if chosen not in updates:
            known = ", ".join(str(number) for number in sorted(updates))
            raise bad_input("update", f"be one of: {known}", chosen, file=path)
        group = file[updates[chosen]]
        # older archives keep the parameters in the update's own group
        group = group.get("params", group)
        arrays = {}
        for name in ("weight_matrix", "vbias", "hbias"):
            if not isinstance(group.get(name), h5py.Dataset):
                raise bad_input(f"{group.name}/{name}", "be a dataset", "none", file=path)
            arrays[name] = group[name][()]
    return _named(path, lambda: _rbms_model(kind, arrays, dtype))


def _rbms_model(kind: str, arrays: Mapping[str, Any], dtype: torch.dtype) -> RBM:
    binary, gaussian = _RBMS_LAYERS[kind]
    vbias, hbias = (_vector(name, arrays[name], dtype) for name in ("vbias", "hbias"))
    weights = _matrix("weight_matrix", arrays["weight_matrix"], (len(vbias), len(hbias)), dtype)
    precision = torch.full_like(hbias, len(vbias))
    return RBM(binary(vbias), Gaussian(hbias, precision) if gaussian else binary(hbias), weights)


def read_pgm(
    path: str | Path,
    *,
    hidden_nature: str | None = None,
    visible_nature: str | None = None,
    minus: Literal["magnitude", "signed"] = "magnitude",
    dtype: torch.dtype = torch.float32,
) -> RBM:
    """Read PGM's parameter arrays from an npz file, as `from_pgm` takes them.

    Such a file is written where PGM runs, e.g. by ``np.savez(path, weights=m.weights,
    fields=m.vlayer.fields, gamma_plus=m.hlayer.gamma_plus, ...)``.

    Raises
    ------
    InputError
        If the file is no npz, holds pickled objects, or `from_pgm` refuses what it holds.
    """
    if not Path(path).is_file():
        raise bad_input("the parameter file", "exist", "no such file", file=path)
    try:
        # np.load leaves a damaged file open; the handle is closed here
        with Path(path).open("rb") as handle:
            archive = np.load(handle, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise bad_input("the parameter file", "be npz", "a single array", file=path)
            arrays = {name: archive[name] for name in archive.files}
    except InputError:
        raise
    except Exception as error:  # a damaged zip raises one of many types
        must = "be npz of plain arrays (pickles are never read)"
        raise bad_input("the parameter file", must, str(error), file=path) from error
    return _named(
        path,
        lambda: from_pgm(
            arrays,
            hidden_nature=hidden_nature,
            visible_nature=visible_nature,
            minus=minus,
            dtype=dtype,
        ),
    )


def from_pgm(
    arrays: Mapping[str, Any],
    *,
    hidden_nature: str | None = None,
    visible_nature: str | None = None,
    minus: Literal["magnitude", "signed"] = "magnitude",
    dtype: torch.dtype = torch.float32,
) -> RBM:
    """Build a model from PGM's parameter arrays.

    Parameters
    ----------
    arrays
        `weights` (hidden, visible); `vlayer.fields` or `fields` (visible,); of the hidden layer,
        with or without `hlayer.` in front: `gamma_plus`, `gamma_minus`, `theta_plus`,
        `theta_minus` for dReLU, `gamma`, `theta_plus`, `theta_minus` for ReLU, `gamma`, `theta`
        for Gaussian and ReLU+, `hlayer.fields` for Bernoulli and Spin; optionally
        `vlayer.nature` and `hlayer.nature`. A dot may be written as an underscore.
    hidden_nature, visible_nature
        PGM's names: 'dReLU', 'ReLU', 'ReLU+', 'Gaussian', 'Bernoulli', 'Spin'; where neither they
        nor the arrays say, visible units are Bernoulli and hidden ones dReLU.
    minus
        What theta_minus multiplies: 'magnitude' max(-h, 0) (PGM's code), 'signed' min(h, 0)
        (eq. 13 as van der Plas et al. 2023 print it), which turns its sign.
    dtype
        Floating type of the model.

    Raises
    ------
    InputError
        If an array is missing or misshapen, or a nature is unknown.
    """
    one_of("minus", minus, ("magnitude", "signed"))
    given = {re.sub(r"^([vh]layer)_", r"\1.", name): value for name, value in arrays.items()}
    fields = _vector("fields", _pick(given, "vlayer", "fields"), dtype)
    visible = _nature(given, "vlayer", visible_nature, "Bernoulli")
    one_of("visible nature", visible, ("Bernoulli", "Spin"))
    hidden = _nature(given, "hlayer", hidden_nature, "dReLU")
    make = _PGM_HIDDEN[one_of("hidden nature", hidden, _PGM_HIDDEN)]

    def parameter(name: str) -> Tensor:
        if name == "fields":
            return _vector("hlayer.fields", _pick(given, "hlayer", "fields", bare=False), dtype)
        return _vector(name, _pick(given, "hlayer", name), dtype)

    layer = make(parameter, -1.0 if minus == "signed" else 1.0)
    weights = _matrix("weights", _pick(given, "", "weights"), (len(layer), len(fields)), dtype)
    return RBM((Ising if visible == "Spin" else Bernoulli)(fields), layer, weights.T.contiguous())


_Parameter = Callable[[str], Tensor]


def _drelu(get: _Parameter, sign: float) -> Layer:
    return DReLU(
        -get("theta_plus"), -sign * get("theta_minus"), get("gamma_plus"), get("gamma_minus")
    )


def _two_sided_relu(get: _Parameter, sign: float) -> Layer:
    gamma = get("gamma")
    return DReLU(-get("theta_plus"), -sign * get("theta_minus"), gamma, gamma.clone())


_PGM_HIDDEN: dict[str, Callable[[_Parameter, float], Layer]] = {
    "dReLU": _drelu,
    "ReLU": _two_sided_relu,
    "ReLU+": lambda get, _: ReLU(-get("theta"), get("gamma")),
    "ReLUplus": lambda get, _: ReLU(-get("theta"), get("gamma")),
    "Gaussian": lambda get, _: Gaussian(-get("theta"), get("gamma")),
    "Bernoulli": lambda get, _: Bernoulli(get("fields")),
    "Spin": lambda get, _: Ising(get("fields")),
}


def _nature(given: Mapping[str, Any], layer: str, asked: str | None, default: str) -> str:
    stored = given.get(f"{layer}.nature")
    found = None if stored is None else _scalar_text(stored)
    if found and asked and found != asked:
        raise bad_input(f"{layer}.nature", f"be {asked}, as asked for", found)
    return found or asked or default


def _pick(given: Mapping[str, Any], layer: str, name: str, *, bare: bool = True) -> Any:
    names = ([f"{layer}.{name}"] if layer else []) + ([name] if bare else [])
    for option in names:
        if option in given:
            return given[option]
    got = ", ".join(sorted(given)) or "no arrays"
    raise bad_input("arrays", f"hold '{names[0]}'", got, suggestion=closest(name, given))


def _vector(name: str, value: Any, dtype: torch.dtype) -> Tensor:
    array = _numeric(name, value)
    if array.ndim == 2 and 1 in array.shape:
        array = array.reshape(-1)
    if array.ndim != 1:
        raise bad_input(name, "have shape (unit,)", f"shape {array.shape}")
    return torch.tensor(array, dtype=dtype)


def _matrix(name: str, value: Any, shape: tuple[int, int], dtype: torch.dtype) -> Tensor:
    array = _numeric(name, value)
    if array.shape != shape:
        turned = "; the weights may be transposed" if array.shape == shape[::-1] else ""
        raise bad_input(name, f"have shape {shape}", f"shape {array.shape}{turned}")
    return torch.tensor(array, dtype=dtype)


def _numeric(name: str, value: Any) -> NDArray[Any]:
    array = np.asarray(value)
    if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise bad_input(name, "be an array of finite numbers", f"{array.dtype} {array.shape}")
    return array


def _scalar_text(value: Any) -> str:
    item = np.asarray(value).reshape(-1)[:1]
    text = item[0] if len(item) else ""
    return text.decode(errors="replace") if isinstance(text, bytes) else str(text)


def _named(path: str | Path, build: Callable[[], RBM]) -> RBM:
    """Return what `build` makes; put the file's name in front of its complaint."""
    try:
        return build()
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
