"""The promotion ledger: one MLflow run for each promotion, in its own experiment, written once and closed.

An entry is written as INTENT before the alias moves, and closed after the new alias was read back. Two concurrent promotions of a
model both write their entry before they look for others, so at least one of them sees the other and withdraws. An entry that a
crash left open is completed by a retry of the same promotion; once it is stale, any other promotion closes it.
"""

import os
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING

from taxiway.errors import TransientError
from taxiway.records import Promotion
from taxiway.records.digests import digest_of_bytes
from taxiway.registry.aliases import CHAMPION, version_at
from taxiway.tracking import tags
from taxiway.tracking.paging import all_pages
from taxiway.tracking.run import experiment_id

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

EXPERIMENT = "taxiway/promotions"
STALE_AFTER = timedelta(minutes=10)
"""After this time an open entry counts as left by a crash."""
_PAGE = 1000  # MLflow's own limit


class State(StrEnum):
    """The state of an entry.

    Attributes:
        INTENT: The promotion is in progress.
        DONE: The alias has moved.
        WITHDRAWN: Another promotion came first; the alias has not moved.
        ABORTED: A crash ended the promotion before the alias moved.
    """

    INTENT = "INTENT"
    DONE = "DONE"
    WITHDRAWN = "WITHDRAWN"
    ABORTED = "ABORTED"


@dataclass(frozen=True)
class Entry:
    """An entry of the ledger.

    Attributes:
        run_id: The id of its MLflow run.
        state: Its state.
        key: The key of the promotion, see `promotion_key`.
        promotion: The promotion.
    """

    run_id: str
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
    """Read entries of the ledger, newest first.

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
    return [_read_entry(run) for run in islice(found, limit)]


def open_entry(client: "MlflowClient", key: str, promotion: Promotion) -> Entry:
    """Write the entry of a promotion before its alias moves.

    Raises:
        TransientError: Another promotion of the model is in progress; this entry is withdrawn.
    """
    run = client.create_run(
        experiment_id(client, EXPERIMENT),
        run_name=f"{promotion.model} {promotion.from_version or 'none'} to {promotion.to_version}",
        tags={
            tags.PROMOTION_MODEL: promotion.model,
            tags.PROMOTION_KEY: key,
            tags.PROMOTION_STATE: State.INTENT,
            tags.PROMOTION_RECORD: promotion.to_json(),
        },
    )
    mine = Entry(run.info.run_id, State.INTENT, key, promotion)
    others = [e for e in entries(client, promotion.model, state=State.INTENT) if e.run_id != mine.run_id]
    for other in others:
        if promotion.at - other.promotion.at > STALE_AFTER:
            resolve_stale(client, other)
        else:
            close(client, mine, State.WITHDRAWN)
            raise TransientError(
                f"{promotion.model}: version {other.promotion.to_version} is being promoted by {other.promotion.by} since "
                f"{other.promotion.at:%Y-%m-%d %H:%M:%S} UTC; try again when that promotion is done, or "
                f"{STALE_AFTER.total_seconds() / 60:g} minutes after its start"
            )
    return mine


def resolve_stale(client: "MlflowClient", entry: Entry) -> None:
    """Close an entry that a crash left open: DONE if the alias has moved, else ABORTED."""
    moved = version_at(client, entry.promotion.model, CHAMPION) == entry.promotion.to_version
    close(client, entry, State.DONE if moved else State.ABORTED)


def close(client: "MlflowClient", entry: Entry, state: State) -> None:
    """Set the final state of an entry, and end its MLflow run."""
    client.set_tag(entry.run_id, tags.PROMOTION_STATE, state)
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # people have no reason to open runs of the ledger
    client.set_terminated(entry.run_id, "FINISHED" if state is State.DONE else "KILLED")


def _read_entry(run: "Run") -> Entry:
    values = run.data.tags
    return Entry(
        run_id=run.info.run_id,
        state=State(values[tags.PROMOTION_STATE]),
        key=values[tags.PROMOTION_KEY],
        promotion=Promotion.from_json(values[tags.PROMOTION_RECORD]),
    )
