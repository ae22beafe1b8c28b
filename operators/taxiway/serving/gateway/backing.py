"""Which version is the champion: the one that the newest signed promotion in the ledger names. Its functions make blocking requests.

Whoever can write to MLflow can move aliases and insert runs, but cannot sign promotions. A signed promotion backs the alias
`champion` if both name the same version. An alias without such backing is not followed, unless the installation allows that,
and neither is a ledger that lacks promotions which this gateway has already followed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from taxiway.errors import RequestError
from taxiway.ledger.chain import Ledger
from taxiway.ledger.entry import DECIDED, Entry, State, trusted
from taxiway.ledger.keys import LedgerKeys
from taxiway.ledger.promotions import entries
from taxiway.records import Promotion
from taxiway.serving.gateway.registry_lookup import RegisteredVersion, translate_errors, version_of

if TYPE_CHECKING:
    from mlflow import MlflowClient

_NO_KEYS = "the ledger is signed, but this gateway has no keys to verify it: set TAXIWAY_LEDGER_KEYS. It keeps serving its current version"
_NEWEST = 50
"""How many entries of a model are read, the newest ones."""


@dataclass(frozen=True)
class LedgerPosition:
    """The place of a promotion in the ledger.

    Attributes:
        number: Its number among the promotions of the model.
        at: Its time.
    """

    number: int
    at: datetime


@dataclass(frozen=True)
class WantedChampion:
    """The version that the gateway should serve.

    Attributes:
        version: The version; None if there is none.
        explanation: Why it is served: its promotion, or that only the alias names it; empty if there is no version.
        position: The place of its promotion in the ledger; None if no promotion backs it.
        problem: How alias and ledger differ, or why there is no champion; empty if nothing is wrong.
        keep_current: Whether the gateway keeps serving its current version, because `problem` says that the ledger cannot be
            followed.
        promotion_done: Whether the promotion is complete. If not, the ledger may change although the alias stays the same, so
            this result must not be used again.
    """

    version: RegisteredVersion | None = None
    explanation: str = ""
    position: LedgerPosition | None = None
    problem: str = ""
    keep_current: bool = False
    promotion_done: bool = True


@dataclass(frozen=True)
class BackingRules:
    """What the installation demands of a champion.

    Attributes:
        keys: The keys that promotions must be signed with; none if the installation does not sign.
        allow_unbacked_alias: Whether to serve a version that has the alias but no promotion in the ledger.
    """

    keys: LedgerKeys
    allow_unbacked_alias: bool = False


def wanted_champion(
    client: "MlflowClient", model: str, aliased: RegisteredVersion | None, rules: BackingRules, last: LedgerPosition | None
) -> WantedChampion:
    """Compare the alias `champion` with the ledger.

    Args:
        client: The MLflow client.
        model: The registered model.
        aliased: The version that has the alias; None if there is none.
        rules: What the installation demands.
        last: The place of the newest promotion that this gateway has followed; None if there was none.

    Raises:
        TransientError: The registry does not answer.
    """
    ledger = Ledger(client, rules.keys)
    with translate_errors(f"no model {model} is registered"):
        newest = entries(client, model, limit=_NEWEST)
    decided = [entry for entry in newest if entry.state in DECIDED]
    valid = trusted(ledger, newest)
    if not valid and len(newest) == _NEWEST:  # somebody may have inserted so many entries after the valid ones
        valid = trusted(ledger, entries(client, model))
    if not rules.keys and not rules.allow_unbacked_alias and any(_has_signature(entry) for entry in decided):
        return WantedChampion(keep_current=True, problem=_NO_KEYS)
    if not valid and last is not None:
        why = f"the ledger no longer has a signed promotion of {model}, but this gateway has already followed one made at {last.at:%Y-%m-%d %H:%M:%S} UTC"
        changed = [f"{why}; it keeps serving its current version until the next promotion", *map(_ignored, decided[:1])]
        return WantedChampion(keep_current=True, problem="; ".join(changed))
    if not valid:
        return _without_promotion(model, aliased, decided, rules)
    head = valid[0]
    has_signed_number = head.rank(ledger)[0] == 1
    if last is not None and head.promotion.at < last.at and not (has_signed_number and head.number > last.number):
        return WantedChampion(keep_current=True, problem=_ledger_went_back(_position(head), last))
    found = _by_newest_promotion(client, aliased, valid, rules)
    ignored = [entry for entry in decided if entry not in valid and entry.number >= head.number and entry.state is State.DONE]
    return replace(found, problem="; ".join(filter(None, (found.problem, *map(_ignored, ignored[:1])))))


def _position(entry: Entry) -> LedgerPosition:
    return LedgerPosition(entry.number, entry.promotion.at)


def _has_signature(entry: Entry) -> bool:
    return entry.signature is not None or (entry.link is not None and entry.link.signature is not None)


def _without_promotion(
    model: str, aliased: RegisteredVersion | None, decided: Sequence[Entry], rules: BackingRules
) -> WantedChampion:
    if aliased is None:
        return WantedChampion(problem="no version in the registry has the alias champion")
    if rules.allow_unbacked_alias:
        return WantedChampion(aliased, explanation=_only_alias(aliased.version))
    if decided:
        why = f"its promotion is not signed with a key of this gateway; if it was made before the keys were configured, run `taxiway ledger sign` ({_ignored(decided[0])})"
    else:
        why = "no promotion in the ledger backs it, so somebody moved the alias by hand or deleted the promotion"
    return WantedChampion(
        problem=f"version {aliased.version} has the alias champion and is not served: {why}. To make it the champion, promote it by a run of its "
        f"pipeline or by `taxiway force {model}/{aliased.version}`; to serve it without a promotion, set allow_unbacked_alias"
    )


def _by_newest_promotion(
    client: "MlflowClient", aliased: RegisteredVersion | None, valid: Sequence[Entry], rules: BackingRules
) -> WantedChampion:
    """The version of the newest valid promotion, compared with the version that has the alias."""
    head, promotion = valid[0], valid[0].promotion
    position, number = _position(head), aliased.version if aliased else None
    if aliased is not None and number == promotion.to_version:
        return WantedChampion(
            _with_ledger_facts(aliased, valid), _describe(promotion), position, promotion_done=head.state is State.DONE
        )
    if aliased is not None and rules.allow_unbacked_alias:
        return WantedChampion(aliased, explanation=_only_alias(aliased.version))
    alias_text = f"the alias champion points to version {number}" if number else "the alias champion is missing"
    if promotion.to_version is None:
        problem = f"{promotion.model} has no champion: {_describe(promotion)}"
        return WantedChampion(
            problem=f"{problem}; but {alias_text}, which is not served" if number else problem, position=position
        )
    # The promotion is decided, and its process is about to move the alias.
    alias_will_move = head.state is State.MOVING and number == promotion.from_version
    problem = (
        ""
        if alias_will_move
        else f"{alias_text}, but according to the ledger the champion is version {promotion.to_version} ({_describe(promotion)}), and the gateway serves that"
    )
    try:
        version = version_of(client.tracking_uri, promotion.model, promotion.to_version)
    except RequestError:
        return WantedChampion(
            keep_current=True,
            problem=f"{alias_text}; version {promotion.to_version}, the champion according to the ledger, has been deleted, and the gateway keeps serving its current version",
        )
    return WantedChampion(
        _with_ledger_facts(version, valid), _describe(promotion), position, problem, promotion_done=not alias_will_move
    )


def _with_ledger_facts(version: RegisteredVersion, valid: Sequence[Entry]) -> RegisteredVersion:
    """A version with its facts from the ledger: the digest of its files, and who forced it."""
    own = [entry.promotion for entry in valid if entry.promotion.to_version == version.version]
    files = next((promotion.files for promotion in own if promotion.files), None)
    forced = next((_describe(promotion) for promotion in own[:1] if promotion.forced), None)
    return replace(version, files=files, forced_by=forced)


def _describe(promotion: Promotion) -> str:
    return f"{promotion.at:%Y-%m-%d %H:%M:%S} UTC by {promotion.by}: {promotion.reason}"


def _only_alias(version: int) -> str:
    return f"version {version} is served only because it has the alias champion (allow_unbacked_alias): the newest promotion in the ledger names another version, or there is no promotion"


def _ledger_went_back(head: LedgerPosition, last: LedgerPosition) -> str:
    return (
        f"the newest promotion in the ledger is number {head.number}, made at {head.at:%Y-%m-%d %H:%M:%S} UTC, but this gateway has "
        f"followed number {last.number}, made at {last.at:%Y-%m-%d %H:%M:%S} UTC: entries were removed, or MLflow's database was restored. The "
        "gateway keeps serving its current version until the next promotion or rollback"
    )


def _ignored(entry: Entry) -> str:
    promotion = entry.promotion
    return (
        f"the promotion to version {promotion.to_version or 'none'} in MLflow run {entry.run_id}, by {promotion.by}, is not signed with a key of this "
        "gateway and was ignored"
    )
