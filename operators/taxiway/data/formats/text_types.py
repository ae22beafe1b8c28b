"""Detect the type of a column of text: numbers, dates, booleans, or only text.

No value loses information, but that integers beyond 2**53 beside fractions become the nearest doubles.
"""

import re
from dataclasses import dataclass, replace
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
        is_typed: Whether the column is known to be no text, so that `NA` is a missing value even if there is no other value.
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
        kept = self._kept(values, as_text=False)
        if self.seen is None and not self.has_marks and kept.null_count:
            self.has_marks = not pc.all(self._missing(values, as_text=True)).as_py()
        if kept.null_count < len(kept):
            self.add(self._of(plain_values(kept, self.form)))

    def read(self, values: "pa.Array", like: "TextColumn") -> "pa.Array | None":
        """As `see`, and convert the texts to the type of another part of the same column.

        Args:
            values: The texts.
            like: What is seen of the other part.

        Returns:
            The converted texts; None if the column has another type with them.
        """
        if like.seen == "text":
            self.seen = "text"
            return like.typed(values)
        if like.kind in _PATTERNS and like.form == DETECTED:
            match = _convert_texts(_null_if_empty(values), like.kind)
            if match is not None and match.values.type == like.type:
                self.add(match.seen)
                return match.values
        self.see(values)
        both = replace(like)
        both.add(self)
        return like.typed(values) if (both.kind, both.type) == (like.kind, like.type) else None

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

        if self.kind is None:
            return pa.nulls(len(values))
        if self.kind in ("text", "big"):
            return self._kept(values, as_text=True)
        return _cast(plain_values(self._kept(values, as_text=False), self.form), self.kind, self.type)

    def _kept(self, values: "pa.Array", *, as_text: bool) -> "pa.Array":
        """The texts, null where they are missing, without blanks around them unless they are text."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if as_text and not self.form.null:
            return _null_if_empty(values)
        kept = values if as_text else pc.utf8_trim_whitespace(values)
        return pc.if_else(self._missing(values, as_text=as_text), pa.scalar(None, pa.string()), kept)

    def _missing(self, values: "pa.Array", *, as_text: bool) -> "pa.Array":
        import pyarrow as pa
        import pyarrow.compute as pc

        if as_text and not self.form.null:
            return pc.equal(values, "")
        trimmed = pc.utf8_trim_whitespace(values)
        marks = pc.is_in(trimmed, value_set=pa.array([*self.form.null, *(() if as_text else ("", *MISSING))], pa.string()))
        return pc.or_(marks, pc.equal(values, "")) if as_text else marks

    def _of(self, kept: "pa.Array") -> "TextColumn":
        """What is seen of these texts alone, of which some are not null."""
        import pyarrow.compute as pc

        first = pc.first(kept).as_py()
        for kind in self.among:
            # Look at the first text alone first, because it rules out most kinds.
            if re.fullmatch(_PATTERNS[kind], first) and (match := _convert_texts(kept, kind)) is not None:
                return match.seen
        return TextColumn(seen="text")


@dataclass(frozen=True)
class _Match:
    """What is seen of texts that all have one kind, and the texts converted to it."""

    seen: TextColumn
    values: "pa.Array"


def _common(one: TextKind, other: TextKind) -> TextKind:
    """The kind of a column that has values of both kinds."""
    if one == other:
        return one
    if one in _NUMBERS and other in _NUMBERS:
        return "number" if "number" in (one, other) else "big"
    return "datetime" if {one, other} == {"date", "datetime"} else "text"


def _convert_texts(kept: "pa.Array", kind: TextKind) -> _Match | None:
    """The texts, of which null is ignored, converted; None if a text has another kind or, like 2013-02-30, no value."""
    import pyarrow as pa

    try:
        if kind == "integer":
            return _integers(kept)
        if not _all_match(kept, _PATTERNS[kind]):
            return None
        if kind in DATES:
            return _moments(kept, kind)
        values = _cast(kept, kind, arrow_type(kind))
    except pa.ArrowInvalid:
        return None
    return None if kind == "number" and _overflows(kept, values) else _Match(TextColumn(seen=kind), values)


def _integers(kept: "pa.Array") -> _Match | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        values = pc.cast(kept, pa.int64())
    except pa.ArrowInvalid:
        return _Match(TextColumn(seen="big"), kept) if _all_match(kept, _PATTERNS["integer"]) else None
    # Much faster than a regular expression: only the one way of writing a number comes back.
    is_same = pc.all(pc.equal(pc.cast(values, pa.string()), kept)).as_py()
    return None if is_same is False else _Match(TextColumn(seen="integer"), values)


def _overflows(kept: "pa.Array", values: "pa.Array") -> bool:
    """Whether a number such as 1e999 became infinite."""
    import pyarrow.compute as pc

    infinite = pc.is_inf(values)
    if not pc.any(infinite).as_py():
        return False
    return pc.all(pc.equal(infinite, pc.match_substring_regex(kept, f"^{_INFINITE}$"))).as_py() is False


def _moments(kept: "pa.Array", kind: TextKind) -> _Match:
    import pyarrow as pa
    import pyarrow.compute as pc

    plain = kept if kind == "date" else plain_moments(kept, has_zones=kind == "instant")
    if has_more_digits(plain):
        return _Match(TextColumn(seen=kind, has_nanoseconds=True), pc.cast(plain, arrow_type(kind, nanoseconds=True)))
    values = pc.cast(plain, arrow_type(kind))
    ends = pc.min_max(values.cast(pa.timestamp("us")).cast(pa.int64())).as_py()
    exceeds = ends["min"] is not None and (ends["min"] < _NANOSECONDS[0] or ends["max"] > _NANOSECONDS[1])
    return _Match(TextColumn(seen=kind, exceeds_nanoseconds=exceeds), values)


def _null_if_empty(values: "pa.Array") -> "pa.Array":
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.if_else(pc.equal(values, ""), pa.scalar(None, pa.string()), values)


def _cast(values: "pa.Array", kind: TextKind, type_: "pa.DataType") -> "pa.Array":
    import pyarrow.compute as pc

    if kind == "boolean":
        return pc.equal(pc.utf8_lower(values), "true")
    return pc.cast(plain_moments(values, has_zones=kind == "instant") if kind in ("datetime", "instant") else values, type_)


def _all_match(values: "pa.Array", pattern: str) -> bool:
    import pyarrow.compute as pc

    return pc.all(pc.match_substring_regex(values, f"^(?:{pattern})$")).as_py() is not False
