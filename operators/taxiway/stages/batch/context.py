"""What scoring takes and returns: how rows are scored, what it needs from the installation, and the predictions of a run."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from taxiway.errors import ConfigError
from taxiway.ledger.chain import Ledger
from taxiway.records.batch import Batch
from taxiway.spec.scoring import ONE_FOLDER, fill_output, index_name
from taxiway.stages.batch.predict import ROWS_PER_FILE
from taxiway.stages.context import Services
from taxiway.store import SpanIndex, SpanKey, Store

if TYPE_CHECKING:
    from taxiway.spec.source import Source


@dataclass(frozen=True)
class ScoringSettings:
    """How rows are scored.

    Attributes:
        model: `MODEL` for its champion, `MODEL@ALIAS` or `MODEL/VERSION`.
        output: The folder of the predictions; it may have {data}, {SPAN} and {VERSION}.
        keys: The columns that are copied to the predictions.
        schema: The schema file of the rows, which are checked in the environment SERVING; None for no check.
        on_invalid_data: What happens if the rows do not pass.
        rows_per_file: How many rows a file of predictions has.
        code: The folder of trusted code, for models of a team's own class; None if there is none.
    """

    model: str
    output: str
    keys: tuple[str, ...] = ()
    schema: str | None = None
    on_invalid_data: Literal["fail", "continue"] = "fail"
    rows_per_file: int = ROWS_PER_FILE
    code: str | None = None


@dataclass(frozen=True)
class RowsToScore:
    """The rows of a run: of a span of a source; or of files or a query. Either `source` or `data` is given.

    Attributes:
        source: The source; see `taxiway.spec.scoring.rows_to_score`.
        span: With a source, the name of the span, scored or not; None for the oldest that is not scored.
        data: A file, a pattern or a URL, which may have {data}; with a connection, a query.
        connection: The connection of the database; None for files.
    """

    source: "Source | None" = None
    span: str | None = None
    data: str | None = None
    connection: str | None = None


@dataclass(frozen=True)
class ScoringContext:
    """What scoring needs from the installation.

    Attributes:
        name: The name of the task, `DAG.TASK`, under which scored spans are noted.
        run: The name of the run, `DAG/RUN`.
        store: The store.
        ledger: The ledger, with the client of the MLflow server.
        services: The data folder and the databases.
        tags: Tags of the MLflow run.
        log: The logger; in an Airflow task, the task's log.
    """

    name: str
    run: str
    store: Store
    ledger: Ledger
    services: Services = field(default_factory=Services)
    tags: Mapping[str, str] = field(default_factory=dict)
    log: logging.Logger = field(default=logging.getLogger("taxiway.stages"))

    def folder(self, output: str, span: SpanKey | None) -> Path:
        """The absolute path of the folder of predictions.

        Args:
            output: The folder with its placeholders.
            span: The span; None for data without spans.

        Raises:
            ConfigError: It has placeholders of a span, but there is none; or it is not on a file system.
        """
        if span is None and any(placeholder in output for placeholder in ONE_FOLDER):
            raise ConfigError(
                f"the output is {output}, but the data has no spans; allowed: a folder without {{SPAN}} and {{VERSION}}"
            )
        folder = self.services.filled(output if span is None else fill_output(output, *span))
        if "://" in folder:
            raise ConfigError(f"the output is {folder}; allowed: a folder that the tasks and their readers mount, not a URL")
        return Path(folder).absolute()

    @property
    def index(self) -> SpanIndex:
        """The index of scored spans."""
        return SpanIndex(self.store, f"decided/{index_name(self.name)}")


@dataclass(frozen=True)
class Scored:
    """The predictions of a run.

    Attributes:
        batch: What they are of.
        folder: Their folder.
        span: The span, with its version; None for data without spans.
        url: The page of their MLflow run.
    """

    batch: Batch
    folder: Path
    span: str | None
    url: str

    def described(self) -> dict[str, str | int | None]:
        """The predictions as a task returns them."""
        return {
            "folder": str(self.folder),
            "model": self.batch.model,
            "version": self.batch.version,
            "span": self.span,
            "rows": self.batch.rows,
            "validation": self.batch.validation,
            "mlflow_run": self.batch.run,
        }
