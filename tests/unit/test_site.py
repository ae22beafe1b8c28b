"""The documentation site: what `make docs` would not notice, and what its hooks make of links and commands."""

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

from taxiway.cli import main

ROOT = Path(__file__).parents[2]
TAXIWAY = ROOT / "operators" / "taxiway"


def hook(name: str) -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "docs" / "hooks" / f"{name}.py"))


def navigation(entry: Any) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    inner = entry.values() if isinstance(entry, dict) else entry
    return [path for part in inner for path in navigation(part)]


def test_every_page_is_in_the_navigation_once() -> None:
    site = yaml.load((ROOT / "mkdocs.yml").read_text(), yaml.BaseLoader)
    written = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    made = {*hook("repository_pages")["PAGES"].values(), hook("command_line")["PAGE"], "api/"}
    assert sorted(navigation(site["nav"])) == sorted(written | made)


def test_every_public_module_is_in_the_api_reference() -> None:
    api = hook("api_pages")
    pages = api["pages"]()
    internal = [TAXIWAY.parent.joinpath(*name.split(".")) for name in api["INTERNAL"]]
    assert all(folder.is_dir() for folder in internal)
    for path in TAXIWAY.rglob("*.py"):
        if path.stem.startswith("_") or any(path.is_relative_to(folder) for folder in internal):
            continue
        package, module = ".".join(path.parent.relative_to(TAXIWAY.parent).parts), path.stem
        assert f"::: {package}.{module}\n" in pages[f"api/{package}.md"]
        assert f"[`{package}`]({package}.md)" in pages["api/index.md"]


def test_every_command_is_in_its_reference() -> None:
    headings = re.findall(r"^#+ taxiway (.+)$", hook("command_line")["page"](), re.M)
    assert {name for name, command in main.commands.items() if not command.hidden} <= set(headings)


@pytest.mark.parametrize(
    ("source", "page", "link", "expected"),
    [
        ("README.md", "index.md", "docs/guides/model-lineage.md", "guides/model-lineage.md"),
        ("README.md", "index.md", "docs/pictures/page.png", "pictures/page.png"),
        ("README.md", "index.md", "LICENSE", "files/LICENSE.md"),
        ("CONTRIBUTING.md", "contributing.md", "docs/architecture.md#homes", "architecture.md#homes"),
        ("docs/glossary.md", "glossary.md", "../CHANGELOG.md", "changelog.md"),
        ("docs/guides/model-lineage.md", "guides/model-lineage.md", "rolling-back.md#x", "rolling-back.md#x"),
        ("docs/guides/model-lineage.md", "guides/model-lineage.md", "../../dags/flights", "../files/dags/flights.md"),
        ("docs/guides/model-lineage.md", "guides/model-lineage.md", "https://example.org/a", "https://example.org/a"),
        ("docs/guides/model-lineage.md", "guides/model-lineage.md", "nowhere.md", "nowhere.md"),
    ],
)
def test_links_of_the_repository_lead_to_pages_of_the_site(source: str, page: str, link: str, expected: str) -> None:
    text = f"a [link]({link})\n\n```\n[shown]({link})\n```\n"
    assert hook("repository_pages")["rewrite"](text, Path(source), page) == text.replace(f"k]({link})", f"k]({expected})")


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ('<script async src="https://example.org/a.js"></script>', ["https://example.org/a.js"]),
        ('<link rel="stylesheet" href="//example.org/a.css">', ["//example.org/a.css"]),
        ('<img alt="a" src="pictures/page.png"><a href="https://example.org">a link</a>', []),
    ],
)
def test_a_page_that_loads_from_another_host_is_found(html: str, found: list[str]) -> None:
    assert hook("own_host")["from_elsewhere"](html) == found
