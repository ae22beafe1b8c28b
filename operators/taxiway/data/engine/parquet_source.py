"""Parquet files as one SQL table expression, with types that fit the values of all files."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from taxiway.data.engine.columns import EXACT_IN_DOUBLES, WIDE_INTEGERS, type_of
from taxiway.data.engine.connection import path_literal, run
from taxiway.data.engine.storage_errors import LFS_PROBLEM, is_lfs_pointer
from taxiway.errors import DataError
from taxiway.messages import quoted

if TYPE_CHECKING:
    import duckdb

_NUMBER, _FILE = "file_row_number", "taxiway_file"
_UNTYPED = '"NULL"'
_SHOWN_COLUMNS = 5
# The type with nanoseconds and the one with microseconds, without and with a time zone.
_MOMENTS = (("TIMESTAMP_NS", "TIMESTAMP"), ("TIMESTAMPTZ_NS", "TIMESTAMP WITH TIME ZONE"))


@dataclass(frozen=True)
class _Group:
    """Files with the same columns in the same order.

    Attributes:
        files: The files.
        order: For each of their columns its position in the table.
        casts: The type that each column of the table is cast to; empty for no cast.
    """

    files: tuple[Path, ...]
    order: tuple[int, ...]
    casts: tuple[str, ...]

    @property
    def is_plain(self) -> bool:
        """Whether the files have the columns of the table, in its order and with its types."""
        return not any(self.casts) and self.order == tuple(range(len(self.order)))


@dataclass(frozen=True)
class ParquetSource:
    """Files that are one table.

    Attributes:
        names: The names of the columns, in the order of the first file.
        groups: The files.
    """

    names: tuple[str, ...]
    groups: tuple[_Group, ...]

    def sql(self, *, numbered: bool = False) -> str:
        """An SQL table expression; if `numbered`, its last columns are the number of each row in its file, and the file's path."""
        if len(self.groups) == 1 and self.groups[0].is_plain:
            return _parquet(self.groups[0].files, numbered=numbered)
        parts = []
        for group in self.groups:
            beside = ["row_number", "file"] * numbered
            cast = [f"c{at}::{wide}" if wide else f"c{at}" for at, wide in enumerate(group.casts)]
            listing = ", ".join([*(f"c{at}" for at in group.order), *beside])
            parts.append(
                f"SELECT {', '.join(cast + beside)} FROM {_parquet(group.files, numbered=numbered)} AS parquet({listing})"
            )
        return f"({' UNION ALL '.join(parts)})"


def parquet_source(
    connection: "duckdb.DuckDBPyConnection", files: Sequence[Path], data_name: str, file_names: Mapping[Path, str] | None = None
) -> ParquetSource:
    """Files as one table.

    The columns may be in another order in each file. A column of integers in one file and of other numbers in another has numbers;
    dates and times become times, with nanoseconds where all fit; lists widen as their items do. A column without a type, because a file
    has no value in it, takes the type of the other files, or text.

    Args:
        connection: A connection that may read the files.
        files: The files.
        data_name: The name of the data in errors.
        file_names: The name of each file in errors; None for the names of the files.

    Raises:
        DataError: A file cannot be read, or the columns of the files do not fit together.
    """
    file_names = file_names or {file: file.name for file in files}
    names = _names(files[0], data_name)
    alike: dict[tuple[tuple[int, ...], tuple[str, ...]], list[Path]] = {}
    for file in files:
        here = names if file == files[0] else _names(file, data_name)
        check_names(here, data_name)
        _check_same(names, here, file_names[files[0]], file_names[file], data_name)
        storages = [str(row[1]) for row in run(connection, f"DESCRIBE SELECT * FROM {_parquet([file])}", data_name)]
        by_name = dict(zip(here, storages, strict=True))
        key = (tuple(names.index(name) for name in here), tuple(by_name[name] for name in names))
        alike.setdefault(key, []).append(file)
    common = []
    for index, name in enumerate(names):
        found: dict[str, list[Path]] = {}
        for (_, types), group in alike.items():
            found.setdefault(types[index], []).extend(group)
        common.append(_Widening(connection, name, found, data_name, file_names).type)
    groups = [
        _Group(tuple(group), order, tuple("" if storage == wide else wide for storage, wide in zip(types, common, strict=True)))
        for (order, types), group in alike.items()
    ]
    return ParquetSource(tuple(names), tuple(groups))


def check_names(names: Sequence[str], data_name: str) -> None:
    """Check that no two columns have the same name, and that none has a name that DuckDB needs for itself.

    Raises:
        DataError: They do.
    """
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            f"{data_name} has more than one column named {', '.join(map(quoted, twice))}; give each column its own name at the source"
        )
    kept = [name for name in names if name.casefold() in (_NUMBER, _FILE)]
    if kept:
        raise DataError(
            f"{data_name} has a column named {kept[0]}, which DuckDB reserves for row numbers; rename it at the source"
        )


def _check_same(names: Sequence[str], others: Sequence[str], first: str, other: str, data_name: str) -> None:
    only = [(name, first) for name in names if name not in set(others)]
    only += [(name, other) for name in others if name not in set(names)]
    if only:
        shown = ", ".join(f"{quoted(name)} is only in {file}" for name, file in only[:_SHOWN_COLUMNS])
        more = f" and {len(only) - _SHOWN_COLUMNS:,} more" if len(only) > _SHOWN_COLUMNS else ""
        raise DataError(
            f"{data_name}: {first} and {other} have different columns: {shown}{more}; only files with the same columns can be "
            "one table: write the column into each file, or give the files apart"
        )


@dataclass(frozen=True)
class _Widening:
    """The common type of a column; `found` has each of its types with the files that have it."""

    connection: "duckdb.DuckDBPyConnection"
    name: str
    found: dict[str, list[Path]]
    data_name: str
    file_names: Mapping[Path, str]

    @property
    def type(self) -> str:
        storages = list(self.found)
        if len(storages) == 1 and storages[0] != _UNTYPED:
            return storages[0]
        wide = _wider(storages)
        if wide in dict(_MOMENTS):
            wide = self._with_all_digits(wide, dict(_MOMENTS)[wide])
        elif wide == "DOUBLE":
            wide = self._without_rounding()
        if wide is None:
            types = ", ".join(
                f"{storage} in {self.file_names[files[0]]}" for storage, files in self.found.items() if storage != _UNTYPED
            )
            raise DataError(
                f"{self.data_name}: the column {quoted(self.name)} is {types}; write it with one type at the source"
            )
        return wide

    def _with_all_digits(self, nanoseconds: str, microseconds: str) -> str | None:
        """Nanoseconds if they can express the times of all files, else microseconds if no time has more digits, else None."""
        coarse = [file for storage, files in self.found.items() if not storage.endswith("_NS") for file in files]
        if not self._has(coarse, f"TRY_CAST(value AS {nanoseconds}) IS NULL OR isinf(value::{microseconds})"):
            return nanoseconds
        fine = [file for storage, files in self.found.items() if storage.endswith("_NS") for file in files]
        return None if self._has(fine, "epoch_ns(value) % 1000 <> 0") else microseconds

    def _without_rounding(self) -> str | None:
        """Doubles if they express the integers of all files; else integers if all doubles are integers, as pandas writes them; else None."""
        whole = [file for storage, files in self.found.items() if type_of(storage) == "integer" for file in files]
        if not self._has(whole, f"abs(value::HUGEINT) > {EXACT_IN_DOUBLES}"):
            return "DOUBLE"
        others = [file for storage, files in self.found.items() if type_of(storage) == "number" for file in files]
        fractional = f"NOT isfinite(value::DOUBLE) OR value <> trunc(value) OR abs(value) > {EXACT_IN_DOUBLES}"
        if self._has(others, fractional):
            return None
        return _wider(storage for storage in self.found if type_of(storage) == "integer")

    def _has(self, files: Iterable[Path], condition: str) -> bool:
        """Whether a value of the column in these files fulfils a condition."""
        for file in files:
            names = _names(file, self.data_name)
            order = ", ".join(f"c{at}" for at in range(len(names)))
            value = f"SELECT c{names.index(self.name)} AS value FROM {_parquet([file])} AS parquet({order})"
            query = f"SELECT 1 FROM ({value}) WHERE value IS NOT NULL AND ({condition}) LIMIT 1"
            if run(self.connection, query, self.data_name):
                return True
        return False


def _wider(storages: Iterable[str]) -> str | None:
    """The type that fits values of all these types; None if there is none, and text if none has a value."""
    typed = [storage for storage in dict.fromkeys(storages) if storage != _UNTYPED]
    if len(typed) < 2:
        return next(iter(typed), "VARCHAR")
    if all(storage.endswith("[]") for storage in typed):
        items = _wider(storage.removesuffix("[]") for storage in typed)
        # Whether all times fit into nanoseconds is only examined for columns of times.
        return None if items is None or items in dict(_MOMENTS) else f"{items}[]"
    types = {type_of(storage) for storage in typed}
    if types == {"integer"}:
        return "HUGEINT" if any(storage in WIDE_INTEGERS for storage in typed) else "BIGINT"
    if types <= {"integer", "number"}:
        return "DOUBLE"
    if types == {"string"}:
        return "VARCHAR"
    if types <= {"date", "datetime"}:
        zoned = [storage for storage in typed if storage.startswith(("TIMESTAMPTZ", "TIMESTAMP WITH"))]
        if zoned and len(zoned) < len(typed):
            return None
        nanoseconds, microseconds = _MOMENTS[bool(zoned)]
        return nanoseconds if any(storage.endswith("_NS") for storage in typed) else microseconds
    return None


def _parquet(files: Sequence[Path], *, numbered: bool = False) -> str:
    # Without hive_partitioning=false a folder called `a=b` anywhere in the path becomes a column.
    listing = ", ".join(map(path_literal, files))
    beside = f", {_NUMBER} = true, filename = '{_FILE}'" if numbered else ""
    return f"read_parquet([{listing}], hive_partitioning = false{beside})"


def _names(path: Path, data_name: str) -> list[str]:
    import pyarrow
    import pyarrow.parquet

    try:
        return list(pyarrow.parquet.read_schema(path).names)
    except (pyarrow.ArrowException, OSError) as error:
        if is_lfs_pointer(path):
            raise DataError(f"{path} {LFS_PROBLEM}") from None
        raise DataError(f"{data_name} cannot be read: {error}; write it again at the source") from None
