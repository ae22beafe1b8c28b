"""The models whose predictions a run reads, as tags of its MLflow run."""

import json
from collections.abc import Iterable, Iterator, Sequence

from taxiway.data.sources.join_inputs import JoinTable
from taxiway.data.sources.predictions import batches_beside
from taxiway.data.sources.reader import FoundSpan
from taxiway.records.batch import Batch
from taxiway.spec.source import FileSource, Source
from taxiway.tracking import tags

_NEWEST = 50


def upstream_tags(files: Iterable[str]) -> dict[str, str]:
    """Tags that name the batches of predictions that some files are of, by model; the newest 50 of each.

    Args:
        files: The paths or URLs of the files, oldest first.
    """
    by_model: dict[str, list[Batch]] = {}
    for batch in batches_beside(files):
        by_model.setdefault(batch.model, []).append(batch)
    return {
        f"{tags.PREDICTIONS_PREFIX}{model}": json.dumps([{"version": b.version, "run": b.run} for b in batches[-_NEWEST:]])
        for model, batches in by_model.items()
    }


def files_read(source: Source, spans: Sequence[FoundSpan], joined: Iterable[JoinTable]) -> Iterator[str]:
    """The paths or URLs of the files of some spans and of the tables that are joined to them; none for queries and functions."""
    if isinstance(source, FileSource):
        yield from (file for span in spans for file in span.files)
    for table in joined:
        yield from (file for span in spans if (found := table.of(span.name)) is not None for file in found.files)
