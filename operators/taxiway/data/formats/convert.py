"""Files of rows in any format that Taxiway reads, as Parquet: told by their names, converted without losing a row.

Where files lie and how they come here is not asked; see `ingest.fetch`.
"""

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
    """The format that a file's name, path, URL or pattern ends in, with or without `.gz`; None where it does not tell."""
    plain = name.partition("?")[0].lower() if "://" in name else name.lower()
    suffixes = Path(plain).suffixes
    compressed = suffixes[-1:] == [".gz"]
    kind = _ENDINGS.get("".join(suffixes[-2:-1] if compressed else suffixes[-1:]))
    return None if compressed and kind == "parquet" else kind


def format_of(name: str) -> Format:
    """As `known_format`. Raises ConfigError where the name does not tell."""
    kind = known_format(name)
    if kind is None:
        raise ConfigError(
            f"what is in {name} cannot be told from its name; allowed: a name that ends in {', '.join(_ENDINGS)}, those of text "
            f"also with .gz, or say it: format: {', '.join(FORMATS)}"
        )
    return kind


def as_parquet(path: Path, folder: Path, *, format: Format, what: str, text_columns: Collection[str] = ()) -> Path:
    """The Parquet file with the rows of the local file `path`: itself where it is Parquet, else one that is made in `folder`.

    The same content gives the same bytes, compressed or not. `what` is how errors name the file. A Parquet file is not looked
    into here. A text file may be compressed with gzip, whatever it is called. In CSV all is text: of `text_columns` it stays so,
    where a file of one month might hold nothing but digits.

    Raises DataError, with the line where one can be told, where the file is not whole, is not what `format` says or has no rows.
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
