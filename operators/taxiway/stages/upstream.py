"""The models whose predictions a run reads, as tags of its MLflow run, and what is news about their champions."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from taxiway.data.sources.join_inputs import JoinTable
from taxiway.data.sources.predictions import batches_beside
from taxiway.data.sources.reader import FoundSpan
from taxiway.ledger.entry import head
from taxiway.ledger.promotions import entries
from taxiway.records import Promotion
from taxiway.records.batch import Batch
from taxiway.registry.downstream import note_downstream
from taxiway.spec.source import FileSource, Source
from taxiway.stages.context import StageContext
from taxiway.tracking import tags

_NEWEST = 50
_NEWEST_PROMOTIONS = 20


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


def note_upstream(context: StageContext, upstream: Mapping[str, str]) -> None:
    """Note whose predictions a pipeline reads: for its owner, who is told when a champion of these is replaced, and at these models.

    Args:
        context: The run.
        upstream: The tags of the run, from `upstream_tags`.
    """
    before = _read_since(context)
    now = context.clock().isoformat()
    models = [name.removeprefix(tags.PREDICTIONS_PREFIX) for name in upstream]
    since = {model: before.get(model, now) for model in models}
    if since != before:
        context.store.set_ref(_ref(context), json.dumps(since))
    for model in models:
        note_downstream(context.registry, model, context.pipeline.name, context.clock())


def replaced_champions(context: StageContext) -> Iterator[Promotion]:
    """For each model whose predictions the newest run of a pipeline has read: how its champion was last replaced since the first such run.

    Takes one request for each of these models.
    """
    for model, since in _read_since(context).items():
        newest = head(context.ledger, entries(context.registry, model, limit=_NEWEST_PROMOTIONS))
        if newest is not None and newest.promotion.at > datetime.fromisoformat(since):
            yield newest.promotion


def _read_since(context: StageContext) -> dict[str, str]:
    """The models whose predictions the newest run of a pipeline has read, each with the time of the first of such runs without a gap."""
    since: dict[str, str] = json.loads(context.store.get_ref(_ref(context)) or "{}")
    return since


def _ref(context: StageContext) -> str:
    return f"upstream/{context.pipeline.name}"
