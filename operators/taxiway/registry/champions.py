"""The champions of models, each with its promotion, read in a few requests. `registry.promote` changes champions."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from taxiway.ledger import promotions
from taxiway.ledger.entry import Entry, State
from taxiway.records import Promotion
from taxiway.registry.aliases import CHAMPION, version_at
from taxiway.tracking.paging import all_pages

if TYPE_CHECKING:
    from mlflow import MlflowClient

# MLflow's own limit of a page. A champion whose promotion is not among the newest 1,000 costs two more requests.
_PAGE = 1000
HISTORY = 200
"""How many ledger entries of a model are shown."""


@dataclass(frozen=True)
class ChampionInfo:
    """The version that a model's alias `champion` points to.

    Attributes:
        model: The registered model.
        version: The champion.
        promotion: The promotion that made it champion; None if the alias was not set by Taxiway.
        verdict: The digest of the Verdict on this version: that of `promotion`, or after a rollback that of its first promotion;
            None if there is none.
    """

    model: str
    version: int
    promotion: Promotion | None
    verdict: str | None


def champions(client: "MlflowClient", models: Collection[str] | None = None) -> dict[str, ChampionInfo]:
    """The champions of those `models` (None: of all) that have one. Takes three requests for up to 1,000 models and promotions."""
    return champions_and_retired(client, models)[0]


def champions_and_retired(
    client: "MlflowClient", models: Collection[str] | None = None
) -> tuple[dict[str, ChampionInfo], dict[str, Promotion]]:
    """The champions of those `models` (None: of all) that have one, and the ends of the champions of those that were retired.

    Takes three requests for up to 1,000 models and promotions. A model that was retired before the newest 1,000 promotions is left out.
    """
    found = champions_and_promotions(client, models)
    return found.champions, found.retired


@dataclass(frozen=True)
class ChampionsAndPromotions:
    """What the registry and the ledger say of several models.

    Attributes:
        champions: The champion of each model that has one.
        retired: The end of the last champion of each model that was retired.
        promotions: The newest promotions of these models, newest first.
    """

    champions: dict[str, ChampionInfo]
    retired: dict[str, Promotion]
    promotions: tuple[Promotion, ...]


def champions_and_promotions(client: "MlflowClient", models: Collection[str] | None = None) -> ChampionsAndPromotions:
    """The champions of those `models` (None: of all), with the newest 1,000 promotions; see `champions_and_retired`."""
    versions = {model: version for model, version in champion_versions(client).items() if models is None or model in models}
    newest = promotions.entries(client, state=State.DONE, limit=_PAGE)
    found = {}
    for model, version in versions.items():
        champion = _champion(newest, model, version)
        if champion.verdict is None and len(newest) == _PAGE:
            champion = _champion(promotions.entries(client, model, state=State.DONE), model, version)
        found[model] = champion
    last: dict[str, Promotion] = {}
    for entry in newest:
        last.setdefault(entry.promotion.model, entry.promotion)
    others = {model: done for model, done in last.items() if model not in versions and (models is None or model in models)}
    return ChampionsAndPromotions(
        found,
        {model: done for model, done in others.items() if done.to_version is None},
        tuple(entry.promotion for entry in newest if models is None or entry.promotion.model in models),
    )


def retirement(entries: Collection[Entry]) -> Promotion | None:
    """The end of a model's last champion; None if the model was not retired, or has a champion again.

    Args:
        entries: The newest entries of the model's ledger, newest first.
    """
    last = next((entry.promotion for entry in entries if entry.state is State.DONE), None)
    return last if last is not None and last.to_version is None else None


def champion_and_history(client: "MlflowClient", model: str) -> tuple[ChampionInfo | None, tuple[Entry, ...]]:
    """The champion of a model, None if it has none, and the newest entries of its ledger, newest first. Takes three requests."""
    version, found = version_at(client, model, CHAMPION), tuple(promotions.entries(client, model, limit=HISTORY))
    if version is None:
        return None, found
    champion = _champion(found, model, version)
    if champion.verdict is None and len(found) == HISTORY:
        champion = _champion(promotions.entries(client, model, state=State.DONE), model, version)
    return champion, found


def champion_versions(client: "MlflowClient") -> dict[str, int]:
    """The version that each model's alias `champion` points to; takes one request for 1,000 models."""
    pages = all_pages(lambda token: client.search_registered_models(max_results=_PAGE, page_token=token))
    return {model.name: int(model.aliases[CHAMPION]) for model in pages if CHAMPION in model.aliases}


def _champion(entries: Collection[Entry], model: str, version: int) -> ChampionInfo:
    """The champion with its promotion: the newest one, if that is to `version`. `entries` are in order, newest first."""
    done = [entry.promotion for entry in entries if entry.promotion.model == model and entry.state is State.DONE]
    last = done[0] if done and done[0].to_version == version else None
    verdict = next((promotion.verdict for promotion in done if promotion.to_version == version and promotion.verdict), None)
    return ChampionInfo(model, version, last, verdict)
