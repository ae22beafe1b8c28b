"""The page for the labels of an audit in Chromium: what it sends is what the server reads, and it fits a small screen."""

import asyncio
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import TYPE_CHECKING

import pytest
from fastapi import Request

from helping import require
from taxiway.stages.monitor.windows.labels.audit_rows import AuditPage, AuditRow
from taxiway_ui.actions import _fields
from taxiway_ui.audits.task import ROWS, AuditTask, SentLabels, given_labels
from taxiway_ui.people.forms import Forms
from taxiway_ui.render import FOLDER, page

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

ADDRESS = "http://airflow.example.com/taxiway/pipelines/a.b/audit"


def shown(classes: tuple[str, ...]) -> str:
    """The page with as many rows as it has at most, one of them with a long text."""
    rows = tuple(
        AuditRow(
            f"{at:032x} r{at} 0",
            f"019ac5b0{at}",
            at,
            (("carrier", "UA"), ("note", "long" * 60 if at == 3 else None)),
            '{"flight": "UA1"}',
        )
        for at in range(ROWS)
    )
    sent = SentLabels(
        2, 0, 0, ("row 0 of request r: its label is 2, and ann has labelled the row as 1, which stands; agree on one",)
    )
    view = AuditTask("a.b", 3, date(2013, 6, 10), ("an audit is due",), AuditPage(rows, classes, 40, 2), "", sent)
    return page(
        "audit.html", view=view, forms=Forms("token", True, True, "ann"), here="http://airflow.example.com/taxiway", airflow=""
    )


@pytest.fixture
def chromium_page() -> "Iterator[Page]":
    found = shutil.which("chromium") or shutil.which("chromium-browser") or ""
    require("browser", bool(found), "there is no Chromium; install it: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=found, args=["--no-sandbox"]) as browser:
        yield browser.new_page(viewport={"width": 400, "height": 900})


def opened(chromium_page: "Page", classes: tuple[str, ...]) -> list[bytes]:
    """Open the page; what its form sends is added to the list that is returned."""
    sent: list[bytes] = []

    def answer(route: "Route") -> None:
        if "/static/" in route.request.url:
            route.fulfill(path=FOLDER / "static" / route.request.url.rpartition("/")[2].partition("?")[0])
            return
        if route.request.post_data_buffer is not None:
            sent.append(route.request.post_data_buffer)
        route.fulfill(body=shown(classes), content_type="text/html; charset=utf-8")

    chromium_page.route("**/*", answer)
    chromium_page.goto(ADDRESS)
    return sent


def read(body: bytes) -> dict[str, str]:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    with ThreadPoolExecutor(1) as thread:  # Playwright has an event loop in this one
        return thread.submit(asyncio.run, _fields(Request({"type": "http", "headers": []}, receive))).result()


@pytest.mark.parametrize(("classes", "label"), [(("False", "True & <b>"), "True & <b>"), ((), "-1.25")])
def test_the_labels_that_a_person_chooses_are_what_the_server_reads(
    chromium_page: "Page", classes: tuple[str, ...], label: str
) -> None:
    """Rows that were left open are not sent as labels, and a full page has not too many fields."""
    sent = opened(chromium_page, classes)
    for at in (1, ROWS):
        field = chromium_page.get_by_label(f"Label of row {at}", exact=True)
        field.select_option(label) if classes else field.fill(label)
    with chromium_page.expect_navigation():
        chromium_page.get_by_role("button", name="Send, and go on").click()
    (body,) = sent
    fields = read(body)
    assert given_labels(fields) == [("019ac5b00", "0", label), (f"019ac5b0{ROWS - 1}", str(ROWS - 1), label)]
    assert (fields["token"], fields["after"]) == ("token", f"{ROWS - 1:032x} r{ROWS - 1} 0")


def test_the_page_fits_a_small_screen(chromium_page: "Page") -> None:
    opened(chromium_page, ("False", "True"))
    assert chromium_page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    assert chromium_page.get_by_role("heading", name="Labels that were not taken").is_visible()
