"""The records of a CSV file: the names of their columns, and what is wrong with a record."""

import csv
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from taxiway.data.formats.csv_layout import LIKE_A_VALUE, Layout, records_of, sign_name
from taxiway.errors import DataError
from taxiway.messages import counted, quoted

_SHOWN = 80


@dataclass(frozen=True)
class Records:
    """The records of a CSV file after its header.

    Attributes:
        text: The file, in UTF-8.
        data_name: The name of the file in errors.
        layout: Its layout.
        names: The names of its columns.
        begins: The position of the first record in bytes.
        line: The line number of the first record.
    """

    text: Path
    data_name: str
    layout: Layout
    names: tuple[str, ...]
    begins: int
    line: int


def read_header(text: Path, layout: Layout, data_name: str) -> Records:
    """Read the names of the columns, and find the first record after them.

    Args:
        text: The file, in UTF-8.
        layout: Its layout.
        data_name: The name of the file in errors.

    Raises:
        DataError: There is no record, or a column has no name or the name of another.
    """
    names: tuple[str, ...] = ()
    before = layout.skip
    with records_of(text, layout.delimiter, layout.skip, strict=True) as records:
        try:
            for record in records:
                after = layout.skip + records.line_num
                if record and not layout.header:
                    names = tuple(f"column_{at}" for at in range(1, len(record) + 1))
                    break
                if record:
                    names = _names_of(record, layout, f"{data_name}:{before + 1}")
                before = after
                if record:
                    break
        except csv.Error as error:
            raise invalid(error, f"{data_name}:{before + 1}") from None
    if not names:
        raise DataError(f"{data_name} has only empty lines; write it again at the source")
    with text.open(encoding="utf-8", newline="") as lines:
        begins = sum(len(line.encode()) for line in islice(lines, before))
    return Records(text, data_name, layout, names, begins, before + 1)


def ragged(record: list[str], names: tuple[str, ...], layout: Layout, where: str, *, is_first: bool) -> str:
    """The message about a record that has another number of fields than the header; `is_first` if it comes right after it."""
    shown, sign = layout.delimiter.join(record), sign_name(layout.delimiter)
    if len(record) == len(names) + 1 and not record[-1]:
        cure = f"the line ends with a {sign}, and the header does not; remove the {sign} at the end of each line at the source"
    elif any(map(has_blank_before_quote, record)):
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


def blank_before_quote(layout: Layout, where: str) -> str:
    """The note on a field that begins with a blank and a quote, which is then a part of the value."""
    return (
        f"{where}: a blank stands before a quote, so the quote is part of the value; if it should not be, remove the blanks after "
        f"each {sign_name(layout.delimiter)} at the source"
    )


def has_blank_before_quote(field: str) -> bool:
    """Whether a field begins with a blank and a quote."""
    return field[:1] == " " and field.lstrip()[:1] == '"'


def invalid(error: csv.Error, where: str) -> DataError:
    """The error about a record that is not CSV by the strict rules."""
    message = str(error)
    if message == "unexpected end of data":
        message = "a quote is not closed before the end of the file"
    elif "expected after" in message:
        message = "there is text after a closing quote"
    return DataError(
        f"{where}: the record that begins here is not valid CSV: {message}; allowed: double quotes around a whole field, "
        'with "" for a quote within. Write it again at the source'
    )


def _names_of(header: list[str], layout: Layout, where: str) -> tuple[str, ...]:
    """The names of the columns.

    Raises:
        DataError: A column has no name, or the name of another.
    """
    names = tuple(name.strip() for name in header)
    if not all(names):
        raise DataError(f"{where}: {_unnamed_column_text(names, layout.delimiter)}")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        hint = ", or say that there is no header: csv: {header: false}" if all(map(LIKE_A_VALUE.fullmatch, names)) else ""
        raise DataError(
            f"{where}: more than one column is named {', '.join(map(quoted, twice[:5]))}; give each column its own name at the "
            f"source{hint}"
        )
    return names


def _unnamed_column_text(names: tuple[str, ...], delimiter: str) -> str:
    sign, first_unnamed = sign_name(delimiter), names.index("")
    if not any(names[first_unnamed:]) and first_unnamed:
        return (
            f"the header ends with {counted(len(names) - first_unnamed, sign)}, so {counted(len(names) - first_unnamed, 'column')} of {len(names)} "
            f"{'has' if len(names) - first_unnamed == 1 else 'have'} no name; remove the {sign} at the end of each line at the source, or name "
            "the columns"
        )
    hint = " (pandas writes its index like this; use index=False)" if first_unnamed == 0 and len(names) > 1 else ""
    return f"column {first_unnamed + 1} of {len(names)} has no name{hint}; name each column at the source"
