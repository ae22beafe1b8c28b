"""What is told about earlier verdicts and waivers, once each."""

from datetime import UTC, datetime, timedelta

import pytest
from stages.conftest import Site

from taxiway.ledger.decisions import record_decision
from taxiway.records import Decision, DecisionKind, Outcome
from taxiway.records.recorder import InMemoryRun
from taxiway.stages.context import StageContext
from taxiway.stages.installation import Installation
from taxiway.stages.review import News, news
from taxiway.stages.runner import run_in

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def unread(context: StageContext) -> tuple[News, ...]:
    with news(context) as found:
        return found


def test_a_corrected_span_and_a_waiver_that_ends_are_told_once(site: Site, installation: Installation) -> None:
    services = installation.services
    pipeline = site.pipeline()
    context = StageContext(
        pipeline, installation.store, InMemoryRun(), installation.client, "dag/run", services, clock=lambda: NOW
    )
    assert unread(context) == ()
    first = run_in(installation, pipeline)
    assert first.summary is not None
    assert first.summary.outcome is Outcome.FIRST_CHAMPION
    assert first.report is not None
    assert unread(context) == ()

    site.arrive(2, signal=1.5)
    assert run_in(installation, pipeline, span="2").summary is not None
    with pytest.raises(KeyboardInterrupt), news(context) as found:
        raise KeyboardInterrupt
    assert len(found) == 1, "who was interrupted tells it again"
    (told,) = unread(context)
    assert (told.event, told.version) == ("REOPENED", 1)
    assert "is re-opened; next: taxiway review" in told.messages[0]
    assert "span 2 was overwritten" in told.messages[1]
    assert unread(context) == ()

    waiver = Decision(
        kind=DecisionKind.WAIVER,
        model=pipeline.name,
        about=first.report.digest,
        by="ann@host",
        via="command line",
        at=NOW,
        reason="a storm",
        until=NOW.date() + timedelta(days=9),
        anomaly="range",
        column="a",
    )
    record_decision(context.ledger, waiver)
    assert unread(context) == (), "it ends later than in a week"
    later = StageContext(
        pipeline,
        installation.store,
        InMemoryRun(),
        installation.client,
        "dag/run",
        services,
        clock=lambda: NOW + timedelta(days=3),
    )
    (told,) = unread(later)
    assert (told.event, told.version) == ("WAIVER", None)
    assert told.messages[0].startswith("the waiver of range in a by ann@host ends on 2026-03-10: a storm")
    assert unread(later) == ()
