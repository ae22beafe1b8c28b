"""Labels that a person sends on the page of a run, imported as `taxiway label import` does."""

from dataclasses import dataclass
from datetime import UTC, datetime

from taxiway.credentials import without_credentials
from taxiway.data.ingest.labels.imported import imported_labels
from taxiway.errors import ConfigError, DataError, TerminalError
from taxiway.lineage.outcomes import processed_spans
from taxiway.lineage.run_records import RunRecords
from taxiway.messages import counted
from taxiway.records import span_order
from taxiway.spec.source import FunctionSource
from taxiway.stages.labels import Imported, import_labels
from taxiway.store import Store, temp_folder
from taxiway_ui.people.decisions import VIA, Person
from taxiway_ui.people.upload import InvalidFormError, Upload
from taxiway_ui.reviews.loaded import LoadedPipeline, context_of

MAX_LABELS = 100_000
"""How many labels a file may have, because the API server holds them in memory."""
_MAX_CONFLICTS = 50


@dataclass(frozen=True)
class LabelsPage:
    """What became of labels that a person has sent.

    Attributes:
        dag: The pipeline.
        run: The run on whose page they were sent.
        file: The name of the file.
        imported: What was imported.
        conflicts: The rows that were labelled differently, as `KEY in span SPAN`, the first ones.
        again: A span that has a decision, and needs another one; None if the next run decides.
    """

    dag: str
    run: str
    file: str
    imported: Imported
    conflicts: tuple[str, ...]
    again: str | None

    @property
    def count(self) -> str:
        """`12 labels`."""
        return counted(sum(self.imported.spans.values()), "label")


def takes_labels(loaded: LoadedPipeline | str, records: RunRecords) -> bool:
    """Whether labels can be imported on the page of a run: there is a verdict, rows without a label are left out, and the API server,
    which runs no code of a team, can read the rows.
    """
    if isinstance(loaded, str) or records.verdict is None or records.snapshot is None:
        return False
    source = loaded.pipeline.source
    return source.unlabelled != "fail" and not isinstance(source, FunctionSource)


def import_upload(
    person: Person, store: Store, loaded: LoadedPipeline | str, records: RunRecords, upload: Upload, run: str
) -> LabelsPage:
    """Import the labels of a file in the name of the person; a file that is sent again is imported once.

    Args:
        person: The person, who has given the labels.
        store: The store.
        loaded: The pipeline; or why its file cannot be read.
        records: The records of the run.
        upload: The file.
        run: The run.

    Raises:
        InvalidFormError: The file cannot be used; nothing is imported.
        TerminalError: The pipeline takes no labels, or the store cannot be written.
    """
    if isinstance(loaded, str):
        raise ConfigError(loaded)
    if isinstance(loaded.pipeline.source, FunctionSource):
        raise ConfigError(
            f"the rows of {person.pipeline} come from a Python function, which Airflow's API server does not run; use taxiway label import"
        )
    verdict, snapshot = records.verdict, records.snapshot
    if verdict is None or snapshot is None or verdict.model != person.pipeline:
        raise TerminalError(f"run {run} of {person.pipeline} has no verdict, so labels cannot be imported on its page")
    context = context_of(loaded, person.ledger, store, "label")
    with temp_folder("upload") as folder:
        file = folder / f"labels{upload.suffix}"
        file.write_bytes(upload.content)
        try:
            done = import_labels(
                context,
                verdict,
                snapshot,
                file,
                labeller=person.name,
                by=person.name,
                via=VIA,
                at=datetime.now(UTC),
                most_labels=MAX_LABELS,
            )
        except (DataError, ConfigError) as error:
            if str(file) in str(error):  # it is about the file that was sent
                raise InvalidFormError(without_credentials(str(error).replace(str(file), upload.name)), key="file") from error
            raise
        except OSError as error:
            raise ConfigError(
                f"Airflow's API server cannot write to the store {store.url}, or read the data: {error}"
            ) from error
    decided = {name for name, _ in processed_spans(store, person.pipeline)}
    again = next((span for span in sorted(done.spans, key=span_order) if span in decided), None)
    return LabelsPage(person.pipeline, run, upload.name, done, _conflicts(store, person.pipeline, done), again)


def _conflicts(store: Store, pipeline: str, done: Imported) -> tuple[str, ...]:
    if not done.conflicting:
        return ()
    found = [
        f"{', '.join(key)} in span {span}"
        for span in done.spans
        if (labels := imported_labels(store, pipeline, span)) is not None
        for key in labels.conflicting
    ]
    return tuple(found[:_MAX_CONFLICTS])
