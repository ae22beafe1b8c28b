"""Which version is the champion: the one that the newest signed promotion in the ledger names. Its functions make blocking requests.

Whoever can write to MLflow can move aliases and insert runs, but cannot sign promotions. A signed promotion backs the alias
`champion` if both name the same version. An alias without such backing is not followed, unless the installation allows that. A
ledger that lacks a promotion which this gateway has already followed is not followed either.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from taxiway.errors import RequestError, TerminalError
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
        version: The version; None if there is none, or if `keep_current` is true.
        explanation: Why it is served: its promotion, or that only the alias names it; empty if there is no version.
        position: The place of its promotion in the ledger; None if no promotion backs it.
        problem: How alias and ledger differ, or why there is no champion; empty if nothing is wrong.
        keep_current: Whether the gateway keeps serving its current version, because `problem` says that the ledger cannot be
            followed.
        promotion_open: Whether `version` is that of a promotion that is not complete, so that the ledger may change although the
            alias stays the same.
    """

    version: RegisteredVersion | None = None
    explanation: str = ""
    position: LedgerPosition | None = None
    problem: str = ""
    keep_current: bool = False
    promotion_open: bool = False

    @property
    def may_be_cached(self) -> bool:
        """Whether this result may be used again for a while, as long as the alias stays the same."""
        return not self.problem and not self.promotion_open


@dataclass(frozen=True)
class BackingRules:
    """What the installation demands of a champion.

    Attributes:
        keys: The keys that promotions must be signed with; none if the installation does not sign.
        allow_unbacked_alias: Whether to serve the version that has the alias if the newest promotion in the ledger names another
            version, or if there is no promotion.
    """

    keys: LedgerKeys
    allow_unbacked_alias: bool = False


def wanted_champion(
    client: "MlflowClient",
    model: str,
    aliased: RegisteredVersion | None,
    rules: BackingRules,
    last_followed: LedgerPosition | None,
) -> WantedChampion:
    """Compare the alias `champion` with the ledger.

    Args:
        client: The MLflow client.
        model: The registered model.
        aliased: The version that has the alias; None if there is none.
        rules: What the installation demands.
        last_followed: The place of the newest promotion that this gateway has followed; None if there was none.

    Raises:
        TransientError: The registry does not answer.
    """
    ledger = Ledger(client, rules.keys)
    with translate_errors(f"no model {model} is registered"):
        try:
            newest = entries(client, model, limit=_NEWEST)
        except TerminalError as error:  # its experiment is deleted, which is no empty ledger
            return WantedChampion(keep_current=True, problem=f"{error}. The gateway keeps serving its current version")
    decided = [entry for entry in newest if entry.state in DECIDED]
    valid = trusted(ledger, newest)
    if not valid and len(newest) == _NEWEST:  # somebody may have inserted so many entries after the valid ones
        valid = trusted(ledger, entries(client, model))
    if not rules.keys and not rules.allow_unbacked_alias and any(_has_signature(entry) for entry in decided):
        return WantedChampion(keep_current=True, problem=_NO_KEYS)
    if not valid and last_followed is not None:
        why = f"the ledger no longer has a signed promotion of {model}, but this gateway has already followed one made at {_utc(last_followed.at)}"
        changed = [f"{why}; it keeps serving its current version until the next promotion", *map(_ignored, decided[:1])]
        return WantedChampion(keep_current=True, problem="; ".join(changed))
    if not valid:
        return _without_promotion(model, aliased, decided, rules)
    head = valid[0]
    has_signed_number = head.rank(ledger)[0] == 1
    if (
        last_followed is not None
        and head.promotion.at < last_followed.at
        and not (has_signed_number and head.number > last_followed.number)
    ):
        return WantedChampion(keep_current=True, problem=_ledger_went_back(_position(head), last_followed))
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
        why = f"no promotion of {model} is signed with a key that this gateway trusts; if they were made before the keys were configured, run `taxiway ledger sign` ({_ignored(decided[0])})"
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
            _with_ledger_facts(aliased, valid), _describe(promotion), position, promotion_open=head.state is not State.DONE
        )
    if aliased is not None and rules.allow_unbacked_alias:
        return WantedChampion(aliased, explanation=_only_alias(aliased.version))
    alias_text = f"the alias champion points to version {number}" if number else "the alias champion is missing"
    if promotion.to_version is None:
        problem = f"{promotion.model} has no champion: {promotion.by} removed it at {_utc(promotion.at)} ({promotion.reason})"
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
        _with_ledger_facts(version, valid), _describe(promotion), position, problem, promotion_open=head.state is not State.DONE
    )


def _with_ledger_facts(version: RegisteredVersion, valid: Sequence[Entry]) -> RegisteredVersion:
    """A version with its facts from the ledger: the digest of its files, and who forced it."""
    own = [entry.promotion for entry in valid if entry.promotion.to_version == version.version]
    files = next((promotion.files for promotion in own if promotion.files), None)
    # A rollback to a version that was forced does not mean that it has passed its gates since.
    by_verdict = next((promotion for promotion in own if promotion.verdict is not None), None)
    forced = _describe(by_verdict) if by_verdict is not None and by_verdict.forced else None
    return replace(version, files_digest=files, forced_promotion=forced)


def _describe(promotion: Promotion) -> str:
    return f"{_utc(promotion.at)} by {promotion.by}: {promotion.reason}"


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _only_alias(version: int) -> str:
    return f"version {version} is served only because it has the alias champion (allow_unbacked_alias): the newest promotion in the ledger names another version, or there is no promotion"


def _ledger_went_back(head: LedgerPosition, last_followed: LedgerPosition) -> str:
    return (
        f"the newest promotion in the ledger is number {head.number}, made at {_utc(head.at)}, but this gateway has "
        f"followed number {last_followed.number}, made at {_utc(last_followed.at)}: entries were removed, or MLflow's database was restored. The "
        "gateway keeps serving its current version until the next promotion or rollback"
    )


def _ignored(entry: Entry) -> str:
    promotion = entry.promotion
    what = "the removal of the champion" if promotion.to_version is None else f"the promotion to version {promotion.to_version}"
    return f"{what} in MLflow run {entry.run_id}, by {promotion.by}, is not signed with a key that this gateway trusts and was ignored"
