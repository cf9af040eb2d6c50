"""Every figure alone: on its own axes, on given axes, and on awkward input."""

from __future__ import annotations

import itertools
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection, QuadMesh
from matplotlib.colors import LogNorm, to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

import boltzbrain as bb
from boltzbrain.evaluation.conditional import Conditionals
from boltzbrain.evaluation.dynamics.curves import Curve
from boltzbrain.evaluation.statistics.agreement import Comparison
from boltzbrain.evaluation.statistics.population import count_distribution
from boltzbrain.evaluation.statistics.projection import principal_axes
from boltzbrain.pages import figures
from boltzbrain.pages.figures.couplings import clustered
from boltzbrain.pages.figures.rasters import region_order
from boltzbrain.pages.figures.sweep import TrainingCurve
from boltzbrain.pages.plates.data import data_of
from boltzbrain.pages.style import FAINT, Drawing, save_svg, svg_uri


def states(bins=120, neurons=30, seed=0):
    return (np.random.default_rng(seed).random((bins, neurons)) < 0.2).astype(np.uint8)


def comparison(size=200, seed=0):
    generator = np.random.default_rng(seed)
    reference = generator.normal(scale=1e-3, size=size)
    return Comparison(reference, reference + generator.normal(scale=5e-4, size=size))


def log(rows=12, validation=True):
    update = np.unique(np.geomspace(1, 1000, rows).round())
    table = pd.DataFrame({"update": update, "train_nats_per_bin": -20 + np.log(update) / 2})
    table["train_independent"] = -20.0
    if validation:
        table["validation_nats_per_bin"] = -20.2 + np.log(update) / 2
        table["validation_stderr"] = 0.1
        table["validation_independent"] = -20.1
    return table


def projected():
    axes = principal_axes(states())
    return axes.project(states()), axes.project(states(seed=1)), axes.fractions


def calibration(bins=200):
    fields = np.random.default_rng(0).normal(-2, 1.5, size=(bins, 30)).astype(np.float32)
    active = np.random.default_rng(1).random((bins, 30)) < 1 / (1 + np.exp(-fields))
    return Conditionals(fields, active.astype(np.uint8), np.arange(bins) // 20).calibration(20)


def normal(size, seed=0):
    return np.random.default_rng(seed).normal(size=size)


def norms():
    names = ("fields", "pairs", "triplets", "triplets_stderr")
    values = {name: np.geomspace(0.1, 10, 6) * (number + 1) for number, name in enumerate(names)}
    return {"update": np.geomspace(1, 1000, 6), **values}


def curve(noise=0.0):
    times = np.concatenate(([0.0], np.geomspace(0.02, 2, 20)))
    values = np.exp(-times / 0.3) + noise * np.random.default_rng(0).normal(size=21)
    return Curve(times, values, np.full(21, 0.02))


hidden = np.random.default_rng(2).random((90, 6)).astype(np.float32)
halves, order = np.full(6, 0.5), np.array([3, 1, 0, 5, 2, 4])
rates = Comparison(states().mean(axis=0), states(seed=1).mean(axis=0))
counts = {name: count_distribution(states(seed=one)) for one, name in
          enumerate(("train", "test", "generated", "independent"))}  # fmt: skip

BESIDE = {
    "RBM": np.random.default_rng(0).normal(size=(30, 4)) ** 3,
    "PCA": np.random.default_rng(1).normal(size=(30, 3)),
}
CASES = {
    "influences": (figures.influences, (normal((4, 4)), normal((4, 4)) > 0), {}),
    "unit_memories": (figures.unit_memories, (np.array([0.0, 0.2, 1.5]), 0.04), {}),
    "changing_pairs": (
        figures.changing_pairs, (normal((3, 2)), ["a, b", "a, c", "b, c"], ["rest", "task"]), {},
    ),
    "motif_course": (
        figures.motif_course,
        ({"a": (np.arange(5.0), np.abs(normal(5))), "b": (np.arange(5.0), np.zeros(5))},),
        {},
    ),
    "motif_animals": (figures.motif_animals, (["a", "b"], np.array([0.3, 0.7])), {}),
    "motif_matrix": (
        figures.motif_matrix,
        (["a", "b", "c"], np.abs(normal((3, 3))), np.array([0, 0, 1])),
        {},
    ),
    "tuning_map": (
        figures.tuning_map,
        (["side", "speed"], np.array([[0.1, -0.2, 0.0], [0.0, 0.02, 0.3]]), np.eye(2, 3) > 0),
        {},
    ),
    "trial_raster": (
        figures.trial_raster,
        (np.abs(normal((9, 4))).astype(np.float32) - 0.2, np.repeat([0, 1, 2], 3),
         ["a", "b", "c"], np.arange(4) * 0.1 + 0.05),
        {},
    ),
    "trial_average": (
        figures.trial_average,
        (np.abs(normal((5, 4))), np.full((5, 4), 0.1), list("abcde"), np.arange(4) * 0.1),
        {},
    ),
    "tuning_curves": (
        figures.tuning_curves, (np.arange(8.0), {"3": normal(8), "9": normal(8)}, "speed"), {},
    ),
    "decoding_scores": (
        figures.decoding_scores,
        (["side", "speed"], {"hidden": [(0.7, 0.1, 0.5, 0.6), (0.3, 0.1, 0.0, 0.1)],
                             "neurons": [(0.8, 0.1, 0.5, 0.6), (-0.2, 0.1, -0.1, 0.1)]}, "score"),
        {},
    ),
    "tuned_regions": (
        figures.tuned_regions,
        (["CA1 (9)", "VISp (3)"], {"side": np.array([0.1, 0.5]), "speed": np.zeros(2)}, "share"),
        {},
    ),
    "explained_shares": (
        figures.explained_shares,
        (["side", "speed"], np.abs(normal((2, 5))), np.abs(normal((2, 5))), np.abs(normal(5))),
        {},
    ),
    "time_gains": (
        figures.time_gains,
        ([("RBM", None, 13.0, 0.3), ("GLM", -2.0, 15.0, 0.4), ("HMM", 9.0, 11.0, None)],
         [("rate by place", 0.4, 0.1)]),
        {},
    ),
    "group_differences": (
        figures.group_differences,
        (["CA1, VISp", "<b>LP</b>"], normal((5, 2)), np.arange(5) > 2, np.array([True, False]),
         ("wt", "mut & more")),
        {},
    ),
    "gain_parts": (
        figures.gain_parts,
        ([("trial", 0.4, 0.1), ("side & <contrast>", -0.1, None), ("couplings", 5.0, 0.3)],),
        {},
    ),
    "drive_shares": (
        figures.drive_shares,
        ([("VISp", 0.2, 0.4, 0.1), ("VISp, CA1", 0.1, -0.3, 0.0)],),
        {},
    ),
    "state_ribbon": (
        figures.state_ribbon,
        (np.eye(12, 6, dtype=np.uint8), np.tile([[0.7, 0.2, 0.1]], (12, 1)), ["a"] * 3 + ["b"] * 3,
         0.02, [5]),
        {},
    ),
    "state_transitions": (
        figures.state_transitions,
        (np.array([[0.9, 0.1], [0.0, 1.0]]), np.array([0.7, 0.3])),
        {},
    ),
    "state_profiles": (figures.state_profiles, (np.array([[1.0, -1.0]]), [6]), {}),
    "state_scores": (figures.state_scores, ({"HMM": [(1, -3.0), (2, -2.0)]},), {}),
    "baseline_scores": (
        figures.baseline_scores,
        ([("RBM", 5.0, 0.3, False), ("VAE", 4.5, 0.3, True), ("independent", 0.0, None, False)],
         "gain (nats)"),
        {},
    ),
    "weight_tails": (figures.weight_tails, (BESIDE,), {}),
    "embedded_neurons": (
        figures.embedded_neurons,
        (np.array([0.5, 1.0, 2.0]), {"RBM": (np.array([0.3, 0.6, 0.9]), np.full(3, 0.5))}),
        {},
    ),
    "occupied_regions": (
        figures.occupied_regions, ({name: np.abs(one[0]) + 1 for name, one in BESIDE.items()}, 9),
        {},
    ),
    "sweep_curves": (
        figures.sweep_curves,
        ({"25": [TrainingCurve([1, 10, 100], [0, 3, 2], [0.1, 0.1, 0.2], 10),
                 TrainingCurve([1, 10, 100], [0, 2.5, 2.2], [0.1, 0.1, 0.2], 100)],
          "50": [TrainingCurve([1, 10, 100], [-9, 4, 5], [0.3, 0.1, 0.1], 100)]},),
        {},
    ),
    "sweep_curves of one update": (
        figures.sweep_curves, ({"25": [TrainingCurve([1], [0.0], [0.1], 1)]},), {},
    ),
    "sweep_scores": (
        figures.sweep_scores,
        ([25, 50], {"": np.array([2.0, 3.0])}, {"": np.array([0.2, 0.3])},
         {"": np.array([1.9, np.nan])}, {"": np.array([0.2, np.nan])}, ("", 50)),
        {},
    ),
    "matched_assemblies": (
        figures.matched_assemblies, ({"one and two": ([0.2, 0.9, 0.7], 0.3)}, "similarity"), {},
    ),
    "grid_map": (
        figures.grid_map,
        (np.array([[0.1, np.nan], [0.3, 0.2]]), [0.01, 0.02], [25, 50], ("l1", "hidden"),
         "error", (1, 0)),
        {},
    ),
    "grid_map of nothing": (
        figures.grid_map, (np.full((1, 2), np.nan), [0.01], [25, 50], ("l1", "hidden"), "e"), {},
    ),
    "training_curve": (figures.training_curve, (log(), 10), {}),
    "training_curve, no validation": (figures.training_curve, (log(validation=False), 1000), {}),
    "training_curve of one checkpoint": (figures.training_curve, (log().iloc[:1], 1), {}),
    "training_curve with a bad start": (
        figures.training_curve,
        (log().assign(train_nats_per_bin=[-1e6, *np.linspace(-30, -10, len(log()) - 1)]), 1000),
        {},
    ),
    "raster": (
        figures.raster,
        (states(),),
        {"regions": ["a"] * 20 + [""] * 10, "bin_width_s": 0.02, "breaks": [30, 60]},
    ),
    "raster without regions": (figures.raster, (states(),), {}),
    "raster of more rows than pixels": (
        figures.raster, (states(20, 5000), ["a"] * 2500 + ["b"] * 2500), {},
    ),
    "raster of silence": (figures.raster, (np.zeros((5, 4), np.uint8),), {}),
    "rates": (figures.rates, (rates, "train"), {}),
    "rates with silent neurons": (
        figures.rates, (Comparison(np.array([0, 0.1, 0]), np.array([0.2, 0, 0])),), {},
    ),
    "covariances": (figures.covariances, (comparison(),), {"limits": (-2e-3, 3e-3)}),
    "covariances of two neurons": (
        figures.covariances, (Comparison(np.array([1e-3]), np.array([2e-3])),), {},
    ),
    "covariances that are all 0": (
        figures.covariances, (Comparison(np.zeros(4), np.zeros(4)),), {},
    ),
    "triplets": (figures.triplets, (comparison(), "train"), {}),
    "hidden_products": (figures.hidden_products, (comparison(),), {}),
    "hidden_covariances": (figures.hidden_covariances, (comparison(),), {}),
    "energies": (
        figures.energies, ({"train": normal(90), "test": normal(50), "generated": normal(70)},), {},
    ),
    "energies that are all alike": (figures.energies, ({"train": np.ones(5)},), {}),
    "activation_curve": (figures.activation_curve, (calibration(),), {}),
    "activation_curve of silence": (
        figures.activation_curve,
        (Conditionals(np.zeros((4, 3), np.float32), np.zeros((4, 3), np.uint8), np.arange(4))
         .calibration(),),
        {},
    ),
    "reconstruction": (figures.reconstruction, (normal(80), normal(20, 1)), {}),
    "reconstruction without a regression": (figures.reconstruction, (normal(80),), {}),
    "weights": (figures.weights, (normal((30, 5)),), {}),
    "weights that are all 0": (figures.weights, (np.zeros((3, 2)),), {}),
    "strongest_weights": (figures.strongest_weights, (abs(normal(30)), abs(normal(30, 1))), {}),
    "strong_weights": (
        figures.strong_weights, (np.array([0, 0, 3, 1]), np.array([1, 1, 1, 1]), 0.4), {},
    ),
    "hidden_means": (figures.hidden_means, (comparison(20),), {}),
    "autocorrelation": (
        figures.autocorrelation,
        (curve(0.02), {"gibbs": curve(), "glauber": curve(), "time_shuffled": curve(),
                       "trial_shuffled": curve()}),
        {},
    ),
    "autocorrelation of a recording alone": (figures.autocorrelation, (curve(), {}), {}),
    "relaxation": (figures.relaxation, (curve(0.02), {"gibbs": curve()}), {}),
    "hidden_traces": (
        figures.hidden_traces, (hidden, halves, 0.02), {"breaks": np.array([30, 60])},
    ),
    "hidden_traces of one unit that never varies": (
        figures.hidden_traces, (np.ones((9, 1)), np.ones(1), 0.02), {},
    ),
    "hidden_correlations": (
        figures.hidden_correlations, (np.corrcoef(hidden, rowvar=False), order), {},
    ),
    "hidden_states": (figures.hidden_states, (hidden, halves, np.arange(6) < 3), {}),
    "time_constants": (figures.time_constants, (np.array([1.0, 2]), np.array([0.1, 0.2])), {}),
    "time_constants of neurons alone": (
        figures.time_constants, (np.empty(0), np.array([0.1, 0.2])), {},
    ),
    "hidden_variance": (figures.hidden_variance, (np.linspace(0.3, 1, 12),), {}),
    "active_units": (
        figures.active_units, ({"test": 5 * hidden[:, 0], "generated": 4 * hidden[:, 1]}, 6), {},
    ),
    "population_count": (figures.population_count, (counts,), {}),
    "population_count with a band": (
        figures.population_count,
        (counts,),
        {"band": (counts["test"] * 0.5, counts["test"] * 1.5)},
    ),
    "population_count of one neuron": (
        figures.population_count,
        ({"test": np.array([0.9, 0.1]), "generated": np.array([1.0])},),
        {},
    ),
    "coupling_histogram": (
        figures.coupling_histogram, ({"uniform": normal(90), "data": normal(80, 1)}, "J"), {},
    ),
    "coupling_histogram of zeros": (figures.coupling_histogram, ({"a": np.zeros(9)}, "J"), {}),
    "coupling_norms": (figures.coupling_norms, (norms(), 100), {}),
    "coupling_norms of a model without weights": (
        figures.coupling_norms, ({name: np.zeros(1) for name in norms()}, 0), {},
    ),
    "region_map": (
        figures.region_map, (["a", "b", "c"], np.array([3, 9, 4]), normal((3, 3)), "mean J"), {},
    ),
    "region_map of sizes": (
        figures.region_map,
        (["a", "b", "c"], np.array([3, 9, 4]), np.exp(3 * normal((3, 3))), "mean |J|"),
        {},
    ),
    "region_histograms": (
        figures.region_histograms, ({"a (n = 9)": normal(36), "b (n = 4)": normal(6, 1)}, "J"), {},
    ),
    "region_histograms of zeros": (figures.region_histograms, ({"a": np.zeros(6)}, "J"), {}),
    "embedding_curve": (
        figures.embedding_curve,
        (np.geomspace(0.1, 1, 5), np.linspace(1, 0, 5), np.linspace(1, 0, 5) ** 2, np.full(5, 0.1)),
        {"chosen": 0.3},
    ),
    "region_assemblies": (figures.region_assemblies, (["a", "b"], abs(normal((2, 7)))), {}),
    "neuron_colours": (
        figures.neuron_colours, (normal((40, 2)), np.arange(40) - 1, ("x", "z")), {},
    ),
    "principal_components": (figures.principal_components, projected(), {}),
}  # fmt: skip

every_case = pytest.mark.parametrize(("draw", "args", "options"), CASES.values(), ids=CASES.keys())


@every_case
def test_a_figure_is_drawn_in_the_house_style_and_returned(draw, args, options, request):
    before = dict(mpl.rcParams)
    ax = draw(*args, **options)
    assert isinstance(ax, Axes)
    assert dict(mpl.rcParams) == before
    assert not plt.get_fignums(), "no figure may be left open in pyplot"
    content = save_svg(ax)
    assert content.startswith(b"<?xml")
    assert ax.get_xlabel()
    assert not [one for one in texts_of(ax) if one._preprocess_math(one.get_text())[1]], (
        "a formula takes ten times as long to draw as text"
    )
    # as a figure for a paper it has its data beside it; silence has none
    assert data_of(ax).size or "silence" in request.node.callspec.id


@every_case
def test_a_figure_takes_given_axes_and_leaves_its_input_alone(draw, args, options):
    figure = Figure()
    ax = figure.add_subplot()
    copies = [one.copy() if hasattr(one, "copy") else one for one in args]
    assert draw(*args, **options, ax=ax) is ax
    assert ax.has_data() or "silence" in str(args)
    for one, copy in zip(args, copies, strict=True):
        if isinstance(one, np.ndarray):
            np.testing.assert_array_equal(one, copy)


def test_the_same_figure_gives_the_same_bytes():
    pictures = [save_svg(figures.rates(rates)) for _ in range(2)]
    assert pictures[0] == pictures[1]


def test_the_address_of_a_figure_is_all_that_it_shows_with_coordinates_of_two_digits():
    content = save_svg(figures.rates(rates))
    address = svg_uri(content)
    assert not set('"<>&#') & set(address), "in an attribute nothing of it has a meaning of its own"
    kind, _, text = address.partition(",")
    assert kind == "data:image/svg+xml"
    assert len(address) < len(content)
    asked, found = (
        [one for one in ET.fromstring(tree).iter() if "svg" in one.tag]
        for tree in (content, unquote(text))
    )
    whole = [one for one in asked if not one.tag.endswith("metadata")]
    assert [one.tag for one in whole] == [one.tag for one in found]
    for one, other in zip(whole, found, strict=True):
        assert one.attrib.keys() == other.attrib.keys()
        for name, value in one.attrib.items():
            if name in ("d", "x", "y"):
                far, near = (
                    [float(part) for part in text.split() if not part.isalpha()]
                    for text in (value, other.attrib[name])
                )
                np.testing.assert_allclose(near, far, atol=0.01)
            else:
                assert other.attrib[name].split() == value.split()


def test_a_raster_holds_one_dot_per_spike():
    shown = states()
    ax = figures.raster(shown)
    assert len(ax.collections[0].get_offsets()) == shown.sum()


def test_names_beside_a_raster_stand_apart_and_the_largest_are_named():
    names = [f"{n}" for n in range(30) for _ in range(12)] + ["tiny"] * 10 + ["LARGE"] * 30
    names += [""] * 100
    ax = figures.raster(states(20, len(names)), names)
    ax.figure.canvas.draw()
    named = {text.get_text() for text in ax.texts}
    assert {"LARGE", "none"} <= named
    assert len(named) > 5
    places = sorted((box.y0, box.y1) for box in (text.get_window_extent() for text in ax.texts))
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(places))
    assert to_hex(ax.lines[0].get_color()) == FAINT  # of those in none


def test_few_pairs_are_dots_and_many_a_shade():
    few, many = (Comparison(normal(n), normal(n, 1)) for n in (28, 1000))
    assert isinstance(figures.hidden_covariances(few).collections[0], PathCollection)
    assert isinstance(figures.hidden_covariances(many).collections[0], QuadMesh)


def test_a_curve_ends_where_its_error_is_unknown_or_leaves_nothing_to_see():
    error = np.array([0.0, 0.05, 0.05, 0.05, 0.4, 0.05, 0.0])
    times = np.arange(7.0)
    curve = Curve(times, np.array([1.0, 0.8, 0.6, 0.4, -1.6, 1.0, 1.0]), error)
    exact = Curve(times, curve.values, np.zeros(7))
    for one, last in ((curve, 3.0), (exact, 6.0)):
        ax = figures.autocorrelation(one, {"time_shuffled": exact})
        drawn = {line.get_label(): line.get_xdata() for line in ax.lines}
        assert drawn["recording"][-1] == last
        assert drawn["bins shuffled"][-1] <= 1.2 * last


def test_a_curve_below_the_axis_is_not_in_the_legend():
    ones = np.ones(3)
    norms = {"update": np.array([1.0, 2.0, 3.0]), "fields": 50 * ones, "pairs": ones,
             "triplets": 1e-9 * ones, "triplets_stderr": 0 * ones}  # fmt: skip
    told = [text.get_text() for text in figures.coupling_norms(norms, 3).get_legend().get_texts()]
    assert told == ["fields", "pairs"]


@pytest.mark.parametrize(("number", "named"), [(12, 12), (72, 36)])
def test_names_of_many_regions_leave_room_for_each_other(number, named):
    square, names = np.abs(normal((number, number))), [f"region {k}" for k in range(number)]
    ax = figures.region_map(names, np.arange(number), square, "nats")
    assert [text.get_text() for text in ax.get_xticklabels()] == names[:: number // named]
    assert ("is named" in ax.get_xlabel()) == (named < number)


@pytest.mark.parametrize("number", [2, 3, 6])
def test_the_legend_of_trials_leaves_the_curves_free_and_a_small_change_is_seen(number):
    seconds = np.linspace(0.01, 0.39, 20)
    mean = 0.5 + 0.01 * np.linspace(-1, 1, number)[:, None] * np.ones(20)
    names = [f"{k}" for k in range(number)]
    ax = figures.trial_average(mean, np.full((number, 20), 0.001), names, seconds)
    ax.figure.draw_without_rendering()
    below = ax.transData.inverted().transform(ax.get_legend().get_window_extent().p0)[1]
    assert below > mean.max()
    assert ax.get_ylim()[0] > 0.4


def test_a_unit_that_hardly_changes_is_not_dark_throughout():
    single = (0.5 + 0.01 * normal((40, 20))).astype(np.float32)
    image = figures.trial_raster(
        single, np.repeat([0, 1], 20), ["a", "b"], np.linspace(0.01, 0.39, 20)
    ).images[0]
    assert image.norm(0.48) < 0.3 < 0.7 < image.norm(0.52)


def test_neurons_are_sorted_by_region_then_rate_with_the_nameless_last():
    order = region_order(["b", "", "a", "a"], np.array([0.1, 0.9, 0.1, 0.3]))
    assert order.tolist() == [3, 2, 0, 1]


def test_rows_of_a_map_that_resemble_each_other_stand_together():
    block = np.kron(np.eye(3), np.ones((4, 4))) + 0.1
    order = np.random.default_rng(0).permutation(12)
    placed = clustered(block[np.ix_(order, order)])
    assert sorted(placed.tolist()) == list(range(12))
    assert (np.diff(order[placed] // 4) != 0).sum() == 2
    assert clustered(np.ones((2, 2))).tolist() == [0, 1]


def test_no_minor_tick_of_the_embedding_has_a_label():
    draw, args, options = CASES["embedding_curve"]
    thresholds = np.geomspace(0.02, 0.9, 5)
    ax = draw(thresholds, *args[1:], **options)
    ax.figure.draw_without_rendering()
    low, high = ax.get_xlim()
    assert not any(one.get_text() for one in ax.get_xticklabels(minor=True))
    shown = [
        one.get_text()
        for one, place in zip(ax.get_xticklabels(), ax.get_xticks(), strict=True)
        if low <= place <= high
    ]
    assert shown == ["0.02", "0.05", "0.1", "0.2", "0.5", "1"]


@pytest.mark.parametrize(("number", "lowest"), [(1, 0.0), (60, 0.0), (61, 1.0)])
def test_segments_of_hidden_traces_are_separated_where_lines_leave_room(number, lowest):
    breaks = np.arange(1, number + 1)
    ax = figures.hidden_traces(normal((120, 3)), np.zeros(3), 0.02, breaks)
    (lines,) = ax.collections
    ends = np.array([one.vertices for one in lines.get_paths()])
    np.testing.assert_allclose(ends[:, 0, 0], 0.02 * breaks)
    assert (ends[:, 0, 1] == lowest).all()
    assert (ends[:, 1, 1] > 1).all()
    assert lines.get_alpha() is None


HOSTILE = (
    "$x_1$",
    "_under",
    "a$b",
    "\\alpha $\\alpha$",
    "\x1b[31mred",
    "神",
    "a\udcff",
    "<b>x</b>",
)


def texts_of(ax):
    ax.figure.draw_without_rendering()
    found = [one for one in ax.figure.findobj(Text) if one.get_text()]
    return found + ([] if ax.get_legend() is None else ax.get_legend().get_texts())


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize(
    "draw",
    [
        lambda name: figures.region_map(
            [name, "b"], np.array([2, 3]), np.array([[1.0, -1.0], [2.0, 1.0]]), "J"
        ),
        lambda name: figures.region_histograms({name: normal(40), "b": normal(40)}, "J"),
        lambda name: figures.region_assemblies([name, "b"], np.abs(normal((2, 3)))),
        lambda name: figures.raster(states(), [name] * states().shape[1], 0.02),
        lambda name: figures.coupling_histogram({name: normal(40), "b": normal(40)}, "J"),
        lambda name: figures.baseline_scores([(name, 1.0, 0.1, False)], "gain"),
        lambda name: figures.weight_tails({name: normal((9, 3)), "RBM": normal((9, 3))}),
        lambda name: figures.occupied_regions({name: np.abs(normal(9)) + 1}, 9),
        lambda name: figures.tuning_map([name], normal((1, 4)), normal((1, 4)) > 0),
        lambda name: figures.trial_average(
            normal((2, 4)), np.ones((2, 4)), [name, "b"], np.arange(4.0)
        ),
        lambda name: figures.decoding_scores([name], {"hidden": [(0.7, 0.1, 0.5, 0.6)]}, "score"),
        lambda name: figures.tuned_regions([name], {"side": np.ones(1)}, "share"),
    ],
    ids=[
        "map",
        "ridges",
        "assemblies",
        "raster",
        "histogram",
        "baselines",
        "tails",
        "occupied",
        "tuning",
        "average",
        "decoding",
        "tuned",
    ],
)
def test_a_name_is_text_in_every_figure(draw, name):
    ax = draw(name)
    save_svg(ax)  # a warning of a sign without a glyph would fail
    shown = {"\x1b[31mred": r"\x1b[31mred", "神": r"\u795e", "a\udcff": r"a\udcff"}.get(name, name)
    found = [one for one in texts_of(ax) if shown in one.get_text().replace(r"\$", "$")]
    assert found
    for one in found:
        words, formula = one._preprocess_math(one.get_text())
        assert formula is False
        assert shown in words


def test_ticks_of_logarithmic_axes_and_colour_bars_are_text_with_raised_powers():
    def draw(ax):
        ax.set_yscale("log")
        ax.set_ylim(1e-12, 1e3)
        mesh = ax.pcolormesh(np.array([[1.0, 100.0]]), norm=LogNorm(1, 100))
        ax.figure.colorbar(mesh, ax=ax)

    ax = Drawing((4, 3), draw).alone()
    save_svg(ax)
    shown = {one.get_text() for one in texts_of(ax)}
    assert {"10⁻¹⁰", "10⁰", "10²"} <= shown
    assert not [one for one in shown if "$" in one]


def test_a_user_s_settings_change_no_figure_of_ours():
    plain = save_svg(figures.rates(rates))
    with mpl.rc_context({"text.usetex": True, "axes.formatter.use_locale": True}):
        assert save_svg(figures.rates(rates)) == plain


def test_every_public_figure_is_tested():
    drawn = {draw.__name__ for draw, _, _ in CASES.values()}
    assert drawn == set(figures.__all__)


def test_the_package_hands_on_every_figure():
    for name in figures.__all__:
        assert getattr(bb.figures, name) is getattr(figures, name)
