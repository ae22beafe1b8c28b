"""Detect the type of a column of text: numbers, dates, booleans, or only text. No value loses information."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pyarrow as pa

# `big`: integers of more than 64 bits. As floats they would lose digits, so the column is kept as text.
TextKind = Literal["boolean", "integer", "big", "number", "date", "datetime", "instant", "text"]

# Missing values, as is empty text, unless the column is text: there, NA may be Namibia.
MISSING = ("NA", "N/A", "NaN", "nan", "NULL", "Null", "null", "None")
_WHOLE = r"(?:0|-?[1-9][0-9]{0,29})"  # 01234 is a zip code
_INFINITE = r"-?(?:inf|Inf|INF|infinity|Infinity)"
_CLOCK = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?"
_PATTERNS: dict[TextKind, str] = {
    "boolean": r"(?:true|True|TRUE|false|False|FALSE)",
    "integer": _WHOLE,
    "number": r"(?:-?(?:(?:0|[1-9][0-9]{0,29})(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?|" + _INFINITE + ")",
    "date": r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "datetime": _CLOCK,
    "instant": _CLOCK + r"(?:Z|[+-][0-9]{2}:?[0-9]{2})",
}
DATES: tuple[TextKind, ...] = ("date", "datetime", "instant")
_NUMBERS: tuple[TextKind, ...] = ("integer", "big", "number")


def arrow_type(kind: str) -> "pa.DataType":
    """The Arrow type of a kind of values: times in microseconds, and text for kinds without a type."""
    import pyarrow as pa

    types = {
        "binary": pa.binary(),
        "boolean": pa.bool_(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "date": pa.date32(),
        "datetime": pa.timestamp("us"),
        "instant": pa.timestamp("us", tz="UTC"),
    }
    return types.get(kind, pa.string())


@dataclass
class TextColumn:
    """The kind of the values of a column so far. The order of the values does not matter.

    Attributes:
        among: The kinds to detect.
        kind: The kind; None before the first value.
    """

    among: tuple[TextKind, ...] = tuple(_PATTERNS)
    kind: TextKind | None = None

    def see(self, values: "pa.Array") -> None:
        """Take more of the column's texts into account."""
        if self.kind == "text":
            return
        present = _present(values)
        if len(present):
            kind = self._kind_of(present)
            self.kind = kind if self.kind is None else _common(self.kind, kind)

    def typed(self, values: "pa.Array") -> "pa.Array":
        """Convert some of the column's texts to its type, after all of them were seen. Empty text is missing."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if self.kind in (None, "text", "big"):
            return pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)
        trimmed = pc.utf8_trim_whitespace(values)
        missing = pc.is_in(trimmed, value_set=pa.array(["", *MISSING]))
        return _cast(pc.if_else(missing, pa.scalar(None, pa.string()), trimmed), self.kind)

    @property
    def type(self) -> "pa.DataType":
        """The Arrow type that `typed` returns."""
        return arrow_type(self.kind or "text")

    def _kind_of(self, present: "pa.Array") -> TextKind:
        first = present[0].as_py()
        for kind in self.among:
            # Check the first value alone first, because it rules out most kinds.
            if re.fullmatch(_PATTERNS[kind], first) and _all_match(present, _PATTERNS[kind]):
                return _proven(present, kind)
        if "number" in self.among and _all_match(present, _PATTERNS["number"]):
            return _proven(present, "number")
        return "text"


def _common(one: TextKind, other: TextKind) -> TextKind:
    """The kind of a column that has values of both kinds."""
    if one == other:
        return one
    if one in _NUMBERS and other in _NUMBERS:
        return "number" if "number" in (one, other) else "big"
    return "text"


def _proven(present: "pa.Array", kind: TextKind) -> TextKind:
    """`kind`, if all values can be converted: 2013-02-30 is not a date, and 1e999 is not a number."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        values = _cast(present, kind)
    except pa.ArrowInvalid:
        return "big" if kind == "integer" else "text"
    if kind == "number" and pc.any(pc.is_inf(values)).as_py():
        named = pc.match_substring_regex(present, f"^{_INFINITE}$")
        if not pc.all(pc.equal(pc.is_inf(values), named)).as_py():
            return "text"
    return kind


def _cast(values: "pa.Array", kind: TextKind) -> "pa.Array":
    import pyarrow.compute as pc

    if kind == "boolean":
        return pc.equal(pc.utf8_lower(values), "true")
    return pc.cast(values, TextColumn(kind=kind).type)


def _present(values: "pa.Array") -> "pa.Array":
    import pyarrow as pa
    import pyarrow.compute as pc

    trimmed = pc.utf8_trim_whitespace(values)
    return trimmed.filter(pc.invert(pc.is_in(trimmed, value_set=pa.array(["", *MISSING, None], pa.string()))))


def _all_match(values: "pa.Array", pattern: str) -> bool:
    import pyarrow.compute as pc

    return bool(pc.all(pc.match_substring_regex(values, f"^(?:{pattern})$")).as_py())
