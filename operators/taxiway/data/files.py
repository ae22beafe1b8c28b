"""Data that lie outside a pipeline, named by a path, a pattern or a URL, as one table."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from taxiway.data.ingest import count_rows
from taxiway.data.table import Table, open_table
from taxiway.errors import ConfigError


@contextmanager
def open_data(data: Path | str) -> Iterator[Table]:
    """Open a file, all files that a pattern matches as one table, or what a URL that fsspec reads names.

    Raises ConfigError where nothing is there, BadData where a file cannot be read, has no rows, or other columns than the first.
    """
    import fsspec

    fs, root = fsspec.core.url_to_fs(str(data))
    found = sorted(fs.glob(root)) if not fs.exists(root) else [root]
    if not found:
        raise ConfigError(f"{data} does not exist; give a file, a pattern such as 'folder/2024-*.csv', or a URL")
    with tempfile.TemporaryDirectory(prefix="taxiway-data-") as folder:
        copies = []
        for at, path in enumerate(found):
            copy = Path(folder, f"{at}.parquet")
            fs.get_file(path, str(copy))
            count_rows(copy, path)
            copies.append(copy)
        with open_table(copies, str(data)) as table:
            yield table
