"""The `source` section of a pipeline file: a source of one of the kinds in `kinds`, by the keys that are given."""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Tag, TypeAdapter, ValidationError
from pydantic_core import InitErrorDetails

from taxiway.spec.base import mistake
from taxiway.spec.source.keys import SourceKeys
from taxiway.spec.source.kinds import KINDS, FileSource, FunctionSource, SqlSource, TableSource, joined


def _kind_of(value: Any) -> str | None:
    """The name of the class whose key is given: pydantic's tag."""
    if isinstance(value, SourceKeys):
        return type(value).__name__
    return next((kind.__name__ for kind in KINDS if kind.key in value), None)


def _has_one_kind(value: Any) -> Any:
    """Check that exactly one of the keys that determine the kind is given."""
    if isinstance(value, SourceKeys):
        return value
    keys = [kind.key for kind in KINDS]
    if not isinstance(value, dict):
        raise ValueError(f"allowed: a mapping with exactly one of {joined(keys, ' and ')}")  # noqa: TRY004 pydantic's
    given = [key for key in keys if key in value]
    if len(given) == 1:
        return value
    problem = f"{' and '.join(given)} are given" if given else f"none of {joined(keys, ' and ')} is given"
    problem = f"{problem}; allowed: exactly one of {joined([kind.wanted for kind in KINDS], ', or ')}"
    # Also report unknown keys, because one of them may be a misspelled kind.
    known = {key for kind in KINDS for key in kind.model_fields}
    unknown = [InitErrorDetails(type="extra_forbidden", loc=(str(key),), input=value[key]) for key in value if key not in known]
    raise ValidationError.from_exception_data("source", [*unknown, mistake(problem, value)])


Source = Annotated[
    Annotated[FileSource, Tag("FileSource")]
    | Annotated[TableSource, Tag("TableSource")]
    | Annotated[SqlSource, Tag("SqlSource")]
    | Annotated[FunctionSource, Tag("FunctionSource")],
    Discriminator(_kind_of),
    BeforeValidator(_has_one_kind),
]
"""A source of any kind; its keys determine which."""


@cache
def _sources() -> TypeAdapter[Source]:
    return TypeAdapter(Source)


def read_source(content: Mapping[str, Any]) -> Source:
    """The source with these keys. Raises pydantic's ValidationError if they are not valid."""
    return _sources().validate_python(content)


def source_from_json(text: str) -> Source:
    """The source in the JSON of `model_dump_json(by_alias=True)`. Raises pydantic's ValidationError if it is not valid."""
    return _sources().validate_json(text)
