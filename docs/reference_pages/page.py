"""A page of the reference, and the tables of keys on it."""

import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from reference_pages.field_text import default_text, type_text
from taxiway.data.schema.constraints import Rule
from taxiway.data.schema.feature import Feature
from taxiway.spec.source import SourceKeys

Sections = tuple[tuple[str, type[BaseModel]], ...]


@dataclass(frozen=True)
class Page:
    """What a page of the reference says.

    Attributes:
        file: The file in docs/reference/.
        head: The title and the introduction.
        sections: The keys of the file, and the model of each; the first one, without a key, is of the whole file.
        used_by: For each key, what it does and what uses it; this cannot be read from the models.
        written: The type and the default of keys that have another form in the file than in the model.
        foot: What follows the tables.
    """

    file: str
    head: str
    sections: Sections
    used_by: Mapping[str, str]
    written: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    foot: str = ""


def page_text(page: Page) -> str:
    """The text of a page.

    Raises:
        SystemExit: A key is not described, or a description is of no key.
    """
    parts = [page.head]
    for path, model in page.sections:
        table = "\n".join(_table(path, model, page))
        parts.append(f"## {_heading(path, model)}\n\n{_about(model)}\n\n{table}\n")
    unknown = set(page.used_by) - {f"{path}.{key}".lstrip(".") for path, model in page.sections for key, _ in _fields(model)}
    if unknown:
        raise SystemExit(f"{page.file} describes {', '.join(sorted(unknown))}, which is not a key; remove it from used_by")
    return "\n".join(parts) + page.foot


def _heading(path: str, model: type[BaseModel]) -> str:
    if issubclass(model, SourceKeys) and model is not SourceKeys:
        return f"`{path}` with `{model.key}`"
    return f"`{path}`" if path else "The file"


def _about(model: type[BaseModel]) -> str:
    # The keys are described in the table, so the section of attributes is left out.
    text = " ".join(re.split(r"\n\s*Attributes:\n", model.__doc__ or "")[0].split())
    return textwrap.fill(
        re.sub(r"(?<![`\w])(\{[A-Za-z]+\})", r"`\1`", text), 126, break_long_words=False, break_on_hyphens=False
    )


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    for name, found in model.model_fields.items():
        if name == "name" and model in (Feature, Rule):
            continue  # the key above
        if issubclass(model, SourceKeys) and model is not SourceKeys and name in SourceKeys.model_fields:
            continue  # in the section of the keys that all sources have
        yield found.alias or name, found


def _table(path: str, model: type[BaseModel], page: Page) -> Iterator[str]:
    yield "| key | type | default | used by |"
    yield "|---|---|---|---|"
    for key, found in _fields(model):
        whole = f"{path}.{key}".lstrip(".")
        if whole not in page.used_by:
            raise SystemExit(f"{whole} is a new key of {page.file}: describe it in used_by")
        kind, default = page.written.get(whole) or (type_text(found), default_text(found))
        yield f"| `{key}` | {kind} | {default} | {page.used_by[whole]} |"
