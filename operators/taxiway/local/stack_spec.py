"""The specification of an embedded stack, the argument of its supervisor."""

from pathlib import Path

from pydantic import Field

from taxiway.records.base import FrozenModel


class StackSpec(FrozenModel):
    """The specification of an embedded stack.

    Attributes:
        home: Its folder.
        dags: The folder of DAG files.
        ports: The ports by service.
        airflow_settings: Environment variables that override those of the embedded Airflow.
    """

    home: Path
    dags: Path
    ports: dict[str, int]
    airflow_settings: dict[str, str] = Field(default_factory=dict)
