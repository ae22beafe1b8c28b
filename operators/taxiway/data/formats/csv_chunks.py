"""Cut a CSV file into chunks of whole records.

Most bytes need no parser to find the records. Without a quote and without a single carriage return, each line is a record. Where
each quote begins or ends a field or is one of two within it (RFC 4180), records end at the line breaks with an even number of quotes
before them. Only the chunks with other quotes are read by Python's strict `csv` reader.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from io import TextIOWrapper
from typing import IO, TYPE_CHECKING

from taxiway.data.formats.csv_layout import allow_long_fields
from taxiway.data.formats.csv_records import Records, blank_before_quote, has_blank_before_quote, invalid, ragged
from taxiway.data.formats.text import NotTextError
from taxiway.errors import DataError

if TYPE_CHECKING:
    import numpy as np

_QUOTE, _LINE_FEED, _RETURN = b'"\n\r'


@dataclass(frozen=True)
class Chunk:
    """Some whole records.

    Attributes:
        content: Their bytes.
        rows: How many they are. Only Python checks the number of their fields.
        begins: The position of the first in the file in bytes.
        line: The line number of the first.
        lines: The number of lines.
        is_quoted: Whether there is a quote.
        notes: What is doubtful about them.
    """

    content: bytes
    rows: int
    begins: int
    line: int
    lines: int
    is_quoted: bool
    notes: tuple[str, ...] = ()


def chunks_of(records: Records, size: int) -> Iterator[Chunk]:
    """The records in chunks of at least `size` bytes, but for the last; the same file is always cut at the same places.

    Raises:
        DataError: A chunk that Python read has a record with too many or too few fields, or a quote that is not closed.
        NotTextError: The bytes have a NUL, or a chunk that Python read is not UTF-8.
    """
    begins, line, content = records.begins, records.line, b""
    with records.text.open("rb") as stream:
        while True:
            stream.seek(begins + len(content))
            read = stream.read(max(size, len(content)))
            content += read
            if not content:
                return
            chunk = _chunk(records, content, begins, line, is_last=not read)
            if chunk is None:  # no record ends within these bytes
                continue
            begins, line, content = begins + len(chunk.content), line + chunk.lines, content[len(chunk.content) :]
            if chunk.rows:
                yield chunk


def check(records: Records, chunk: Chunk) -> None:
    """Read the records of a chunk by Python, for the error that names the line.

    Raises:
        DataError: A record has too many or too few fields, or is not valid CSV.
        NotTextError: The bytes are not UTF-8.
    """
    _by_python(records, chunk.begins, chunk.line, len(chunk.content))


def _chunk(records: Records, content: bytes, begins: int, line: int, *, is_last: bool) -> Chunk | None:
    """The records that end within the bytes. At the end of the file the last one may end without a line break."""
    if b"\0" in content:
        raise NotTextError
    returns = content.count(b"\r") if b"\r" in content else 0
    has_single_returns = returns > 0 and returns - (content.endswith(b"\r") and not is_last) != content.count(b"\r\n")
    is_quoted = b'"' in content
    if has_single_returns or (is_quoted and not _quotes_are_regular(content, records.layout.delimiter, is_last=is_last)):
        return _by_python(records, begins, line, len(content))
    end = len(content) if is_last else _end_of_records(content, is_quoted=is_quoted)
    whole = content[:end]
    return Chunk(whole, _filled_lines(whole, is_quoted=is_quoted), begins, line, whole.count(b"\n"), is_quoted) if end else None


def _quotes_are_regular(content: bytes, delimiter: str, *, is_last: bool) -> bool:
    """Whether each quote begins or ends a field, or is one of two within it."""
    import numpy as np

    signs = _signs(content)
    quotes = np.flatnonzero(signs == _QUOTE)
    opening, closing = quotes[0::2], quotes[1::2]
    beside = np.zeros(256, dtype=bool)
    beside[[_QUOTE, _LINE_FEED, _RETURN, ord(delimiter)]] = True
    before = opening[opening > 0] - 1
    after = closing[closing < len(signs) - 1] + 1
    is_closed = len(opening) == len(closing) or not is_last
    return is_closed and bool(beside[signs[before]].all() and beside[signs[after]].all())


def _end_of_records(content: bytes, *, is_quoted: bool) -> int:
    """Where the last record ends that ends with a line break."""
    if not is_quoted:
        return content.rfind(b"\n") + 1
    breaks = _breaks(content)
    return int(breaks[-1]) + 1 if len(breaks) else 0


def _filled_lines(content: bytes, *, is_quoted: bool) -> int:
    """The number of records that are not empty lines."""
    import numpy as np

    if not is_quoted and content[:1] not in b"\r\n" and b"\n\n" not in content and b"\n\r" not in content:
        return content.count(b"\n") + (not content.endswith(b"\n"))
    ends = np.append(_breaks(content), [] if content.endswith(b"\n") else len(content)).astype(int)
    begins = np.append(0, ends[:-1] + 1)
    is_return = _signs(content)[np.minimum(begins, len(content) - 1)] == _RETURN
    return int(np.count_nonzero((ends - begins > 1) | ((ends - begins == 1) & ~is_return)))


def _breaks(content: bytes) -> "np.ndarray":
    """The positions of the line breaks outside of quotes."""
    import numpy as np

    signs = _signs(content)
    breaks: np.ndarray = np.flatnonzero(signs == _LINE_FEED)
    outside: np.ndarray = breaks[np.searchsorted(np.flatnonzero(signs == _QUOTE), breaks) % 2 == 0]
    return outside


def _signs(content: bytes) -> "np.ndarray":
    import numpy as np

    return np.frombuffer(content, dtype=np.uint8)


def _by_python(records: Records, begins: int, line: int, least: int) -> Chunk:
    """The records from a position on, until at least so many bytes are read, or the file ends."""
    layout, names, first = records.layout, records.names, line
    rows = 0
    notes: tuple[str, ...] = ()
    allow_long_fields()
    with records.text.open("rb") as stream:
        stream.seek(begins)
        lines = _Lines(stream)
        reader = csv.reader(lines, delimiter=layout.delimiter, strict=True)
        try:
            while lines.bytes < least and (record := next(reader, None)) is not None:
                where = f"{records.data_name}:{line}"
                if len(record) == len(names):
                    rows += 1
                elif record:
                    raise DataError(ragged(record, names, layout, where, is_first=begins == records.begins and not rows))
                if not notes and any(map(has_blank_before_quote, record)):
                    notes = (blank_before_quote(layout, where),)
                line = first + reader.line_num
        except csv.Error as error:
            raise invalid(error, f"{records.data_name}:{line}") from None
        except UnicodeDecodeError:
            raise NotTextError from None
    with records.text.open("rb") as stream:
        stream.seek(begins)
        return Chunk(stream.read(lines.bytes), rows, begins, first, line - first, True, notes)


class _Lines:
    """The lines of a stream; `bytes` is the length of those that were taken."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._lines = TextIOWrapper(stream, encoding="utf-8", newline="")
        self.bytes = 0

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.bytes += len(line.encode())
            yield line
