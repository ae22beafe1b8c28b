"""Keeps a file that cannot be read under another name."""

import time
from collections.abc import Sequence
from pathlib import Path


def set_aside(path: Path, also: Sequence[str] = ()) -> Path:
    """Rename a file to `NAME.unreadable-UTC-TIME`, and those that belong to it.

    Args:
        path: The file.
        also: What follows its name in the names of files that belong to it.

    Returns:
        Its new path.
    """
    stamp = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{time.time_ns() % 1_000_000_000:09}"
    kept = path.with_name(f"{path.name}.unreadable-{stamp}")
    for suffix in ("", *also):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(kept.with_name(kept.name + suffix))
    return kept
