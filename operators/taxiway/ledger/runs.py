"""The MLflow runs of an experiment, of which each is an entry of the ledger."""

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING

from taxiway.errors import TerminalError
from taxiway.ledger.links import NewEntry
from taxiway.records.digests import digest_of_bytes
from taxiway.tracking.paging import all_pages

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_PAGE = 1000  # MLflow's own limit


def active_experiment(client: "MlflowClient", name: str) -> str | None:
    """The id of an experiment of the ledger; None if there is none.

    Raises:
        TerminalError: It is deleted in MLflow. Its entries are not lost, so it does not count as empty.
    """
    known = client.get_experiment_by_name(name)
    if known is not None and known.lifecycle_stage != "active":
        raise TerminalError(
            f"the experiment {name} is deleted in MLflow, and nothing can be promoted or decided without it; restore it: "
            f"mlflow experiments restore --experiment-id {known.experiment_id}"
        )
    return None if known is None else str(known.experiment_id)


def entry_of(run: "Run", kind: str, model_tag: str, record_tag: str) -> NewEntry:
    """What the chain should say of an entry, by what is in its run now.

    Args:
        run: The MLflow run.
        kind: The kind of its record.
        model_tag: The tag with the model.
        record_tag: The tag with the record's JSON.
    """
    record = run.data.tags.get(record_tag, "")
    return NewEntry(kind, run.data.tags.get(model_tag, ""), run.info.run_id, digest_of_bytes(record.encode()))


def runs_of(client: "MlflowClient", experiment: str, wanted: Mapping[str, str | None], limit: int | None = None) -> "list[Run]":
    """The runs of an experiment, newest first; none if there is no such experiment.

    Args:
        client: The MLflow client.
        experiment: The experiment's name.
        wanted: Only runs with these tags; None for any value.
        limit: Only so many, the newest ones.

    Raises:
        TerminalError: The experiment is deleted in MLflow.
    """
    known = active_experiment(client, experiment)
    if known is None:
        return []
    found = all_pages(
        lambda token: client.search_runs(
            [known],
            " and ".join(f"tags.`{tag}` = '{value}'" for tag, value in wanted.items() if value is not None),
            order_by=["attributes.start_time DESC"],
            max_results=min(limit or _PAGE, _PAGE),
            page_token=token,
        )
    )
    return list(islice(found, limit))
