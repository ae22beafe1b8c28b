"""Overview: who is champion, since when and by which promotion, in few requests: of many models at once, or of one with its history.

It only reads; what moves a champion is `registry.promote`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from taxiway.records import Promotion
from taxiway.registry import ledger
from taxiway.registry.aliases import CHAMPION, version_at
from taxiway.registry.ledger import Entry, State

if TYPE_CHECKING:
    from mlflow import MlflowClient

# MLflow's own limit of a page; a champion whose promotion is older than this many others costs two requests more.
_PAGE = 1000


@dataclass(frozen=True)
class Champion:
    """The version that a model's alias `champion` points to, and the promotion that moved it there.

    `promotion` is None where the alias was set by something else than Taxiway. `verdict` is the digest of the Verdict that let
    this version through: that of `promotion`, or where that was a rollback, of the one that first made it champion.
    """

    model: str
    version: int
    promotion: Promotion | None
    verdict: str


def champions(client: "MlflowClient", models: Collection[str]) -> dict[str, Champion]:
    """The champion of each of `models` that has one. Three requests to MLflow for up to 1,000 models and promotions."""
    versions = {model: version for model, version in _versions(client).items() if model in models}
    newest = _newest_entries(client) if versions else []
    found = {}
    for model, version in versions.items():
        champion = _champion(newest, model, version)
        if not champion.verdict and len(newest) == _PAGE:
            champion = _champion(ledger.entries(client, model), model, version)
        found[model] = champion
    return found


def champion_and_history(client: "MlflowClient", model: str) -> tuple[Champion | None, tuple[Entry, ...]]:
    """The champion of `model`, None if it has none, and its whole ledger, newest first. Three requests for up to 1,000 entries."""
    version, found = version_at(client, model, CHAMPION), tuple(ledger.entries(client, model))
    return (_champion(found, model, version) if version else None), found


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
    done = f"tags.`{ledger.TAG_PREFIX}state` = '{State.DONE}'"
    runs = client.search_runs([known.experiment_id], done, order_by=["attributes.start_time DESC"], max_results=_PAGE)
    return [ledger.read_entry(run) for run in runs]


def _champion(entries: Collection[Entry], model: str, version: int) -> Champion:
    """The champion by the ledger, newest entry first: it is due to the last promotion, if that was one to `version`."""
    done = [entry.promotion for entry in entries if entry.promotion.model == model and entry.state is State.DONE]
    last = done[0] if done and done[0].to_version == version else None
    verdict = next((promotion.verdict for promotion in done if promotion.to_version == version and promotion.verdict), "")
    return Champion(model, version, last, verdict)
