"""The MLflow runs of a chain: each holds some hundreds of links as parameters, and names the run that follows it."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from taxiway.errors import TerminalError
from taxiway.ledger.links import Link
from taxiway.tracking import tags
from taxiway.tracking.paging import all_pages

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.store.entities import PagedList

NEXT = "next"
"""The parameter of a full run that names the one after it."""
_LINKED = "LINKED"


def newest_runs(client: "MlflowClient", experiment: str) -> "list[Run]":
    """The last two runs of a chain, oldest first, or its only one; more if processes were killed before they linked what they made.

    Args:
        client: The MLflow client.
        experiment: The id of the chain's experiment.

    Raises:
        TerminalError: The chain has no beginning.
    """
    found = client.search_runs(
        [experiment],
        f"tags.`{tags.CHAIN_STATE}` = '{_LINKED}'",
        order_by=[f"tags.`{tags.CHAIN_FIRST}` DESC"],
        max_results=2,
    )
    if not found:
        raise TerminalError(
            f"the experiment {experiment} in MLflow has no run with the beginning of the chain; restore MLflow's database"
        )
    known, runs = {run.info.run_id: run for run in found}, dict[str, "Run"]()
    for start in reversed(found):  # a run between the two may not be linked, so both are not taken as they are
        following = start.info.run_id
        while following is not None and following not in runs:
            runs[following] = known.get(following) or client.get_run(following)
            following = runs[following].data.params.get(NEXT)
    return list(runs.values())


def link_runs(client: "MlflowClient", runs: "Iterable[Run]") -> None:
    """Complete what a process that was killed after it named the next run has left, so that a search finds each run with links.

    Args:
        client: The MLflow client.
        runs: The newest runs of a chain, oldest first.
    """
    for run in runs:
        _set_tags(client, run.info.run_id, run.data.tags, {tags.CHAIN_STATE: _LINKED})


def marked_runs(
    client: "MlflowClient", experiments: Sequence[str], marks: Sequence[str], *, deleted: bool = False
) -> "list[Run]":
    """The runs of chains that have one of several tags.

    Args:
        client: The MLflow client.
        experiments: The ids of the chains' experiments.
        marks: The tags.
        deleted: Whether to look for runs that are deleted, as are those of deleted experiments.
    """
    found: dict[str, Run] = {}
    for mark in marks:  # MLflow's filters have no OR
        wanted = f"tags.`{mark}` = '1' and tags.`{tags.CHAIN_STATE}` = '{_LINKED}'"
        runs = all_pages(partial(_page_of_runs, client, list(experiments), wanted, deleted))
        found.update((run.info.run_id, run) for run in runs)
    return list(found.values())


def mark(client: "MlflowClient", run: "Run", marks: Sequence[str]) -> None:
    """Set tags of a run by which its links are found."""
    _set_tags(client, run.info.run_id, run.data.tags, dict.fromkeys(marks, "1"))


def _set_tags(client: "MlflowClient", run: str, known: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    """Set the tags that a run does not have; of two processes that do at once, MLflow may refuse one."""
    from mlflow.entities import RunTag
    from mlflow.exceptions import MlflowException

    missing = {name: value for name, value in wanted.items() if name not in known}
    if not missing:
        return
    try:
        client.log_batch(run, tags=[RunTag(name, value) for name, value in missing.items()])
    except MlflowException:
        if not missing.items() <= client.get_run(run).data.tags.items():
            raise


def own_links(*runs: "Run") -> list[Link]:
    """The links of runs, in their order."""
    read = [Link.from_json(run.data.params[name]) for run in runs for name in sorted(run.data.params) if name != NEXT]
    return [link for link in read if link is not None]


def continue_after(client: "MlflowClient", experiment: str, full: "Run", first: int) -> None:
    """Make the run that follows a full one, unless another process was faster."""
    made = make_run(client, experiment, first, linked=False)
    if written(client, full.info.run_id, NEXT, made):
        _set_tags(client, made, {}, {tags.CHAIN_STATE: _LINKED})
    else:
        client.delete_run(made)


def make_run(client: "MlflowClient", experiment: str, first: int, *, linked: bool = True) -> str:
    """Make a run of a chain; returns its id.

    Args:
        client: The MLflow client.
        experiment: The id of the chain's experiment.
        first: The number of its first link.
        linked: Whether it is already part of the chain.
    """
    state = {tags.CHAIN_STATE: _LINKED} if linked else {}
    made = client.create_run(experiment, run_name=f"from entry {first}", tags={tags.CHAIN_FIRST: link_name(first), **state})
    return str(made.info.run_id)


def first_run(client: "MlflowClient", experiment: str) -> "Run | None":
    """The run with the first link of a chain; None if there is none."""
    found = client.search_runs([experiment], f"tags.`{tags.CHAIN_FIRST}` = '{link_name(1)}'", max_results=1)
    return found[0] if found else None


def written(client: "MlflowClient", run: str, name: str, value: str) -> bool:
    """Write a parameter once; False if it has another value."""
    from mlflow.exceptions import MlflowException

    try:
        client.log_param(run, name, value)
    except MlflowException as error:
        if error.error_code != "INVALID_PARAMETER_VALUE":
            raise
        return False
    return True


def _page_of_runs(
    client: "MlflowClient", experiments: list[str], wanted: str, deleted: bool, token: str | None
) -> "PagedList[Run]":
    from mlflow.entities import ViewType

    view = ViewType.DELETED_ONLY if deleted else ViewType.ACTIVE_ONLY
    return client.search_runs(experiments, wanted, run_view_type=view, page_token=token)


def link_name(number: int) -> str:
    """The name of the parameter with a link."""
    return f"{number:09}"
