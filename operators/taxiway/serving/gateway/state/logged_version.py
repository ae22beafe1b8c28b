"""What the request log knows of a model version: how its inputs and predictions are written to the Parquet files."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field

from pydantic import TypeAdapter

from taxiway.features.signature import ModelColumns
from taxiway.serving.gateway.state import request_log_sql as sql


@dataclass(frozen=True)
class LoggedVersion:
    """A version that has answered requests.

    Attributes:
        columns: The columns that it takes; none if they are not known.
        classes: Its classes, in the order of the probabilities; empty for a regression, and if they are not known.
        threshold: The probability at or above which it predicts the second of two classes; None for 0.5.
    """

    columns: ModelColumns = field(default_factory=lambda: ModelColumns((), ()))
    classes: tuple[str, ...] = ()
    threshold: float | None = None


_CONTENT = TypeAdapter(LoggedVersion)


class LoggedVersions:
    """The versions whose requests are added to the log; their rows are written with the requests."""

    def __init__(self) -> None:
        self._content: dict[tuple[str, int], str] = {}

    def note(self, model: str, version: int, found: LoggedVersion) -> None:
        """Note a version before requests are added that it has answered."""
        self._content[model, version] = _CONTENT.dump_json(found).decode()

    def write(self, connection: sqlite3.Connection, answered: Iterable[tuple[str, int]]) -> None:
        """Write the versions that have answered requests, by model and number; those that the log has already are not written again."""
        rows = [(*version, self._content[version]) for version in set(answered) if version in self._content]
        connection.executemany(sql.SET_VERSION, rows)


def read_renames(connection: sqlite3.Connection, model: str | None = None) -> dict[str, str]:
    """The present name of renamed columns by their former name, of all versions of a model that the log knows; None for all models."""
    renamed: dict[str, str] = {}
    for (content,) in connection.execute(sql.VERSIONS_OF, (model,)):
        renamed |= _CONTENT.validate_json(content).columns.renamed
    return renamed


def read_versions(connection: sqlite3.Connection, model: str, versions: Iterable[int]) -> dict[int, LoggedVersion]:
    """Versions of a model by their number; those that the log does not know are left out."""
    known = {}
    for version in set(versions):
        found = connection.execute(sql.VERSION_OF, (model, version)).fetchone()
        if found is not None:
            known[version] = _CONTENT.validate_json(found[0])
    return known
