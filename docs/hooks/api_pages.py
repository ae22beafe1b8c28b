"""Makes the pages of the API reference: one for each public package, found in the source tree, with the names of its modules.

mkdocstrings reads the docstrings; here stands only which packages and modules there are.
"""

import ast
from pathlib import Path
from typing import Any

SOURCES = Path(__file__).parents[2] / "operators"
# The command line has a page of its own, and nobody imports the embedded stack or the demonstration.
INTERNAL = ("taxiway.cli", "taxiway.demo", "taxiway.local")
INDEX = "api/index.md"
# A search finds guides first.
SETTINGS = "---\nsearch: {boost: 0.5}\n---\n"
INTRODUCTION = """\
# API

The packages of Taxiway, with the public names of their modules. To write a pipeline you only need a file and a stub: [your first
pipeline](../guides/first-pipeline.md). How the packages depend on each other: [architecture](../architecture.md#packages-and-layers).

| package | contents |
|---|---|
"""


def on_config(config: Any) -> Any:
    """Puts the pages where the navigation has `api/`."""
    pages = [{package.removeprefix("taxiway."): page_of(package)} for package in packages()]
    for entry in config.nav:
        for title, target in entry.items():
            if target == "api/":
                entry[title] = [INDEX, *pages]
    return config


def on_files(files: Any, config: Any) -> Any:
    """Adds the pages."""
    from mkdocs.structure.files import File

    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def pages() -> dict[str, str]:
    """The Markdown of each page, by its path below docs/."""
    index = "".join(f"| [`{name}`]({Path(page_of(name)).name}) | {_about(name)} |\n" for name in packages())
    return {INDEX: INTRODUCTION + index} | {page_of(name): _page(name) for name in packages()}


def packages() -> list[str]:
    """The public packages by their dotted names."""
    found = (path.parent.relative_to(SOURCES) for path in (SOURCES / "taxiway").rglob("__init__.py"))
    names = sorted(".".join(path.parts) for path in found if not any(part.startswith("_") for part in path.parts))
    return [name for name in names if not f"{name}.".startswith(tuple(f"{internal}." for internal in INTERNAL))]


def page_of(package: str) -> str:
    """The path of a package's page, below docs/."""
    return f"api/{package}.md"


def _page(package: str) -> str:
    init = _folder(package) / "__init__.py"
    modules = sorted(path.stem for path in init.parent.glob("*.py") if not path.stem.startswith("_"))
    parts = [
        f"{SETTINGS}# {package}\n",
        f"::: {package}\n    options: {{members: false, show_root_heading: false, show_root_toc_entry: false}}\n",
    ]
    exported = _exported(init)
    if exported:
        parts.append(f"To import from here: {', '.join(f'[`{name}`][{package}.{name}]' for name in exported)}.\n")
    parts += [f"::: {package}.{module}\n" for module in modules]
    return "\n".join(parts)


def _about(package: str) -> str:
    """The first sentence about a package."""
    text = ast.get_docstring(ast.parse((_folder(package) / "__init__.py").read_text())) or ""
    return " ".join(text.split("\n\n")[0].split()).replace("|", "\\|")


def _exported(init: Path) -> list[str]:
    """The names that a package has from its modules, and lists in `__all__`."""
    for node in ast.parse(init.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return []


def _folder(package: str) -> Path:
    return SOURCES.joinpath(*package.split("."))
