"""Overview: the champions of many models, since when and by which promotion, in a number of requests that does not grow.

The history of one model is the ledger itself, `registry.ledger.entries`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from taxiway.records import Promotion
from taxiway.registry import ledger
from taxiway.registry.aliases import CHAMPION
from taxiway.registry.ledger import Entry, State

if TYPE_CHECKING:
    from mlflow import MlflowClient

# MLflow's own limit of a page; a champion whose promotion is older than this many others costs two requests more.
_PAGE = 1000


@dataclass(frozen=True)
class Champion:
    """The version that a model's alias `champion` points to, and the promotion that moved it there.

    `promotion` is None where the alias was set by something else than Taxiway.
    """

    model: str
    version: int
    promotion: Promotion | None


def champions(client: "MlflowClient", models: Collection[str]) -> dict[str, Champion]:
    """The champion of each of `models` that has one. Three requests to MLflow for up to 1,000 models and promotions."""
    versions = {model: version for model, version in _versions(client).items() if model in models}
    newest = _newest_entries(client) if versions else []
    found = {}
    for model, version in versions.items():
        promotion = _made(newest, model, version)
        if promotion is None and len(newest) == _PAGE:
            promotion = _made(ledger.entries(client, model), model, version)
        found[model] = Champion(model, version, promotion)
    return found


def _versions(client: "MlflowClient") -> dict[str, int]:
    found: dict[str, int] = {}
    token: str | None = None
    while True:
        page = client.search_registered_models(max_results=_PAGE, page_token=token)
        found |= {model.name: int(model.aliases[CHAMPION]) for model in page if CHAMPION in model.aliases}
        token = page.token
        if not token:
            return found


def _newest_entries(client: "MlflowClient") -> list[Entry]:
    known = client.get_experiment_by_name(ledger.EXPERIMENT)
    if known is None:
        return []
    done = f"tags.`{ledger._PREFIX}state` = '{State.DONE}'"
    runs = client.search_runs([known.experiment_id], done, order_by=["attributes.start_time DESC"], max_results=_PAGE)
    return [ledger._entry(run) for run in runs]


def _made(entries: Collection[Entry], model: str, version: int) -> Promotion | None:
    """The newest promotion of `model` that was carried out, if it was the one to `version`: the champion is due to it."""
    for entry in entries:
        if entry.promotion.model == model and entry.state is State.DONE:
            return entry.promotion if entry.promotion.to_version == version else None
    return None
