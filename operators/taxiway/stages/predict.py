"""Batch prediction: scores the rows of files with a registered version, in bounded memory.

The predictions are Parquet files of a fixed number of rows each, in the order of the rows. A file is written under another name and then
renamed, and `_batch.json` says what is scored with which version, so that a process that is killed continues where it stopped.
"""

import fcntl
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from taxiway.errors import ConfigError, DataError
from taxiway.ledger.chain import Ledger
from taxiway.messages import listed, quoted

if TYPE_CHECKING:
    import pyarrow as pa

    from taxiway.data.engine.duckdb_table import Table

FILE = "_batch.json"
"""Readers of a folder of Parquet files ignore names that begin with `_` or `.`."""
ROWS_PER_FILE = 100_000
_PART = "part-{:05d}.parquet"
_PARTIAL = ".partial"
_WORDS = {
    "model": "model",
    "version": "version",
    "files": "digest of the version's files",
    "data_digest": "digest of the data",
    "keys": "list of keys",
    "rows": "number of rows",
    "rows_per_file": "number of rows per file",
}
_OWN = re.compile(r"part-\d+\.parquet|_batch\.json|\..*\.partial")
_OWN_COLUMNS = ("model", "version")


class Batch(BaseModel):
    """What was scored, and where the predictions are.

    Attributes:
        model: The registered model.
        version: The version that predicts.
        files: The digest of the version's files, by the ledger or the registry; None if neither has one.
        data: The data, as it was given.
        data_digest: The digest of the files that were scored.
        keys: The columns that identify a row.
        rows: The number of rows.
        rows_per_file: How many rows a file of predictions has.
        finished_at: When all predictions were written; None if they are not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    model: str
    version: int
    files: str | None
    data: str
    data_digest: str
    keys: tuple[str, ...]
    rows: int
    rows_per_file: int
    finished_at: datetime | None = None


@dataclass(frozen=True)
class Version:
    """A version to score with.

    Attributes:
        model: The registered model.
        version: The version.
        files: The digest of its files; None if it is not known.
    """

    model: str
    version: int
    files: str | None


def find_version(ledger: Ledger, name: str) -> Version:
    """The version that a name means.

    Args:
        ledger: The ledger.
        name: `MODEL` or `MODEL@champion` for the champion by the ledger, `MODEL@ALIAS`, or `MODEL/VERSION`.

    Raises:
        ConfigError: There is no such version, or no champion.
    """
    from taxiway.registry.alias_moves import champion_now, files_by_ledger
    from taxiway.registry.aliases import CHAMPION, version_at

    if "/" in name:
        model, _, number = name.rpartition("/")
        if not number.isdecimal() or not int(number):
            raise ConfigError(
                f"{quoted(name)} is not a version; allowed: MODEL, MODEL@ALIAS or MODEL/VERSION, such as flights.late/3"
            )
        version: int | None = int(number)
    else:
        model, _, alias = name.partition("@")
        version = champion_now(ledger, model) if alias in ("", CHAMPION) else version_at(ledger.client, model, alias)
    if version is None or not _exists(ledger, model, version):
        raise ConfigError(f"{_missing(name)}; see `taxiway history {model}`, or name a version: {model}/VERSION")
    return Version(model, version, files_by_ledger(ledger, model, version))


def _exists(ledger: Ledger, model: str, version: int) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        ledger.client.get_model_version(model, str(version))
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return False
        raise
    return True


def _missing(name: str) -> str:
    if "/" in name:
        return f"there is no version {name}"
    return f"{name} is not a version" if "@" in name else f"{name} has no champion"


def predict_batch(
    model: Any,
    version: Version,
    table: "Table",
    data: str,
    out: Path,
    *,
    keys: Sequence[str] = (),
    rows_per_file: int = ROWS_PER_FILE,
    overwrite: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Batch:
    """Score the rows of a table, and write the predictions to a folder.

    If the folder has the predictions of an interrupted batch of the same data and version, only the missing files are written.

    Args:
        model: The loaded version, whose `predict` takes rows as the source has them.
        version: The version that it is.
        table: The rows.
        data: The name of the data, for `Batch`.
        out: The folder of the predictions; created if needed.
        keys: The columns that are copied to the predictions.
        rows_per_file: How many rows a file of predictions has.
        overwrite: Whether to replace the predictions of other data or another version in the folder.
        progress: Called after each file with the rows that are scored and all rows.

    Returns:
        The finished batch.

    Raises:
        ConfigError: A key is not a column, the folder has something else, or predictions that are not to be replaced.
        DataError: The rows do not fit the model.
    """
    _require_columns(table, keys)
    batch = Batch(
        model=version.model,
        version=version.version,
        files=version.files,
        data=data,
        data_digest=table.digest,
        keys=tuple(keys),
        rows=table.row_count,
        rows_per_file=rows_per_file,
    )
    with _only_process(out):
        finished = _prepare(out, batch, overwrite=overwrite)
        if finished is not None:
            progress(batch.rows, batch.rows)
            return finished
        names = {column.name for column in table.columns}
        done = 0
        for number, part in enumerate(_parts(table.paths, names, rows_per_file)):
            path = out / _PART.format(number)
            if not path.exists():
                _write(path, _predictions(model, version, part, keys, done))
            done += part.num_rows
            progress(done, batch.rows)
        finished = batch.model_copy(update={"finished_at": datetime.now(UTC)})
        _save(out, finished)
    return finished


@contextmanager
def _only_process(out: Path) -> Iterator[None]:
    """Lock a folder, which is created if needed.

    Raises:
        ConfigError: Another process writes predictions into it.
    """
    out.mkdir(parents=True, exist_ok=True)
    folder = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise ConfigError(
            f"another process writes predictions into {out}; wait for it, or name another folder: -o FOLDER"
        ) from None
    finally:
        os.close(folder)


def _require_columns(table: "Table", keys: Sequence[str]) -> None:
    names = [column.name for column in table.columns]
    unknown = [key for key in keys if key not in names]
    if unknown:
        raise ConfigError(f"the data has no column {listed(unknown)} for --key; allowed: {listed(names)}", allowed=names)
    reserved = [key for key in keys if key in (*_OWN_COLUMNS, "prediction") or key.startswith("probability_")]
    if reserved:
        raise ConfigError(
            f"{listed(reserved)} is the name of a column of the predictions; rename it in the data to use it as a key"
        )


def _prepare(out: Path, batch: Batch, *, overwrite: bool) -> Batch | None:
    """Make the folder ready for a batch; returns the batch if it is already finished."""
    known = _saved(out)
    if known is not None and not _differences(known, batch) and not overwrite:
        return known if known.finished_at else None
    others = sorted(path.name for path in out.iterdir())
    foreign = [name for name in others if not _OWN.fullmatch(name)]
    if foreign:
        raise ConfigError(f"{out} has other files, such as {foreign[0]}; name an empty folder: -o FOLDER")
    if not overwrite and any(not name.startswith(".") for name in others):
        found = _differences(known, batch) if known else f"no readable {FILE}"
        raise ConfigError(f"{out} has other predictions ({found}); name another folder, or replace them: --overwrite")
    for name in others:
        (out / name).unlink()
    _save(out, batch)
    return None


def _differences(known: Batch, batch: Batch) -> str:
    """How two batches differ; empty if they have the same predictions. The same data may have another path."""
    before, now = known.model_dump(exclude={"finished_at", "data"}), batch.model_dump(exclude={"finished_at", "data"})
    return "; ".join(
        f"their {_WORDS[name]} is {_shown(before[name])}, now {_shown(now[name])}" for name in now if before[name] != now[name]
    )


def _shown(value: Any) -> str:
    return (listed(value) or "empty") if isinstance(value, tuple) else f"{value:,}" if isinstance(value, int) else f"{value}"


def _beside(name: str) -> str:
    """The name of a file while it is written."""
    return f".{name}{_PARTIAL}"


def _saved(out: Path) -> Batch | None:
    try:
        return Batch.model_validate_json((out / FILE).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def _save(out: Path, batch: Batch) -> None:
    temporary = out / _beside(FILE)
    temporary.write_text(batch.model_dump_json(indent=2))
    temporary.replace(out / FILE)


def _parts(paths: Sequence[Path], columns: set[str], rows: int) -> Iterator["pa.Table"]:
    """The rows of files in order, as tables of `rows` rows each but the last."""
    import pyarrow as pa

    from taxiway.data.engine.connection import streamed_file

    waiting: list[pa.Table] = []
    size = 0
    for path in paths:
        file = streamed_file(path)
        names = [name for name in file.schema_arrow.names if name in columns]
        for read in file.iter_batches(batch_size=min(rows, 1 << 16), columns=names):
            waiting.append(pa.Table.from_batches([read]).replace_schema_metadata(None))
            size += read.num_rows
            while size >= rows:
                whole = pa.concat_tables(waiting, promote_options="permissive")
                yield whole.slice(0, rows)
                waiting, size = [whole.slice(rows)], size - rows
    if size:
        yield pa.concat_tables(waiting, promote_options="permissive")


def _predictions(model: Any, version: Version, part: "pa.Table", keys: Sequence[str], first: int) -> "pa.Table":
    """The keys, the predictions and the version of some rows."""
    import pyarrow as pa

    from taxiway.data.engine.read_rows import rows_of_table

    try:
        predicted = model.predict(rows_of_table(part))
    except DataError as error:
        end = first + part.num_rows - 1
        raise DataError(
            f"rows {first:,} to {end:,} cannot be scored, counted from 0; among them {error}", key=error.key
        ) from error
    columns = {key: part.column(key) for key in keys}
    columns |= {name: pa.array(predicted[name], from_pandas=False) for name in predicted.columns}
    columns["model"] = pa.array([version.model] * part.num_rows, pa.string())
    columns["version"] = pa.array([version.version] * part.num_rows, pa.int32())
    return pa.table(columns)


def _write(path: Path, predictions: "pa.Table") -> None:
    import pyarrow.parquet as pq

    temporary = path.with_name(_beside(path.name))
    pq.write_table(predictions, temporary, compression="zstd")
    temporary.replace(path)
