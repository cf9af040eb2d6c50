"""Pages in headless Chromium."""

from __future__ import annotations

import shutil

import pytest


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
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))


def open_page(browser, path, width):
    """Open a file at the width of a window."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    browser.get(path.as_uri())
