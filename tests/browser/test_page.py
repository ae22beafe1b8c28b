"""The pages as a person meets them: in Airflow's own frame, in Chromium, in both colours."""

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from conftest_airflow import Played, Running

from helping import PATIENCE_S, require
from taxiway.demo.scenarios import PIPELINE
from taxiway.lineage.outcomes import summaries
from taxiway.registry.aliases import CHAMPION, version_at

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, FrameLocator, Locator, Page

MILLISECONDS = 1000 * PATIENCE_S


CLICKED = "faults.clicked"
UPLOADED = "labels.uploaded"


def begin_early(running: Running) -> None:
    import pandas as pd

    for span in (1, 2):
        running.write_small("clicked", span)
        path = running.write_small("uploaded", span, file=f"{span}-0")
    rows = pd.read_parquet(path)
    rows["y"] = rows["y"].astype("boolean")
    rows.loc[:2, "y"] = pd.NA
    rows.to_parquet(path)
    for dag in (CLICKED, UPLOADED):
        running.begin(dag)


@pytest.fixture(scope="module")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or ""
    require("browser", bool(found), "there is no Chromium; install it: apt-get install chromium")
    return found


@pytest.fixture(scope="module")
def browser(chromium: str, running: Running, played: Played) -> "Iterator[BrowserContext]":
    """A browser in which a viewer is logged in; one for all tests, as it keeps Airflow's large scripts."""
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-background-networking"]
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=chromium, args=flags) as launched:
        context = launched.new_context(viewport={"width": 1400, "height": 900})
        context.set_default_timeout(MILLISECONDS)
        context.add_cookies([{"name": "_token", "value": running.token("viewer"), "url": running.stack.url("airflow")}])
        yield context


@pytest.fixture
def page(browser: "BrowserContext") -> "Iterator[Page]":
    yield browser.new_page()
    for opened in browser.pages:
        opened.close()


def frame(page: "Page") -> "FrameLocator":
    found = page.frame_locator("iframe[title=Taxiway]")
    found.locator("main").wait_for()
    return found


def run_address(running: Running, number: int) -> str:
    run = quote(summaries(running.store, PIPELINE)[number].run, safe="")
    return f"{running.stack.url('airflow')}/dags/{PIPELINE}/runs/{run}"


def ground(page: "Page") -> float:
    """How light the page's ground is, of 0 to 1."""
    frame(page)
    inner = next(found for found in page.frames if "/taxiway/" in found.url and found != page.main_frame)
    found: str = inner.evaluate("getComputedStyle(document.body).backgroundColor")
    return float(found.partition("(")[2].split()[0])


def test_the_page_is_reached_by_logging_in_and_the_navigation(chromium: str, running: Running, played: Played) -> None:
    from playwright.sync_api import sync_playwright

    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"]) as launched,
    ):
        page = launched.new_page()
        page.set_default_timeout(MILLISECONDS)
        page.goto(running.stack.url("airflow"))
        page.locator("[name=username]").fill("admin")
        page.locator("[name=password]").fill(running.stack.secrets.airflow_password)
        page.locator("[type=submit]").click()
        page.get_by_role("link", name="Taxiway").click()
        assert line(page).is_visible()


def line(page: "Page") -> "Locator":
    """The line of the demonstration's pipeline on the first page."""
    return frame(page).locator(f'tr[data-pipeline="{PIPELINE}"]')


def test_the_first_page_shows_the_champion_and_what_needs_a_person(page: "Page", running: Running) -> None:
    page.goto(f"{running.stack.url('airflow')}/plugin/taxiway")
    row = line(page)
    assert "since 2" in row.inner_text()
    assert "blocked" in row.inner_text()
    assert frame(page).get_by_role("heading", name="What needs a person").is_visible()
    assert frame(page).locator(".needs li", has_text="blocked").count() > 0


def test_the_filter_works_by_its_form(page: "Page", running: Running) -> None:
    page.goto(f"{running.stack.url('airflow')}/plugin/taxiway")
    inside = frame(page)
    inside.get_by_label("State").select_option("running")
    inside.get_by_label("Name or owner").fill(PIPELINE)
    inside.get_by_role("button", name="Filter").click()
    inside.get_by_text("No pipeline matches").wait_for()
    inside.get_by_role("link", name="Show all").click()
    line(page).wait_for()


def test_a_runs_tab_shows_its_records(page: "Page", running: Running) -> None:
    page.goto(run_address(running, 1))
    page.get_by_role("link", name="Taxiway").last.click()
    inside = frame(page)
    assert inside.get_by_role("heading", name="Span 2013-05").is_visible()
    assert inside.get_by_role("heading", name="Verdict").is_visible()
    assert inside.locator("svg.picture").count() > 10


def test_links_lead_out_of_the_frame(page: "Page", browser: "BrowserContext", running: Running) -> None:
    """The frame's sandbox allows neither windows nor leaving it, so this is by Airflow's own page."""
    page.goto(f"{running.stack.url('airflow')}/plugin/taxiway")
    line(page).get_by_role("link", name=PIPELINE).click()
    frame(page).locator("tr", has_text="2013-05").get_by_role("link", name="Details").click()
    header = frame(page).locator("header", has_text="Span 2013-05")
    with browser.expect_page() as opened:
        header.get_by_role("link", name="MLflow run").click()
    opened.value.wait_for_url("**/#/experiments/*/runs/*")
    with browser.expect_page() as opened:
        header.get_by_role("link", name="DAG run").click(modifiers=["Control"])
    opened.value.wait_for_url(f"**/dags/{PIPELINE}/runs/*")
    header.get_by_role("link", name="DAG run").click()
    page.wait_for_url(f"**/dags/{PIPELINE}/runs/*")


def test_from_the_list_to_the_history_to_a_run_and_back(page: "Page", running: Running) -> None:
    page.goto(f"{running.stack.url('airflow')}/plugin/taxiway")
    line(page).get_by_role("link", name=PIPELINE).click()
    inside = frame(page)
    inside.get_by_role("heading", name="Promotions").wait_for()
    inside.locator("tr", has_text="2013-05").get_by_role("link", name="Details").click()
    inside.get_by_role("heading", name="Span 2013-05").wait_for()
    inside.get_by_role("link", name=PIPELINE).click()
    inside.get_by_role("link", name="Taxiway").click()
    line(page).wait_for()


def test_colours_follow_airflows_setting_as_it_changes(page: "Page", running: Running) -> None:
    page.goto(f"{running.stack.url('airflow')}/plugin/taxiway")
    for mode, dark in (("light", False), ("dark", True), ("light", False)):
        page.evaluate(f"localStorage.setItem('theme', '{mode}')")
        frame(page).locator(f"html[data-theme={mode}]").wait_for(state="attached")
        assert (ground(page) < 0.5) is dark
    page.evaluate("localStorage.setItem('theme', 'system')")
    frame(page).locator("html[data-theme=system]").wait_for(state="attached")
    for scheme, dark in (("dark", True), ("light", False)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert (ground(page) < 0.5) is dark


@pytest.mark.parametrize("width", [1400, 700, 400])
def test_nothing_is_wider_than_the_page(page: "Page", running: Running, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    runs = [summary.run for summary in summaries(running.store, PIPELINE)]
    base = f"{running.stack.url('airflow')}/taxiway"
    of_runs = [f"{base}/pipelines/{PIPELINE}/runs/{quote(run, safe='')}" for run in runs]
    for address in (f"{base}/", f"{base}/pipelines/{PIPELINE}", f"{base}/pipelines/{PIPELINE}/files", *of_runs):
        page.goto(address)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, address


def test_the_pages_break_no_rule_of_their_own_policy(page: "Page", running: Running) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if "taxiway" in str(message.location) else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    for address in ("/taxiway/", f"/taxiway/pipelines/{PIPELINE}", f"/taxiway/pipelines/{PIPELINE}/files"):
        page.goto(running.stack.url("airflow") + address)
    assert complaints == []


def test_the_chart_shows_its_newest_points_and_has_colours_of_its_own_in_the_dark(page: "Page", running: Running) -> None:
    """The style sheet alone colours the chart, because the policy allows no styles in the page."""
    page.set_viewport_size({"width": 400, "height": 900})
    fills = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.goto(f"{running.stack.url('airflow')}/taxiway/pipelines/{PIPELINE}")
        chart = page.get_by_role("img", name="roc_auc of")
        newest = chart.locator("circle").last
        assert newest.bounding_box()["x"] < 400  # type: ignore[index]
        fills.append(newest.evaluate("dot => getComputedStyle(dot).stroke"))
    assert fills[0] != fills[1]


def test_a_file_of_labels_is_sent_from_the_tab_of_a_run(browser: "BrowserContext", running: Running) -> None:
    """In Airflow's frame: the sandbox lets a person choose a file, and the policy allows the form."""
    run = running.begun.pop(UPLOADED)
    running.wait_for_end(UPLOADED, run)
    rows = b"id,y\n20000,true\n20001,false\n20002,true\n"
    assert browser.browser is not None
    with browser.browser.new_context() as context:
        context.set_default_timeout(MILLISECONDS)
        address = running.stack.url("airflow")
        context.add_cookies([{"name": "_token", "value": running.token("admin"), "url": address}])
        page = context.new_page()
        page.goto(f"{address}/dags/{UPLOADED}/runs/{quote(run, safe='')}/plugin/taxiway-run")
        frame(page).get_by_text("Import labels").click()
        form = frame(page).locator("form[data-action=labels]")
        form.get_by_label("File").set_input_files({"name": "my.csv", "mimeType": "text/csv", "buffer": rows})
        form.get_by_role("button", name="Import").click()
        frame(page).get_by_text("3 labels of admin are in the ledger").wait_for()


def test_a_click_approves_a_version(browser: "BrowserContext", running: Running) -> None:
    """In the frame of the run's tab: the browser sends the header Origin and the cookie, and the policy allows the form."""
    run = running.begun.pop(CLICKED)
    running.wait_for_question(CLICKED, run)
    assert browser.browser is not None
    with browser.browser.new_context() as context:
        context.set_default_timeout(MILLISECONDS)
        address = running.stack.url("airflow")
        context.add_cookies([{"name": "_token", "value": running.token("admin"), "url": address}])
        page = context.new_page()
        page.goto(f"{address}/dags/{CLICKED}/runs/{quote(run, safe='')}/plugin/taxiway-run")
        form = frame(page).locator("form[data-action=approve]")
        form.get_by_label("Reason").fill("the numbers are good")
        form.get_by_role("button", name="Approve").click()
        frame(page).get_by_text("Your approval is in the ledger").wait_for()
    running.wait_for_end(CLICKED, run)
    assert version_at(running.mlflow, CLICKED, CHAMPION) == 1
