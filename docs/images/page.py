"""The picture of the README: the first screen of the demo's page, and where its checks begin.

Usage: .venv/bin/python docs/images/page.py [RUN]

Reads the page of `make demo` (demo/run), photographs it in headless Chromium as the tests open it,
and writes page.png beside this file, in few colours so that it stays small.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from helpers.browsing import open_browser, open_page

WIDTH, HEIGHT, BETWEEN = 1280, 800, 20
COLOURS = 128
ANCHORS = ("", "believe")
"""Where each picture begins; the first at the top of the page."""


def photograph(browser: Any, anchor: str) -> Image.Image:
    """Return what a window shows of the open page from an anchor on."""
    if anchor:
        place = f"document.getElementById('{anchor}').getBoundingClientRect().top - 12"
        browser.execute_script(f"scrollBy({{top: {place}, behavior: 'instant'}})")
    return Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")


def main(run: Path) -> None:
    """Photograph the page of one run."""
    browser = open_browser()
    try:
        open_page(browser, (run / "report.html").resolve(), WIDTH)
        browser.execute_script("document.documentElement.style.scrollbarWidth = 'none'")
        parts = [photograph(browser, anchor).crop((0, 0, WIDTH, HEIGHT)) for anchor in ANCHORS]
    finally:
        browser.quit()
    picture = Image.new("RGB", (len(parts) * (WIDTH + BETWEEN) - BETWEEN, HEIGHT), "white")
    for number, part in enumerate(parts):
        picture.paste(part, (number * (WIDTH + BETWEEN), 0))
    few = picture.quantize(COLOURS, dither=Image.Dither.NONE)
    few.save(Path(__file__).with_suffix(".png"), optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("demo/run"))
