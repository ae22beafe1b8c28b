"""The specification of an embedded stack, the argument of its supervisor."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict


class StackSpec(BaseModel):
    """The specification of an embedded stack.

    Attributes:
        home: Its folder.
        dags: The folder of DAG files.
        ports: The ports by service.
        airflow_settings: Environment variables that override those of the embedded Airflow.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    home: Path
    dags: Path
    ports: dict[str, int]
    airflow_settings: dict[str, str] = {}
