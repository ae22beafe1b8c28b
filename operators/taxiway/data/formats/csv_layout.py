"""The layout of a CSV file: its delimiter and header, and what is doubtful about them."""

import csv
import re
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.errors import DataError
from taxiway.messages import counted, quoted
from taxiway.spec.source.csv_options import CsvOptions

if TYPE_CHECKING:
    import _csv

_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_OTHER_DELIMITERS = {"^": "caret", "~": "tilde", ":": "colon", " ": "space"}
_LOOKED_AT_RECORDS = 1000
_SHOWN = 80
_EXCEL_SEP = re.compile(r'^"?sep=(?P<sign>.)"?\s*$')
_LIKE_A_VALUE = re.compile(r"-?[0-9]+(?:[.,][0-9]+)*|[0-9]{4}-[0-9]{2}-[0-9]{2}.*")
_CHUNK_CHARACTERS = 1 << 20


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


def layout_of(text: Path, options: CsvOptions, what: str) -> Layout:
    """The layout by the options, and by the first records where these leave it open.

    Args:
        text: The file, in UTF-8.
        options: The options.
        what: The name of the file in notes.
    """
    notes, delimiter, skip = [], options.delimiter, options.skip
    first = _line(text, skip)
    sep = _EXCEL_SEP.match(first)
    if sep and delimiter in (None, sep["sign"]):
        delimiter, skip = sep["sign"], skip + 1
        notes.append(f"{what}:{skip}: the line {quoted(first.strip())} is Excel's; it sets the delimiter and is not the header")
        first = _line(text, skip)
    if delimiter is None:
        delimiter, rivals = _detected(text, skip)
        notes += [f"{what}: {rival}" for rival in rivals]
    if options.header is None and options.skip == 0:
        notes += [f"{what}:{skip + 1}: {doubt}" for doubt in _header_doubts(first, delimiter)]
    return Layout(delimiter, skip, options.header is not False, tuple(notes))


@contextmanager
def records_of(text: Path, delimiter: str, skip: int, *, strict: bool) -> "Iterator[_csv.Reader]":
    """Python's reader of the records after `skip` lines; its line numbers are counted from there."""
    limit = csv.field_size_limit(sys.maxsize)  # the limit holds for the whole interpreter, 128 KB by default
    try:
        with text.open(encoding="utf-8", newline="") as lines:
            for _ in islice(lines, skip):
                pass
            yield csv.reader(lines, delimiter=delimiter, strict=strict)
    finally:
        csv.field_size_limit(limit)


def names_of(header: list[str], layout: Layout, where: str) -> tuple[str, ...]:
    """The names of the columns.

    Raises:
        DataError: A column has no name, or the name of another.
    """
    names = tuple(name.strip() for name in header)
    if not all(names):
        raise DataError(f"{where}: {_unnamed(names, layout.delimiter)}")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        hint = ", or say that there is no header: csv: {header: false}" if all(map(_LIKE_A_VALUE.fullmatch, names)) else ""
        raise DataError(
            f"{where}: more than one column is named {', '.join(map(quoted, twice[:5]))}; give each column its own name at the "
            f"source{hint}"
        )
    return names


def ragged(record: list[str], names: tuple[str, ...], layout: Layout, where: str, *, is_first: bool) -> str:
    """The message about a record that has another number of fields than the header; `is_first` if it comes right after it."""
    shown, sign = layout.delimiter.join(record), sign_name(layout.delimiter)
    if len(record) == len(names) + 1 and not record[-1]:
        cure = f"the line ends with a {sign}, and the header does not; remove the {sign} at the end of each line at the source"
    elif any(map(_has_blank_before_quote, record)):
        cure = f"a blank stands before a quote, which then quotes nothing; remove the blanks after each {sign} at the source"
    elif is_first and layout.header:
        cure = (
            f"the header is {quoted(layout.delimiter.join(names))}; if the names are on a later line, say how many lines come before: "
            f"csv: {{skip: LINES}}; if they are these, write as many fields, and quote fields that contain a {sign}"
        )
    else:
        cure = f"write as many fields as the header, and quote fields that contain a {sign}"
    return (
        f"{where}: {counted(len(record), 'field')}, but the header has {len(names)} (delimiter: {sign}): "
        f"{shown[:_SHOWN]!r}; {cure}"
    )


def sign_name(delimiter: str) -> str:
    """`comma`; the character itself in quotes for signs without a common name."""
    return {**_DELIMITERS, **_OTHER_DELIMITERS}.get(delimiter, repr(delimiter))


def blank_before_quote(text: Path, layout: Layout, what: str) -> Iterator[str]:
    """A note if a field begins with a blank and a quote, which is then part of the value."""
    if not _contains(text, f'{layout.delimiter} "'):
        return
    with records_of(text, layout.delimiter, layout.skip, strict=False) as records:
        line = layout.skip + 1
        for record in records:
            if any(map(_has_blank_before_quote, record)):
                yield (
                    f"{what}:{line}: a blank stands before a quote, so the quote is part of the value; if it should not be, remove "
                    f"the blanks after each {sign_name(layout.delimiter)} at the source"
                )
                return
            line = layout.skip + records.line_num + 1


def _has_blank_before_quote(field: str) -> bool:
    return field[:1] == " " and field.lstrip()[:1] == '"'


def _contains(text: Path, mark: str) -> bool:
    with text.open(encoding="utf-8", newline="") as stream:
        tail = ""
        while chunk := stream.read(_CHUNK_CHARACTERS):
            if mark in (seen := tail + chunk):
                return True
            tail = seen[1 - len(mark) :]
    return False


def _line(text: Path, skip: int) -> str:
    with text.open(encoding="utf-8", newline="") as lines:
        return next(islice(lines, skip, None), "")


def _detected(text: Path, skip: int) -> tuple[str, list[str]]:
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
    values = [name for name in names if _LIKE_A_VALUE.fullmatch(name)]
    if values and len(values) * 2 >= len(names):
        yield (
            f"the first line looks like a row, with {', '.join(map(quoted, values[:3]))} as names; if there is no header: csv: "
            "{header: false}, if it is one: csv: {header: true}"
        )


def _unnamed(names: tuple[str, ...], delimiter: str) -> str:
    sign, at = sign_name(delimiter), names.index("")
    if not any(names[at:]) and at:
        return (
            f"the header ends with {counted(len(names) - at, sign)}, so {counted(len(names) - at, 'column')} of {len(names)} "
            f"{'has' if len(names) - at == 1 else 'have'} no name; remove the {sign} at the end of each line at the source, or name "
            "the columns"
        )
    hint = " (pandas writes its index like this; use index=False)" if at == 0 and len(names) > 1 else ""
    return f"column {at + 1} of {len(names)} has no name{hint}; name each column at the source"
