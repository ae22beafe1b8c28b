"""What a version was trained on that has changed since: spans that were corrected, and models whose predictions it reads."""

from collections.abc import Iterator
from datetime import UTC, date

from taxiway.ledger.chain import Ledger
from taxiway.ledger.entry import trusted
from taxiway.ledger.promotions import entries
from taxiway.lineage.outcomes import processed_spans
from taxiway.lineage.upstream import upstream_of
from taxiway.messages import names_text
from taxiway.records import Snapshot, span_label
from taxiway.records.served.causes import Cause, CauseKind
from taxiway.stages.batch.version import Version
from taxiway.store import Store


def changed_upstream(ledger: Ledger, store: Store, version: Version, snapshot: Snapshot, until: date) -> tuple[Cause, ...]:
    """The corrected spans and the replaced champions upstream of a version.

    Takes one request for the tags of its run, one for each model whose predictions it was trained on, and two of the store.

    Args:
        ledger: The ledger.
        store: The store.
        version: The version.
        snapshot: What it was trained and evaluated on.
        until: The last day of the window; champions that were promoted later are not its cause.
    """
    return (*_replaced(ledger, version, until), *_corrected(store, version.model, snapshot))


def _replaced(ledger: Ledger, version: Version, until: date) -> Iterator[Cause]:
    """The models whose predictions the version was trained on, and of which another version was champion in the window."""
    if version.training_run is None:
        return
    read: dict[str, list[int]] = {}
    for each in upstream_of(ledger.client.get_run(version.training_run).data.tags):
        read.setdefault(each.model, []).append(each.version)
    for model, versions in read.items():
        promotions = (entry.promotion for entry in trusted(ledger, entries(ledger.client, model)))
        newest = next((made for made in promotions if made.at.astimezone(UTC).date() <= until), None)
        if newest is None or newest.to_version in versions:
            continue
        now = f"version {newest.to_version}" if newest.to_version is not None else "no version"
        trained = names_text([str(each) for each in sorted(set(versions))])
        yield Cause(
            kind=CauseKind.UPSTREAM,
            name=model,
            message=f"{now} of {model} is champion since {newest.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, and version {version.version} was "
            f"trained on predictions of version {trained}",
        )


def _corrected(store: Store, pipeline: str, snapshot: Snapshot) -> Iterator[Cause]:
    """The spans of which a newer version has been decided."""
    newest: dict[str, int] = {}
    for name, number in processed_spans(store, pipeline):
        newest[name] = max(number, newest.get(name, number))
    for parts in snapshot.spans_by_name:
        span = parts[0]
        if newest.get(span.name, span.version) > span.version:
            yield Cause(
                kind=CauseKind.UPSTREAM,
                name=span.name,
                message=f"span {span.name} was corrected: {span_label(span.name, newest[span.name])} has a decision, and the model read "
                f"{span_label(span.name, span.version)}",
            )
