"""Detect the type of a column of text: numbers, dates, booleans, or only text.

No value loses information, but that integers beyond 2**53 beside fractions become the nearest doubles.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from taxiway.data.formats.written_values import has_more_digits, plain_moments, plain_values
from taxiway.spec.source.csv_options import DETECTED, CsvOptions

if TYPE_CHECKING:
    import pyarrow as pa

# `big`: integers of more than 64 bits. As floats they would lose digits, so the column is kept as text.
TextKind = Literal["boolean", "integer", "big", "number", "date", "datetime", "instant", "text"]

# Missing values, as is empty text, unless the column is text: there, NA may be Namibia.
MISSING = ("NA", "N/A", "NaN", "nan", "NULL", "Null", "null", "None")
_WHOLE = r"(?:0|-?[1-9][0-9]{0,29})"  # 01234 is a zip code
_INFINITE = r"-?(?:inf|Inf|INF|infinity|Infinity)"
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"[ T][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9}0*)?)?"
_PATTERNS: dict[TextKind, str] = {
    "boolean": r"(?:true|True|TRUE|false|False|FALSE)",
    "integer": _WHOLE,
    "number": r"(?:-?(?:(?:0|[1-9][0-9]{0,29})(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?|" + _INFINITE + ")",
    "date": _DAY,
    "datetime": f"{_DAY}(?:{_CLOCK})?",
    "instant": f"{_DAY}{_CLOCK}(?: ?(?:Z|UTC|GMT)| ?[+-][0-9]{{2}}(?::?[0-9]{{2}})?)",
}
DATES: tuple[TextKind, ...] = ("date", "datetime", "instant")
_NUMBERS: tuple[TextKind, ...] = ("integer", "big", "number")
# The first and the last microsecond that nanoseconds since 1970 can express.
_NANOSECONDS = (-(1 << 63) // 1000 + 1, ((1 << 63) - 1) // 1000)


def pattern_of(type_: str) -> str | None:
    """The regular expression of the texts that have a schema's type, without blanks around them; None if there is none."""
    if type_ == "datetime":
        return f"{_PATTERNS['datetime']}|{_PATTERNS['instant']}"
    return {str(kind): pattern for kind, pattern in _PATTERNS.items()}.get(type_)


def arrow_type(kind: str, *, nanoseconds: bool = False) -> "pa.DataType":
    """The Arrow type of a kind of values: times in microseconds by default, and text for kinds without a type."""
    import pyarrow as pa

    unit = "ns" if nanoseconds else "us"
    types = {
        "binary": pa.binary(),
        "boolean": pa.bool_(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "date": pa.date32(),
        "datetime": pa.timestamp(unit),
        "instant": pa.timestamp(unit, tz="UTC"),
    }
    return types.get(kind, pa.string())


@dataclass
class TextColumn:
    """The kind of the values of a column so far. The order of the values does not matter.

    Attributes:
        among: The kinds to detect.
        form: How values are written.
        is_typed: Whether the column is known to be no text, so that `NA` is a missing value also if there is no other value.
        seen: The kind that all values so far have; None before the first value.
        has_marks: Whether a value such as `NA` is either missing or text.
        has_nanoseconds: Whether a time has more than six digits of a second.
        exceeds_nanoseconds: Whether a date or time is outside of the years that nanoseconds can express.
    """

    among: tuple[TextKind, ...] = tuple(_PATTERNS)
    form: CsvOptions = DETECTED
    is_typed: bool = False
    seen: TextKind | None = None
    has_marks: bool = False
    has_nanoseconds: bool = False
    exceeds_nanoseconds: bool = False

    @property
    def kind(self) -> TextKind | None:
        """The kind of all values; None if there is no value."""
        if self.seen is None:
            return "text" if self.has_marks and not self.is_typed else None
        return "text" if self.has_nanoseconds and self.exceeds_nanoseconds else self.seen

    @property
    def type(self) -> "pa.DataType":
        """The Arrow type that `typed` returns; null if there is no value."""
        import pyarrow as pa

        return pa.null() if self.kind is None else arrow_type(self.kind, nanoseconds=self.has_nanoseconds)

    def see(self, values: "pa.Array") -> None:
        """Take more of the column's texts into account."""
        import pyarrow.compute as pc

        if self.seen == "text":
            return
        present = self._present(values)
        if self.seen is None and not self.has_marks and len(present) < len(values):
            self.has_marks = not pc.all(self._missing(values, as_text=True)).as_py()
        if len(present):
            part = self._of(plain_values(present, self.form))
            self.add(part)

    def add(self, other: "TextColumn") -> None:
        """Take into account what was seen of another part of the column."""
        if other.seen is not None:
            self.seen = other.seen if self.seen is None else _common(self.seen, other.seen)
        self.has_marks |= other.has_marks
        self.has_nanoseconds |= other.has_nanoseconds
        self.exceeds_nanoseconds |= other.exceeds_nanoseconds

    def typed(self, values: "pa.Array") -> "pa.Array":
        """Convert some of the column's texts to its type, after all of them were seen. Empty text is missing."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if self.kind is None:
            return pa.nulls(len(values))
        missing = self._missing(values, as_text=self.kind in ("text", "big"))
        kept = pc.if_else(missing, pa.scalar(None, pa.string()), values)
        if self.kind in ("text", "big"):
            return kept
        return _cast(plain_values(pc.utf8_trim_whitespace(kept), self.form), self.kind, self.type)

    def _missing(self, values: "pa.Array", *, as_text: bool = False) -> "pa.Array":
        import pyarrow as pa
        import pyarrow.compute as pc

        if as_text and not self.form.null:
            return pc.equal(values, "")
        trimmed = pc.utf8_trim_whitespace(values)
        marks = pc.is_in(trimmed, value_set=pa.array([*self.form.null, *(() if as_text else ("", *MISSING))], pa.string()))
        return pc.or_(marks, pc.equal(values, "")) if as_text else marks

    def _present(self, values: "pa.Array") -> "pa.Array":
        import pyarrow.compute as pc

        found = values.filter(pc.invert(self._missing(values)))
        return pc.utf8_trim_whitespace(found.drop_null())

    def _of(self, present: "pa.Array") -> "TextColumn":
        """What is seen of these values alone."""
        first = present[0].as_py()
        for kind in self.among:
            # Check the first value alone first, because it rules out most kinds.
            if re.fullmatch(_PATTERNS[kind], first) and _all_match(present, _PATTERNS[kind]):
                return _moments(present, kind) if kind in DATES else TextColumn(seen=_proven(present, kind))
        if "number" in self.among and _all_match(present, _PATTERNS["number"]):
            return TextColumn(seen=_proven(present, "number"))
        return TextColumn(seen="text")


def _common(one: TextKind, other: TextKind) -> TextKind:
    """The kind of a column that has values of both kinds."""
    if one == other:
        return one
    if one in _NUMBERS and other in _NUMBERS:
        return "number" if "number" in (one, other) else "big"
    return "datetime" if {one, other} == {"date", "datetime"} else "text"


def _proven(present: "pa.Array", kind: TextKind) -> TextKind:
    """`kind`, if all values can be converted: 1e999 is not a number."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        values = _cast(present, kind, arrow_type(kind))
    except pa.ArrowInvalid:
        return "big" if kind == "integer" else "text"
    if kind == "number" and pc.any(pc.is_inf(values)).as_py():
        named = pc.match_substring_regex(present, f"^{_INFINITE}$")
        if not pc.all(pc.equal(pc.is_inf(values), named)).as_py():
            return "text"
    return kind


def _moments(present: "pa.Array", kind: TextKind) -> TextColumn:
    """Dates or times, if all values can be converted: 2013-02-30 is not a date."""
    import pyarrow as pa
    import pyarrow.compute as pc

    plain = plain_moments(present) if kind != "date" else present
    fine = has_more_digits(plain)
    try:
        values = pc.cast(plain, arrow_type(kind, nanoseconds=fine))
    except pa.ArrowInvalid:
        return TextColumn(seen="text")
    if fine:
        return TextColumn(seen=kind, has_nanoseconds=True)
    ends = pc.min_max(values.cast(pa.timestamp("us")).cast(pa.int64())).as_py()
    return TextColumn(seen=kind, exceeds_nanoseconds=ends["min"] < _NANOSECONDS[0] or ends["max"] > _NANOSECONDS[1])


def _cast(values: "pa.Array", kind: TextKind, type_: "pa.DataType") -> "pa.Array":
    import pyarrow.compute as pc

    if kind == "boolean":
        return pc.equal(pc.utf8_lower(values), "true")
    return pc.cast(plain_moments(values) if kind in ("datetime", "instant") else values, type_)


def _all_match(values: "pa.Array", pattern: str) -> bool:
    import pyarrow.compute as pc

    return bool(pc.all(pc.match_substring_regex(values, f"^(?:{pattern})$")).as_py())
