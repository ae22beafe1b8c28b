"""A waiver that ends between the validation of the data and the push: the version is not pushed."""

from datetime import UTC, datetime, timedelta

import pytest
from stages.conftest import Site
from stages.seen import Seen

from taxiway.errors import TerminalError
from taxiway.ledger.chain import Ledger
from taxiway.ledger.decisions import record_decision
from taxiway.lineage.outcomes import summaries
from taxiway.lineage.waivers import waiver
from taxiway.records import Outcome
from taxiway.stages.installation import Installation
from taxiway.stages.runner import run_in


class UntilPush(Seen):
    """A clock that is two days ahead from the push on."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead = timedelta()

    def began(self, stage: str) -> None:
        if stage == "push":
            self.ahead = timedelta(days=2)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def test_a_waiver_that_ends_before_the_push_pushes_nothing(site: Site, installation: Installation) -> None:
    pipeline, today = site.pipeline(), datetime.now(UTC).date()
    run_in(installation, pipeline)
    site.arrive(3, scale=1000)
    blocked = run_in(installation, pipeline).report
    assert blocked is not None
    made = waiver(blocked, pipeline.name, "range:a", until=today, by="ann", via="command line", reason="another unit")
    ledger = Ledger(installation.client, installation.services.ledger_keys)
    record_decision(ledger, made)
    seen = UntilPush()
    with pytest.raises(TerminalError, match=rf"{pipeline.name} version 2 is not pushed: .*{today}"):
        run_in(installation, pipeline, span="3", watcher=seen, clock=seen.now)
    assert seen.stages[-1] == "shadow"
    assert summaries(installation.store, pipeline.name)[-1].outcome is Outcome.BLOCKED, "the span is as it was decided before"
    valid = waiver(
        blocked, pipeline.name, "range:a", until=today + timedelta(days=9), by="bob", via="command line", reason="it is"
    )
    record_decision(ledger, valid)
    again = run_in(installation, pipeline, span="3")
    assert again.summary is not None
    assert again.summary.outcome is Outcome.PROMOTED
