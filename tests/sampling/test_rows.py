"""log Z of every row of offsets against enumeration, inside the errors that are told.

Estimates are held to 4 standard errors: a right program fails one of them for 6 in 100,000 seeds,
and this file, with some 20, for one seed in 800.
"""

from __future__ import annotations

import math
from functools import cache

import pytest
import torch
from torch import Tensor

from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.progress import Teller
from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.layers.layer import KINDS
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.enumeration import (
    exact_log_partition,
    exact_log_partitions,
    exact_samples,
    terms_of_rows,
)
from boltzbrain.sampling.moves.annealing import climb_by_moves, law_to_start_from
from boltzbrain.sampling.partition import log_mean_exp
from boltzbrain.sampling.rows import partition
from boltzbrain.sampling.rows.annealed import annealed_rows
from boltzbrain.sampling.rows.coarse import coarse_and_fine
from boltzbrain.sampling.rows.estimate import RowPartitions, jackknifed
from boltzbrain.sampling.rows.partition import log_partitions_of_rows
from boltzbrain.sampling.rows.reference import by_reference
from boltzbrain.sampling.synthetic import random_model
from helpers.pretend_gpu import DEVICE, pretend_gpu

ALL_KINDS = sorted(KINDS)
ROWS, VISIBLE, HIDDEN = 120, 9, 5


@cache
def case(kind: str) -> tuple[RBM, Offsets, Tensor]:
    """Return a model, rows that change it by a nat and more, and log Z of each."""
    generator = Generator.from_seed(0, "rows", kind)
    model = random_model(kind, VISIBLE, HIDDEN, generator, weight_std=0.5)
    offsets = Offsets(*(0.7 * generator.normal((ROWS, size)) for size in (VISIBLE, HIDDEN)))
    return model, offsets, exact_log_partitions(model, offsets)


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_rows_are_summed_exactly(kind):
    # hidden units of two values are as few as here enumerated, else the visible ones
    model, both, _ = case(kind)
    for rows in (both[:4], Offsets(both.visible)[:4], Offsets(None, both.hidden)[:4]):
        moved = [model.with_fields_moved(row) for row in rows.rows()]
        wanted = torch.tensor([exact_log_partition(one) for one in moved], dtype=torch.float64)
        torch.testing.assert_close(exact_log_partitions(model, rows), wanted, atol=1e-5, rtol=0)


def check(found: RowPartitions, wanted: Tensor) -> None:
    error = found.mean - float(wanted.mean())
    assert abs(error) < 4 * found.stderr
    assert found.stderr < 0.1 * float(wanted.std())
    # control: another row's log Z is far from its own
    own = (found.values - wanted).square().mean().sqrt()
    assert own < 0.3 * (found.values - wanted.roll(1)).square().mean().sqrt()
    assert not found.warnings


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_annealed_rows_lie_inside_their_errors(kind):
    model, offsets, wanted = case(kind)
    found = annealed_rows(model, offsets, Generator(1), chains=20, rungs=40)
    check(found, wanted)
    # 120 rows: the spread of error over its estimate is within a fifth of 1
    scores = (found.values - wanted) / found.errors
    assert 0.7 < float(scores.square().mean().sqrt()) < 1.5
    assert found.gap is not None
    assert found.gap_stderr is not None
    assert abs(found.gap) < 4 * found.gap_stderr


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_rows_told_by_a_reference_lie_inside_their_errors(kind):
    model, offsets, wanted = case(kind)
    found = by_reference(
        model, offsets, Generator(2), rows=40, reference_chains=500, reference_rungs=60
    )
    error = found.mean - float(wanted.mean())
    assert abs(error) < 4 * found.stderr
    # what is drawn tells the rest: a mean of 40 rows alone would be off by sd / sqrt(60)
    assert found.stderr < 0.6 * float(wanted.std()) / math.sqrt(60)
    left = (found.values - found.mean) - (wanted - wanted.mean())
    told = found.errors.square().mean().sqrt()
    assert 0.4 < float(left.square().mean().sqrt() / told) < 1.5
    assert not found.warnings


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_rows_annealed_coarsely_are_told_by_those_annealed_finely(kind):
    model, offsets, wanted = case(kind)
    found = coarse_and_fine(model, offsets, Generator(10), rows=30, coarse=(4, 20), fine=(20, 40))
    assert found.method == "coarse"
    assert abs(found.mean - float(wanted.mean())) < 4 * found.stderr
    assert found.spread is not None
    # a third of what differs between rows is left, or less
    assert found.spread < 0.35 * float(wanted.std())
    left = (found.values - found.mean) - (wanted - wanted.mean())
    assert 0.5 < float(left.square().mean().sqrt() / found.errors.square().mean().sqrt()) < 1.5


@pytest.mark.parametrize("which", ["visible", "hidden"])
def test_offsets_of_one_layer_and_a_foot_are_annealed_too(which):
    model, both, _ = case("drelu")
    offsets = Offsets(both.visible) if which == "visible" else Offsets(None, both.hidden)
    wanted = exact_log_partitions(model, offsets)
    foot = 0.8 * both.visible
    for rows in (None, foot):
        found = annealed_rows(model, offsets, Generator(3), chains=20, rungs=40, foot=rows)
        check(found, wanted)
    told = by_reference(
        model, offsets, Generator(4), rows=40, reference_chains=500, reference_rungs=60
    )
    assert abs(told.mean - float(wanted.mean())) < 4 * told.stderr


@pytest.mark.parametrize("kind", ["drelu", "gaussian", "relu"])
def test_chains_annealed_by_moves_tell_of_their_own_rows(kind):
    model, offsets, wanted = case(kind)
    states = torch.cat(
        [
            exact_samples(model.with_fields_moved(row), 1, Generator(number))
            for number, row in enumerate(offsets.rows())
        ]
    )
    base = law_to_start_from(model, states, Generator(9), offsets)
    rows = offsets.repeated(10)
    log_weights = climb_by_moves(model, base, len(rows), 60, Generator(10), rows)
    values, errors = jackknifed(log_weights.reshape(-1, 10))
    stderr = float(errors.square().sum().sqrt()) / len(values)
    check(RowPartitions(values, errors, stderr, "annealed"), wanted)


def test_few_chains_err_low_and_the_jackknife_takes_it_away(monkeypatch):
    # the bias of 4 chains on 8 rungs is 15 standard errors of the mean over 6,000 repetitions
    model, offsets, wanted = case("relu")
    many = torch.arange(ROWS).repeat(50)
    plain = []

    def noted(log_weights: Tensor) -> tuple[Tensor, Tensor]:
        plain.append(torch.logsumexp(log_weights, dim=1) - math.log(4))
        return jackknifed(log_weights)

    monkeypatch.setattr("boltzbrain.sampling.rows.annealed.jackknifed", noted)
    found = annealed_rows(model, offsets[many], Generator(5), chains=4, rungs=8)
    error = found.values - wanted[many]
    stderr = float(error.std()) / math.sqrt(len(error))
    biased = float((plain[0] - wanted[many]).mean())
    assert biased < -8 * stderr
    assert abs(float(error.mean())) < 0.35 * abs(biased)


def test_the_jackknife_is_that_of_its_definition():
    logs = Generator(6).normal((3, 7), torch.float64)
    value, error = jackknifed(logs)
    for row in range(3):
        whole = log_mean_exp(logs[row])
        left = torch.tensor(
            [log_mean_exp(torch.cat([logs[row, :one], logs[row, one + 1 :]])) for one in range(7)]
        )
        assert float(value[row]) == pytest.approx(7 * whole - 6 * float(left.mean()), abs=1e-6)
        squares = float((left - left.mean()).square().sum())
        assert float(error[row]) == pytest.approx(math.sqrt(6 / 7 * squares), rel=1e-5)


def test_samples_of_the_rows_open_a_gap_where_chains_miss_a_state():
    # one hidden unit, on or off with 40 neurons, equally likely: chains from independent units
    # leave it off, so that log Z comes out log 2 too low. Their own ends do not tell, exact samples
    # do; 120 of them put the gap within .1 of log 2
    off, on = (torch.nn.functional.softplus(torch.tensor(one)) for one in (-3.0, 0.0))
    model = RBM(
        Bernoulli(torch.full((40,), -3.0)),
        Bernoulli(40 * (off - on)[None]),
        torch.full((40, 1), 3.0),
    )
    offsets = Offsets(0.1 * Generator(8).normal((ROWS, 40)))
    wanted = exact_log_partitions(model, offsets)
    samples = torch.cat(
        [
            exact_samples(model.with_fields_moved(row), 1, Generator(number))
            for number, row in enumerate(offsets.rows())
        ]
    )
    gaps = []
    for given in (None, samples):
        found = annealed_rows(model, offsets, Generator(7), rungs=60, samples=given)
        assert found.mean - float(wanted.mean()) == pytest.approx(-math.log(2), abs=0.1)
        assert found.gap is not None
        assert found.gap_stderr is not None
        gaps.append(found.gap)
    assert abs(gaps[0]) < 0.1
    assert gaps[1] == pytest.approx(math.log(2), abs=5 * found.gap_stderr)
    assert gaps[1] > 5 * found.gap_stderr


def test_the_way_is_chosen_by_sizes(monkeypatch):
    model, offsets, wanted = case("relu")
    exact = log_partitions_of_rows(model, offsets, Generator(0))
    assert exact.method == "exact"
    assert torch.equal(exact.values, wanted)
    assert exact.stderr == 0
    # without hidden offsets the energies of all visible states are those of every row
    both, alone = (terms_of_rows(model, one) for one in (offsets, Offsets(offsets.visible)))
    assert both == 2**VISIBLE * HIDDEN * ROWS
    assert alone == 2**VISIBLE * (HIDDEN + ROWS)
    large = random_model("relu", 21, 3, Generator(0))
    assert terms_of_rows(large, Offsets(torch.zeros(2, 21))) == math.inf
    monkeypatch.setattr(partition, "TERMS", both - 1)
    monkeypatch.setattr(partition, "_RUNGS", 30)
    monkeypatch.setattr(partition, "_ROWS", 20)
    monkeypatch.setattr(partition, "_COARSE", 120)
    cost = 30 * ROWS * VISIBLE * HIDDEN
    for products, method, chains in (
        (20.0 * cost, "annealed", 20),
        (10.0 * cost, "annealed", 10),
        (9.0 * cost, "coarse", 0),
        (7.0 * cost, "reference", 0),
    ):
        monkeypatch.setattr(partition, "PRODUCTS", products)
        asked: list[int] = []
        tell = Teller([lambda one, asked=asked: asked.append(one.total)])
        found = log_partitions_of_rows(model, offsets, Generator(0), tell=tell)
        assert found.method == method
        if chains:
            whole = annealed_rows(model, offsets, Generator(0), chains=chains, rungs=30)
            assert torch.equal(found.values, whole.values)
        assert abs(found.mean - float(wanted.mean())) < 4 * found.stderr
        assert asked[-1] == {"annealed": ROWS, "coarse": ROWS + 20, "reference": 100}[method]


def test_rows_on_a_gpu_are_those_of_the_cpu():
    model, offsets, _ = case("drelu")
    model, offsets = model.to(torch.float64), offsets[:24].to(torch.float64)
    states = exact_samples(model, 24, Generator(11))
    some = {"rows": 20, "reference_chains": 20, "reference_rungs": 10, "rungs": 4, "chains": 3}
    found = []
    with pretend_gpu():
        for device in (torch.device("cpu"), DEVICE):
            there, rows, begin = model.to(device), offsets.to(device), states.to(device)
            foot = 0.5 * offsets.visible.to(device)
            found.append(
                (
                    annealed_rows(there, rows, Generator(1), chains=3, rungs=6, foot=foot).values,
                    by_reference(there, rows, Generator(2), **some).values,
                    climb_by_moves(
                        there,
                        law_to_start_from(there, begin, Generator(3), rows),
                        len(rows),
                        4,
                        Generator(5),
                        rows,
                    ),
                    there.sweep(begin, Generator(4), 2, rows)[1].to("cpu"),
                )
            )
    for here, other in zip(*found, strict=True):
        torch.testing.assert_close(here, other, atol=1e-6, rtol=0)


def test_what_chains_of_a_row_cannot_carry_is_said():
    model, offsets, _ = case("gaussian")
    strong = RBM(model.visible, model.hidden, 6 * model.weights)
    found = annealed_rows(strong, offsets.scaled(6.0), Generator(0), chains=10, rungs=3)
    assert any("effective sample size of log Z of the bins" in words for words in found.warnings)


def test_what_does_not_fit_is_refused():
    model, offsets, _ = case("relu")
    with pytest.raises(InputError, match=r"^chains must be a whole number, at least 2"):
        annealed_rows(model, offsets, Generator(0), chains=1)
    with pytest.raises(InputError, match=r"^foot must have shape"):
        annealed_rows(model, offsets, Generator(0), foot=torch.zeros(2, VISIBLE))
    with pytest.raises(InputError, match=r"^samples must have shape"):
        annealed_rows(model, offsets, Generator(0), samples=torch.zeros(2, VISIBLE))
    with pytest.raises(InputError, match=r"^offsets must have at least 40 rows; got 30"):
        by_reference(model, offsets[:30], Generator(0), rows=40)
    with pytest.raises(InputError, match=r"^rows must be at least 20 and at most"):
        coarse_and_fine(model, offsets, Generator(0), rows=ROWS + 1)
    with pytest.raises(InputError, match=r"^offsets.visible must have shape"):
        exact_log_partitions(model, Offsets(offsets.hidden))
