"""Models, promotions and decisions for the tests of the ledger, signed with one key."""

import uuid
from datetime import UTC, datetime
from typing import Any

from mlflow import MlflowClient

from taxiway.ledger.chain import Ledger
from taxiway.ledger.keys import LedgerKeys, new_key
from taxiway.ledger.verify import verify
from taxiway.records import Decision, DecisionKind, Promotion, ShadowReport, Status, Verdict
from taxiway.registry.promote import push
from taxiway.tracking import tags

KEYS = LedgerKeys((new_key(),))
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def registered(client: MlflowClient, versions: int = 3) -> str:
    name = f"team.m{uuid.uuid4().hex[:8]}"
    client.create_registered_model(name)
    for version in range(1, versions + 1):
        client.create_model_version(
            name, f"file:///nowhere/{version}", tags={tags.NEWEST_SPAN: f"2013-0{version}", tags.FILES: f"files{version}"}
        )
    return name


def verdict(model: str, version: int, champion: int | None, status: Status = Status.PASS) -> Verdict:
    return Verdict(
        model=model, version=version, champion=champion, snapshot="s", evaluation=f"e{version}", status=status, reasons=()
    )


def promote(ledger: Ledger, model: str, version: int, champion: int | None) -> Promotion:
    status = Status.PASS if champion else Status.NOT_APPLICABLE
    shadow = ShadowReport(model=model, version=version, champion=champion, status=status, reasons=())
    return push(ledger, verdict(model, version, champion), shadow, by="dag/run", at=datetime.now(UTC))


def decision(model: str, kind: DecisionKind = DecisionKind.APPROVAL, about: str = "v1", **changes: Any) -> Decision:
    made = {"by": "ann@host", "via": "command line", "at": NOW, "reason": "looked at it", "version": 1}
    return Decision.model_validate({"kind": kind, "model": model, "about": about, **made, **changes})


def wrong(ledger: Ledger) -> tuple[str, ...]:
    return verify(ledger).problems
