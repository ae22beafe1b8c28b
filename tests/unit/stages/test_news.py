"""What is told about earlier verdicts and waivers, once each."""

from datetime import UTC, datetime, timedelta

from stages.conftest import Site

from taxiway.ledger.decisions import record_decision
from taxiway.ledger.keys import LedgerKeys, new_key
from taxiway.records import Decision, DecisionKind, Outcome
from taxiway.records.recorder import InMemoryRun
from taxiway.stages.context import Services, StageContext
from taxiway.stages.installation import Installation
from taxiway.stages.review import news
from taxiway.stages.runner import run_in

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_a_corrected_span_and_a_waiver_that_ends_are_told_once(site: Site, installation: Installation) -> None:
    services = Services(data=str(site.data), ledger_keys=LedgerKeys.parse(new_key()))
    mine = Installation(installation.store, installation.client, services)
    pipeline = site.pipeline()
    context = StageContext(
        pipeline, installation.store, InMemoryRun(), installation.client, "dag/run", services, clock=lambda: NOW
    )
    assert news(context) == ()
    first = run_in(mine, pipeline)
    assert first.summary is not None
    assert first.summary.outcome is Outcome.FIRST_CHAMPION
    assert first.report is not None
    assert news(context) == ()

    site.arrive(2, signal=1.5)
    assert run_in(mine, pipeline, span="2").summary is not None
    (told,) = news(context)
    assert (told.event, told.version) == ("REOPENED", 1)
    assert "is re-opened; next: taxiway review" in told.messages[0]
    assert "span 2 was overwritten" in told.messages[1]
    assert news(context) == ()

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
    assert news(context) == (), "it ends later than in a week"
    later = StageContext(
        pipeline,
        installation.store,
        InMemoryRun(),
        installation.client,
        "dag/run",
        services,
        clock=lambda: NOW + timedelta(days=3),
    )
    (told,) = news(later)
    assert (told.event, told.version) == ("WAIVER", None)
    assert told.messages[0].startswith("the waiver of range in a by ann@host ends on 2026-03-10: a storm")
    assert news(later) == ()
