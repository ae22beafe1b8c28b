"""The layout of a CSV file: its delimiter and header, and what is doubtful about them."""

import csv
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.errors import DataError
from taxiway.messages import quoted
from taxiway.spec.source.csv_options import NO_DELIMITER, CsvOptions, is_delimiter

if TYPE_CHECKING:
    import _csv

_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_OTHER_DELIMITERS = {"^": "caret", "~": "tilde", ":": "colon", " ": "space"}
_LOOKED_AT_RECORDS = 1000
_EXCEL_SEP = re.compile(r'^"?sep=(?P<sign>.)"?\s*$')
LIKE_A_VALUE = re.compile(r"-?[0-9]+(?:[.,][0-9]+)*|[0-9]{4}-[0-9]{2}-[0-9]{2}.*")


@dataclass(frozen=True)
class Layout:
    """Where the records of a CSV file begin, and how their fields are delimited.

    Attributes:
        delimiter: The delimiter.
        skip: The number of lines before the header, or before the rows if there is none.
        header: Whether there is a header.
        notes: What is doubtful, with the option that settles it.
    """

    delimiter: str
    skip: int
    header: bool
    notes: tuple[str, ...]


def layout_of(text: Path, options: CsvOptions, data_name: str) -> Layout:
    """The layout by the options, and by the first records where these leave it open.

    Args:
        text: The file, in UTF-8.
        options: The options.
        data_name: The name of the file in notes.

    Raises:
        DataError: Excel's line sets a delimiter that cannot be one.
    """
    notes, delimiter, skip = [], options.delimiter, options.skip
    first = _line(text, skip)
    sep = _EXCEL_SEP.match(first)
    if sep and delimiter is None and not is_delimiter(sep["sign"]):
        raise DataError(
            f"{data_name}:{skip + 1}: the line {quoted(first.strip())} sets a delimiter that is {NO_DELIMITER}; if it is another: "
            f"csv: {{skip: {skip + 1}, delimiter: ';'}}"
        )
    if sep and delimiter in (None, sep["sign"]):
        delimiter, skip = sep["sign"], skip + 1
        notes.append(
            f"{data_name}:{skip}: the line {quoted(first.strip())} is Excel's; it sets the delimiter and is not the header"
        )
        first = _line(text, skip)
    if delimiter is None:
        delimiter, rivals = _detect_delimiter(text, skip)
        notes += [f"{data_name}: {rival}" for rival in rivals]
    if options.header is None and options.skip == 0:
        notes += [f"{data_name}:{skip + 1}: {doubt}" for doubt in _header_doubts(first, delimiter)]
    return Layout(delimiter, skip, options.header is not False, tuple(notes))


def allow_long_fields() -> None:
    """Let fields be of any length. The limit, 128 KB by default, holds for the whole interpreter, so it is not set back."""
    csv.field_size_limit(sys.maxsize)


@contextmanager
def records_of(text: Path, delimiter: str, skip: int, *, strict: bool) -> "Iterator[_csv.Reader]":
    """Python's reader of the records after `skip` lines; its line numbers are counted from there."""
    allow_long_fields()
    with text.open(encoding="utf-8", newline="") as lines:
        for _ in islice(lines, skip):
            pass
        yield csv.reader(lines, delimiter=delimiter, strict=strict)


def sign_name(delimiter: str) -> str:
    """`comma`; the character itself in quotes for signs without a common name."""
    return {**_DELIMITERS, **_OTHER_DELIMITERS}.get(delimiter, repr(delimiter))


def _line(text: Path, skip: int) -> str:
    with text.open(encoding="utf-8", newline="") as lines:
        return next(islice(lines, skip, None), "")


def _detect_delimiter(text: Path, skip: int) -> tuple[str, list[str]]:
    """The delimiter that splits most of the first records into as many fields as the header, and those that do so as well."""
    scores = {sign: _score(text, sign, skip) for sign in _DELIMITERS}
    best = max(_DELIMITERS, key=lambda sign: scores[sign])
    if scores[best][1] == 1:
        others = {sign: _score(text, sign, skip) for sign in _OTHER_DELIMITERS}
        rivals = [sign for sign, (alike, width) in others.items() if alike == 1 and width > 1]
        doubt = "there is one column, but each line has as many fields if the delimiter is a {}"
        return ",", [_rival(doubt, sign) for sign in rivals]
    rivals = [sign for sign, score in scores.items() if sign != best and score[0] >= scores[best][0] and score[1] > 1]
    doubt = f"the delimiter is taken to be a {sign_name(best)}, but a {{}} fits as well"
    return best, [_rival(doubt, sign, best) for sign in rivals]


def _rival(doubt: str, sign: str, best: str | None = None) -> str:
    either = f"csv: {{delimiter: {best!r}}} or " if best else "csv: "
    return f"{doubt.format(sign_name(sign))}; say which it is: {either}{{delimiter: {sign!r}}}"


def _score(text: Path, sign: str, skip: int) -> tuple[float, int]:
    """The fraction of the first records that have as many fields as the first, and that number; nothing if it is 1."""
    with records_of(text, sign, skip, strict=False) as records:
        widths = [len(record) for record in islice(records, _LOOKED_AT_RECORDS) if record]
    if not widths or widths[0] == 1:
        return (0.0, 1)
    return sum(width == widths[0] for width in widths) / len(widths), widths[0]


def _header_doubts(first: str, delimiter: str) -> Iterator[str]:
    names = [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
    if names and names[0].startswith(("#", "//")):
        yield (
            f"the header begins with {names[0][:2].rstrip()!r}: {quoted(first.strip())}; if it is a comment: csv: {{skip: 1}}, if not: "
            "csv: {header: true}"
        )
    values = [name for name in names if LIKE_A_VALUE.fullmatch(name)]
    if values and len(values) * 2 >= len(names):
        yield (
            f"the first line looks like a row, with {', '.join(map(quoted, values[:3]))} as names; if there is no header: csv: "
            "{header: false}, if it is one: csv: {header: true}"
        )
