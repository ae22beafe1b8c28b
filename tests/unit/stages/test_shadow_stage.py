"""The shadow stage: an outage of the gateway's registry is an error that is retried, not a verdict."""

from datetime import UTC, datetime
from typing import Literal

import pytest

from taxiway.errors import TransientError
from taxiway.serving.api import ChallengerStatus, ModelStatus
from taxiway.stages.shadow.evidence import require_loaded

OWNER = "dag/run@1"


def status(version: int, owner: str, state: Literal["loading", "serving"]) -> ModelStatus:
    held = ChallengerStatus(version=version, owner=owner, state=state, expires_at=datetime(2026, 1, 1, tzinfo=UTC))
    return ModelStatus(model="flights.late", champion=1, since=None, problem="MLflow does not answer", challenger=held)


def test_a_challenger_that_could_not_be_loaded_is_no_verdict() -> None:
    with pytest.raises(TransientError, match=r"flights\.late version 2 cannot be compared.*MLflow does not answer"):
        require_loaded(status(2, OWNER, "loading"), 2, OWNER)


@pytest.mark.parametrize(
    "other", [status(2, OWNER, "serving"), status(2, "dag/other@1", "loading"), status(3, OWNER, "loading")]
)
def test_few_pairs_of_a_loaded_challenger_are_decided(other: ModelStatus) -> None:
    require_loaded(other, 2, OWNER)
    require_loaded(other.model_copy(update={"challenger": None}), 2, OWNER)
