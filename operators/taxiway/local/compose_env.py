"""The environment file of docker-compose.yml, with new secrets."""

import os
import secrets
from pathlib import Path

from taxiway.errors import ConfigError
from taxiway.local.stack_dir import new_secrets

_HEAD = """\
# Secrets and settings of docker-compose.yml. Keep this file private.
# PostgreSQL reads POSTGRES_PASSWORD, its superuser's, only when its volume is created. The passwords of the users of Airflow's and
# MLflow's databases are set at every start. Data that Airflow has encrypted needs its Fernet key.
"""
_SETTINGS = """
# The published ports, the folders of DAGs and raw data, the volumes or folders of the request log and of predictions, how many tasks a worker runs at once, and memory limits.
#BIND_ADDRESS=127.0.0.1
#AIRFLOW_PORT=8080
#MLFLOW_PORT=5000
#GATEWAY_PORT=8500
#DAGS_FOLDER=./dags
#DATA_FOLDER=./data
#REQUEST_LOG_FOLDER=request-log
#PREDICTIONS_FOLDER=predictions
#WORKER_CONCURRENCY=4
#WORKER_MEMORY=6g
#GATEWAY_MEMORY=2g
"""


def compose_env() -> str:
    """The content of an environment file with new secrets."""
    made = new_secrets()
    values = {
        "POSTGRES_PASSWORD": secrets.token_urlsafe(24),
        "AIRFLOW_DATABASE_PASSWORD": secrets.token_urlsafe(24),
        "MLFLOW_DATABASE_PASSWORD": secrets.token_urlsafe(24),
        "REDIS_PASSWORD": secrets.token_urlsafe(24),
        "AIRFLOW_ADMIN_PASSWORD": made.airflow_password,
        "AIRFLOW_FERNET_KEY": made.airflow_fernet_key,
        "AIRFLOW_JWT_SECRET": made.airflow_jwt_secret,
        "AIRFLOW_SECRET_KEY": secrets.token_urlsafe(48),
        "TAXIWAY_CALLER_TOKEN": made.gateway_caller_token,
        "TAXIWAY_ADMIN_TOKEN": made.gateway_admin_token,
        "TAXIWAY_LEDGER_KEYS": made.ledger_keys,
    }
    return _HEAD + "".join(f"{name}={value}\n" for name, value in values.items()) + _SETTINGS


def write_compose_env(path: Path) -> None:
    """Write a new environment file, readable by its owner only.

    Raises:
        ConfigError: The file exists already.
    """
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigError(
            f"{path} exists already, and a stack may use its secrets; give another file (-o FILE), or move it away. The databases of "
            "an existing stack need the old secrets"
        ) from None
    with os.fdopen(file, "w") as opened:
        opened.write(compose_env())
