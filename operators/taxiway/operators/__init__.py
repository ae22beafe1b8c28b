"""The stages as Airflow operators; each one calls a function of `taxiway.stages`."""

from taxiway.operators.approval import ApprovalOperator
from taxiway.operators.close_run import CloseRunOperator
from taxiway.operators.ingest import IngestOperator
from taxiway.operators.production import BatchPredictOperator, MonitorOperator
from taxiway.operators.push import PushOperator
from taxiway.operators.shadow import ShadowDeployOperator
from taxiway.operators.sweep import PlanSweepOperator, RunTrialsOperator
from taxiway.operators.train import TrainOperator
from taxiway.operators.transform import TransformOperator
from taxiway.operators.validate_data import ValidateDataOperator
from taxiway.operators.validate_model import ValidateModelOperator

__all__ = [
    "ApprovalOperator",
    "BatchPredictOperator",
    "CloseRunOperator",
    "IngestOperator",
    "MonitorOperator",
    "PlanSweepOperator",
    "PushOperator",
    "RunTrialsOperator",
    "ShadowDeployOperator",
    "TrainOperator",
    "TransformOperator",
    "ValidateDataOperator",
    "ValidateModelOperator",
]
