"""An RBM with a context: one set of weights, fields that differ from bin to bin."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import h5py
import torch
from torch import Tensor

from boltzbrain.data.activity import Activity
from boltzbrain.foundations.checks import InputError, bad_input, one_of
from boltzbrain.foundations.disk.files import FileFormat, atomic_hdf5
from boltzbrain.foundations.showing.told import SelfTold
from boltzbrain.model.context.context import CONTEXTS, Context
from boltzbrain.model.context.following import FollowingPast
from boltzbrain.model.context.labelled import OfEpoch, PlaceInTrial
from boltzbrain.model.context.of_behaviour import OfBehaviour
from boltzbrain.model.context.recurrent import FollowingAssemblies
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.context.states import HiddenStates
from boltzbrain.model.files import open_readable, read_tensor, write_model
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM

__all__ = [
    "FollowingAssemblies", "FollowingPast", "HiddenStates", "OfBehaviour", "OfEpoch", "PlaceInTrial"
]  # fmt: skip

_OF_AN_RBM = {*RBM.__dataclass_fields__, *(one for one in vars(RBM) if not one.startswith("_"))}

FORMAT = FileFormat(
    "boltzbrain context", what="the context", names=("context_format", "context_version")
)


@dataclass(frozen=True, eq=False)
class Contexts:
    """The contexts of one RBM, which add up.

    Attributes
    ----------
    parts
        At least one, no two of a key.
    foot
        (neuron,) float64 visible fields of the model without its weights: with the offsets it is
        fitted to the data by itself, and every annealing begins there.
    """

    parts: tuple[Context, ...]
    foot: Tensor

    @property
    def names(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(one.name for one in self.parts)

    def offsets(self, given: Sequences, rbm: RBM) -> Offsets:
        """Return the sum of the offsets of every bin, in the type and on the device of the RBM."""
        return added([one.offsets(given, rbm) for one in self.parts])

    def mean_offsets(self, given: Sequences, rbm: RBM) -> Offsets:
        """Return one row, the mean over bins of the sum of the offsets.

        Hidden states count as often as they are held.
        """
        states = self.states
        return self.offsets(given, rbm).mean() if states is None else states.mean_row(rbm)

    @property
    def states(self) -> HiddenStates | None:
        """The hidden states, None where there are none."""
        found = [one for one in self.parts if isinstance(one, HiddenStates)]
        return found[0] if found else None

    def with_states(self, states: HiddenStates) -> Contexts:
        """Return the contexts with other hidden states."""
        parts = tuple(states if isinstance(one, HiddenStates) else one for one in self.parts)
        return replace(self, parts=parts)

    def learnt(self) -> dict[str, Tensor]:
        """Return the parameters that a training moves, by NAME.PARAMETER."""
        return {
            f"{one.key}.{name}": value
            for one in self.parts
            for name, value in one.tensors().items()
            if name in one.learnt
        }

    def moved(self, parameters: Mapping[str, Tensor]) -> Contexts:
        """Return the contexts with other values of what is learnt, by the names of `learnt`."""
        parts = []
        for one in self.parts:
            begins = f"{one.key}."
            own = {
                name.removeprefix(begins): value
                for name, value in parameters.items()
                if name.startswith(begins)
            }
            parts.append(one.moved(own) if own else one)
        return replace(self, parts=tuple(parts))

    def flipped(self, units: Tensor) -> Contexts:
        """Return the contexts of the RBM whose hidden units in `units` (hidden,) changed sign."""
        return replace(self, parts=tuple(one.flipped(units) for one in self.parts))

    def write(self, group: h5py.Group) -> None:
        """Write the contexts into an open HDF5 group that holds a model."""
        place = group.create_group("context")
        place.attrs.update(FORMAT.told)
        place.create_dataset("foot", data=self.foot.cpu().numpy())
        for one in self.parts:
            part = place.create_group(one.key)
            part.attrs["facts"] = json.dumps(one.facts())
            for name, value in one.tensors().items():
                part.create_dataset(name, data=value.detach().cpu().numpy())

    @classmethod
    def read(cls, group: h5py.Group) -> Contexts | None:
        """Read the contexts of a model, None where it has none.

        Raises
        ------
        InputError
            If they are of a newer version, unknown, or cannot be read.
        """
        place, file = group.get("context"), group.file.filename
        if not isinstance(place, h5py.Group):
            return None
        FORMAT.require(place.attrs, file)
        parts = []
        # in the order in which contexts are known, whatever the file's
        known = list(CONTEXTS)
        for key in set(place) - {"foot"}:
            one_of("context", key.partition(".")[0], known, file=file)
        for key in sorted(set(place) - {"foot"}, key=lambda one: _place_of(one, known)):
            tensors = {name: read_tensor(place[key], name) for name in place[key]}
            try:
                facts = json.loads(place[key].attrs["facts"])
                parts.append(CONTEXTS[key.partition(".")[0]].of(tensors, facts))
            except (KeyError, TypeError, ValueError) as error:
                must = "hold what a context of this name does"
                raise bad_input(f"context/{key}", must, error, file=file) from error
        return cls(tuple(parts), read_tensor(place, "foot"))


def _place_of(key: str, known: list[str]) -> tuple[int, int]:
    name, _, number = key.partition(".")
    return known.index(name), int(number) if number.isdecimal() else 0


def added(offsets: list[Offsets]) -> Offsets:
    """Return the sum of offsets of the same rows."""
    visible = [one.visible for one in offsets if one.visible is not None]
    hidden = [one.hidden for one in offsets if one.hidden is not None]

    def total(parts: list[Tensor]) -> Tensor | None:
        if not parts:
            return None
        found = parts[0]
        for one in parts[1:]:
            found = found + one
        return found

    return Offsets(total(visible), total(hidden))


@dataclass(frozen=True, eq=False, repr=False)
class ContextualRBM(SelfTold):
    """P(v_t | context) = exp((b + o_t) v_t + sum_a Gamma_a(q_t + (v_t W)_a)) / Z_t.

    Attributes
    ----------
    rbm
        Weights, hidden units, and the fields that the offsets are added to.
    contexts
        What gives every bin its offsets.

    Examples
    --------
    >>> import numpy as np
    >>> from boltzbrain.model import Bernoulli
    >>> rbm = RBM(Bernoulli(torch.zeros(3)), Bernoulli(torch.zeros(2)), torch.zeros(3, 2))
    >>> trial = PlaceInTrial(torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, -1.0]]), torch.ones(3))
    >>> model = ContextualRBM(rbm, Contexts((trial,), torch.zeros(3)))
    >>> bins = Sequences(np.zeros((3, 3), dtype=np.uint8), np.array([0, 0, 1]), 0.02)
    >>> model.offsets(bins).visible[:, 0].tolist()
    [0.0, 1.0, 0.0]
    """

    rbm: RBM
    contexts: Contexts

    def offsets(self, given: Sequences) -> Offsets:
        """Return the offsets of every bin, (bin, unit); nothing passes from piece to piece."""
        return self.contexts.offsets(given, self.rbm)

    def at_mean(self, activity: Activity) -> RBM:
        """Return the same parameters read without a context: offsets at their training mean."""
        mean = self.contexts.mean_offsets(Sequences.of_fold(activity, "train"), self.rbm)
        return self.rbm.with_fields_moved(mean)

    def in_sign_gauge(self) -> Self:
        """Return the same law with every hidden unit's weights summing to 0 or more.

        As `RBM.in_sign_gauge`, with what the context does to the units that change sign.
        """
        turned = self.rbm.in_sign_gauge()
        if turned is self.rbm:
            return self
        units = self.rbm.weights.sum(dim=0) < 0
        return replace(self, rbm=turned, contexts=self.contexts.flipped(units))

    def to(self, target: torch.dtype | torch.device | str) -> Self:
        """Return this model with its RBM in another floating type or on another device."""
        return replace(self, rbm=self.rbm.to(target))

    def save(self, path: str | Path) -> None:
        """Write this model to an HDF5 file, whole or not at all; one of that name is replaced.

        Raises
        ------
        InputError
            If the file cannot be written.
        """
        with atomic_hdf5(Path(path)) as file:
            write_model(file, self.rbm)
            self.contexts.write(file)

    if not TYPE_CHECKING:  # so that types still know which attributes there are

        def __getattr__(self, name: str) -> Any:
            """Say where to find what an RBM has and a model with a context has not."""
            words = f"{type(self).__name__!r} object has no attribute {name!r}"
            if name in _OF_AN_RBM:
                words += (
                    ": it has no one law for all bins; the RBM at the mean of its context is "
                    "run.at_mean_context() or .at_mean(activity), that without offsets .rbm"
                )
            raise AttributeError(words)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a model file, or the model of a checkpoint.

        Raises
        ------
        InputError
            If the file is missing, damaged, or holds no model with a context.
        """
        with open_readable(path) as file:
            rbm, contexts = RBM.read(file), Contexts.read(file)
            if contexts is None:
                raise InputError(f"{path}: the model must have a context; got none (RBM.load)")
            return cls(rbm, contexts)
