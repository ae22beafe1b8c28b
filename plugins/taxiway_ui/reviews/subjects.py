"""What the pages review: the versions of pipelines that they show, by the ledger as a page has read it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from taxiway.ledger.chain import Ledger
from taxiway.records import Promotion
from taxiway.registry.champions import ChampionInfo, ChampionsAndPromotions
from taxiway.stages.review import PipelineReview, versions_of
from taxiway.store import Store
from taxiway_ui import airflow_db
from taxiway_ui.airflow_db import DagFile
from taxiway_ui.clients import RememberingStore
from taxiway_ui.reviews.loaded import beside, context_of, load
from taxiway_ui.reviews.reviews import NOT_REVIEWED, REVIEWS, Reviewed, Subject

PATIENCE_SECONDS = 1.0
"""How long a page waits for reviews; those that take longer are shown the next time."""


def review_pipelines(
    session: Session, store: Store | None, ledger: Ledger | None, names: Sequence[str], models: ChampionsAndPromotions
) -> Reviewed:
    """The reviews of several pipelines.

    Args:
        session: The session.
        store: The store; None if it cannot be used.
        ledger: The ledger; None if MLflow does not answer.
        names: The pipelines.
        models: Their champions and promotions.
    """
    if store is None or ledger is None:
        return NOT_REVIEWED
    files, remembering = airflow_db.dag_files(session, names), RememberingStore(store.url)
    own: dict[str, list[Promotion]] = {}
    for promotion in models.promotions:
        own.setdefault(promotion.model, []).append(promotion)
    return REVIEWS.of(
        [
            subject_of(name, models.champions.get(name), own.get(name, ()), ledger, remembering, files.get(name))
            for name in names
        ],
        PATIENCE_SECONDS,
    )


def subject_of(
    name: str,
    champion: ChampionInfo | None,
    promotions: Sequence[Promotion],
    ledger: Ledger,
    store: RememberingStore,
    file: DagFile | None,
) -> Subject:
    """What is reviewed of a pipeline.

    Args:
        name: The name of the pipeline.
        champion: Its champion; None if it has none.
        promotions: Its promotions, newest first.
        ledger: The ledger of the installation.
        store: Its store.
        file: Where Airflow has read the DAG; None if that is not known.
    """

    def opened() -> PipelineReview:
        loaded = load(name, file)
        if isinstance(loaded, str):
            return PipelineReview(name, ledger, store, lambda: datetime.now(UTC), "FILE", name.partition(".")[0], loaded)
        return PipelineReview.of(context_of(loaded, ledger, store, "review"), loaded.shown, loaded.owner)

    return Subject(name, versions_of(champion, promotions), opened, beside(file.path) if file else None)


def runs_of(promotions: Iterable[Promotion]) -> Mapping[int, str]:
    """The runs that have promoted versions of one pipeline, by version; versions that people promoted are left out."""
    found: dict[int, str] = {}
    for promotion in promotions:
        dag, _, run = promotion.by.partition("/")
        if promotion.to_version is not None and promotion.verdict is not None and dag == promotion.model and run:
            found.setdefault(promotion.to_version, run)
    return found
