"""The one drawer of samples: of the model's law, by one stream, and with progress told."""

import pytest
import torch

import boltzbrain as bb
from boltzbrain.evaluation.samples import draw_samples
from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.progress import Teller
from boltzbrain.foundations.random import Generator
from boltzbrain.model.offsets import Offsets
from boltzbrain.sampling.annealed import annealed
from boltzbrain.sampling.synthetic import random_model
from helpers.enumeration import exact_distribution


def test_chains_are_annealed_under_fields_of_their_own():
    # a chain's numbers are its row's, so that each follows the model with its fields
    model = random_model("drelu", 5, 3, Generator.from_seed(3, "rows"), dtype=torch.float64)
    offsets = Offsets(*(1.5 * Generator(4).normal((2, size), torch.float64) for size in (5, 3)))
    row = torch.arange(40) % 2
    options = {"anneal": 4, "sweeps": 3}
    (found,) = annealed(model, 40, Generator(5), offsets=offsets[row], **options)
    for number, one in enumerate(offsets.rows()):
        moved = model.with_fields_moved(one)
        (wanted,) = annealed(moved, 40, Generator(5), **options)
        assert torch.equal(found[row == number], wanted[row == number])


def small_model() -> bb.RBM:
    return random_model("bernoulli", 5, 3, Generator.from_seed(3, "model"), dtype=torch.float64)


@pytest.mark.parametrize("spacing", [0, 7])
def test_chains_have_the_law_of_the_model(spacing):
    """False-alarm rate 8e-7.

    The total variation of n exact samples over 32 states is at most sqrt(32 / n) / 2 on average;
    one sample moves it by 1 / n, so it exceeds that by t with probability exp(-2 n t**2) at most.
    """
    model, n = small_model(), 20_000
    generator = Generator.from_seed(1, "chains")
    times = 2 if spacing else 1
    *_, last = annealed(model, n, generator, anneal=20, sweeps=30, times=times, spacing=spacing)
    states, log_probabilities = exact_distribution(model)
    place = 2 ** torch.arange(4, -1, -1)
    found = torch.bincount((last.to(torch.int64) * place).sum(dim=1), minlength=32) / n
    distance = 0.5 * (found - log_probabilities.exp()).abs().sum()
    assert len(states) == 32
    assert distance < 0.5 * (32 / n) ** 0.5 + (0.5 * 14 / n) ** 0.5
    # the control: the model without its weights is farther off than chance allows
    alone = model.independent().visible.sample(torch.zeros(n, 5, dtype=torch.float64), generator)
    wrong = torch.bincount((alone.to(torch.int64) * place).sum(dim=1), minlength=32) / n
    assert 0.5 * (wrong - log_probabilities.exp()).abs().sum() > distance * 2


def test_one_stream_is_spent_in_one_order_by_every_door():
    model = small_model()
    mine = next(annealed(model, 9, Generator.from_seed(4, "sample"), anneal=5, sweeps=23))
    assert torch.equal(mine, model.sample(9, seed=4, anneal=5, sweeps=23))
    stream = Generator.from_seed(4, "evaluation", "samples")
    parts = list(annealed(model, 9, stream, anneal=5, sweeps=23, times=5, spacing=11))
    drawn = draw_samples(model, 4, chains=9, anneal=5, sweeps=23, spacing=11)
    assert torch.equal(torch.cat(parts).to(torch.uint8), torch.from_numpy(drawn.states))


def test_without_annealing_and_sweeps_the_weights_have_no_say():
    model, n = small_model(), 9
    stream = Generator.from_seed(4, "sample")
    start = model.visible.sample(torch.zeros(n, 5, dtype=torch.float64), stream)
    assert torch.equal(model.sample(n, seed=4, anneal=0, sweeps=0), start)


def test_sweeps_are_told_to_the_last():
    seen = []
    tell = Teller([lambda told: seen.append((told.done, told.total))])
    stream = Generator.from_seed(0, "any")
    list(annealed(small_model(), 3, stream, anneal=2, sweeps=15, times=2, spacing=4, tell=tell))
    assert seen == [(done, 21) for done in (1, 2, 12, 17, 21)]


def test_no_chains_are_refused():
    with pytest.raises(InputError, match="n must be a whole number, at least 1"):
        small_model().sample(0)
