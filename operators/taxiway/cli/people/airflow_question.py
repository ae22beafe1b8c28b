"""Answers the question of a run that waits in Airflow, after a person has answered it on the command line."""

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from taxiway.errors import ConfigError, TransientError
from taxiway.spec.approval import APPROVE, REJECT
from taxiway.tracking import tags

if TYPE_CHECKING:
    import httpx
    from mlflow import MlflowClient

_TASK = "approval"
_ANSWER_SECONDS = 30.0
_NOT_ASKED = (404, 409)
"""What Airflow answers if the task does not ask, or has been answered."""


@dataclass(frozen=True)
class AirflowAccess:
    """How Airflow's API is reached.

    Attributes:
        url: Airflow's address.
        token: A token of its API; None to log in as `admin` with `password`.
        password: The password of `admin`, of a local stack; empty for another Airflow.
    """

    url: str
    token: str | None = None
    password: str = ""

    def opened(self) -> "httpx.Client":
        """A client that is logged in.

        Raises:
            ConfigError: There is neither a token nor a password.
            httpx.HTTPError: Airflow does not answer, or refuses the login.
        """
        import httpx

        if self.token is None and not self.password:
            raise ConfigError(
                "Airflow needs a token of its API; set the environment variable TAXIWAY_AIRFLOW_TOKEN", key="airflow_token"
            )

        client = httpx.Client(base_url=self.url.rstrip("/"), timeout=_ANSWER_SECONDS)
        token = self.token
        if token is None:
            answer = client.post("/auth/token", json={"username": "admin", "password": self.password})
            token = answer.raise_for_status().json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        return client


def waiting_run(client: "MlflowClient", mlflow_run: str) -> tuple[str, str, str] | None:
    """The DAG, the id and the page of the DAG run that an MLflow run is of; None for a local run."""
    known = client.get_run(mlflow_run).data.tags
    dag, run = known.get(tags.AIRFLOW_DAG), known.get(tags.AIRFLOW_RUN)
    return (dag, run, known.get(tags.AIRFLOW_URL, "")) if dag and run else None


def answer_question(access: AirflowAccess, dag: str, run: str, *, approved: bool, reason: str) -> bool:
    """Answer the question of a run, so that it continues.

    Args:
        access: How Airflow is reached.
        dag: The DAG.
        run: The id of the run.
        approved: The answer.
        reason: Why.

    Returns:
        Whether Airflow has accepted it; if not, the run does not ask, or somebody has answered it there.

    Raises:
        ConfigError: There is neither a token nor a password.
        TransientError: Airflow does not answer, or does not accept answers of this user.
    """
    import httpx

    path = f"/api/v2/dags/{quote(dag, safe='')}/dagRuns/{quote(run, safe='')}/taskInstances/{_TASK}/-1/hitlDetails"
    body = {"chosen_options": [APPROVE if approved else REJECT], "params_input": {"reason": reason}}
    try:
        with access.opened() as client:
            answer = client.patch(path, json=body)
            if answer.status_code in _NOT_ASKED:
                return False
            answer.raise_for_status()
    except httpx.HTTPError as error:
        raise TransientError(f"Airflow at {access.url} did not accept the answer: {error}") from error
    return True
