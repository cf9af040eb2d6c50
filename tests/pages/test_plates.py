"""Figures for papers: data are what was drawn, sizes and fonts what was asked for."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

import boltzbrain as bb
from boltzbrain.evaluation.statistics.agreement import Comparison
from boltzbrain.foundations.checks import InputError
from boltzbrain.pages import figures
from boltzbrain.pages.page import page_data
from boltzbrain.pages.panels import panels
from boltzbrain.pages.panels.baselines import section
from boltzbrain.pages.panels.interpretation import interpretation_section
from boltzbrain.pages.plates import write
from boltzbrain.pages.plates.choices import inches
from boltzbrain.pages.plates.data import data_of
from boltzbrain.pages.plates.entries import entries_of, left_out, slug
from boltzbrain.pages.plates.plates import PLATES, draw_plate, rows_of
from boltzbrain.pages.plates.write import listed_in
from boltzbrain.pages.style import LEAST_TEXT, SMALL, save_svg
from boltzbrain.training.run.run import TrainingRun

FROZEN = Path(__file__).parents[1] / "frozen" / "0.2.0.zip"


def normal(size, seed=0):
    return np.random.default_rng(seed).normal(size=size)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A small run, evaluated with two baselines and interpreted."""
    folder = tmp_path_factory.mktemp("frozen")
    with zipfile.ZipFile(FROZEN) as packed:
        packed.extractall(folder, [one for one in packed.namelist() if one.startswith("run/")])
    return folder / "run"


SOME = {
    "training", "rates", "covariances", "population-count", "projection", "hidden-h", "hidden-vh",
    "hidden-traces", "baseline-scores", "coupling-histograms", "region-map", "assemblies",
}  # fmt: skip
"""Panels that are drawn here: all of them take half a minute."""


@pytest.fixture
def few(monkeypatch):
    """Draw two panels only."""
    only(monkeypatch, {"rates"})


def only(patch, panels):
    def some(page):
        return [one for one in entries_of(page) if one.panel in panels]

    patch.setattr(write, "entries_of", some)


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    out = tmp_path_factory.mktemp("papers") / "figures"
    with pytest.MonkeyPatch.context() as patch:
        only(patch, SOME)
        bb.save_figures(run, out, formats="svg,pdf,png", width="89mm", plate_width="18cm")
    return out


# --- the data of a figure is what was drawn


def of(table, series, kind):
    return table[(table["series"] == series) & (table["kind"] == kind)]


def test_lines_bands_and_named_guides_are_read_back():
    update = np.array([1.0, 10.0, 100.0])
    log = pd.DataFrame(
        {
            "update": update,
            "train_nats_per_bin": [-9.0, -8.0, -7.0],
            "validation_nats_per_bin": [-9.5, -8.5, -8.0],
            "validation_stderr": [0.3, 0.2, 0.1],
            "validation_independent": -10.0,
        }
    )
    table = data_of(figures.training_curve(log, 10))
    for name in ("train", "validation"):
        line = of(table, name, "line")
        np.testing.assert_array_equal(line["x"], update)
        np.testing.assert_array_equal(line["y"], log[f"{name}_nats_per_bin"])
    band = of(table, "validation", "band")
    score, error = log["validation_nats_per_bin"], log["validation_stderr"]
    np.testing.assert_allclose(band["y_low"], score - error)
    np.testing.assert_allclose(band["y_high"], score + error)
    level = of(table, "independent neurons (validation)", "line")
    assert level["y"].tolist() == [-10.0]
    assert level["x"].isna().all()
    assert of(table, "chosen: update 10", "line")[["x", "y"]].to_numpy().tolist() == [[10, -8.5]]


def test_a_histogram_is_read_back_bin_by_bin():
    sets = {"train": normal(90), "test": normal(50, 1)}
    table = data_of(figures.energies(sets))
    for name, values in sets.items():
        found = of(table, name, "histogram")
        edges = np.append(found["x"], found["x_to"].iloc[-1])
        np.testing.assert_array_equal(found["x"].iloc[1:], found["x_to"].iloc[:-1])
        np.testing.assert_allclose(found["y"], np.histogram(values, edges, density=True)[0])


def test_points_and_both_margins_of_a_projection_are_read_back():
    recorded, generated = normal((60, 2)), normal((50, 2), 1)
    table = data_of(figures.principal_components(recorded, generated, np.array([0.2, 0.1])))
    assert len(of(table, "generated", "point")) == 50
    np.testing.assert_array_equal(of(table, "generated", "point")[["x", "y"]], generated)
    margins = table[table["kind"] == "histogram"]
    along, up = margins[margins["x_to"].notna()], margins[margins["y_to"].notna()]
    for one, axis, side in ((along, "x", "y"), (up, "y", "x")):
        widths = one[f"{axis}_to"] - one[axis]
        assert (widths * one[side]).sum() == pytest.approx(2)  # two densities


def test_scores_have_names_and_the_ends_of_their_errors():
    rows = [("RBM", 5.0, 0.3, False), ("VAE_1", 4.5, None, True), ("$x$", 0.0, 0.1, False)]
    table = data_of(figures.baseline_scores(rows, "gain")).set_index("y_name")
    assert set(table.index) == {"RBM", "VAE_1", "$x$"}
    for name, value, error, _ in rows:
        assert table.loc[name, "x"] == value
        if error:
            assert table.loc[name, "x_low"] == pytest.approx(value - error)
            assert table.loc[name, "x_high"] == pytest.approx(value + error)
    assert np.isnan(table.loc["VAE_1", "x_low"])


def test_bars_have_names_and_the_ends_of_their_errors():
    table = data_of(figures.time_gains([("HMM", 9.0, 11.0, 0.4)], [("rate by place", 0.4, 0.1)]))
    bars = table[table["kind"] == "bar"].set_index("y_name")
    assert bars.loc["HMM", ["x", "x_low", "x_high"]].tolist() == pytest.approx([11, 10.6, 11.4])
    assert bars.loc["rate by place", "x"] == pytest.approx(0.4)
    without = table[table["kind"] == "line"]
    assert without[["x", "y_name"]].to_numpy().tolist() == [[9.0, "HMM"]]


def test_a_map_is_a_table_with_names_on_both_sides():
    values = normal((3, 3))
    names = ["CA1", "_odd", "$VISp$"]
    table = data_of(figures.region_map(names, np.array([3, 9, 4]), values, "mean J"))
    assert table.columns[1:].tolist() == names
    assert table.iloc[:, 0].tolist() == ["CA1 (3)", "_odd (9)", "$VISp$ (4)"]
    np.testing.assert_array_equal(table.iloc[:, 1:], values)


def test_a_density_counts_every_pair_in_its_place():
    reference = normal(400) * 1e-3
    one = Comparison(reference, reference + 1e-4 * normal(400, 1))
    ax = figures.covariances(one, limits=(-5e-3, 5e-3))
    table = data_of(ax)
    assert np.nansum(table.iloc[:, 1:]) == 400
    x, y = table.columns[1:].astype(float), table.iloc[:, 0].to_numpy()
    row, column = np.argwhere(table.iloc[:, 1:].notna().to_numpy())[0]
    near = (np.abs(1e3 * one.reference - x[column]) < 0.08) & (
        np.abs(1e3 * one.values - y[row]) < 0.08
    )
    assert near.sum() >= table.iloc[row, column + 1]


def test_neurons_have_the_number_of_their_assembly():
    xy, assembly = normal((40, 2)), np.arange(40) % 7 - 1
    table = data_of(figures.neuron_colours(xy, assembly, ("x", "z")))
    named = table[table["value"].notna()] if "value" in table else table[:0]
    np.testing.assert_array_equal(named["value"], assembly[assembly >= 0])
    np.testing.assert_array_equal(named[["x", "y"]], xy[assembly >= 0])
    assert len(table) == 40


def test_what_guides_the_eye_is_no_data():
    table = data_of(figures.hidden_variance(np.linspace(0.3, 1, 12)))
    np.testing.assert_array_equal(table["y"], np.linspace(0.3, 1, 12))


# --- where what is drawn is not the data, a figure tells these


def test_ridges_are_counts_and_named():
    sets = {"a (n = 9)": normal(36), "_b": normal(6, 1)}
    table = data_of(figures.region_histograms(sets, "J"))
    assert set(table["series"]) == set(sets)
    for name, values in sets.items():
        found = of(table, name, "histogram")
        edges = np.append(found["x"], found["x_to"].iloc[-1])
        np.testing.assert_array_equal(found["y"], np.histogram(values, edges)[0])


def test_a_neuron_that_is_silent_in_one_fold_has_a_rate_of_zero():
    recorded, generated = np.array([0.0, 0.1, 0.2]), np.array([0.1, 0.0, 0.3])
    table = data_of(figures.rates(Comparison(recorded, generated)))
    np.testing.assert_array_equal(table[["x", "y"]], np.column_stack((recorded, generated)))


def test_all_bins_along_the_principal_axes_are_told_whatever_is_drawn():
    recorded = normal((4000, 2))
    table = data_of(figures.principal_components(recorded, normal((50, 2)), np.array([0.2, 0.1])))
    np.testing.assert_array_equal(of(table, "test", "point")[["x", "y"]], recorded)


def test_the_ribbon_of_states_is_their_probability():
    states = (normal((30, 4)) > 1).astype(np.uint8)
    posterior = np.random.default_rng(0).dirichlet(np.ones(3), 30)
    table = data_of(figures.state_ribbon(states, posterior, None, 0.1))
    for number in range(3):
        found = of(table, f"state {number + 1}", "line")
        np.testing.assert_array_equal(found["value"], posterior[:, number])
        np.testing.assert_allclose(found["x"], 0.1 * (np.arange(30) + 0.5))
    assert (table["kind"] == "point").sum() == states.sum()


def test_steps_between_states_are_probabilities():
    transition = np.array([[0.999, 0.001], [0.2, 0.8]])
    table = data_of(figures.state_transitions(transition, np.array([0.6, 0.4])))
    np.testing.assert_array_equal(table.iloc[:, 1:], transition)


def test_tuning_is_told_as_shares_with_what_is_tuned():
    effect, tuned = np.array([[0.04, -0.25], [0.0, 0.09]]), np.array([[True, False], [False, True]])
    table = data_of(figures.tuning_map(["side", "speed"], effect, tuned))
    cells = table[table["kind"] == "cell"]
    np.testing.assert_array_equal(cells["value"], effect.ravel())
    assert of(table, "tuned", "point")["y_name"].tolist() == ["side", "speed"]


def test_decoding_is_told_with_its_chance_and_by_name():
    scores = {"hidden": [(0.7, 0.1, 0.5, 0.6), (0.8, 0.1, 0.4, 0.5)]}
    table = data_of(figures.decoding_scores(["side", "choice"], scores, "accuracy"))
    ours = of(table, "hidden units", "bar").set_index("y_name")
    assert ours.loc["side", ["x", "x_low", "x_high"]].tolist() == pytest.approx([0.7, 0.6, 0.8])
    chance = of(table, "hidden units, chance", "bar").set_index("y_name")
    assert chance.loc["choice", ["x", "x_high"]].tolist() == [0.4, 0.5]


def test_shares_of_regions_and_of_variance_are_told_by_name():
    shares = {"side": np.array([0.1, 0.2])}
    table = data_of(figures.tuned_regions(["CA1 (9)", "VISp (8)"], shares, "share"))
    assert dict(zip(table["y_name"], table["x"], strict=True)) == {"CA1 (9)": 0.1, "VISp (8)": 0.2}
    alone = np.linspace(0, 1, 21)[None].repeat(2, axis=0)
    table = data_of(figures.explained_shares(["side", "speed"], alone, alone / 2, alone[0]))
    found = of(table, "alone", "point")
    assert found["y_name"].tolist() == ["side", "speed"]
    assert found[["x_low", "x", "x_high"]].iloc[0].tolist() == pytest.approx([0.05, 0.5, 0.95])
    assert of(table, "all together", "point")["y_name"].tolist() == ["all together"]


def test_trials_are_told_with_their_level():
    single = np.abs(normal((6, 4)))
    level = np.array([0, 0, 1, 1, 1, 1])
    table = data_of(
        figures.trial_raster(single, level, ["left", "right"], np.array([0.1, 0.2, 0.3, 0.4]))
    )
    cells = table[table["kind"] == "cell"]
    np.testing.assert_array_equal(cells["value"], single.ravel())
    assert of(table, "right", "band")[["y_low", "y_high"]].to_numpy().tolist() == [[2, 6]]


# --- a figure drawn later


def test_a_figure_that_is_drawn_later_is_the_same():
    one = Comparison(np.abs(normal(30)), np.abs(normal(30, 1)))
    assert save_svg(figures.rates.later(one).alone()) == save_svg(figures.rates(one))


def test_text_shrinks_with_the_figure_but_stays_readable():
    drawing = figures.weights.later(normal((30, 5)))
    sizes = {}
    for width in (SMALL[0], 0.75 * SMALL[0], 1.2, 2 * SMALL[0]):
        ax = drawing.alone(width)
        found = [one.get_fontsize() for one in ax.figure.findobj(Text) if one.get_text()]
        found += [ax.xaxis.get_major_ticks()[0].label1.get_fontsize()]
        sizes[width] = sorted(set(found))
    whole, less, least, more = sizes.values()
    assert less == pytest.approx([0.75 * one for one in whole])
    assert least == [LEAST_TEXT]
    assert more == whole


# --- the folder


def listed(folder):
    return json.loads((folder / "figures.json").read_text("utf-8"))


def test_every_panel_of_the_page_is_a_figure_of_its_own_name(run):
    page = page_data(TrainingRun.open(run))
    entries = entries_of(page)
    names = [one.name for one in entries]
    assert len(set(names)) == len(names)
    assert {one.panel for one in entries} >= {*SOME, "weights", "activation", "coupling-norms"}
    shown = [*panels(page), *section(page).panels, *interpretation_section(page).findings]
    assert len(entries) == sum(len(one.images) for one in shown)
    for one in entries:
        assert data_of(one.drawing.alone()).size, one.name


def test_every_figure_has_its_data_and_its_caption(folder):
    told = listed(folder)
    assert len(told["figures"]) >= len(SOME)
    captions = (folder / "captions.md").read_text("utf-8")
    for one in told["figures"]:
        assert one["files"] == [
            f"{one['name']}.{ending}" for ending in ("svg", "pdf", "png", "csv")
        ]
        table = pd.read_csv(folder / f"{one['name']}.csv")
        assert table.size, one["name"]
        assert f"## {one['name']}\n" in captions
        assert one["caption"] in captions
    held = {one.name for one in folder.iterdir()}
    assert held == {"figures.json", *told["sha256"]}
    assert listed_in(folder) == told


def test_sizes_are_what_was_asked_for(folder):
    for one in [*listed(folder)["figures"], *listed(folder)["plates"]]:
        wide = 180 if one["name"].startswith("plate") else 89
        assert one["size_mm"][0] == pytest.approx(wide, abs=0.1)
        svg = (folder / f"{one['name']}.svg").read_text("utf-8")
        points = float(re.search(r'<svg [^>]*?width="([\d.]+)pt"', svg, re.S)[1])
        assert points / 72 * 25.4 == pytest.approx(wide, abs=0.1)
        pdf = (folder / f"{one['name']}.pdf").read_bytes()
        box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+) ?\]", pdf)
        assert float(box[1]) / 72 * 25.4 == pytest.approx(wide, abs=0.1)
        with Image.open(folder / f"{one['name']}.png") as picture:
            assert picture.width == pytest.approx(wide / 25.4 * 300, abs=1)


def test_fonts_are_in_the_pdf_and_text_stays_text(folder):
    for path in folder.glob("*.pdf"):
        content = path.read_bytes()
        assert b"/FontFile2" in content
        assert b"/Subtype /Type3" not in content
        svg = path.with_suffix(".svg").read_text("utf-8")
        assert "</text>" in svg
        assert "DejaVu Sans" in svg


def test_many_points_are_a_raster_and_few_are_not(folder):
    drawn = {path.stem: path.read_text("utf-8").count("<image") for path in folder.glob("*.svg")}
    assert drawn["rates-generated-against-test"] == 0
    assert drawn["projection"] == 0  # on the page, points of any number are a raster
    assert drawn["covariances-generated-against-test"] == 2  # the density, and its scale
    ax = figures.rates(Comparison(np.full(3001, 0.1), np.full(3001, 0.1)))
    assert ax.collections[0].get_rasterized()


def letters_of(svg):
    found = re.findall(r"<text[^>]*weight: (?:bold|700)[^>]*>([a-z])</text>", svg)
    return "".join(sorted(found))


def test_the_panels_of_a_plate_are_lettered(folder):
    told = listed(folder)
    assert [one["name"] for one in told["plates"]] == ["plate-neuropixels", "plate-zebrafish"]
    for one in told["plates"]:
        letters = "".join(one["panels"])
        assert letters == "abcdefghijklmnop"[: len(letters)]
        assert len(letters) >= 6
        assert letters_of((folder / f"{one['name']}.svg").read_text("utf-8")) == letters
        captions = (folder / "captions.md").read_text("utf-8")
        for letter, name in one["panels"].items():
            assert f"- **{letter}**, " in captions
            assert (folder / f"{name}.csv").exists()
    assert "nRMSE" in (folder / "plate-zebrafish.svg").read_text("utf-8")
    shown = {one["panels"]["a"] for one in told["plates"]}
    assert shown == {"training", "rates-generated-against-test"}


def test_no_row_of_a_plate_is_half_empty_where_the_next_has_two():
    panels = ["region-map", "hidden-traces", "hidden-states"]
    placed = ["in-space", *panels]
    for there, rows in (
        (panels, [["region-map", "hidden-states"], ["hidden-traces"]]),
        (placed, [["in-space", "region-map"], ["hidden-traces", "hidden-states"]]),
    ):
        found = [SimpleNamespace(panel=one, words="mean |J|, uniform") for one in there]
        assert [[one.panel for one in row] for row in rows_of(PLATES[1], found)] == rows


def test_a_plate_has_the_panels_that_the_run_has_and_their_text_is_readable(run):
    page = page_data(TrainingRun.open(run))
    found = [one for one in entries_of(page) if one.panel in ("training", "energies", "activation")]
    rows = rows_of(PLATES[0], found)
    assert [[one.panel for one in row] for row in rows] == [
        ["training"],
        ["energies", "activation"],
    ]
    figure = draw_plate(PLATES[0], rows, 183 / 25.4, page.evaluation)
    assert isinstance(figure, Figure)
    figure.draw_without_rendering()
    texts = [one for one in figure.findobj(Text) if one.get_text()]
    assert min(one.get_fontsize() for one in texts) >= LEAST_TEXT
    # no figure grows beyond what it is designed for
    first = next(iter(figure.subfigs[0].subfigs[0].get_axes())).get_window_extent()
    assert first.width / figure.dpi < rows[0][0].drawing.size[0]


def test_what_is_left_out_is_told_with_what_gives_it(run, folder):
    told = {one["what"]: one["with"] for one in listed(folder)["left_out"]}
    assert told["models that see earlier bins"].startswith(
        "boltzbrain evaluate RUN --baselines hmm"
    )
    assert "simpler models beside the RBM" not in told
    page = page_data(TrainingRun.open(run))
    (run / "interpretation.h5").rename(run / "kept.h5")
    try:
        less = page_data(TrainingRun.open(run))
    finally:
        (run / "kept.h5").rename(run / "interpretation.h5")
    assert dict(left_out(less))["couplings, regions and assemblies"] == "boltzbrain interpret RUN"
    assert len(entries_of(less)) < len(entries_of(page))


def test_the_same_run_gives_the_same_files(run, few, tmp_path):
    for name in ("one", "two"):
        bb.save_figures(run, tmp_path / name, formats="svg,pdf,png")
    assert listed(tmp_path / "one") == listed(tmp_path / "two")


def test_a_folder_of_figures_is_written_anew_and_what_is_gone_is_taken_away(run, few, tmp_path):
    out = tmp_path / "figures"
    bb.save_figures(run, out, formats=("svg",), width="60mm")
    assert list(out.glob("*.svg"))
    bb.save_figures(run, out, formats=("png",), width="6cm")
    assert not list(out.glob("*.svg"))
    assert set(listed(out)["sha256"]) | {"figures.json"} == {one.name for one in out.iterdir()}
    changed = out / "rates-generated-against-test.csv"
    changed.write_text("mine")
    with pytest.raises(InputError, match=r"rates-generated-against-test.csv, which was changed"):
        bb.save_figures(run, out, formats=("png",))
    assert changed.read_text() == "mine"


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"formats": "svg,gif"}, "formats must be one of: svg, pdf, png; got gif"),
        ({"formats": ""}, "formats must be one or more of svg, pdf, png; got none"),
        ({"formats": 3}, "formats must be"),
        ({"width": "89"}, "width must be a length with its unit"),
        ({"width": 89}, "width must be a length with its unit"),
        ({"width": "3mm"}, "of 40 to 500 mm; got 3mm"),
        ({"plate_width": "2m"}, "plate_width must be a length with its unit"),
        ({"witdh": "89mm"}, "witdh must be a choice of figures.*did you mean 'width'"),
    ],
)
def test_a_wrong_choice_is_refused_before_any_work(choices, message, tmp_path):
    with pytest.raises(InputError, match=message):
        bb.save_figures("no run", tmp_path / "figures", **choices)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_something_else_is_refused(run, tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    for out in (tmp_path, run):
        before = sorted(out.iterdir())
        with pytest.raises(InputError, match=r"out must be empty, absent, or a folder that"):
            bb.save_figures(run, out)
        assert sorted(out.iterdir()) == before


@pytest.mark.parametrize(
    ("words", "size"), [("25.4mm", None), ("8.9 cm", 8.9 / 2.54), ("3.5in", 3.5)]
)
def test_lengths_are_read_with_their_units(words, size):
    if size is None:
        with pytest.raises(InputError):
            inches("width", words)
    else:
        assert inches("width", words) == pytest.approx(size)


def test_names_of_files_are_plain():
    assert slug("mean |J|, data reference") == "mean-abs-j-data-reference"
    assert slug("mean J, data reference") == "mean-j-data-reference"
