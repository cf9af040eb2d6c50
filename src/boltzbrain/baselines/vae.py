"""The sparse linear variational autoencoder of the zebrafish paper.

Van der Plas et al. 2023, 'Variational Autoencoders': an encoder of two dense layers, as wide as the
latent space, each followed by batch normalisation, the first by a ReLU; a decoder of one dense
layer with a sigmoid, its weights under an L1 penalty; Adam on the ELBO, the rate falling
geometrically over the second half. Ours are the rates, the batch and the number of updates, chosen
for recordings of some thousand bins, the KL term that rises over the first tenth, and the
parameters kept, which are those of the best validation ELBO along the training.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import skip_init

from boltzbrain.baselines.latent import Readout
from boltzbrain.baselines.protocol import Baseline, Fit, Trial
from boltzbrain.baselines.search import beyond_edge, lies_at_edge
from boltzbrain.foundations.numerics import bernoulli_log_likelihood
from boltzbrain.foundations.random import Generator
from boltzbrain.model.independent import independent_field

LATENTS = (25, 50, 100, 200, 300)
PENALTIES = (0.001, 0.002, 0.005, 0.01, 0.02)
"""Sizes of z, and L1 penalties on the decoder, of the ELBO per bin.

Up to the best of the paper's, 300 and 0.01, and those of its comparison, 200 and 0.02.
"""

_ELBO_SAMPLES, _BOUND_SAMPLES = 10, 500
_LOOKS = 20
_ROWS = 256


class Network(nn.Module):
    """Encoder and decoder."""

    def __init__(self, neurons: int, latent: int, field: Tensor, generator: Generator) -> None:
        super().__init__()

        def dense(inputs: int, outputs: int) -> nn.Linear:
            layer: nn.Linear = skip_init(nn.Linear, inputs, outputs)
            edge = math.sqrt(6 / (inputs + outputs))
            uniform = generator.uniform((outputs, inputs), torch.float32)
            with torch.no_grad():
                layer.weight.copy_(edge * (2 * uniform - 1))
                layer.bias.zero_()
            return layer

        self.first = dense(neurons, latent)
        self.rest = nn.Sequential(nn.BatchNorm1d(latent), nn.ReLU())
        self.mean = nn.Sequential(dense(latent, latent), nn.BatchNorm1d(latent))
        self.log_variance = nn.Sequential(dense(latent, latent), nn.BatchNorm1d(latent))
        self.decoder = dense(latent, neurons)
        with torch.no_grad():
            self.decoder.bias.copy_(field)

    def encode(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of z given states (bin, neuron) float32."""
        inner = self.rest(self.first(states))
        return self.mean(inner), self.log_variance(inner).clamp(-10, 10)

    def log_odds(self, latent: Tensor) -> Tensor:
        """Return the log-odds of every neuron given z, (bin, neuron)."""
        result: Tensor = self.decoder(latent)
        return result


def _log_given(odds: Tensor, states: Tensor) -> Tensor:
    """Return log P(v | z), (bin,)."""
    return bernoulli_log_likelihood(odds, states).sum(dim=-1)


def _divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return KL(q(z | v) || N(0, 1)), (bin,)."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1)


def _normal(shape: tuple[int, int], generator: Generator) -> Tensor:
    return generator.normal(shape, torch.float32)


@torch.no_grad()
def elbo(network: Network, states: Tensor, generator: Generator, samples: int) -> Tensor:
    """Return the ELBO of every bin from `samples` draws of z each, (bin,) float64 nats."""
    network.eval()
    parts = []
    for part in states.to(torch.float32).split(4 * _ROWS):
        mean, log_variance = network.encode(part)
        total = torch.zeros(len(part), dtype=torch.float64)
        for _ in range(samples):
            noise = _normal((len(part), mean.shape[1]), generator)
            z = mean + noise * (0.5 * log_variance).exp()
            total += _log_given(network.log_odds(z), part)
        parts.append(total / samples - _divergence(mean, log_variance))
    return torch.cat(parts)


@torch.no_grad()
def importance_bound(
    network: Network, states: Tensor, generator: Generator, samples: int
) -> Tensor:
    """Return the importance-weighted bound of every bin, (bin,) float64 nats.

    log of the mean of P(v | z) P(z) / q(z | v) over draws of q: at least the ELBO, at most log P(v)
    in expectation (Burda, Grosse and Salakhutdinov, ICLR 2016).
    """
    network.eval()
    parts = []
    for part in states.to(torch.float32).split(4 * _ROWS):
        mean, log_variance = network.encode(part)
        logs = []
        for _ in range(samples):
            noise = _normal((len(part), mean.shape[1]), generator)
            z = mean + noise * (0.5 * log_variance).exp()
            ratio = 0.5 * (noise.square() + log_variance - z.square()).sum(dim=1)
            logs.append((_log_given(network.log_odds(z), part) + ratio).to(torch.float64))
        parts.append(torch.logsumexp(torch.stack(logs), dim=0) - math.log(samples))
    return torch.cat(parts)


@dataclass(frozen=True, eq=False)
class VAE(Baseline):
    """The fitted autoencoder.

    Attributes
    ----------
    network
        Encoder and decoder, in the mode of evaluation.
    readout
        Logistic curve from the decoded log-odds of a neuron that the encoder saw as silent to those
        of a spike.
    """

    name: ClassVar[str] = "vae"
    title: ClassVar[str] = "sparse linear VAE"
    gives: ClassVar[frozenset[str]] = frozenset(
        {"bound", "conditional", "reconstruction", "samples", "assemblies"}
    )

    network: Network
    readout: Readout

    def bound(
        self, states: NDArray[np.uint8], generator: Generator
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the ELBO (10 draws) and the importance-weighted bound (500), (bin,) nats each."""
        visible = torch.from_numpy(states)
        lower = elbo(self.network, visible, generator, _ELBO_SAMPLES)
        tighter = importance_bound(self.network, visible, generator, _BOUND_SAMPLES)
        return lower.numpy(), tighter.numpy()

    def conditional(self, states: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the log-odds of every neuron, encoded with its own state at 0, (bin, neuron).

        The exact conditional would need an integral over z for every neuron and bin.
        """
        values = unseen_log_odds(self.network, torch.from_numpy(states))
        result: NDArray[np.float32] = self.readout.log_odds(values).numpy()
        return result

    @torch.no_grad()
    def reconstruction(self, states: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the log-odds of every neuron at the mean of z, (bin, neuron)."""
        mean, _ = self.network.encode(torch.from_numpy(states).to(torch.float32))
        result: NDArray[np.float32] = self.network.log_odds(mean).numpy()
        return result

    @torch.no_grad()
    def samples(self, n: int, generator: Generator) -> NDArray[np.uint8]:
        """Return independent states (n, neuron): z from its prior, then the neurons."""
        z = _normal((n, self.network.decoder.in_features), generator)
        chance = torch.sigmoid(self.network.log_odds(z))
        uniform = generator.uniform((n, chance.shape[1]), torch.float32)
        result: NDArray[np.uint8] = (uniform < chance).to(torch.uint8).numpy()
        return result

    def assemblies(self) -> NDArray[np.float64]:
        """Return the weights of the decoder, (neuron, latent); z has unit variance."""
        weights = self.network.decoder.weight.detach().to(torch.float64)
        result: NDArray[np.float64] = weights.numpy()
        return result


@torch.no_grad()
def unseen_log_odds(network: Network, states: Tensor) -> Tensor:
    """Return the decoded log-odds of every neuron where the encoder sees it as silent.

    (bin, neuron) float32. For silent neurons that is the bin as it is; each spike takes an encoding
    of its own.
    """
    network.eval()
    visible = states.to(torch.float32)
    result = network.log_odds(network.encode(visible)[0])
    decoder, first = network.decoder, network.first
    for start in range(0, len(states), _ROWS):
        part = slice(start, start + _ROWS)
        bins, neurons = torch.nonzero(states[part], as_tuple=True)
        # the spike is taken out of the first layer's sums
        inner = network.rest(first(visible[part])[bins] - first.weight.T[neurons])
        z = network.mean(inner)
        odds = (z * decoder.weight[neurons]).sum(dim=1) + decoder.bias[neurons]
        result[part][bins, neurons] = odds
    return result


def _batches(bins: int, size: int, generator: Generator) -> Iterator[Tensor]:
    """Yield batches of the bins in random order, over and over."""
    size = min(size, bins)
    while True:
        order = torch.from_numpy(generator.permutation(bins))
        yield from (one for one in order.split(size) if len(one) == size)


def train_network(
    train: Tensor,
    validation: Tensor,
    latent: int,
    penalty: float,
    generator: Generator,
    *,
    updates: int,
    batch: int = 200,
    rate: float = 0.01,
    final_rate: float = 1e-4,
) -> tuple[Network, float]:
    """Train one autoencoder; return it as it was at its best validation ELBO, and that, in nats.

    Parameters
    ----------
    train, validation
        (bin, neuron) uint8.
    latent, penalty
        Size of z, and the L1 penalty on the decoder's weights.
    generator
        Moves on.
    updates, batch, rate, final_rate
        Of Adam.
    """
    network = Network(train.shape[1], latent, independent_field(train), generator)
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    best, kept = -math.inf, network.state_dict()
    looks = {round(updates * (look + 1) / _LOOKS) for look in range(_LOOKS)}
    for update, chosen in enumerate(_batches(len(train), batch, generator), start=1):
        late = max(0.0, 2 * update / updates - 1)
        optimiser.param_groups[0]["lr"] = rate * (final_rate / rate) ** late
        network.train()
        states = train[chosen].to(torch.float32)
        mean, log_variance = network.encode(states)
        noise = _normal((len(states), latent), generator)
        odds = network.log_odds(mean + noise * (0.5 * log_variance).exp())
        rise = min(1.0, update / max(1.0, 0.1 * updates))
        loss = (rise * _divergence(mean, log_variance) - _log_given(odds, states)).mean()
        loss = loss + penalty * network.decoder.weight.abs().sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        if update in looks:
            score = float(elbo(network, validation, generator.child("look", update), 3).mean())
            if score > best:
                best = score
                kept = {name: value.clone() for name, value in network.state_dict().items()}
        if update == updates:
            break
    network.load_state_dict(kept)
    return network.eval(), best


def fit_vae(
    train: NDArray[np.uint8],
    validation: NDArray[np.uint8],
    generator: Generator,
    *,
    latents: Sequence[int] = LATENTS,
    penalties: Sequence[float] = PENALTIES,
    trial_updates: int = 1000,
    updates: int = 20_000,
) -> VAE:
    """Fit the autoencoder, its size and penalty chosen by the ELBO of the validation fold.

    Parameters
    ----------
    train, validation
        (bin, neuron) uint8, at least two bins each.
    generator
        Moves on.
    latents, penalties
        The grid, whole, both rising. Where the least or the greatest penalty is the best, the
        search goes on beyond it, and so it does below the least size; larger ones cost too much.
    trial_updates, updates
        Of every point of the grid, and of the best one.
    """
    started = time.monotonic()
    states, held_out = torch.from_numpy(train), torch.from_numpy(validation)
    trials: list[Trial] = []

    def attempt(latent: int, penalty: float) -> tuple[float, int, float]:
        _, score = train_network(
            states, held_out, latent, penalty, generator, updates=trial_updates
        )
        trials.append(Trial({"latents": latent, "l1": penalty}, score))
        return score, latent, penalty

    def onward(
        best: tuple[float, int, float], points: Iterable[tuple[int, float]]
    ) -> tuple[float, int, float]:
        for point in points:
            found = attempt(*point)
            if found[0] <= best[0]:
                break
            best = found
        return best

    grid = [attempt(latent, penalty) for latent in latents for penalty in penalties]
    best = max(grid, key=lambda one: one[0])
    best = onward(best, [(best[1], penalty) for penalty in beyond_edge(best[2], penalties)])
    if best[1] == min(latents):
        sizes = beyond_edge(best[1], latents)
        best = onward(best, [(max(1, round(size)), best[2]) for size in sizes])
    _, latent, l1 = best
    chosen = {"latents": latent, "l1": l1}
    network, _ = train_network(states, held_out, latent, l1, generator, updates=updates)
    readout = Readout.of(unseen_log_odds(network, states), states)
    fit = Fit(
        f"Adam, batches of 200 bins, {trial_updates} updates for each point of the grid, {updates} "
        "for the best",
        trial_updates * len(trials) + updates,
        time.monotonic() - started,
        chosen,
        "ELBO, nats per validation bin",
        tuple(trials),
        lies_at_edge(chosen, trials),
    )
    return VAE(fit, network, readout)
