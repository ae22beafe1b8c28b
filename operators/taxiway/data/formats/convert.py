"""Convert local files to Parquet. The file extension determines the format."""

from collections.abc import Collection
from pathlib import Path
from typing import get_args

from taxiway.data.formats.csv import csv_to_parquet
from taxiway.data.formats.json_lines import json_lines_to_parquet
from taxiway.data.formats.text import decoded
from taxiway.errors import ConfigError
from taxiway.spec.base import Format

FORMATS: tuple[Format, ...] = get_args(Format)
_ENDINGS: dict[str, Format] = {
    ".parquet": "parquet",
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
    kind = _ENDINGS.get("".join(suffixes[-2:-1] if compressed else suffixes[-1:]))
    return None if compressed and kind == "parquet" else kind


def format_of(name: str) -> Format:
    """As `known_format`.

    Raises:
        ConfigError: The extension is unknown.
    """
    kind = known_format(name)
    if kind is None:
        raise ConfigError(
            f"the format of {name} is unknown; allowed: the extension {', '.join(_ENDINGS)}, for text formats also with .gz, or "
            f"a key format: {', '.join(FORMATS)}"
        )
    return kind


def as_parquet(path: Path, folder: Path, *, format: Format, what: str, text_columns: Collection[str] = ()) -> Path:
    """Convert a local file to Parquet. The same content gives the same bytes, compressed or not.

    Args:
        path: The file. A text file may be compressed with gzip, whatever its name is.
        folder: Where to write the Parquet file.
        format: The format of the file.
        what: The name of the file in errors.
        text_columns: The columns of a CSV file to read as text, even if all values are digits.

    Returns:
        The Parquet file: `path` itself, unread, if that is the format.

    Raises:
        DataError: The file is incomplete, has another format, or has no rows; the message has the line if there is one.
    """
    if format == "parquet":
        return path
    copy = folder / "rows.parquet"
    with decoded(path, folder, what) as text:
        if format == "csv":
            csv_to_parquet(text, copy, what, text_columns)
        else:
            json_lines_to_parquet(text, copy, what)
    return copy
