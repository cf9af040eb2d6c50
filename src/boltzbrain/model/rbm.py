"""The Restricted Boltzmann Machine: it multiplies by the weights and asks its layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import h5py
import torch
from torch import Tensor

from boltzbrain.foundations.checks import InputError, bad_input, whole_number_in
from boltzbrain.foundations.doors import keeper
from boltzbrain.foundations.progress import Callback, with_old
from boltzbrain.foundations.random import Generator
from boltzbrain.foundations.showing.told import Brief, SelfTold
from boltzbrain.kernels.dispatch import correlate, sum_active_rows
from boltzbrain.model.files import open_readable, read_parts, save
from boltzbrain.model.layers.fused_sweeps import fused_sweep
from boltzbrain.model.layers.layer import Answers, Layer
from boltzbrain.model.offsets import Offsets


@dataclass(frozen=True, eq=False, repr=False)
class Moments(Brief):
    """Means over samples: what the gradient of the log-likelihood is made of.

    Attributes
    ----------
    visible, hidden
        Mean sufficient statistic of each layer parameter by name, (unit,) each.
    mean_visible, mean_hidden
        <v>, (visible,), and <h>, (hidden,).
    states, means
        The samples themselves, (sample, visible), and <h> given each, (sample, hidden).
    """

    visible: dict[str, Tensor]
    hidden: dict[str, Tensor]
    mean_visible: Tensor
    mean_hidden: Tensor
    states: Tensor
    means: Tensor

    @property
    def products(self) -> Tensor:
        """<v h>, (visible, hidden), formed when it is asked for."""
        if self.states.dtype == torch.uint8:
            return correlate(self.states, self.means) / len(self.states)
        return self.states.to(self.means.dtype).T @ self.means / len(self.states)


@dataclass(frozen=True, eq=False, repr=False)
class RBM(SelfTold):
    """P(v, h) proportional to exp(-E(v, h)), E = E_visible(v) + E_hidden(h) - v W h.

    Attributes
    ----------
    visible, hidden
        The two layers.
    weights
        (visible, hidden) tensor, float32 or float64.

    Raises
    ------
    InputError
        If the shape or type of the weights does not fit the layers.

    Examples
    --------
    >>> import torch
    >>> from boltzbrain.model.layers.discrete import Bernoulli
    >>> model = RBM(visible=Bernoulli(torch.zeros(3)), hidden=Bernoulli(torch.zeros(2)),
    ...             weights=torch.zeros(3, 2))
    >>> model.sample(4, seed=0).shape
    torch.Size([4, 3])
    """

    visible: Layer
    hidden: Layer
    weights: Tensor

    def __post_init__(self) -> None:
        """Refuse weights that do not fit."""
        shape = (len(self.visible), len(self.hidden))
        if tuple(self.weights.shape) != shape:
            got = f"shape {tuple(self.weights.shape)}"
            turned = "; the weights may be transposed" if self.weights.shape == shape[::-1] else ""
            raise bad_input("weights", f"have shape (visible, hidden) = {shape}", got + turned)
        types = {self.weights.dtype, self.visible.dtype, self.hidden.dtype}
        if len(types) != 1:
            raise bad_input(
                "weights and layers", "be of one floating type", ", ".join(sorted(map(str, types)))
            )

    def to(self, target: torch.dtype | torch.device | str) -> Self:
        """Return this model in another floating type or on another device."""
        return replace(
            self,
            visible=self.visible.to(target),
            hidden=self.hidden.to(target),
            weights=self.weights.to(target),
        )

    def mixed(self, other: RBM, t: float) -> RBM:
        """Return the RBM with parameters (1 - t) of this one plus t of the other."""
        return RBM(
            self.visible.mixed(other.visible, t),
            self.hidden.mixed(other.hidden, t),
            (1 - t) * self.weights + t * other.weights,
        )

    def inputs_to_hidden(self, visible: Tensor, offsets: Offsets | None = None) -> Tensor:
        """Return v W and the offsets, (sample, hidden); the hidden layer adds its own field.

        Here and below `offsets` have a row for every sample, or are None.
        """
        _require_states("visible", visible, self.weights.shape[0])
        if visible.dtype == torch.uint8:
            inputs = sum_active_rows(visible, self.weights)
        else:
            inputs = visible.to(self.weights.dtype) @ self.weights
        rows = self._checked(offsets, visible).hidden if offsets is not None else None
        return inputs if rows is None else inputs + rows

    def inputs_to_visible(self, hidden: Tensor, offsets: Offsets | None = None) -> Tensor:
        """Return h W^T and the offsets, (sample, visible); the layer adds its own field."""
        _require_states("hidden", hidden, self.weights.shape[1])
        inputs = hidden.to(self.weights.dtype) @ self.weights.T
        rows = self._checked(offsets, hidden).visible if offsets is not None else None
        return inputs if rows is None else inputs + rows

    def _checked(self, offsets: Offsets, states: Tensor) -> Offsets:
        offsets.require(len(states), self.weights)
        return offsets

    def energy(self, visible: Tensor, hidden: Tensor, offsets: Offsets | None = None) -> Tensor:
        """Return E(v, h), (sample,) float64."""
        inputs = self.inputs_to_visible(hidden, offsets).to(torch.float64)
        interaction = (inputs * visible.to(torch.float64)).sum(dim=1)
        energy = self.visible.energy(visible) + self.hidden.energy(hidden) - interaction
        return energy if offsets is None else energy - offsets.hidden_term(hidden)

    def free_energy(self, visible: Tensor, offsets: Offsets | None = None) -> Tensor:
        """Return F(v) = E_visible(v) - sum_a Gamma_a((v W)_a), (sample,) float64.

        P(v) = exp(-F(v)) / Z; with offsets every sample has a Z of its own.
        """
        gamma = self.hidden.log_partition(self.inputs_to_hidden(visible, offsets))
        energy = self.visible.energy(visible) - gamma.to(torch.float64).sum(dim=1)
        return energy if offsets is None else energy - offsets.visible_term(visible)

    def free_energy_of_hidden(self, hidden: Tensor, offsets: Offsets | None = None) -> Tensor:
        """Return E_hidden(h) - sum_i Gamma_i((h W^T)_i), (sample,) float64."""
        gamma = self.visible.log_partition(self.inputs_to_visible(hidden, offsets))
        energy = self.hidden.energy(hidden) - gamma.to(torch.float64).sum(dim=1)
        return energy if offsets is None else energy - offsets.hidden_term(hidden)

    def mean_hidden(self, visible: Tensor, offsets: Offsets | None = None) -> Tensor:
        """Return <h | v>, (sample, hidden)."""
        return self.hidden.mean(self.inputs_to_hidden(visible, offsets))

    def mean_visible(self, hidden: Tensor, offsets: Offsets | None = None) -> Tensor:
        """Return <v | h>, (sample, visible)."""
        return self.visible.mean(self.inputs_to_visible(hidden, offsets))

    def sample_hidden(
        self, visible: Tensor, generator: Generator, offsets: Offsets | None = None
    ) -> Tensor:
        """Draw h given v."""
        return self.hidden.sample(self.inputs_to_hidden(visible, offsets), generator)

    def sample_visible(
        self, hidden: Tensor, generator: Generator, offsets: Offsets | None = None
    ) -> Tensor:
        """Draw v given h."""
        return self.visible.sample(self.inputs_to_visible(hidden, offsets), generator)

    def sweep(
        self,
        visible: Tensor,
        generator: Generator,
        sweeps: int = 1,
        offsets: Offsets | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Run block Gibbs sweeps from visible states.

        Parameters
        ----------
        visible
            (chain, visible) states; left as they are.
        generator
            Moves on.
        sweeps
            Number of sweeps, at least 1; each draws h given v, then v given h.
        offsets
            A row for every chain.

        Returns
        -------
        visible, hidden
            New states; the visible ones were drawn from the hidden ones.
        """
        whole_number_in("sweeps", sweeps, low=1)
        kernel = fused_sweep(self.visible, self.hidden)
        if kernel is not None:
            if offsets is not None:
                offsets.require(len(visible), self.weights)
            return kernel(
                self.visible, self.hidden, self.weights, visible, sweeps, generator, offsets
            )
        hidden = torch.empty(0)
        for _ in range(sweeps):
            hidden = self.sample_hidden(visible, generator, offsets)
            visible = self.sample_visible(hidden, generator, offsets)
        return visible, hidden

    def moments(
        self,
        visible: Tensor,
        answers: Answers | None = None,
        offsets: Offsets | None = None,
    ) -> Moments:
        """Return the mean statistics of visible states (sample, visible), hidden integrated out.

        The means of the layers' statistics and of v h are the derivatives of -F(v) with respect to
        the parameters, averaged over the samples.

        Parameters
        ----------
        visible
            (sample, visible) states.
        answers
            What the hidden layer answers to them, if it is known.
        offsets
            A row for every sample; not needed where `answers` are known.
        """
        if answers is None:
            answers = self.hidden.answers(self.inputs_to_hidden(visible, offsets))
        means, statistics = answers
        averages = self.visible.mean_of_statistics(visible)
        # the statistic of the field of units in {0, 1} is the state itself
        binary = visible.dtype == torch.uint8
        return Moments(
            averages,
            statistics,
            averages["field"] if binary else visible.mean(dim=0, dtype=means.dtype),
            means.mean(dim=0),
            visible,
            means,
        )

    def with_fields_moved(self, offset: Offsets) -> RBM:
        """Return the RBM that has one row of offsets in its own fields: the same law without it."""
        offset.require(1, self.weights)
        visible, hidden = self.visible, self.hidden
        if offset.visible is not None:
            visible = visible.shifted(offset.visible[0])
        if offset.hidden is not None:
            hidden = hidden.shifted(offset.hidden[0])
        return RBM(visible, hidden, self.weights)

    def independent(self, visible_field: Tensor | None = None) -> RBM:
        """Return the RBM without weights: the lowest rung of every ladder to this model.

        Parameters
        ----------
        visible_field
            Field of the visible units in place of the model's own, (visible,).
        """
        visible = self.visible
        if visible_field is not None:
            field = visible_field.to(self.weights.device, visible.dtype)
            visible = visible.with_parameters({"field": field})
        return RBM(visible, self.hidden, torch.zeros_like(self.weights))

    def log_partition_independent(self) -> float:
        """Return log Z of this model without its weights, exact: sum of Gamma(0) of both layers."""
        zero_visible = torch.zeros((1, len(self.visible)), dtype=torch.float64)
        zero_hidden = torch.zeros((1, len(self.hidden)), dtype=torch.float64)
        return float(
            self.visible.to("cpu").to(torch.float64).log_partition(zero_visible).sum()
            + self.hidden.to("cpu").to(torch.float64).log_partition(zero_hidden).sum()
        )

    def in_sign_gauge(self) -> RBM:
        """Return this model with every hidden unit's weights summing to 0 or more.

        Units of negative sum change sign, weights and potential together, which leaves the law of
        the visible units as it is (van der Plas et al., eLife 12:e83139, 2023, below eq. 13).
        A hidden kind without a mirror image (`Layer.flipped`) returns the model itself.
        """
        return self._flipped(self.weights.sum(dim=0) < 0)

    def signed_like(self, other: RBM) -> RBM:
        """Return this model with every hidden unit in the sign in which it resembles `other`.

        Between models of one training that differ in the signs of some units, nothing on a straight
        line is like either.
        """
        return self._flipped((self.weights * other.weights).sum(dim=0) < 0)

    def _flipped(self, units: Tensor) -> RBM:
        hidden = self.hidden.flipped(units)
        if hidden is None:
            return self
        return RBM(self.visible, hidden, torch.where(units, -self.weights, self.weights))

    def sample(
        self,
        n: int,
        *,
        seed: int = 0,
        sweeps: int = 1000,
        anneal: int = 200,
        callbacks: Sequence[Callback] = (),
        callback: Callable[[int, int], None] | None = None,
    ) -> Tensor:
        """Draw samples, (n, visible): independent chains annealed and then swept.

        The options and the errors are those of `boltzbrain.sampling.annealed.sample`; ``callback``
        is deprecated, and called with sweeps done and planned.
        """
        drawn: Tensor = keeper("RBM.sample")(
            self,
            n,
            seed=seed,
            sweeps=sweeps,
            anneal=anneal,
            callbacks=with_old(callbacks, callback),
        )
        return drawn

    def save(self, path: str | Path) -> None:
        """Write this model to an HDF5 file, whole or not at all; one of that name is replaced.

        Raises
        ------
        InputError
            If the file cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> from boltzbrain.model import Bernoulli, ReLU
        >>> model = RBM(Bernoulli(torch.zeros(3)), ReLU(torch.zeros(2), torch.ones(2)),
        ...             torch.zeros(3, 2))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(Path(folder) / "model.h5")
        ...     RBM.load(Path(folder) / "model.h5").hidden.kind
        'relu'
        """
        save(self, path)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a model file, or the model of a checkpoint, in the floating type that was written.

        Raises
        ------
        InputError
            If the file is missing, damaged or cut short, or holds no such model.
        """
        with open_readable(path) as file:
            if "context" in file:
                must = "be without a context (ContextualRBM.load reads it)"
                raise bad_input("the model", must, ", ".join(file["context"]), file=path)
            return cls.read(file)

    @classmethod
    def read(cls, group: h5py.Group) -> Self:
        """Read a model from an open HDF5 group; see `model.files` for its layout.

        Raises
        ------
        InputError
            If the group holds no model, or one that cannot be read.
        """
        visible, hidden, weights = read_parts(group)
        try:
            return cls(visible, hidden, weights)
        except InputError as error:
            raise InputError(f"{group.file.filename}: {error}") from None


def _require_states(name: str, states: object, units: int) -> None:
    """Refuse an array, and states of another number of units, which a kernel would read past."""
    if not isinstance(states, Tensor):
        must = f"be a tensor, (sample, {units}) (of an array: torch.as_tensor({name}))"
        raise bad_input(name, must, type(states))
    if states.shape[-1:] != (units,):
        raise bad_input(name, f"have shape (sample, {units})", f"{tuple(states.shape)}")
