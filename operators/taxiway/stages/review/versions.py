"""The versions whose verdicts are reviewed: champions, versions that a person forced, and former champions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from taxiway.ledger.chain import Ledger
from taxiway.records import DataReport, Promotion, Snapshot, Status, Verdict
from taxiway.stages.review.pipeline import PipelineReview
from taxiway.stages.review.reopened import Reopening, newest_read, reopenings
from taxiway.store import LOST

if TYPE_CHECKING:
    from taxiway.registry.champions import ChampionInfo

NEWEST_PROMOTIONS = 1000
"""How many promotions of all models are looked through for former champions."""
MAX_FORMER = 20
"""How many former champions of a model are reviewed, the newest ones."""


class Standing(IntEnum):
    """What a version is today, the most urgent first."""

    PRODUCTION = 0
    FORCED = 1
    FORMER = 2


@dataclass(frozen=True)
class ReviewedVersion:
    """A version whose verdict was reviewed.

    Attributes:
        model: The registered model.
        version: The version.
        standing: What it is today.
        owner: Who owns the pipeline.
        status: What the model gate decided then.
        reasons: Why the verdict is re-opened; empty if it is not.
    """

    model: str
    version: int
    standing: Standing
    owner: str
    status: Status
    reasons: tuple[Reopening, ...] = ()


@dataclass(frozen=True)
class Review:
    """A review of the verdicts of several models.

    Attributes:
        versions: The versions, the most urgent first.
        notes: What could not be reviewed, and why.
    """

    versions: tuple[ReviewedVersion, ...]
    notes: tuple[str, ...] = ()

    @property
    def reopened(self) -> tuple[ReviewedVersion, ...]:
        """The versions whose verdicts are re-opened."""
        return tuple(version for version in self.versions if version.reasons)


def review(pipelines: Sequence[PipelineReview], ledger: Ledger) -> Review:
    """Review the verdicts on the champions of some pipelines, on versions that were forced, and on former champions.

    For each version it reads a few records; each pipeline costs one listing of its source. Only the data of champions is validated
    again, and only if the schema has changed since, or there is a suite.

    Args:
        pipelines: The pipelines.
        ledger: The ledger with the promotions of the models.
    """
    from taxiway.ledger.entry import State
    from taxiway.ledger.promotions import entries
    from taxiway.registry.champions import champions

    names = {reviewed.name for reviewed in pipelines}
    one = next(iter(names)) if len(names) == 1 else None
    known = champions(ledger, names)
    promotions = [entry.promotion for entry in entries(ledger.client, one, state=State.DONE, limit=NEWEST_PROMOTIONS)]
    versions: list[ReviewedVersion] = []
    notes: list[str] = []
    for reviewed in pipelines:
        own = [promotion for promotion in promotions if promotion.model == reviewed.name]
        found = review_versions(reviewed, versions_of(known.get(reviewed.name), own), with_schema=True)
        versions += found.versions
        notes += found.notes
    return Review(most_urgent(versions), tuple(dict.fromkeys(notes)))


def review_versions(
    reviewed: PipelineReview, versions: Mapping[int, tuple[Standing, str | None]], *, with_schema: bool
) -> Review:
    """Review the verdicts on some versions of one pipeline.

    Args:
        reviewed: The pipeline.
        versions: The versions; see `versions_of`.
        with_schema: Whether the data of the champion is validated under the present schema, which is the only expensive check.
    """
    judged: dict[int, _Judged] = {}
    notes: list[str] = []
    for version, (_, digest) in versions.items():
        one = _judged(reviewed, version, digest)
        if isinstance(one, str):
            notes.append(one)
        else:
            judged[version] = one
    read = newest_read({version: one.snapshot for version, one in judged.items()})
    found: list[ReviewedVersion] = []
    for version, (verdict, snapshot, report) in judged.items():
        standing, _ = versions[version]
        of_champion = with_schema and standing is Standing.PRODUCTION
        reasons, told = reopenings(reviewed, verdict, snapshot, report, with_schema=of_champion, newest_read=read)
        found.append(ReviewedVersion(reviewed.name, version, standing, reviewed.owner, verdict.status, reasons))
        notes += told
    return Review(most_urgent(found), tuple(dict.fromkeys(notes)))


def most_urgent(versions: Iterable[ReviewedVersion]) -> tuple[ReviewedVersion, ...]:
    """The versions in production first, then those that were forced, then former champions."""
    return tuple(sorted(versions, key=lambda found: (found.standing, found.model, -found.version)))


def versions_of(champion: "ChampionInfo | None", promotions: Sequence[Promotion]) -> dict[int, tuple[Standing, str | None]]:
    """The versions of a model whose verdicts are reviewed, each with what it is today and the digest of its verdict.

    Args:
        champion: The champion; None if there is none.
        promotions: The promotions of the model, newest first.
    """
    found = {champion.version: (Standing.PRODUCTION, champion.verdict)} if champion else {}
    forced = {promotion.to_version for promotion in promotions if promotion.forced}
    former = 0
    for promotion in promotions:
        version = promotion.to_version
        if version is None or promotion.verdict is None or version in found:
            continue
        if version in forced:
            found[version] = (Standing.FORCED, promotion.verdict)
        elif former < MAX_FORMER:
            found[version], former = (Standing.FORMER, promotion.verdict), former + 1
    return found


class _Judged(NamedTuple):
    """What a version was judged by."""

    verdict: Verdict
    snapshot: Snapshot
    report: DataReport | None


def _judged(reviewed: PipelineReview, version: int, digest: str | None) -> _Judged | str:
    """The records of a version; why it is not reviewed if they cannot be read."""
    store, unknown = reviewed.store, f"{reviewed.name} version {version} is not reviewed"
    if digest is None:
        return f"{unknown}: the ledger has no verdict on it"
    try:
        verdict = store.get(Verdict, digest)
        snapshot = store.get(Snapshot, verdict.snapshot)
        report = store.get(DataReport, verdict.report) if verdict.report else None
    except LOST as error:
        return f"{unknown}: {error}"
    return _Judged(verdict, snapshot, report)
