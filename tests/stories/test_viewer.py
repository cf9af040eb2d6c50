"""The brain viewer driven in headless Chromium: alone, within the page, and without WebGL."""

from __future__ import annotations

import numpy as np
import pytest

from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.in_silico.perturb import Clamp, perturb
from boltzbrain.pages.viewer.view import render_scene
from helpers.browsing import console, open_page, requests_of, serious_faults
from helpers.command_line import QUICK, make, run_command, write_small
from helpers.scenes import make_scene

READY = (
    "const done = arguments[arguments.length - 1]; const wait = () => {"
    "const v = document.getElementById('viewer');"
    "v.dataset.state === 'ready' && v.dataset.drawn > 0 ? done(true) : setTimeout(wait, 30) };"
    "wait()"
)
TWO_FRAMES = (
    "const done = arguments[arguments.length - 1];"
    "requestAnimationFrame(() => requestAnimationFrame(() => done()))"
)


@pytest.fixture(scope="module")
def scene():
    return make_scene()


@pytest.fixture(scope="module")
def written(scene, tmp_path_factory):
    path = tmp_path_factory.mktemp("viewer") / "view.html"
    path.write_text(render_scene(scene), encoding="utf-8")
    return path


def show(browser, path, width=1280):
    browser.set_script_timeout(60)
    open_page(browser, path, width)
    browser.execute_script(
        "document.getElementById('viewer').scrollIntoView({behavior: 'instant'})"
    )
    browser.execute_async_script(READY)


def told(browser):
    browser.execute_async_script(TWO_FRAMES)
    return browser.execute_script("return {...document.getElementById('viewer').dataset}")


def press(browser, what):
    browser.execute_script(f"document.querySelector('.viewer [data-do={what}]').click()")
    return told(browser)


def choose(browser, part, value):
    browser.execute_script(
        "const s = document.querySelector(`.viewer [data-part=${arguments[0]}]`);"
        "s.value = arguments[1]; s.dispatchEvent(new Event('change'));"
        "s.dispatchEvent(new Event('input'))", part, value,
    )  # fmt: skip
    return told(browser)


def colours(browser):
    """Return how many pixels of the stage are orange, blue, and any but white."""
    return browser.execute_script(
        "const v = document.getElementById('viewer').viewer, c = document.createElement('canvas');"
        "const s = v.parts.stage; c.width = s.width; c.height = s.height; v.draw();"
        "const pen = c.getContext('2d'); pen.drawImage(s, 0, 0);"
        "const d = pen.getImageData(0, 0, c.width, c.height).data; let o = 0, b = 0, n = 0;"
        "for (let k = 0; k < d.length; k += 4) { const [r, g, u] = [d[k], d[k + 1], d[k + 2]];"
        "if (r < 250 || g < 250 || u < 250) n++; if (r > u + 80) o++; if (u > r + 80) b++; }"
        "return [o, b, n]"
    )


@pytest.mark.parametrize("width", [1280, 390])
def test_it_opens_alone_without_error_request_or_overflow(browser, written, width):
    browser.get_log("browser"), browser.get_log("performance")
    show(browser, written, width)
    state = told(browser)
    assert state["renderer"] == "webgl"
    assert state["source"] == "recorded"
    assert colours(browser)[2] > 500
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert console(browser) == []
    asked = [url for url in requests_of(browser) if not url.startswith(("data:", "blob:"))]
    assert asked == [written.as_uri()]
    assert serious_faults(browser) == []


def test_recorded_activity_plays_pauses_and_is_scrubbed(browser, written, scene):
    from selenium.webdriver import ActionChains

    show(browser, written)
    assert press(browser, "play")["playing"] == "true"
    browser.execute_async_script(
        "const done = arguments[0], wait = () => document.getElementById('viewer')"
        ".dataset.frame > 4 ? done() : setTimeout(wait, 20); wait()"
    )
    state = press(browser, "play")
    assert state["playing"] == "false"
    assert int(state["frame"]) > 4
    assert press(browser, "next")["frame"] == str(int(state["frame"]) + 1)
    line = browser.find_element("css selector", ".viewer [data-part=timeline]")
    browser.execute_script(
        "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", line
    )
    inner = line.size["width"] - 80
    ActionChains(browser, duration=20).move_to_element_with_offset(
        line, round(72 + inner / 2 - line.size["width"] / 2), 0
    ).click().perform()
    frame = int(told(browser)["frame"])
    assert abs(frame - 45) <= 1
    line.send_keys("\ue012")  # to the left
    assert told(browser)["frame"] == str(frame - 1)
    words = browser.find_element("css selector", ".viewer [data-part=time]").text
    active = int(scene.frames[0].states[frame - 1].sum())
    assert words == f"bin {frame} of 90, {0.02 * (frame - 1):.2f} s: {active} active, task"
    assert line.get_attribute("aria-valuenow") == str(frame - 1)


def test_draws_of_the_model_are_stepped_through_and_do_not_play(browser, written):
    show(browser, written)
    assert choose(browser, "source", "1")["source"] == "generated"
    assert not browser.find_element("css selector", ".viewer [data-do=play]").is_enabled()
    assert press(browser, "play")["playing"] == "false"
    browser.find_element("css selector", ".viewer [data-part=timeline]").send_keys(" ")
    assert told(browser)["playing"] == "false"
    assert press(browser, "next")["frame"] == "1"
    words = browser.find_element("css selector", ".viewer [data-part=time]").text
    assert words.startswith("draw 2 of 40:")


def test_a_click_on_a_neuron_tells_its_assemblies_and_couplings(browser, written, scene):
    from selenium.webdriver import ActionChains

    show(browser, written)
    at = browser.execute_script(
        "const v = document.getElementById('viewer').viewer, s = v.parts.stage;"
        "v.orbit.place(s.clientWidth, s.clientHeight); const p = v.orbit.camera.position.clone();"
        # of the neuron nearest to the middle, which no button covers
        "const at = n => { p.set(...v.data.xyz.subarray(3 * n, 3 * n + 3)).project(v.orbit.camera);"
        "return [p.x * s.clientWidth / 2, -p.y * s.clientHeight / 2] };"
        "return [...v.data.shown].map(at).sort((a, b) => Math.hypot(...a) - Math.hypot(...b))[0]"
    )
    stage = browser.find_element("css selector", ".viewer [data-part=stage]")
    ActionChains(browser, duration=20).move_to_element_with_offset(
        stage, round(at[0]), round(at[1])
    ).click().perform()
    state = told(browser)
    n = int(state["neuron"])
    lines = browser.find_element("css selector", ".viewer .chosen").text.splitlines()
    assert lines[0] == f"Neuron n{n}"
    unit = int(scene.strongest[n])
    assert lines[lines.index("assemblies, by weight") + 1] == str(unit)
    partner = int(scene.partners[n, np.abs(scene.couplings[n]).argmax()])
    assert any(one.startswith(f"n{partner}") for one in lines)
    # from one to the next
    browser.execute_script("[...document.querySelectorAll('.viewer .rows button')].pop().click()")
    other = int(told(browser)["neuron"])
    assert other in scene.partners[n]
    browser.find_element("css selector", ".viewer [data-part=stage]").send_keys("\ue00c")
    assert told(browser)["neuron"] == ""


def test_an_assembly_is_found_and_shows_its_members(browser, written, scene):
    show(browser, written)
    choose(browser, "find", "assembly 2")
    found = browser.find_elements("css selector", ".viewer .list button")
    assert [one.get_attribute("data-unit") for one in found] == ["2"]
    before = colours(browser)
    found[0].click()
    state = told(browser)
    assert (state["unit"], state["colour"]) == ("2", "assembly")
    shown = browser.find_element("css selector", ".viewer .chosen").text
    assert f"{scene.membership[:, 2].sum()} members" in shown
    assert colours(browser)[1] < before[1], "blue is left to assemblies of that colour alone"
    choose(browser, "find", "n17")
    names = [one.text for one in browser.find_elements("css selector", ".viewer .list button")]
    assert names[0].startswith("neuron n17")


def test_a_hidden_unit_is_clamped_and_neurons_follow_as_the_perturbation_says(
    browser, written, scene
):
    show(browser, written)
    browser.execute_script("document.querySelector('.viewer .list [data-unit=\"1\"]').click()")
    browser.execute_script(
        "[...document.querySelectorAll('.viewer .hold button')].find("
        "b => b.textContent === 'on').click()"
    )
    state = told(browser)
    assert (state["unit"], state["clamped"]) == ("1", "on")
    rows = [
        one.text.split("\n")
        for one in browser.find_elements("css selector", ".viewer .chosen .rows button")
    ]
    truth = perturb(scene.model, Clamp(hidden={1: 1.0}), Generator.from_seed(0))
    for name, change in rows:
        n = scene.ids.index(name.split(" · ")[0])
        before, after = (float(one) for one in change.split(" → "))
        assert before == pytest.approx(truth.before.mean[n], abs=0.006)
        assert after == pytest.approx(truth.after.mean[n], abs=0.006)
        assert scene.membership[n, 1]
    orange, blue, _ = colours(browser)
    assert orange > 50
    assert orange > 5 * blue
    browser.execute_script("[...document.querySelectorAll('.viewer .hold button')][0].click()")
    assert told(browser)["clamped"] == ""


def test_colours_follow_the_choice_and_each_has_a_legend(browser, written):
    show(browser, written)
    legends = set()
    for name in ("assembly", "region", "rate", "weight", "activity"):
        assert choose(browser, "colour", name)["colour"] == name
        legends.add(browser.find_element("css selector", ".viewer .legend .title").text)
    assert len(legends) == 5


def test_it_turns_zooms_and_comes_home_by_keys_and_drag(browser, written):
    from selenium.webdriver import ActionChains

    show(browser, written)
    home = told(browser)["view"]
    stage = browser.find_element("css selector", ".viewer [data-part=stage]")
    stage.send_keys("\ue012", "+")  # to the left, closer
    yaw, _, zoom = (float(one) for one in told(browser)["view"].split(","))
    assert yaw == pytest.approx(float(home.split(",")[0]) + 0.12, abs=0.001)
    assert zoom == pytest.approx(0.85, abs=0.001)
    ActionChains(browser, duration=20).move_to_element(stage).click_and_hold().move_by_offset(
        80, 20
    ).release().perform()
    moved = told(browser)
    assert moved["view"].split(",")[0] != f"{yaw:.3f}"
    assert moved["neuron"] == "", "a drag chooses nothing"
    assert press(browser, "home")["view"] == home


def saved(browser, kind):
    """Return the type and size of what was saved, waiting for it."""
    browser.execute_async_script(
        "const done = arguments[arguments.length - 1]; const wait = () => {"
        "const t = document.getElementById('viewer').dataset.saved || '';"
        "t.startsWith(arguments[0]) ? done() : setTimeout(wait, 50) }; wait()",
        kind,
    )
    return int(told(browser)["saved"].split()[-1])


def test_a_picture_and_a_video_are_saved(browser, written, tmp_path):
    browser.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
    )
    show(browser, written)
    press(browser, "picture")
    size = saved(browser, "image/png")
    assert size > 5000
    press(browser, "video")
    browser.execute_async_script("setTimeout(arguments[arguments.length - 1], 1500)")
    press(browser, "video")
    assert saved(browser, "video/webm") > 5000
    for _ in range(100):
        files = {one.suffix: one for one in tmp_path.iterdir()}
        if {".png", ".webm"} <= set(files):
            break
        browser.execute_async_script("setTimeout(arguments[arguments.length - 1], 50)")
    assert files[".png"].read_bytes().startswith(b"\x89PNG")
    assert files[".webm"].read_bytes().startswith(b"\x1a\x45\xdf\xa3")


def test_without_webgl_the_neurons_are_drawn_on_a_plain_canvas(browser, written):
    added = browser.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument",
        {
            "source": "const old = HTMLCanvasElement.prototype.getContext;"
            "HTMLCanvasElement.prototype.getContext = function (kind, ...more) {"
            "return kind.startsWith('webgl') ? null : old.call(this, kind, ...more) }"
        },
    )
    try:
        show(browser, written)
        assert told(browser)["renderer"] == "canvas"
        assert colours(browser)[2] > 500
        assert "no WebGL" in browser.find_element("css selector", ".viewer .notice").text
        browser.execute_script("document.querySelector('.viewer .list button').click()")
        assert told(browser)["unit"] != ""
    finally:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)


# --- a run of the command line


@pytest.fixture(scope="module")
def run(tmp_path_factory, quick_evaluation):
    folder = tmp_path_factory.mktemp("run")
    make("fit", write_small(folder / "small.npz"), "-o", folder / "run", *QUICK)
    return folder / "run"


def test_view_of_a_run_that_is_neither_interpreted_nor_evaluated(browser, run, capsys):
    outcome = run_command(["view", run], capsys)
    assert outcome.status == 0, outcome.err
    show(browser, run / "view.html")
    assert "No positions are known" in browser.find_element("id", "viewer").text
    sources = browser.find_elements("css selector", ".viewer [data-part=source] option")
    assert len(sources) == 1
    browser.execute_script("document.querySelector('.viewer .list button').click()")
    assert told(browser)["unit"] != ""


def test_view_shows_draws_and_couplings_once_there_are_some(browser, run, tmp_path, capsys):
    make("evaluate", run)
    make("interpret", run)
    outcome = run_command(["view", run, "-o", tmp_path / "brain.html"], capsys)
    assert outcome.status == 0, outcome.err
    assert outcome.out.strip() == str(tmp_path / "brain.html")
    show(browser, tmp_path / "brain.html")
    assert choose(browser, "source", "1")["source"] == "generated"
    browser.execute_script("document.getElementById('viewer').viewer.chooseNeuron(3)")
    assert "strongest couplings" in browser.find_element("css selector", ".viewer .chosen").text


def test_view_of_a_reading_of_another_model_is_refused(run, tmp_path, capsys):
    other = tmp_path / "other"
    make("fit", run.parent / "small.npz", "-o", other, *QUICK, "--seed", "5")
    make("interpret", other)
    (other / "interpretation.h5").rename(tmp_path / "kept.h5")
    make("interpret", run)
    (other / "interpretation.h5").write_bytes((run / "interpretation.h5").read_bytes())
    outcome = run_command(["view", other], capsys)
    assert outcome.status == 2
    assert "interpretation.h5 must be of this run" in outcome.err
    assert not (other / "view.html").exists()
    assert np.all([one.suffix != ".partial" for one in other.iterdir()])
