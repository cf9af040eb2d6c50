"""The section on simpler models: what it says beside the scores."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from boltzbrain.data.regions import Regions
from boltzbrain.evaluation.bins import BinSet
from boltzbrain.pages.page import PageData
from boltzbrain.pages.panels.baselines import section

NEURONS = 20


def row(title, gain, **more):
    """Return the figures of one model; a gain of None is one of which no model came."""
    fit = {"optimiser": "by hand", "updates": 1, "seconds": 1.0, "chosen": {"l2": 8.0},
           "judged_by": "the score", "grid": [{"l2": 8.0, "score": 1.0}, {"l2": 4.0, "score": 0.0}],
           "grid_edge": False}  # fmt: skip
    error = None if gain is None else 0.3
    return {
        "title": title,
        "gain": {"value": gain, "stderr": error, "stderr_log_partition": 0.4,
                 "kind": "log-likelihood"},
        "bits_per_spike": gain,
        "conditional": {"bits_per_spike": gain, "stderr": error},
        "reconstruction": {"median_nllh": None},
        "statistics": {"covariances_pearson": None, "triplets_most_active_pearson": None},
        "fit": {**fit, **more.pop("fit", {})},
        **more,
    }  # fmt: skip


def less(value):
    pair = {"value": value, "stderr": None if value is None else 0.1}
    return {"rbm_minus_this": {"gain": pair, "conditional": pair}}


@pytest.fixture(scope="module")
def shown():
    table = {
        "rbm": row("RBM", 5.0, log_partition={"unreliable": []}),
        "ising": row("pairwise Ising", 6.0, **less(-1.0), fit={"grid_edge": True},
                     log_partition={"unreliable": ["unreliable: 3.00 nats apart"]}),
        "pca": row("PCA", 4.0, **less(1.0)),
        "hopfield": row("Gaussian-hidden RBM", None, **less(None)),
    }  # fmt: skip
    reasons = {"baselines.hopfield.conditional.bits_per_spike": "its weights blew up"}
    # a and b share neurons 5 to 9, which hold the first assembly; the second is all in c
    masks = np.zeros((NEURONS, 4), dtype=np.uint8)
    masks[:10, 0] = masks[5:15, 1] = masks[10:, 2] = masks[:3, 3] = 1
    weights = np.zeros((NEURONS, 2))
    weights[5:10, 0] = weights[15:, 1] = 1.0
    bins = BinSet(np.zeros((4, NEURONS), dtype=np.uint8), np.arange(4))
    page = PageData(
        title="", card=[], plan=[], log=pd.DataFrame(), chosen_update=1,
        evaluation={"baselines": table, "reasons": reasons}, train=bins, test=bins, generated=bins,
        test_segment=np.zeros(4, dtype=np.int32), bin_width_s=0.02, regions=["a"] * NEURONS,
        neuron_ids=[""] * NEURONS,
        atlas=Regions(("a", "b", "c", "few"), sparse.csr_array(masks), ("",) * 4),
        assemblies={"rbm": weights, "pca": weights[:, :1]},
    )  # fmt: skip
    return section(page)


def test_a_doubtful_partition_function_is_shown_in_words(shown):
    said = dict(shown.verdicts)
    doubt = said["Log-partition function of pairwise Ising"]
    assert doubt.level == "poor"
    assert "must not be trusted" in doubt.text
    assert "3.00 nats apart" in doubt.text
    assert len(said) == 3
    assert "highest is that of the RBM" in said["Likelihood"].text
    cells = {line[0]: line[1] for line in shown.rows}
    # the error has that of log Z: hypot(0.3, 0.4)
    assert cells["pairwise Ising"] == "+6.00 ± 0.50 (doubtful)"
    assert cells["RBM"] == "+5.00 ± 0.50"


def test_a_score_that_a_single_model_has_is_not_drawn():
    table = {"rbm": row("RBM", 5.0), "pca": row("PCA", 4.0, **less(1.0))}
    bins = BinSet(np.zeros((4, NEURONS), dtype=np.uint8), np.arange(4))

    def drawn():
        page = PageData(
            title="", card=[], plan=[], log=pd.DataFrame(), chosen_update=1,
            evaluation={"baselines": table}, train=bins, test=bins, generated=bins,
            test_segment=np.zeros(4, dtype=np.int32), bin_width_s=0.02, regions=["a"] * NEURONS,
            neuron_ids=[""] * NEURONS,
        )  # fmt: skip
        return [image.heading for panel in section(page).panels for image in panel.images]

    assert drawn() == ["likelihood of a bin", "a neuron given all others"]
    table["pca"]["gain"]["value"] = None
    assert drawn() == ["a neuron given all others"]
    table["pca"]["conditional"]["bits_per_spike"] = None
    assert drawn() == []


def test_an_edge_of_a_grid_and_a_model_that_is_missing_are_told(shown):
    fits = dict(shown.fits)
    assert "the best lies at the edge of what was tried" in fits["pairwise Ising"]
    assert "edge" not in fits["PCA"]
    assert fits["Gaussian-hidden RBM"].endswith("(its weights blew up)")


def test_regions_are_occupied_by_every_mask_that_a_neuron_lies_in(shown):
    panel = next(one for one in shown.panels if one.name == "baseline-regions")
    # half of a and half of b by turns: 2 regions; by one label per neuron it would be 1
    assert "PCA 2.0" in panel.verdict.text
    assert "RBM 1.5" in panel.verdict.text
    # a region of three neurons is left out
    assert "of 3 regions" in panel.verdict.text
