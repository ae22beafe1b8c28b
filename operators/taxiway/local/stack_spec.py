"""What the supervisor of an embedded stack is told at its start."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict


class StackSpec(BaseModel):
    """Where the stack lives, which DAGs it runs, under which ports, and Airflow settings over our own (environment variables)."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    home: Path
    dags: Path
    ports: dict[str, int]
    airflow_settings: dict[str, str] = {}
