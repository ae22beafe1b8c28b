"""Who can read the Parquet files of a request log: the gateway's user and, below a folder with the setgid bit, its group.

Requests may be confidential, so nobody else can, whatever the umask is. A folder without the setgid bit shares nothing, also if its
group can read it: that is the default of `mkdir`, and nobody has decided it.
"""

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
    if folder.is_dir() and (folder == root or not _is_half_made(folder)):
        return
    if folder == root:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        return
    make_folder(folder.parent, root)
    shared = is_shared(folder.parent)
    folder.mkdir(exist_ok=True, mode=0o750 if shared else 0o700)
    if shared and stat.S_IMODE(folder.stat().st_mode) != _SHARED_FOLDER:  # the umask is stricter
        folder.chmod(_SHARED_FOLDER)
        if not is_shared(folder):  # the kernel removes the bit
            folder.rmdir()
            raise ConfigError(
                f"{folder.parent} is shared with its group {folder.parent.stat().st_gid}, which the gateway's user is not in; add the user "
                "to the group and restart the gateway, or start it with the umask 027"
            )


def _is_half_made(folder: Path) -> bool:
    """Whether a gateway with a strict umask was killed after it had made a folder and before it had shared it."""
    return (
        is_shared(folder.parent)
        and not is_shared(folder)
        and folder.stat().st_uid == os.geteuid()
        and not any(folder.iterdir())
    )


def open_new(path: Path) -> BinaryIO:
    """Open a file to be written, private or shared as its folder."""
    file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
    if is_shared(path.parent):
        os.fchmod(file.fileno(), 0o640)
    return file
