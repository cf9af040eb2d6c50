"""Pages in headless Chromium."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

AXE = Path(__file__).parents[1] / "browser" / "node_modules" / "axe-core" / "axe.min.js"
"""What finds faults of accessibility; `npm ci` in tests/browser gets it."""


class Keys:
    """The keys that tests press, as WebDriver names them."""

    TAB, ENTER = "\ue004", "\ue007"


def open_browser():
    """Return a driver of headless Chromium; skip where there is none."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("Chromium is absent")
    webdriver = pytest.importorskip("selenium.webdriver", reason="Chromium is absent")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    # WebGL in software: the plot in three dimensions needs it
    for argument in (
        "headless=new", "no-sandbox", "disable-dev-shm-usage", "enable-unsafe-swiftshader",
    ):  # fmt: skip
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    # on a busy machine the faults of a long page take more than the half minute of the default
    browser.set_script_timeout(180)
    return browser


def open_page(browser, path, width, height=900):
    """Open a file at the width and height of a screen."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    browser.get(path.as_uri())


def console(browser):
    """Return what the page wrote to the console; what the driver says of its own speed is left."""
    return [one for one in browser.get_log("browser") if one["source"] != "rendering"]


def requests_of(browser):
    """Return the addresses that were asked for since the log was last read."""
    messages = [json.loads(one["message"])["message"] for one in browser.get_log("performance")]
    return [
        one["params"]["request"]["url"]
        for one in messages
        if one["method"] == "Network.requestWillBeSent"
    ]


def require_sound(browser, path):
    """Fail where a page asks for anything, complains, overflows, or has a serious fault."""
    for width in (1280, 390):
        browser.get_log("browser"), browser.get_log("performance")
        open_page(browser, path, width)
        assert console(browser) == []
        asked = [one for one in requests_of(browser) if not one.startswith(("data:", "blob:"))]
        assert asked == [path.as_uri()]
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    browser.execute_script(
        "for (const one of document.querySelectorAll('details')) one.open = true"
    )
    assert serious_faults(browser) == []


def serious_faults(browser):
    """Return the serious and critical faults of accessibility that axe-core finds."""
    if not AXE.exists():
        pytest.skip("axe-core is absent")
    browser.execute_script(AXE.read_text(encoding="utf-8"))
    found = browser.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        "axe.run(document).then(r => done(r.violations.map(v =>"
        " [v.impact, v.id, v.nodes.slice(0, 3).map(n => n.html + ' ' + n.failureSummary)])))"
    )
    return [one for one in found if one[0] in ("serious", "critical")]
