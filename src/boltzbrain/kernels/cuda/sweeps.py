"""Whole sweeps on a GPU, the launches of several of them captured once in a CUDA graph.

A sweep of a small model ends before the host can launch the next kernel. A graph replays all
launches of a call at once. It knows fixed addresses only, so it owns tensors for the states, the
parameters and the random state; a call copies what it is given into them. One graph is kept for
each shape, kind, number of sweeps and stream, and the newest of them only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from threading import Lock
from typing import NamedTuple

import torch
from torch import Tensor

from boltzbrain.kernels.cuda.products import (
    Units,
    multiply,
    random_state,
    room_for,
    set_random_state,
)

MOST_SWEEPS = 32
"""Sweeps in one graph; a longer call replays it, the random state moved on."""

_LEAST_SWEEPS = 2
"""A single sweep is launched as it is: copying the weights would cost more than the launches."""

_GRAPHS = 8
"""Graphs kept at most, each with its copy of the weights."""

_replaying = Lock()


class _Parts(NamedTuple):
    """What sweeps read and write: tensors that stay where they are."""

    visible: Tensor
    hidden: Tensor
    visible_units: Units
    hidden_units: Units
    weights: Tensor
    state: Tensor
    room: Tensor

    @classmethod
    def of(
        cls,
        visible: Tensor,
        visible_field: Tensor,
        hidden_units: Units,
        weights: Tensor,
        state: Tensor,
    ) -> _Parts:
        """Return new states and room beside the given parameters; the given states are copied."""
        chains, (units, others) = len(visible), weights.shape
        visible_units = Units("bernoulli", visible_field.contiguous()[None])
        room = max(room_for(hidden_units, chains, units), room_for(visible_units, chains, others))
        return cls(
            visible.to(torch.uint8, memory_format=torch.contiguous_format, copy=True),
            torch.empty((chains, others), dtype=hidden_units.dtype, device=weights.device),
            visible_units,
            hidden_units,
            weights,
            state,
            torch.empty(room, device=weights.device),
        )

    def run(self, sweeps: int) -> None:
        """Move the states by sweeps."""
        offset, state, room = 0, self.state, self.room
        for _ in range(sweeps):
            multiply(
                self.visible, self.weights, self.hidden_units, state, offset, self.hidden, room
            )
            offset += self.hidden_units.draws
            multiply(
                self.hidden, self.weights.T, self.visible_units, state, offset, self.visible, room
            )
            offset += self.visible_units.draws


class _Graph:
    """Sweeps over tensors of its own, to be replayed on others of the same shapes."""

    def __init__(self, parts: _Parts, sweeps: int) -> None:
        self.parts, self.sweeps = parts, sweeps
        self.replay = self._captured()

    def _captured(self) -> Callable[[], None]:
        """Return what runs the sweeps: a CUDA graph, and without a GPU the launches themselves."""
        device = self.parts.weights.device
        if device.type != "cuda":
            return lambda: self.parts.run(self.sweeps)
        # kernels are compiled and loaded by a first run, which a capture does not allow
        with torch.cuda.device(device):
            aside = torch.cuda.Stream()
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):
                self.parts.run(self.sweeps)
            torch.cuda.current_stream().wait_stream(aside)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                self.parts.run(self.sweeps)
        return graph.replay

    def load(self, visible: Tensor, visible_field: Tensor, hidden: Units, weights: Tensor) -> None:
        """Copy states and parameters in."""
        own = self.parts
        own.visible.copy_(visible)
        own.visible_units.parameters[0].copy_(visible_field)
        own.hidden_units.parameters.copy_(hidden.parameters)
        own.weights.copy_(weights)


class _Key(NamedTuple):
    """What a graph is captured for."""

    device: torch.device
    stream: int
    shape: tuple[int, int, int]
    kind: str
    rows: int
    precision: str
    sweeps: int


@lru_cache(maxsize=_GRAPHS)
def _graph(key: _Key) -> _Graph:
    chains, units, others = key.shape
    exact = torch.float32 if key.kind == "bernoulli" else torch.float64
    # ones, since precisions of 0 would have no draws in the first run
    hidden = torch.ones((key.rows, others), dtype=exact, device=key.device)
    parts = _Parts.of(
        torch.zeros((chains, units), dtype=torch.uint8, device=key.device),
        torch.zeros(units, device=key.device),
        Units(key.kind, hidden),
        torch.zeros((units, others), device=key.device),
        random_state(0, 0, key.device),
    )
    return _Graph(parts, key.sweeps)


def sweep(
    visible: Tensor,
    visible_field: Tensor,
    hidden: Units,
    weights: Tensor,
    sweeps: int,
    key: int,
    draw: int,
) -> tuple[Tensor, Tensor]:
    """Run block Gibbs sweeps from binary visible states.

    Parameters
    ----------
    visible
        (chain, visible) uint8; left as it is.
    visible_field, weights
        (visible,) and (visible, hidden), float32.
    hidden
        Hidden units.
    sweeps
        Number of sweeps, at least 1.
    key, draw
        Random state; each sweep uses the draw numbers of `hidden`, then one for the visible units.

    Returns
    -------
    visible, hidden
        New states; the hidden ones are those from which the visible ones were drawn.
    """
    device = weights.device
    if sweeps < _LEAST_SWEEPS or not len(visible):
        state = random_state(key, draw, device)
        parts = _Parts.of(visible, visible_field, hidden, weights, state)
        parts.run(sweeps)
        return parts.visible, parts.hidden
    at_once = min(sweeps, MOST_SWEEPS)
    rest = sweeps % at_once
    chosen = _Key(
        device,
        torch.cuda.current_stream(device).cuda_stream if device.type == "cuda" else 0,
        (len(visible), *weights.shape),
        hidden.kind,
        len(hidden.parameters),
        torch.get_float32_matmul_precision(),
        at_once,
    )
    with _replaying:
        graph = _graph(chosen)
        graph.load(visible, visible_field, hidden, weights)
        for _ in range(sweeps // at_once):
            set_random_state(graph.parts.state, key, draw)
            graph.replay()
            draw += at_once * (hidden.draws + 1)
        states = graph.parts.visible.clone(), graph.parts.hidden.clone()
    if not rest:
        return states
    return sweep(states[0], visible_field, hidden, weights, rest, key, draw)
