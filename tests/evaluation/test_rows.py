"""A fold whose bins have fields of their own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from boltzbrain.data.clusters import Clusters
from boltzbrain.evaluation.in_context.rows import describe_rows, mean_over_bins, rows_log_likelihood
from boltzbrain.foundations.checks import InputError, Undefined
from boltzbrain.foundations.random import Generator
from boltzbrain.model.offsets import Offsets
from boltzbrain.sampling.enumeration import exact_log_partition
from boltzbrain.sampling.rows.annealed import annealed_rows
from boltzbrain.sampling.rows.partition import log_partitions_of_rows
from boltzbrain.sampling.synthetic import random_model


def test_every_bin_is_scored_under_its_own_row():
    generator = Generator.from_seed(0, "rows of a fold")
    model = random_model("drelu", 7, 3, generator, weight_std=0.5)
    offsets = Offsets(*(generator.normal((12, size)) for size in (7, 3)))
    states = (generator.uniform((12, 7)) < 0.4).to(torch.uint8)
    exact = log_partitions_of_rows(model, offsets, generator)
    found = rows_log_likelihood(model, exact, offsets, states.numpy())
    for number, row in enumerate(offsets.rows()):
        moved = model.with_fields_moved(row)
        wanted = -float(moved.free_energy(states[number : number + 1])) - exact_log_partition(moved)
        assert found[number] == pytest.approx(wanted, abs=1e-5)
    clusters = Clusters(np.repeat([0, 1, 2], 4), "segment", None)
    mean = mean_over_bins(found, clusters, exact)
    assert mean["value"] == pytest.approx(found.mean())
    assert mean["stderr"] > 0
    assert mean["stderr_log_partition"] == 0
    told = describe_rows(exact)
    assert told["method"] == "exact"
    assert told["gap"] == Undefined("there is none where log Z is exact")
    annealed = annealed_rows(model, offsets, generator, chains=10, rungs=20)
    told = describe_rows(annealed)
    assert told["annealed"] == 12
    assert told["value"] == pytest.approx(exact.mean, abs=1.0)
    assert told["unreliable"] == []
    assert isinstance(mean_over_bins(found[:0], clusters, exact)["value"], Undefined)
    with pytest.raises(InputError, match=r"^offsets must have a row for each of 5 bins; got 12"):
        rows_log_likelihood(model, exact, offsets, states[:5].numpy())
