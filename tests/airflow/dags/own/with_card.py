"""The team's own template: continuous_training, with a task between model gate and shadow that writes a card for users."""

from pathlib import Path
from typing import Any

from airflow.sdk import DAG, task

from taxiway.hooks.config import open_store, setting
from taxiway.records import Verdict
from taxiway.spec import Pipeline, Team
from taxiway.templates import continuous_training


def template(pipeline: Pipeline, team: Team | None) -> DAG:
    """Called by Taxiway for each pipeline file that names this template."""
    dag = continuous_training(pipeline, team)
    with dag:
        gate, shadow = dag.get_task("validate_model"), dag.get_task("shadow")
        gate >> write_card(gate.output) >> shadow
    return dag


@task
def write_card(verdict: dict[str, Any]) -> str:
    """Write a page about the version that passed the model gate; returns its path."""
    found = open_store().get(Verdict, verdict["digest"])
    lines = [f"# {found.model}, version {found.version}", "", *(f"* {reason.message}" for reason in found.reasons)]
    card = Path(setting("data")) / "cards" / f"{found.model}-{found.version}.md"
    card.parent.mkdir(exist_ok=True)
    card.write_text("\n".join(lines))
    return str(card)
