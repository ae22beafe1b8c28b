"""The pages load everything from the site itself. Material would load Mermaid, which draws diagrams, from another host.

The package mermaidx has Mermaid's own `mermaid.min.js`, byte by byte; pages with a diagram load it.
"""

import logging
import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SCRIPT = "assets/javascripts/mermaid.min.js"
DIAGRAM = '<pre class="mermaid">'
# Before Material's own script, which takes the Mermaid that is there.
BEFORE = '<script id="__config"'
_LOADED = re.compile(r"""<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\bsrc=["']?((?:https?:)?//[^"'\s>]+)""")
_LINKED = re.compile(r"""<link\b[^>]*\bhref=["']?((?:https?:)?//[^"'\s>]+)""")
_log = logging.getLogger("mkdocs.hooks.own_host")


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Adds Mermaid to a page with a diagram, and warns of what the page would load from another host."""
    for url in from_elsewhere(output):
        _log.warning("%s loads %s: keep it in docs/, the site loads nothing from other hosts", page.file.src_uri, url)
    if DIAGRAM not in output:
        return output
    _copy_mermaid(Path(config.site_dir) / SCRIPT)
    source = os.path.relpath(SCRIPT, Path(page.file.dest_uri).parent)
    return output.replace(BEFORE, f'<script src="{source}"></script>{BEFORE}')


def from_elsewhere(html: str) -> list[str]:
    """The URLs on other hosts that a browser loads to show a page; links that a person follows are none."""
    return _LOADED.findall(html) + _LINKED.findall(html)


def _copy_mermaid(target: Path) -> None:
    if not target.exists():
        spec = find_spec("mermaidx")
        assert spec is not None
        assert spec.origin is not None
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((Path(spec.origin).parent / "assets" / "mermaid.js").read_bytes())
