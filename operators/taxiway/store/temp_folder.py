"""Temporary folders of this machine, which are removed even if their process was killed: the next process removes them.

A process holds a lock on each folder that it uses. The lock ends with the process, so a folder without one is left by a crash.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "taxiway-temp-"
_cleaned_by: set[int] = set()


@contextmanager
def temp_folder(purpose: str) -> Iterator[Path]:
    """A temporary folder for the duration of the block. The first one of a process also removes those of killed processes.

    Args:
        purpose: What it is for, as a part of its name.
    """
    if os.getpid() not in _cleaned_by:
        _cleaned_by.add(os.getpid())
        remove_abandoned()
    folder, lock = _make(purpose)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def remove_abandoned() -> None:
    """Remove the temporary folders of this user whose process was killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # it is in use, belongs to another user, or another process removes it now
            lock = _lock(folder)
            try:
                shutil.rmtree(folder)
            finally:
                os.close(lock)


def _make(purpose: str) -> tuple[Path, int | None]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{purpose}-"))
        try:
            lock = _lock(folder)
        except (BlockingIOError, FileNotFoundError):  # another process removes it before it is locked here
            continue
        except OSError:  # this file system has no locks, so no process removes it
            return folder, None
        if folder.exists():
            return folder, lock
        os.close(lock)


def _lock(folder: Path) -> int:
    """Lock a folder and return the file descriptor that holds the lock.

    Raises:
        OSError: It is locked, does not exist, is not a folder, or is not accessible.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(descriptor).st_uid != os.getuid():
            raise PermissionError(f"{folder} belongs to another user")
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
