"""Who can read the Parquet files of a request log: the gateway's user and, below a folder with the setgid bit, its group.

Requests may be confidential, so nobody else can, whatever the umask is. A folder without the setgid bit shares nothing, even if its
group can read it: that is the default of `mkdir`, and nobody has decided it.
"""

import contextlib
import os
import stat
from pathlib import Path
from typing import BinaryIO

from taxiway.errors import ConfigError

_SHARED = stat.S_ISGID | stat.S_IRGRP | stat.S_IXGRP
_SHARED_FOLDER = 0o2750


def is_shared(folder: Path) -> bool:
    """Whether the group of a folder can read what the gateway writes there: it has the setgid bit, and its group can read it."""
    return folder.stat().st_mode & _SHARED == _SHARED


def make_folder(folder: Path, root: Path) -> None:
    """Make a folder of the log and those above it, private or shared as the one above it; existing ones stay as they are.

    Args:
        folder: The folder, in `root` or `root` itself.
        root: The folder of the log, which is private if it is made.

    Raises:
        ConfigError: It is to be shared with a group that the gateway's user is not in.
    """
    if folder.is_dir():
        return
    if folder == root:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        return
    make_folder(folder.parent, root)
    if is_shared(folder.parent):
        _make_shared(folder)
    else:
        folder.mkdir(exist_ok=True, mode=0o700)


def _make_shared(folder: Path) -> None:
    """Make a folder that is shared from the moment it has its name, whatever the umask is and wherever the gateway is killed."""
    made = folder.with_name(f".{folder.name}.{os.getpid()}")
    made.mkdir(exist_ok=True, mode=0o750)
    try:
        if stat.S_IMODE(made.stat().st_mode) != _SHARED_FOLDER:  # the umask is stricter
            made.chmod(_SHARED_FOLDER)
        if not is_shared(made):  # the kernel removes the bit
            raise ConfigError(
                f"{folder.parent} is shared with its group {folder.parent.stat().st_gid}, which the gateway's user is not in; add the user "
                "to the group and restart the gateway, or start it with the umask 027"
            )
        with contextlib.suppress(OSError):  # another process was faster, and its folder has files
            made.rename(folder)
    finally:
        if made.is_dir():
            made.rmdir()


def open_new(path: Path) -> BinaryIO:
    """Open a file to be written, private or shared as its folder."""
    file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
    if is_shared(path.parent):
        os.fchmod(file.fileno(), 0o640)
    return file
