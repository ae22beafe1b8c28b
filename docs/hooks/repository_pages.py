"""Brings the repository's other texts into the site, and makes links between them lead somewhere there.

README, CHANGELOG and CONTRIBUTING become pages. A file or folder that a page links to, such as an example, becomes a page that
shows it. The texts stay as they are, so that their links work on the Git host too.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGES = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
SOURCES = {page: source for source, page in PAGES.items()}
ICON = ROOT / "plugins" / "taxiway_ui" / "static" / "icon.svg"
_FENCE = re.compile(r"^```.*?^```$", re.M | re.S)
_LINK = re.compile(r"\]\((?P<path>[^)\s#]+)(?P<anchor>#[^)\s]*)?\)")
_LANGUAGES = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".json": "json", ".toml": "toml", ".sh": "bash"}


def on_files(files: Any, config: Any) -> Any:
    """Adds the pages that are not in docs/, and the icon."""
    from mkdocs.structure.files import File, InclusionLevel

    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text()))
    files.append(File.generated(config, "assets/icon.svg", content=ICON.read_text()))
    for path in sorted(shown()):
        files.append(File.generated(config, site_path(path), content=_shown(path), inclusion=InclusionLevel.NOT_IN_NAV))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turns links of the repository into links of the site; the home page, which is a section by itself, has no navigation."""
    if page.is_homepage:
        page.meta["hide"] = ["navigation"]
    source = _source(page.file.src_uri)
    return markdown if source is None else rewrite(markdown, source, page.file.src_uri)


def rewrite(markdown: str, source: Path, page: str) -> str:
    """The Markdown of a page with the links of its source: those to other files of the repository lead to pages of the site.

    Args:
        markdown: The text as it stands in the repository.
        source: Its path in the repository.
        page: The path of the page, below docs/.
    """

    def link(found: re.Match[str]) -> str:
        target = _target(source, found["path"])
        if target is None:
            return found[0]
        return f"]({os.path.relpath(site_path(target), Path(page).parent)}{found['anchor'] or ''})"

    parts, end = [], 0
    for fence in _FENCE.finditer(markdown):
        parts += [_LINK.sub(link, markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, _LINK.sub(link, markdown[end:])])


def shown() -> set[Path]:
    """The files and folders of the repository that pages link to and that are not pages of docs/ themselves."""
    found: set[Path] = set()
    waiting = [Path(source) for source in PAGES] + [path.relative_to(ROOT) for path in (ROOT / "docs").rglob("*.md")]
    while waiting:
        source = waiting.pop()
        for target in _targets(source):
            if site_path(target).startswith("files/") and target not in found:
                found.add(target)
                if target.suffix == ".md":
                    waiting.append(target)
    return found


def site_path(path: Path) -> str:
    """Where the site has a file of the repository, below docs/."""
    if str(path) in PAGES:
        return PAGES[str(path)]
    if path.parts[0] == "docs" and path.suffix in (".md", ".png", ".svg"):
        return path.relative_to("docs").as_posix()
    return f"files/{path.as_posix()}{'' if path.suffix == '.md' else '.md'}"


def _source(page: str) -> Path | None:
    if page in SOURCES:
        return Path(SOURCES[page])
    path = Path(page).relative_to("files") if page.startswith("files/") else Path("docs") / page
    return path if (ROOT / path).exists() else None


def _targets(source: Path) -> Iterator[Path]:
    for found in _LINK.finditer(_FENCE.sub("", (ROOT / source).read_text())):
        target = _target(source, found["path"])
        if target is not None:
            yield target


def _target(source: Path, path: str) -> Path | None:
    """The file of the repository that a link leads to; none if it leads elsewhere, or nowhere, which MkDocs then reports."""
    target = (ROOT / source).parent.joinpath(path).resolve()
    return target.relative_to(ROOT) if "://" not in path and target.exists() and target.is_relative_to(ROOT) else None


def _shown(path: Path) -> str:
    if path.suffix == ".md":
        return (ROOT / path).read_text()
    if (ROOT / path).is_dir():
        files = sorted(file.relative_to(ROOT) for file in (ROOT / path).iterdir() if file.is_file())
        return "\n".join([f"# {path}\n", *(f"## {file.name}\n\n{_block(file)}" for file in files)])
    return f"# {path.name}\n\nThe file `{path}` of the repository.\n\n{_block(path)}"


def _block(path: Path) -> str:
    text = (ROOT / path).read_text()
    return f"````{_LANGUAGES.get(path.suffix, '')}\n{text if text.endswith(chr(10)) else text + chr(10)}````\n"
