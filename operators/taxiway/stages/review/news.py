"""What is news for the owner of a pipeline, each told once: re-opened verdicts, waivers that end soon, and replaced champions upstream."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from taxiway.ledger.decisions import decisions
from taxiway.ledger.entry import State
from taxiway.ledger.promotions import entries
from taxiway.lineage.waivers import ending_waivers
from taxiway.records.digests import digest_of_bytes
from taxiway.registry.champions import champions
from taxiway.stages.context import StageContext
from taxiway.stages.review.pipeline import PipelineReview
from taxiway.stages.review.versions import NEWEST_PROMOTIONS, ReviewedVersion, Standing, review_versions, versions_of
from taxiway.stages.upstream import replaced_champions

_NEWEST_DECISIONS = 1000
_STANDINGS = {Standing.PRODUCTION: "in production", Standing.FORCED: "forced", Standing.FORMER: "a former champion"}


@dataclass(frozen=True)
class News:
    """Something that the owner of a pipeline should know.

    Attributes:
        event: What happened: a verdict is re-opened, a waiver ends within a week, or the champion of a model whose predictions the
            pipeline reads was replaced.
        version: The version that it is about: of the pipeline, or for UPSTREAM the champion of the other model; None for a waiver, and if
            that model has no champion any more.
        messages: What is known, and what to do next.
    """

    event: Literal["REOPENED", "WAIVER", "UPSTREAM"]
    version: int | None
    messages: tuple[str, ...]


@contextmanager
def news(context: StageContext) -> Iterator[tuple[News, ...]]:
    """What has not been told yet about the champion, forced versions and former champions of a pipeline, its waivers, and its sources.

    It counts as told when the block ends without an error. Whether the present schema would accept the stored rows is not looked at,
    because that reads them again.

    Args:
        context: The pipeline.
    """
    found = {_key(one): one for one in (*_reopened(context), *_ending(context), *_replaced(context))}
    ref = f"told/{context.pipeline.name}"
    told = set(json.loads(context.store.get_ref(ref) or "[]"))
    yield tuple(one for key, one in found.items() if key not in told)
    if set(found) != told:
        # What no longer holds is forgotten, so that it is told again if it comes back.
        context.store.set_ref(ref, json.dumps(sorted(found)))


def _key(one: News) -> str:
    return digest_of_bytes(json.dumps([one.event, one.version, one.messages]).encode())


def _reopened(context: StageContext) -> Iterator[News]:
    name = context.pipeline.name
    promotions = [entry.promotion for entry in entries(context.registry, name, state=State.DONE, limit=NEWEST_PROMOTIONS)]
    versions = versions_of(champions(context.ledger, [name]).get(name), promotions)
    reviewed = PipelineReview.of(context, "FILE", context.pipeline.team)
    for version in review_versions(reviewed, versions, with_schema=False).reopened:
        yield News("REOPENED", version.version, (_title(version), *(reason.message for reason in version.reasons)))


def _title(version: ReviewedVersion) -> str:
    named = f"{version.model} version {version.version} ({_STANDINGS[version.standing]})"
    return f"the verdict on {named} is re-opened; next: taxiway review {version.model}/{version.version}"


def _ending(context: StageContext) -> Iterator[News]:
    name = context.pipeline.name
    made = decisions(context.ledger, model=name, limit=_NEWEST_DECISIONS)
    for waiver in ending_waivers(made, [name], context.clock().date()):
        where = f"{waiver.anomaly} in {waiver.column}" if waiver.column else waiver.anomaly
        message = f"the waiver of {where} by {waiver.by} ends on {waiver.until}: {waiver.reason}; report {waiver.about}"
        yield News("WAIVER", None, (message,))


def _replaced(context: StageContext) -> Iterator[News]:
    for promotion in replaced_champions(context):
        reads = f"{promotion.model}, whose predictions {context.pipeline.name} is trained on,"
        now = "no champion any more" if promotion.to_version is None else f"version {promotion.to_version} as champion"
        message = f"{reads} has {now}; before: {promotion.from_version or 'none'}"
        when = f"{promotion.at:%Y-%m-%d %H:%M:%S} UTC by {promotion.by}: {promotion.reason}"
        yield News("UPSTREAM", promotion.to_version, (message, when))
