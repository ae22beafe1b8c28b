"""Convert CSV to Parquet: every record becomes a row, or an error names its line.

The main thread finds the records, in chunks; other threads let Arrow parse them, and infer and convert the types. Arrow must find as
many records as were found in a chunk. At most five chunks are in memory at a time.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from taxiway.data.formats.csv_chunks import Chunk, check, chunks_of
from taxiway.data.formats.csv_layout import layout_of
from taxiway.data.formats.csv_records import Records, read_header
from taxiway.data.formats.text import NotTextError
from taxiway.data.formats.text_types import TextColumn
from taxiway.errors import DataError
from taxiway.messages import counted
from taxiway.spec.source.csv_options import CsvOptions

if TYPE_CHECKING:
    import pyarrow as pa

_CHUNK_BYTES = 16 << 20
_CHUNK_BYTES_A_COLUMN = 8 << 10
_CHANGED = "{} was changed while it was read; write a file under another name, then rename it"
_MAX_THREADS = 4  # a chunk takes about 35 MB while it is read


@dataclass
class CsvRows:
    """A CSV file, of which every value was seen.

    Attributes:
        columns: Its columns with the types of its values.
        notes: What is doubtful about the file.
    """

    columns: dict[str, TextColumn]
    notes: tuple[str, ...]
    _records: Records
    _rows: int
    _mtime_ns: int
    _draft: "_TypedFile | None"

    def write(self, copy: Path, columns: Mapping[str, TextColumn]) -> None:
        """Write the rows to a Parquet file.

        Args:
            copy: The Parquet file.
            columns: Columns with types that fit all values; those that the file does not have are ignored.

        Raises:
            DataError: The file was changed after it was seen.
        """
        final = [columns[name] for name in self._records.names]
        if self._draft is not None and self._draft.fits(final):
            self._draft.path.rename(copy)
            return
        if self._draft is not None:
            self._draft.path.unlink()
        with _TypedFile(copy, self._records.names, final) as out:
            rows = 0
            for part in _parts(self._records, final, final):
                out.add(part)
                rows += part.rows
        if not out.is_whole or rows != self._rows or self._records.text.stat().st_mtime_ns != self._mtime_ns:
            raise DataError(_CHANGED.format(self._records.data_name))


def see_csv(
    text: Path,
    draft: Path | None,
    data_name: str,
    options: CsvOptions,
    types: Mapping[str, str],
    others: Literal["string"] | None = None,
) -> CsvRows:
    """Check a CSV file and see all its values.

    By default the first record is the header, and the delimiter (comma, semicolon, tab or bar) is detected. Fields may be quoted by
    `"`, which is doubled within. A column gets the type integer, number, boolean, date or time if all its values have it, else text.

    Args:
        text: The CSV file, in UTF-8; it must stay until the rows are written.
        draft: Where to write the rows on the way, with the types that the first of them have; None if they will not be written.
        data_name: The name of the file in errors.
        options: How the file is written.
        types: The known types of columns, as in a schema: a `string` is text, whatever its values.
        others: The type of the columns that are not among `types`; None if their values decide.

    Raises:
        DataError: A record has too many or too few fields, a quote is not closed, a column has no name or a duplicate one, or
            there are no rows. The file was changed meanwhile.
        NotTextError: The bytes are not UTF-8, or have a NUL.
    """
    mtime_ns = text.stat().st_mtime_ns
    layout = layout_of(text, options, data_name)
    records = read_header(text, layout, data_name)
    columns = [
        TextColumn(form=options, is_typed=name in types, seen="text" if types.get(name, others) == "string" else None)
        for name in records.names
    ]
    rows, out = 0, None
    doubts: tuple[str, ...] = ()
    with ExitStack() as stack:
        for part in _parts(records, [replace(column) for column in columns], None):
            if draft is not None and out is None:
                out = stack.enter_context(_TypedFile(draft, records.names, part.seen))
            if out is not None:
                out.add(part)
            for column, seen in zip(columns, part.seen, strict=True):
                column.add(seen)
            rows, doubts = rows + part.rows, doubts or part.notes
    if text.stat().st_mtime_ns != mtime_ns:
        raise DataError(_CHANGED.format(data_name))
    if not rows:
        raise DataError(
            f"{data_name} has a header of {counted(len(columns), 'column')} and no rows; write it again at the source, or remove it"
        )
    return CsvRows(dict(zip(records.names, columns, strict=True)), (*layout.notes, *doubts), records, rows, mtime_ns, out)


@dataclass(frozen=True)
class _Part:
    """The rows of a chunk: what is seen of each column, and its values, or None if they have another type than was expected."""

    rows: int
    seen: "Sequence[TextColumn]"
    values: "Sequence[pa.Array | None]"
    notes: tuple[str, ...]


class _TypedFile:
    """A Parquet file that is written with some types until a part has others."""

    def __init__(self, path: Path, names: Sequence[str], like: Sequence[TextColumn]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.path, self.is_whole, self._like = path, True, like
        self._schema = pa.schema([(name, column.type) for name, column in zip(names, like, strict=True)])
        # Fractions are seldom the same, so that a dictionary of them is made for nothing.
        self._writer = pq.ParquetWriter(
            path, self._schema, use_dictionary=[f.name for f in self._schema if not pa.types.is_floating(f.type)]
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._writer.close()

    def add(self, part: _Part) -> None:
        import pyarrow as pa

        self.is_whole = self.is_whole and all(values is not None for values in part.values)
        if self.is_whole:
            self._writer.write_batch(pa.record_batch(list(part.values), schema=self._schema))

    def fits(self, columns: Sequence[TextColumn]) -> bool:
        """Whether all rows were written, and with these types."""
        return self.is_whole and [(c.kind, c.type) for c in self._like] == [(c.kind, c.type) for c in columns]


class _MisreadError(Exception):
    """Arrow did not find the records of a chunk."""

    def __init__(self, chunk: Chunk, problem: str) -> None:
        super().__init__(problem)
        self.chunk = chunk


def _parts(records: Records, columns: Sequence[TextColumn], like: Sequence[TextColumn] | None) -> Iterator[_Part]:
    """The rows in parts; those after the first are converted to its types, if none are given."""
    chunks = chunks_of(records, max(_CHUNK_BYTES, _CHUNK_BYTES_A_COLUMN * len(records.names)))
    try:
        if like is None and (chunk := next(chunks, None)) is not None:
            yield (first := _read(records, columns, None, chunk))
            like = first.seen
        yield from _in_order(chunks, partial(_read, records, columns, like))
    except _MisreadError as error:
        check(records, error.chunk)
        raise DataError(
            f"{records.data_name}:{error.chunk.line}: the {counted(error.chunk.rows, 'record')} from this line on cannot be read: {error}. "
            'Write the file again at the source with double quotes around fields, "" for a quote within, and one kind of line break'
        ) from None


def _in_order(chunks: Iterator[Chunk], read: Callable[[Chunk], _Part]) -> Iterator[_Part]:
    """Read several chunks at a time. An error comes after the parts that were before it in the file."""
    import pyarrow as pa

    with ThreadPoolExecutor(workers := min(pa.cpu_count(), _MAX_THREADS)) as pool:
        waiting: deque[Future[_Part]] = deque()
        for future in _start_chunks(pool, chunks, read):
            waiting.append(future)
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _start_chunks(pool: ThreadPoolExecutor, chunks: Iterator[Chunk], read: Callable[[Chunk], _Part]) -> Iterator[Future[_Part]]:
    try:
        for chunk in chunks:
            yield pool.submit(read, chunk)
    except (DataError, NotTextError) as error:
        failed: Future[_Part] = Future()
        failed.set_exception(error)
        yield failed


def _read(records: Records, columns: Sequence[TextColumn], like: Sequence[TextColumn] | None, chunk: Chunk) -> _Part:
    seen = [replace(column) for column in columns]
    texts = _texts(records, chunk)
    if like is None:
        for column, values in zip(seen, texts, strict=True):
            column.see(values)
        typed = [column.typed(values) for column, values in zip(seen, texts, strict=True)]
    else:
        typed = [column.read(values, of) for column, values, of in zip(seen, texts, like, strict=True)]
    return _Part(chunk.rows, seen, typed, chunk.notes)


def _texts(records: Records, chunk: Chunk) -> "list[pa.Array]":
    """The columns of a chunk as text."""
    import pyarrow as pa
    import pyarrow.csv

    names = [f"c{at}" for at in range(len(records.names))]
    # Arrow drops a byte order mark at the very start, but not after an empty line.
    content = b"\n" + chunk.content
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(content),
            pyarrow.csv.ReadOptions(column_names=names, use_threads=False, block_size=len(content) + 1),
            pyarrow.csv.ParseOptions(
                delimiter=records.layout.delimiter,
                quote_char='"' if chunk.is_quoted else False,
                newlines_in_values=chunk.is_quoted,
            ),
            pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )
    except pa.ArrowInvalid as error:
        raise _MisreadError(chunk, str(error).partition("\n")[0]) from None
    if table.num_rows != chunk.rows:
        raise _MisreadError(chunk, f"{counted(table.num_rows, 'record')} were found")
    return [column.combine_chunks() for column in table.columns]
