"""The gate report as people see it: in Chromium, on a phone and on a screen, in both colours and on paper."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from report.samples import FAILED, PASSED, hostile

from helping import require
from taxiway.report import gate_report

if TYPE_CHECKING:
    from playwright.sync_api import Page

WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
OUTSIDE = """() => [...document.querySelectorAll('main *')].filter(found => {
    const box = found.getBoundingClientRect();
    return box.width > 0 && (box.left < -0.5 || box.right > document.documentElement.clientWidth + 0.5);
}).map(found => found.outerHTML.slice(0, 120))"""
GROUND = "getComputedStyle(document.body).backgroundColor"


@pytest.fixture(scope="module")
def page() -> "Iterator[Page]":
    found = shutil.which("chromium") or shutil.which("chromium-browser") or ""
    require("browser", bool(found), "there is no Chromium; install it: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=found, args=["--no-sandbox"]) as browser:
        yield browser.new_page()


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_is_wider_than_the_page(page: "Page", tmp_path: Path, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    for name, content in (("passed", PASSED), ("failed", FAILED), ("long", hostile("supercalifragilistic" * 12))):
        (tmp_path / f"{name}.html").write_text(gate_report(content))
        page.goto(f"file://{tmp_path / name}.html")
        page.evaluate("document.querySelectorAll('details').forEach(found => found.open = true)")
        assert page.evaluate(WIDE) <= 0, name
        assert page.evaluate(OUTSIDE) == [], name


def test_colours_follow_the_reader_and_paper_is_white(page: "Page", tmp_path: Path) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    (tmp_path / "report.html").write_text(gate_report(PASSED))
    page.goto(f"file://{tmp_path}/report.html")
    grounds = []
    for scheme, medium in (("light", "screen"), ("dark", "screen"), ("dark", "print")):
        page.emulate_media(color_scheme=scheme, media=medium)  # type: ignore[arg-type]
        grounds.append(page.evaluate(GROUND))
    assert grounds[0] != grounds[1]
    assert grounds[2] == "rgb(255, 255, 255)"
    assert complaints == [], "the page breaks no rule of its own policy"
