"""Calls the notifier of the team file."""

import logging
from pkgutil import resolve_name
from typing import TYPE_CHECKING, TypedDict

from taxiway.spec.team import Notification

if TYPE_CHECKING:
    from airflow.sdk import Context


class Told(TypedDict):
    """What templates of a notifier find in `taxiway`; missing values are empty texts, because templates of messages print them.

    Attributes:
        pipeline: The pipeline.
        span: The label of the span.
        event: The outcome, or one of the other events of `Notification`.
        reasons: Why, as messages.
        version: The model version.
        airflow_url: The DAG run's page.
        mlflow_url: The MLflow run's page.
    """

    pipeline: str
    span: str
    event: str
    reasons: list[str]
    version: int | str
    airflow_url: str
    mlflow_url: str


def notify(notification: Notification | None, told: Told, context: "Context") -> None:
    """Call the notifier of the team file, if it is to be called for this event. One that fails does not fail the task.

    Args:
        notification: The notifier, and the events that it is called for; None for no notification.
        told: What its templates find in `taxiway`.
        context: Airflow's context of the task.
    """
    if notification is None or told["event"] not in notification.events:
        return
    log = logging.getLogger(f"airflow.task.{__name__}")
    try:
        notifier = resolve_name(notification.notifier)(**notification.params)
        notifier({**context, "taxiway": dict(told)})
    except Exception:
        log.exception("the notifier %s failed", notification.notifier)
    else:
        log.info("called the notifier %s with the event %s", notification.notifier, told["event"])
