"""Monitor: compares the champion's newest requests with its evaluation rows, and tells the team if it predicts worse."""

from typing import TYPE_CHECKING, Any

from airflow.sdk import AssetAlias

from taxiway.hooks.context import airflow_url, monitoring_context
from taxiway.hooks.mlflow import MlflowHook
from taxiway.hooks.notify import Told, notify
from taxiway.hooks.retraining import ALERTS, CHAMPION, asset_of, promotion_evidence
from taxiway.operators.base import ReportingOperator
from taxiway.spec.base import RETRAIN
from taxiway.spec.pipeline import Pipeline
from taxiway.spec.team import Notification

if TYPE_CHECKING:
    from airflow.sdk import Context

    from taxiway.stages.monitor.alerts import Alert


class MonitorOperator(ReportingOperator):
    """Compare the newest windows of the champion's requests with its evaluation rows.

    An alert is reported once: the notifier is called with the event ALERT, or ROLLBACK if the version before has become champion again, and
    the asset `TEAM.PIPELINE.alerts` is updated, which another DAG can be scheduled by. The asset `TEAM.PIPELINE.retrain` is updated
    whenever the model is to be trained again, and `TEAM.PIPELINE.champion` after a rollback. Without requests, the task is skipped. It
    returns the version, the newest window and its alert, whether it was rolled back, and whether to train again.

    Args:
        pipeline: The pipeline; it has a section `monitor`.
        notification: The team file's notifier, and the events that it is called for; None for no notification.
    """

    def __init__(self, *, pipeline: Pipeline, notification: Notification | None = None, **kwargs: Any) -> None:
        self.alias = AssetAlias(name=f"{pipeline.name}.monitoring")
        super().__init__(**kwargs, outlets=[self.alias])
        self.pipeline, self.notification = pipeline, notification

    def execute(self, context: "Context") -> dict[str, Any]:
        """Compare, record and tell; skip the task if the champion has answered no requests."""
        from taxiway.stages.monitor.alerts import new_alerts
        from taxiway.stages.monitor.rollback import rollback_alerts
        from taxiway.stages.monitor.run import run_monitoring

        with self.reporting(context), monitoring_context(self.pipeline, context, self.mlflow_conn_id) as stage:
            self.mlflow_run_url = MlflowHook(self.mlflow_conn_id).public_url(stage.recorder.url)
            self.log.info("MLflow run: %s", self.mlflow_run_url)
            made = run_monitoring(stage)
            with new_alerts(stage, made.found, rollback_alerts(stage)) as alerts:
                self._tell(alerts, context)
            if made.rollback is not None and made.rollback.promotion is not None:
                event = promotion_evidence(made.rollback.promotion)
                context["outlet_events"][self.alias].add(asset_of(self.pipeline, CHAMPION), extra=event)
            if made.retraining is not None and made.retraining.retrain:
                context["outlet_events"][self.alias].add(asset_of(self.pipeline, RETRAIN), extra=made.retraining.described())
            return {**made.summary(), "mlflow_url": self.mlflow_run_url}

    def _tell(self, alerts: "tuple[Alert, ...]", context: "Context") -> None:
        for alert in alerts:
            if not alert.is_repeated:
                notify(self.notification, _told(alert, self.pipeline, self.mlflow_run_url, context), context)
        if alerts:
            evidence: dict[str, Any] = {"alerts": [alert.described() for alert in alerts]}
            context["outlet_events"][self.alias].add(asset_of(self.pipeline, ALERTS), extra=evidence)


def _told(alert: "Alert", pipeline: Pipeline, mlflow_url: str, context: "Context") -> Told:
    """The content of a notification about an alert."""
    return Told(
        pipeline=pipeline.name,
        span=str(alert.first),
        event="ROLLBACK" if alert.kind == "rollback" else "ALERT",
        reasons=list(alert.messages),
        version=alert.version,
        airflow_url=airflow_url(context),
        mlflow_url=mlflow_url,
    )
