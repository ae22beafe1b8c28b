"""Convert local files to Parquet. The file extension determines the format."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from taxiway.data.engine.storage_errors import is_lfs_pointer
from taxiway.data.formats.csv import CsvRows, see_csv
from taxiway.data.formats.json_lines import see_json_lines
from taxiway.data.formats.python_rows import SeenRows
from taxiway.data.formats.text import DECODED, NotTextError, decode, may_be_utf8
from taxiway.errors import ConfigError
from taxiway.spec.base import Format
from taxiway.spec.source.csv_options import DETECTED, CsvOptions

FORMATS: tuple[Format, ...] = get_args(Format)
ENDINGS: dict[str, Format] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}


def known_format(name: str) -> Format | None:
    """The format by the extension of a file name, path, URL or pattern, also before `.gz`; None if it is unknown."""
    plain = name.partition("?")[0].lower() if "://" in name else name.lower()
    suffixes = Path(plain).suffixes
    compressed = suffixes[-1:] == [".gz"]
    kind = ENDINGS.get("".join(suffixes[-2:-1] if compressed else suffixes[-1:]))
    return None if compressed and kind == "parquet" else kind


def format_of(name: str) -> Format:
    """As `known_format`.

    Raises:
        ConfigError: The extension is unknown.
    """
    kind = known_format(name)
    if kind is None:
        raise ConfigError(
            f"the format of {name} is unknown; allowed: the extension {', '.join(ENDINGS)}, for text formats also with .gz, or "
            f"its format, by the key format or the option --format: {', '.join(FORMATS)}"
        )
    return kind


@dataclass(frozen=True)
class ReadOptions:
    """How files are read, where their names and contents do not show it.

    Attributes:
        format: The format of the files; None if their names show it.
        csv: How CSV files are written.
        types: The known types of columns, as in a schema. In text files a `string` is text, even if all values of a file are digits
            or dates; in a column of another type `NA` is a missing value.
        others: The type of the columns that are not among `types`; None if their values decide.
    """

    format: Format | None = None
    csv: CsvOptions = DETECTED
    types: Mapping[str, str] = field(default_factory=dict)
    others: Literal["string"] | None = None


def source_options(
    path: str, file_format: Format | None, csv: CsvOptions, types: Callable[[], Mapping[str, str]]
) -> ReadOptions:
    """How the files of a source are read; only text files need the types of the schema.

    Args:
        path: The path, URL or pattern of the files.
        file_format: Their format; None if their names show it.
        csv: How CSV files are written.
        types: Returns the columns of the schema with their types.
    """
    known = {} if (file_format or known_format(path)) == "parquet" else types()
    return ReadOptions(file_format, csv, known)


@dataclass(frozen=True)
class RawFile:
    """A local file to convert.

    Attributes:
        path: The file. A text file may be compressed with gzip, whatever its name is.
        folder: Where to write the Parquet file.
        format: The format of the file.
        data_name: The name of the file in errors.
    """

    path: Path
    folder: Path
    format: Format
    data_name: str


@dataclass(frozen=True)
class Converted:
    """Parquet files, and notes on what is doubtful about the files that they were made from."""

    files: tuple[Path, ...]
    notes: tuple[str, ...]


def as_parquet(files: Sequence[RawFile], options: ReadOptions) -> Converted:
    """Convert local files of one table to Parquet. The same content gives the same bytes, compressed or not.

    The types of text files are those that fit the values of all files. A key that only some files of JSON lines have is null in the
    others.

    Args:
        files: The files.
        options: How they are read.

    Returns:
        The Parquet files: those that have this format are returned unread.

    Raises:
        DataError: A file is incomplete, has another format, or has no rows; the message has the line if there is one.
    """
    seen = [_seen(file, options, is_draft=True) for file in files]
    columns = _columns(seen)
    made = []
    for file, rows in zip(files, seen, strict=True):
        if rows is None:
            made.append(file.path)
        else:
            rows.write(copy := file.folder / "rows.parquet", columns[type(rows)])
            (file.folder / DECODED).unlink(missing_ok=True)
            made.append(copy)
    return Converted(tuple(made), tuple(note for rows in seen if rows is not None for note in rows.notes))


def types_of(files: Iterable[RawFile], options: ReadOptions) -> dict[str, str]:
    """The types of the columns of text files by the values of all files together, as `ReadOptions.types`.

    Args:
        files: The files; each is only needed until the next one is read.
        options: How they are read.

    Raises:
        DataError: As `as_parquet`.
    """
    found = _columns([_seen(file, options, is_draft=False) for file in files])
    kinds = {name: column.kind for columns in found.values() for name, column in columns.items()}
    return {name: "string" if kind in ("text", "big") else kind for name, kind in kinds.items() if kind is not None}


def _seen(file: RawFile, options: ReadOptions, *, is_draft: bool) -> CsvRows | SeenRows | None:
    """The rows of a text file, with a draft of their Parquet file if they will be written; None for Parquet."""
    if file.format == "parquet":
        return None
    encoding = options.csv.encoding if file.format == "csv" else None
    draft = file.folder / "draft.parquet" if is_draft else None

    def seen(text: Path) -> CsvRows | SeenRows:
        if file.format == "csv":
            return see_csv(text, draft, file.data_name, options.csv, options.types, options.others)
        return see_json_lines(text, file.folder, file.data_name, options.types, options.others)

    if may_be_utf8(file.path, encoding) and not is_lfs_pointer(file.path):
        with suppress(NotTextError, UnicodeDecodeError):  # `decode` says which byte is wrong
            return seen(file.path)
    return seen(decode(file.path, file.folder, file.data_name, encoding))


def _columns(seen: Sequence[CsvRows | SeenRows | None]) -> dict[type, dict[str, Any]]:
    """For each text format the columns of all its files, with types that fit all their values."""
    found: dict[type, dict[str, Any]] = {}
    for rows in seen:
        if rows is None:
            continue
        of_format = found.setdefault(type(rows), {})
        for name, column in rows.columns.items():
            if name in of_format:
                of_format[name].add(column)
            else:
                of_format[name] = column
    return found
