"""Span patterns: paths with placeholders, such as `sales/{YYYY}-{MM}.parquet`.

A pattern without a placeholder for the span is one span: a file that is written over, or with * several files that are one table.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Annotated, NamedTuple

from pydantic import AfterValidator

from taxiway.errors import allowed_values
from taxiway.spec.source.periods import Every, Period, period_of

DATA = "{data}"  # the installation's folder or URL of data, in the paths of a pipeline file
_DIGITS = {"YYYY": 4, "Q": 1, "MM": 2, "WW": 2, "DD": 2, "HH": 2}
_NUMBERS = ("SPAN", "VERSION")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_GLOB_SIGNS = re.compile(r"[*?\[]")
_NEEDS = {"Q": "YYYY", "MM": "YYYY", "WW": "YYYY", "DD": "MM", "HH": "DD"}
# The names of periods of each length, by the placeholders of a pattern. The year of a week is that of ISO 8601.
_OF_PERIODS: dict[Every, str] = {
    "year": "{YYYY}",
    "quarter": "{YYYY}-Q{Q}",
    "month": "{YYYY}-{MM}",
    "week": "{YYYY}-W{WW}",
    "day": "{YYYY}-{MM}-{DD}",
    "hour": "{YYYY}-{MM}-{DD}T{HH}",
}
# A * in the name of the file; in folders it is an ordinary character. No path has this one.
_ANY = "\0"
_HIDDEN = (".", "_")  # as in .DS_Store, ._part-0.csv and _SUCCESS
ONLY_SPAN = "1"
"""The name of the span of a pattern without a placeholder for spans."""


class SpanOfPath(NamedTuple):
    """The span of a file, by its path.

    Attributes:
        name: The name of the span.
        version: The number after {VERSION}; 0 without it.
        period: The period of the span; None if spans are numbers.
        part: The text that each * stands for, which is the name of a part of the span.
    """

    name: str
    version: int
    period: Period | None
    part: tuple[str, ...] = ()


@dataclass(frozen=True)
class SpanPattern:
    """A pattern of paths.

    A * in the name of the file stands for any characters: the files of one span are its parts. At the start of the name it does
    not match hidden files.

    Args:
        literals: The text before, between and after the placeholders.
        placeholders: The text in each pair of braces, such as `MM` or `SPAN:4`; one fewer than literals.
    """

    literals: tuple[str, ...]
    placeholders: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "SpanPattern":
        """Read a pattern.

        Raises:
            ValueError: A placeholder is unknown, or the placeholders do not identify a span.
        """
        folder, slash, file = text.rpartition("/")
        pieces = _PLACEHOLDER.split(f"{folder}{slash}{file.replace('*', _ANY)}")
        found = cls(tuple(pieces[::2]), tuple(pieces[1::2]))
        for placeholder in found.placeholders:
            _check_placeholder(placeholder)
        _check_together(found.names)
        _check_borders(found)
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """The placeholders without their widths."""
        return tuple(placeholder.partition(":")[0] for placeholder in self.placeholders)

    @cached_property
    def every(self) -> Every | None:
        """The length of the period that names a span; None if spans are numbers."""
        given = set(self.names) & set(_DIGITS)
        return next((every for every, name in _OF_PERIODS.items() if set(_PLACEHOLDER.findall(name)) == given), None)

    @property
    def is_one_span(self) -> bool:
        """Whether all files of the pattern are the same span."""
        return set(self.names) <= {"VERSION"}

    @property
    def has_parts(self) -> bool:
        """Whether a span may have several files."""
        return any(_ANY in literal for literal in self.literals)

    @property
    def glob(self) -> str:
        """A glob pattern for listing files; it may also match paths that `expression` does not match."""
        literals = [_GLOB_SIGNS.sub(lambda sign: f"[{sign[0]}]", literal) for literal in self.literals]
        return re.sub(rf"{_ANY}+", "*", _ANY.join(literals))  # two stars in a row would match folders too

    @cached_property
    def expression(self) -> re.Pattern[str]:
        """The regular expression of the paths, with a group for each placeholder."""
        parts, seen = [re.escape(self.literals[0])], set[str]()
        for placeholder, literal in zip(self.placeholders, self.literals[1:], strict=True):
            parts += [_expression(placeholder, seen), re.escape(literal)]
        text, *others = "".join(parts).split(_ANY)
        for number, other in enumerate(others):
            visible = f"(?![{''.join(_HIDDEN)}])" if not text or text.endswith("/") else ""
            text += f"{visible}(?P<part{number}>[^/]*){other}"
        return re.compile(text)

    def read(self, path: str) -> SpanOfPath | None:
        """The span of the file at `path`; None if the pattern does not match it.

        Raises:
            ValueError: The date does not exist.
        """
        match = self.expression.fullmatch(path)
        if match is None:
            return None
        parts = match.groupdict()
        version = int(parts.get("VERSION", 0))
        part = tuple(text for name, text in parts.items() if name.startswith("part"))
        if self.every is None:
            return SpanOfPath(str(int(parts.get("SPAN", ONLY_SPAN))), version, None, part)
        name = _OF_PERIODS[self.every].format(**parts)
        return SpanOfPath(name, version, period_of(name, self.every), part)


def pattern_in_file(text: str) -> SpanPattern:
    """As `SpanPattern.parse`, for a pattern that may begin with `{data}`."""
    return SpanPattern.parse(text.replace(DATA, "data"))


def with_data(path: str, data: str) -> str:
    """A path or pattern with `{data}` replaced by a folder or URL."""
    return path.replace(DATA, data.rstrip("/"))


def is_hidden(path: str) -> bool:
    """Whether a part of a path begins with a dot or an underscore; such files are not data."""
    return any(part.startswith(_HIDDEN) for part in path.split("/"))


def placeholders_of(every: Every) -> tuple[str, ...]:
    """The placeholders for periods of one length, in braces."""
    return tuple(f"{{{part}}}" for part in _PLACEHOLDER.findall(_OF_PERIODS[every]))


def _check_pattern(text: str) -> str:
    pattern_in_file(text)
    return text


PatternText = Annotated[str, AfterValidator(_check_pattern)]
"""A span pattern as a key of a pipeline file."""


def _expression(placeholder: str, seen: set[str]) -> str:
    """The regular expression of one placeholder; a repeated one must match the same text."""
    name, _, width = placeholder.partition(":")
    if name in seen:
        return f"(?P={name})"
    seen.add(name)
    digits = str(_DIGITS.get(name, width))
    return rf"(?P<{name}>[0-9]{{{digits}}})" if digits else rf"(?P<{name}>[0-9]+)"


def _check_placeholder(placeholder: str) -> None:
    name, colon, width = placeholder.partition(":")
    if name not in (*_DIGITS, *_NUMBERS):
        raise ValueError(f"{{{placeholder}}} is not a placeholder; {allowed_values(name.upper(), (*_DIGITS, *_NUMBERS))}")
    if colon and name in _DIGITS:
        raise ValueError(f"{{{placeholder}}} has a width, but parts of a date have a fixed width; write {{{name}}}")
    if colon and not re.fullmatch(r"[1-9][0-9]?", width):
        raise ValueError(f"{{{placeholder}}} has the width {width!r}; allowed: a number of digits, as in {{{name}:4}}")


def _check_together(names: tuple[str, ...]) -> None:
    """Check that the placeholders can be combined."""
    given = set(names)
    for name in _NUMBERS:
        if names.count(name) > 1:
            raise ValueError(f"{{{name}}} occurs {names.count(name)} times; allowed: once")
    if "SPAN" in given and given & set(_DIGITS):
        raise ValueError("it has both {SPAN} and parts of a date; allowed: either a number {SPAN} or a date {YYYY}, {MM}, {DD}")
    for part, needs in _NEEDS.items():
        if part in given and needs not in given:
            raise ValueError(f"{{{part}}} needs {{{needs}}}; without it, spans of different {needs} have the same name")
    if len(given & {"Q", "MM", "WW"}) > 1:
        raise ValueError("a period is a quarter, a month or a week; allowed: one of {Q}, {MM} and {WW}")


def _check_borders(pattern: SpanPattern) -> None:
    """Check that each number of variable width is followed by text, and that it is clear where a * ends."""
    if any(2 * _ANY in literal for literal in pattern.literals):
        raise ValueError("it has **, but folders of any depth are not searched; allowed: * in the name of the file")
    for literal, after in zip(pattern.literals, pattern.placeholders, strict=False):
        if literal.endswith(_ANY) and after in _NUMBERS:
            raise ValueError(
                f"it is ambiguous where * ends and {{{after}}} begins; give the number of digits, as in {{{after}:4}}"
            )
    for literal, (before, after) in zip(pattern.literals[1:-1], pairwise(pattern.placeholders), strict=True):
        if not literal and before in _NUMBERS:
            raise ValueError(
                f"it is ambiguous where {{{before}}} ends and {{{after}}} begins; give the number of digits, as in {{{before}:4}}"
            )
