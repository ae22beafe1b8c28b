"""The folder of a batch: its predictions, and what they are of.

A file is written under another name and then renamed, so a file that can be found is complete.
"""

import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from taxiway.errors import ConfigError, TransientError
from taxiway.messages import listed
from taxiway.records.batch import BATCH_FILE, Batch, read_batch

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


@contextmanager
def only_process(out: Path) -> Iterator[None]:
    """Lock a folder, which is created if needed.

    Raises:
        TransientError: Another process writes predictions into it.
    """
    while (folder := _locked(out)) is None:
        pass
    try:
        yield
    finally:
        os.close(folder)


def _locked(out: Path) -> int | None:
    """The descriptor of a folder, which is locked; None if it was renamed before that, as by `written_whole`."""
    with suppress(FileExistsError):
        out.mkdir(parents=True)
    try:
        folder = os.open(out, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        if out.is_symlink():  # to a folder that does not exist
            raise
        return None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(folder), out.stat()):
            return folder
    except FileNotFoundError:
        pass
    except BlockingIOError:
        os.close(folder)
        raise TransientError(
            f"another process writes predictions into {out}; wait for it, or name another folder: -o FOLDER"
        ) from None
    os.close(folder)
    return None


def prepare(out: Path, batch: Batch, *, overwrite: bool) -> Batch | None:
    """Make a folder ready for a batch.

    Args:
        out: The folder, which exists.
        batch: The batch, not finished.
        overwrite: Whether to remove the predictions of another batch.

    Returns:
        The batch if its predictions are complete; None if they are to be written.

    Raises:
        ConfigError: The folder has other files, or predictions that are not to be replaced.
    """
    known = read_batch(out)
    if known is not None and not _differences(known, batch) and not overwrite:
        return known if known.finished_at else None
    others = _own_files(out)
    if not overwrite and any(not name.startswith(".") for name in others):
        found = _differences(known, batch) if known else f"no readable {BATCH_FILE}"
        raise ConfigError(f"{out} has other predictions ({found}); name another folder, or replace them: --overwrite")
    (out / BATCH_FILE).unlink(missing_ok=True)  # first: without it, the rest is not continued
    for name in others:
        (out / name).unlink(missing_ok=True)
    save(out, batch)
    return None


def finished_batch(out: Path, batch: Batch) -> Batch | None:
    """The batch of a folder if it has the same predictions as `batch`, all of them; else None."""
    known = read_batch(out)
    return known if known is not None and known.finished_at is not None and not _differences(known, batch) else None


def begun(out: Path, batch: Batch) -> bool:
    """Whether a folder has predictions of this batch, perhaps not all."""
    known = read_batch(out)
    return known is not None and not _differences(known, batch)


def beside_folder(out: Path) -> Path:
    """Where predictions are written that appear in a folder only when they are complete."""
    return out.with_name(beside(out.name))


def written_whole(out: Path, batch: Batch, write: Callable[[Path], Batch]) -> Batch:
    """Write predictions beside a folder, and then put them in its place, unless it has them.

    Args:
        out: The folder.
        batch: The batch, not finished.
        write: Writes the predictions into a folder, which is locked; returns the finished batch.

    Raises:
        ConfigError: `out` has files that are not of a batch.
        TransientError: Another process writes predictions for this folder.
    """
    found = finished_batch(out, batch)
    if found is not None:
        return found
    with only_process(beside_folder(out)):
        found = finished_batch(out, batch)  # of another process, which has locked the folder before
        if found is None:
            found = write(beside_folder(out))
            _put_in_place(out)
        else:
            with suppress(OSError):  # it has another batch, which was interrupted
                beside_folder(out).rmdir()
    return found


def _put_in_place(out: Path) -> None:
    """Rename the folder with complete predictions beside `out` to `out`, and remove the predictions that it replaces.

    Raises:
        ConfigError: `out` has files that are not of a batch.
    """
    replaced = out.with_name(f".{out.name}.replaced")
    if out.exists():
        _own_files(out)
        shutil.rmtree(replaced, ignore_errors=True)
        out.rename(replaced)
    beside_folder(out).rename(out)
    shutil.rmtree(replaced, ignore_errors=True)


def _own_files(out: Path) -> list[str]:
    """The names of the files in a folder.

    Raises:
        ConfigError: One of them is not of a batch.
    """
    found = sorted(path.name for path in out.iterdir())
    foreign = [name for name in found if not _OWN.fullmatch(name)]
    if foreign:
        raise ConfigError(f"{out} has other files, such as {foreign[0]}; name an empty folder: -o FOLDER")
    return found


def _differences(known: Batch, batch: Batch) -> str:
    """How two batches differ; empty if they have the same predictions."""
    before, now = known.of_the_predictions(), batch.of_the_predictions()
    return "; ".join(
        f"their {_WORDS[name]} is {_shown(before[name])}, now {_shown(now[name])}" for name in now if before[name] != now[name]
    )


def _shown(value: Any) -> str:
    return (listed(value) or "empty") if isinstance(value, tuple) else f"{value:,}" if isinstance(value, int) else f"{value}"


def beside(name: str) -> str:
    """The name of a file while it is written."""
    return f".{name}{_PARTIAL}"


def save(out: Path, batch: Batch) -> None:
    """Write what the predictions in a folder are of."""
    temporary = out / beside(BATCH_FILE)
    temporary.write_text(batch.model_dump_json(indent=2))
    temporary.replace(out / BATCH_FILE)
