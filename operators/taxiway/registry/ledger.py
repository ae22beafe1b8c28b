"""The promotion ledger: one MLflow run a promotion, in an experiment of its own, written once and closed.

An entry is opened as an intent with all its facts before the alias moves, and closed after the alias was read back. Two who
would move the same model's alias both write their intent before they look for others, so at least one sees the other and
withdraws. An intent left open by a crash is taken up by its own retry, and settled by anybody once it is stale.
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
_PAGE = 1000  # MLflow's own limit


class State(StrEnum):
    """How far an entry is. WITHDRAWN and ABORTED moved nothing."""

    INTENT = "INTENT"
    DONE = "DONE"
    WITHDRAWN = "WITHDRAWN"
    ABORTED = "ABORTED"


@dataclass(frozen=True)
class Entry:
    """One line of the ledger: its MLflow run, how far it is, and the promotion."""

    run_id: str
    state: State
    key: str
    promotion: Promotion


def promotion_key(model: str, version: int, verdict: str) -> str:
    """What makes a promotion the same one when it is tried again."""
    return digest_of_bytes(f"{model}\n{version}\n{verdict}".encode())


def entries(
    client: "MlflowClient",
    model: str | None = None,
    *,
    key: str | None = None,
    state: State | None = None,
    limit: int | None = None,
) -> list[Entry]:
    """The entries of `model`, or of all models, newest first; only those of a promotion's `key`, in one `state`, or the newest ones."""
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
    """Write the intent; raises TransientError, having withdrawn it, where another promotion of the model is under way."""
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
                f"{other.promotion.at:%Y-%m-%d %H:%M:%S} UTC; try again when that is done, or after {STALE_AFTER}"
            )
    return mine


def resolve_stale(client: "MlflowClient", entry: Entry) -> None:
    """Close an intent that a crash left open: DONE if the alias did move, else ABORTED."""
    moved = version_at(client, entry.promotion.model, CHAMPION) == entry.promotion.to_version
    close(client, entry, State.DONE if moved else State.ABORTED)


def close(client: "MlflowClient", entry: Entry, state: State) -> None:
    """Write how an entry ended, and end its run; nothing is written to it afterwards."""
    client.set_tag(entry.run_id, tags.PROMOTION_STATE, state)
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # the ledger's runs are not for people to open
    client.set_terminated(entry.run_id, "FINISHED" if state is State.DONE else "KILLED")


def _read_entry(run: "Run") -> Entry:
    """The entry that an MLflow run of the ledger's experiment holds."""
    said = run.data.tags
    return Entry(
        run_id=run.info.run_id,
        state=State(said[tags.PROMOTION_STATE]),
        key=said[tags.PROMOTION_KEY],
        promotion=Promotion.from_json(said[tags.PROMOTION_RECORD]),
    )
