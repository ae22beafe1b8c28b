"""MLflow's settings that hold in every process of ours: no usage data, no progress bars between log lines."""

import os

_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


def quiet_mlflow() -> None:
    """Set them for this process if the environment does not; before MLflow is imported."""
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
