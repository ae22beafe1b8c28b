"""What the page of a run reads from the tags of its MLflow run, because it is in no record."""

import re
from typing import TYPE_CHECKING

from taxiway.tracking import tags
from taxiway_ui.clients import query_mlflow

if TYPE_CHECKING:
    from mlflow import MlflowClient

READ = (tags.COSTS, tags.TRAINING_FINDINGS, tags.GATE_REPORT)


def run_tags(mlflow_url: str) -> tuple[dict[str, str], str]:
    """The tags of an MLflow run that the page shows; takes one request.

    Args:
        mlflow_url: The URL of the run's page in MLflow; empty if it is not known.

    Returns:
        Those of `READ` that are set, and a message if MLflow does not answer; else empty.
    """
    found = re.search(r"/runs/([0-9a-f]{32})$", mlflow_url)
    if found is None:
        return {}, ""

    def read(client: "MlflowClient") -> dict[str, str]:
        from mlflow.exceptions import MlflowException

        try:
            known = client.get_run(found[1]).data.tags
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return {}  # the run was deleted, or is on another server than that of the pages
        return {name: known[name] for name in READ if name in known}

    return query_mlflow(read, {}, "costs and findings about the training")
