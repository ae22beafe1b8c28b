"""The champions of models by the ledger, each with its promotion, read in a few requests. `registry.promote` changes champions.

Whoever can write to MLflow can move an alias, so an alias that is elsewhere than the ledger says is named, and not believed.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from taxiway.ledger import promotions
from taxiway.ledger.chain import Ledger
from taxiway.ledger.entry import Entry, State, trusted, untrusted
from taxiway.records import Promotion
from taxiway.registry.aliases import CHAMPION, version_at
from taxiway.registry.version_tags import is_deleted
from taxiway.tracking.paging import all_pages

if TYPE_CHECKING:
    from mlflow import MlflowClient

# MLflow's own limit of a page. A model with the alias whose promotion is not among the newest 1,000 entries costs two more requests.
_PAGE = 1000
HISTORY = 200
"""How many ledger entries of a model are shown."""
_OPEN = (State.INTENT, State.MOVING)


@dataclass(frozen=True)
class ChampionInfo:
    """The champion of a model.

    Attributes:
        model: The registered model.
        version: The champion.
        promotion: The promotion that made it champion; None if nothing is signed, and the alias was not set by Taxiway.
        verdict: The digest of the Verdict on this version: that of `promotion`, or after a rollback that of its first promotion;
            None if there is none.
    """

    model: str
    version: int
    promotion: Promotion | None
    verdict: str | None


@dataclass(frozen=True)
class ChampionsAndPromotions:
    """Champions and promotions of several models, according to the ledger.

    Attributes:
        champions: The champion of each model that has one.
        retired: The end of the last champion of each model that was retired.
        promotions: The newest completed promotions of these models, newest first.
        moved: For each model whose alias is elsewhere than the ledger says: a message about both.
    """

    champions: dict[str, ChampionInfo]
    retired: dict[str, Promotion]
    promotions: tuple[Promotion, ...]
    moved: dict[str, str]


@dataclass(frozen=True)
class ModelHistory:
    """The champion and the promotions of one model, according to the ledger.

    Attributes:
        champion: The champion; None if there is none.
        retired: The end of the last champion; None if the model was not retired.
        entries: The newest entries, newest first.
        moved: A message if the alias is elsewhere than the ledger says; empty if it is not.
    """

    champion: ChampionInfo | None = None
    retired: Promotion | None = None
    entries: tuple[Entry, ...] = ()
    moved: str = ""


def champions(ledger: Ledger, models: Collection[str] | None = None) -> dict[str, ChampionInfo]:
    """The champions of those `models` (None: of all) that have one. Takes three requests for up to 1,000 models and promotions."""
    return champions_and_promotions(ledger, models).champions


def champions_and_promotions(ledger: Ledger, models: Collection[str] | None = None) -> ChampionsAndPromotions:
    """The champions of those `models` (None: of all), with the newest 1,000 promotions.

    Takes three requests for up to 1,000 models and promotions, and one more for each alias that is elsewhere. A model that was retired
    before the newest 1,000 promotions is left out.
    """
    newest = promotions.entries(ledger.client, limit=_PAGE)
    aliases = champion_versions(ledger.client)
    known: dict[str, list[Entry]] = {}
    for entry in newest:
        known.setdefault(entry.promotion.model, []).append(entry)
    found = {
        model: _history(ledger, model, known.get(model, ()), aliases.get(model), is_whole=len(newest) < _PAGE)
        for model in sorted(aliases.keys() | known.keys())
        if models is None or model in models
    }
    return ChampionsAndPromotions(
        {model: seen.champion for model, seen in found.items() if seen.champion is not None},
        {model: seen.retired for model, seen in found.items() if seen.retired is not None},
        tuple(entry.promotion for entry in newest if _is_done(ledger, entry) and entry.promotion.model in found),
        {model: seen.moved for model, seen in found.items() if seen.moved},
    )


def model_history(ledger: Ledger, model: str, known: Sequence[Entry] | None = None) -> ModelHistory:
    """The champion and the promotions of a model, with its newest entries, according to the ledger. Takes three requests.

    Args:
        ledger: The ledger.
        model: The registered model.
        known: All entries of the model, newest first, if they are read already: then it takes one request.
    """
    newest = promotions.entries(ledger.client, model, limit=HISTORY) if known is None else known
    alias = version_at(ledger.client, model, CHAMPION)
    return _history(ledger, model, newest, alias, is_whole=known is not None or len(newest) < HISTORY)


def champion_versions(client: "MlflowClient") -> dict[str, int]:
    """The version that each model's alias `champion` points to; takes one request for 1,000 models."""
    pages = all_pages(lambda token: client.search_registered_models(max_results=_PAGE, page_token=token))
    return {model.name: int(model.aliases[CHAMPION]) for model in pages if CHAMPION in model.aliases}


def _history(ledger: Ledger, model: str, newest: Sequence[Entry], alias: int | None, *, is_whole: bool) -> ModelHistory:
    """What entries of a model say; if they are not all of them, and the champion has no verdict in them, the others are read."""
    done = [entry.promotion for entry in trusted(ledger, newest)]
    champion = _champion(ledger, model, done, alias)
    if not is_whole and alias is not None and (champion is None or champion.verdict is None):
        done = [entry.promotion for entry in trusted(ledger, promotions.entries(ledger.client, model))]
        champion = _champion(ledger, model, done, alias)
    retired = done[0] if done and done[0].to_version is None else None
    moved = "" if _is_in_progress(ledger, newest) else _moved(ledger, model, champion, alias, newest)
    return ModelHistory(champion, retired, tuple(newest), moved)


def _champion(ledger: Ledger, model: str, done: Sequence[Promotion], alias: int | None) -> ChampionInfo | None:
    """The champion by decided promotions, newest first; as `champion_now` finds it."""
    if done:
        version, made = done[0].to_version, done[0]
    else:
        version, made = None if ledger.keys else alias, None
    if version is None:
        return None
    verdict = next((promotion.verdict for promotion in done if promotion.to_version == version and promotion.verdict), None)
    return ChampionInfo(model, version, made, verdict)


def _is_done(ledger: Ledger, entry: Entry) -> bool:
    return entry.state is State.DONE and entry.counts(ledger)


def _moved(ledger: Ledger, model: str, champion: ChampionInfo | None, alias: int | None, known: Sequence[Entry]) -> str:
    """A message if the alias is elsewhere than the ledger says, also if its version was deleted, and how to mend it; else empty."""
    by_ledger = champion.version if champion is not None else None
    if alias == by_ledger:
        return ""
    if any(entry.promotion.to_version == alias for entry in untrusted(ledger, known)):
        return (
            f"the promotion to version {alias} is not signed with a key of this installation, so it has no effect; see taxiway ledger verify, "
            "and for promotions that are older than the keys: taxiway ledger sign"
        )
    if champion is not None and is_deleted(ledger.client, model, champion.version):
        return (
            f"version {champion.version}, the champion according to the ledger, was deleted in MLflow, so it cannot be loaded any more. To "
            f"replace it by the champion before: taxiway rollback {model} --reason WHY; to end it: taxiway retire {model} --reason WHY"
        )
    where = f"points to version {alias}" if alias is not None else "was removed"
    named = f"version {by_ledger}" if by_ledger is not None else "none"
    return (
        f"the alias {CHAMPION} was moved outside of Taxiway: it {where}, and the champion of the ledger is {named}. To restore the alias: "
        f"taxiway ledger restore-alias {model}"
    )


def _is_in_progress(ledger: Ledger, known: Iterable[Entry]) -> bool:
    """Whether the alias may be elsewhere because a promotion is at work."""
    now = datetime.now(UTC)
    return any(entry.state in _OPEN and entry.is_signed(ledger) and not promotions.is_stale(entry, now) for entry in known)
