"""The promotion ledger: one MLflow run for each promotion, in its own experiment, written once and decided once.

An entry is written as INTENT before it is decided. Its decision is an MLflow parameter, which can be written once: of two processes
that decide an entry differently, MLflow accepts one. Two concurrent promotions of a model both write their entry before they look
for others, so at least one of them sees the other. An entry that a crash left open is completed by a retry of the same promotion;
once it is stale, any other promotion may decide it. Clocks say when an entry is stale, and nothing else: the order of promotions
is that of their numbers.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING

from taxiway.records import Promotion
from taxiway.records.digests import digest_of_bytes
from taxiway.tracking import tags
from taxiway.tracking.paging import all_pages
from taxiway.tracking.run import experiment_id

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

EXPERIMENT = "taxiway/promotions"
STALE_AFTER = timedelta(minutes=10)
"""If an open entry's time and that of another promotion differ by more, the entry counts as left by a crash."""
_PAGE = 1000  # MLflow's own limit


class State(StrEnum):
    """The state of an entry. It changes from INTENT to one of the others, or over MOVING to DONE, and never back.

    Attributes:
        INTENT: The promotion is in progress, and not decided.
        MOVING: It is decided that the alias moves. Any process may move it.
        DONE: The alias has moved.
        WITHDRAWN: Another promotion came first; the alias has not moved.
        ABORTED: Another promotion has found the entry stale; the alias has not moved.
    """

    INTENT = "INTENT"
    MOVING = "MOVING"
    DONE = "DONE"
    WITHDRAWN = "WITHDRAWN"
    ABORTED = "ABORTED"


DECIDED = frozenset({State.MOVING, State.DONE})
"""The states of promotions that are part of the champion's path."""


@dataclass(frozen=True)
class Entry:
    """An entry of the ledger.

    Attributes:
        run_id: The id of its MLflow run.
        number: Its number, larger than those of all entries of the model that its writer had seen: its fencing token.
        state: Its state.
        key: The key of the promotion, see `promotion_key`.
        promotion: The promotion.
    """

    run_id: str
    number: int
    state: State
    key: str
    promotion: Promotion


def promotion_key(model: str, version: int, verdict: str) -> str:
    """The key of a promotion, by which a retry finds the entry of its first try."""
    return digest_of_bytes(f"{model}\n{version}\n{verdict}".encode())


def entries(
    client: "MlflowClient",
    model: str | None = None,
    *,
    key: str | None = None,
    state: State | None = None,
    limit: int | None = None,
) -> list[Entry]:
    """Read entries of the ledger, newest first: by their numbers, and those of different models by their time.

    Args:
        client: The MLflow client.
        model: Only entries of this model.
        key: Only entries of the promotion with this key.
        state: Only entries in this state.
        limit: Only so many entries, the newest ones.
    """
    known = client.get_experiment_by_name(EXPERIMENT)
    if known is None:
        return []
    wanted = {tags.PROMOTION_MODEL: model, tags.PROMOTION_KEY: key, tags.PROMOTION_STATE: state}
    found = all_pages(
        lambda token: client.search_runs(
            [known.experiment_id],
            " and ".join(f"tags.`{tag}` = '{value}'" for tag, value in wanted.items() if value is not None),
            order_by=["attributes.start_time DESC"],
            max_results=min(limit or _PAGE, _PAGE),
            page_token=token,
        )
    )
    # The sort is stable. Numbers of different models are not comparable, but no reader compares entries of different models.
    return sorted((_read_entry(run) for run in islice(found, limit)), key=lambda entry: -entry.number)


def head(known: Sequence[Entry]) -> Entry | None:
    """The newest promotion of a model that is decided, whose version is its champion; None if there is none.

    Args:
        known: All entries of the model, newest first.
    """
    return next((entry for entry in known if entry.state in DECIDED), None)


def open_entry(client: "MlflowClient", key: str, promotion: Promotion, known: Sequence[Entry]) -> Entry:
    """Write the entry of a promotion before it is decided.

    Args:
        client: The MLflow client.
        key: Its key.
        promotion: The promotion.
        known: All entries of the model, read before the champion that the promotion replaces was read.
    """
    number = 1 + max((entry.number for entry in known), default=0)
    run = client.create_run(
        experiment_id(client, EXPERIMENT),
        run_name=f"{promotion.model} {promotion.from_version or 'none'} to {promotion.to_version}",
        tags={
            tags.PROMOTION_MODEL: promotion.model,
            tags.PROMOTION_KEY: key,
            tags.PROMOTION_STATE: State.INTENT,
            tags.PROMOTION_NUMBER: str(number),
            tags.PROMOTION_RECORD: promotion.to_json(),
        },
    )
    return Entry(run.info.run_id, number, State.INTENT, key, promotion)


def decide(client: "MlflowClient", entry: Entry, state: State) -> Entry:
    """Decide an open entry, unless it is decided.

    Args:
        client: The MLflow client.
        entry: The entry.
        state: MOVING, WITHDRAWN or ABORTED.

    Returns:
        The entry with the state that it has now: `state`, or the decision of the process that was faster.
    """
    from mlflow.exceptions import MlflowException

    try:
        client.log_param(entry.run_id, tags.PROMOTION_DECISION, state)
    except MlflowException as error:
        if error.error_code != "INVALID_PARAMETER_VALUE":  # the parameter has another value
            raise
        return _read_entry(client.get_run(entry.run_id))
    decided = replace(entry, state=state)
    if state is not State.MOVING:
        close(client, decided)
    return decided


def close(client: "MlflowClient", entry: Entry) -> None:
    """Write the final state of a decided entry, and end its MLflow run."""
    final = State.DONE if entry.state is State.MOVING else entry.state
    client.set_tag(entry.run_id, tags.PROMOTION_STATE, final)
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # people have no reason to open runs of the ledger
    client.set_terminated(entry.run_id, "FINISHED" if final is State.DONE else "KILLED")


def is_stale(entry: Entry, at: datetime) -> bool:
    """Whether an open entry counts as left by a crash at the time `at`; a clock may be wrong in either direction."""
    return abs(at - entry.promotion.at) > STALE_AFTER


def _read_entry(run: "Run") -> Entry:
    values = run.data.tags
    state = State(values[tags.PROMOTION_STATE])
    if state is State.INTENT:
        state = State(run.data.params.get(tags.PROMOTION_DECISION, state))
    return Entry(
        run_id=run.info.run_id,
        number=int(values.get(tags.PROMOTION_NUMBER, 0)),  # earlier versions of Taxiway wrote none
        state=state,
        key=values[tags.PROMOTION_KEY],
        promotion=Promotion.from_json(values[tags.PROMOTION_RECORD]),
    )
