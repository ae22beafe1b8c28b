"""Prepares the stack of docker-compose.yml: MLflow's database, up-to-date tables, and the administrator's password.

It runs at every start, and changes nothing if everything exists.
"""

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
from sqlalchemy.engine import make_url


def open_database(name: str) -> Any:
    """Connect to a database of Airflow's PostgreSQL server."""
    airflow = make_url(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
    return closing(psycopg2.connect(host=airflow.host, user=airflow.username, password=airflow.password, dbname=name))


def make_database(name: str) -> bool:
    """Create a database if it does not exist; returns whether it has tables."""
    with open_database("airflow") as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
            if cursor.fetchone() is None:
                cursor.execute(f'CREATE DATABASE "{name}"')
    with open_database(name) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('alembic_version')")
        return cursor.fetchone()[0] is not None


def write_password(path: Path, password: str) -> None:
    """Write the password file of Airflow's SimpleAuthManager."""
    beside = path.with_suffix(".beside")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump({"admin": password}, file)
    beside.replace(path)


if __name__ == "__main__":
    if make_database("mlflow"):
        # MLflow creates its tables itself, but does not start on tables of an older version.
        uri = make_url(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]).set(database="mlflow")
        subprocess.run([sys.executable, "-m", "mlflow", "db", "upgrade", uri.render_as_string(hide_password=False)], check=True)
    write_password(Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]), os.environ["AIRFLOW_ADMIN_PASSWORD"])
    sys.exit(subprocess.call([sys.executable, "-m", "airflow", "db", "migrate"]))
