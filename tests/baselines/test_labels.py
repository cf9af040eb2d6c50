"""Log-odds by the label of a bin: what is fitted beside what is known already."""

import numpy as np
import torch

from boltzbrain.baselines.in_time.labels import LabelledBins, fit_labels, label_offsets

FIELD = torch.tensor([-1.0, 0.5], dtype=torch.float64)


def bins(seed, count=600, base=0.0):
    """Return bins of two labels, of which one raises both neurons; every seventh has none."""
    rng = np.random.default_rng(seed)
    label = np.where(np.arange(count) % 7 == 0, -1, np.arange(count) % 2)
    odds = FIELD.numpy() + base + 2.0 * (label == 1)[:, None]
    states = (rng.random((count, 2)) < 1 / (1 + np.exp(-odds))).astype(np.uint8)
    return torch.from_numpy(states), torch.from_numpy(label)


def test_what_is_known_of_all_bins_alike_changes_nothing_but_the_field():
    states, label = bins(0)
    known = torch.full((len(states), 2), 0.3)
    plain = label_offsets(LabelledBins(states, label), FIELD + 0.3, 2, 30.0)
    # at the same odds in every bin the added bins have another rate, so none are added
    one, two = (
        label_offsets(LabelledBins(states, label), FIELD + 0.3, 2, 1e-9),
        label_offsets(LabelledBins(states, label, known), FIELD, 2, 1e-9),
    )
    torch.testing.assert_close(one, two, atol=1e-5, rtol=0)
    assert float(plain.abs().sum()) < float(one.abs().sum())


def test_offsets_make_the_expected_counts_those_of_the_bins():
    states, label = bins(1)
    known = torch.randn(len(states), 2, generator=torch.Generator().manual_seed(0))
    table = label_offsets(LabelledBins(states, label, known), FIELD, 2, 10.0)
    for number in (0, 1):
        mine = label == number
        expected = torch.sigmoid(FIELD + table[number] + known[mine]).sum(dim=0)
        expected += 10.0 * (torch.sigmoid(FIELD + table[number]) - torch.sigmoid(FIELD))
        torch.testing.assert_close(expected, states[mine].sum(dim=0).double(), atol=1e-4, rtol=0)


def test_validation_bins_draw_labels_that_tell_nothing_to_zero():
    train, held = bins(2), bins(3)
    table, pseudo = fit_labels(LabelledBins(*train), LabelledBins(*held), FIELD, 2)
    assert 1.2 < float(table[1].mean()) < 2.8
    silent = torch.zeros_like(train[1])
    other = torch.arange(len(silent)) % 100
    flat = torch.from_numpy(bins(4)[0].numpy()[np.random.default_rng(0).permutation(600)])
    rate = torch.logit(flat.double().mean(dim=0))
    drawn, more = fit_labels(LabelledBins(flat, other), LabelledBins(held[0], other), rate, 100)
    assert more > pseudo
    assert float(drawn.abs().max()) < 1.0
