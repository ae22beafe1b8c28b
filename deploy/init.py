"""Prepares the stack of docker-compose.yml: a database and a user for each service, tables, and the administrator's password.

It runs at every start, and changes nothing if everything exists and the passwords are those of before.
"""

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import encrypt_password
from psycopg2.sql import SQL, Identifier, Literal
from sqlalchemy.engine import URL, make_url


def make_database(url: URL, superuser_password: str) -> None:
    """Create the user and the database of a URL if they do not exist. The user owns the database, and cannot connect to another."""
    with closing(psycopg2.connect(host=url.host, user="postgres", password=superuser_password, dbname="postgres")) as server:
        server.autocommit = True  # CREATE DATABASE cannot be part of a transaction
        with server.cursor() as cursor:
            user, database = Identifier(url.username), Identifier(url.database)
            if not exists(cursor, "SELECT 1 FROM pg_roles WHERE rolname = %s", url.username):
                cursor.execute(SQL("CREATE ROLE {}").format(user))
            # Hashed here, so that the password is in no log of the server.
            hashed = encrypt_password(url.password, url.username, server, "scram-sha-256")
            cursor.execute(SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(user, Literal(hashed)))
            if not exists(cursor, "SELECT 1 FROM pg_database WHERE datname = %s", url.database):
                cursor.execute(SQL("CREATE DATABASE {} OWNER {}").format(database, user))
            for closed in (database, Identifier("postgres"), Identifier("template1")):
                cursor.execute(SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(closed))


def exists(cursor: Any, query: str, name: str | None) -> bool:
    """Whether a query finds a name."""
    cursor.execute(query, (name,))
    return cursor.fetchone() is not None


def migrate_mlflow(url: str) -> None:
    """Create or migrate MLflow's tables, in this process: the URL with its password would be in the command line of another."""
    from mlflow.db import commands

    commands(["upgrade", url], standalone_mode=False)


def write_password(path: Path, password: str) -> None:
    """Write the password file of Airflow's SimpleAuthManager."""
    beside = path.with_suffix(".beside")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump({"admin": password}, file)
    beside.replace(path)


if __name__ == "__main__":
    urls = {name: os.environ[name] for name in ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "MLFLOW_BACKEND_STORE_URI")}
    for made in urls.values():
        make_database(make_url(made), os.environ["POSTGRES_PASSWORD"])
    migrate_mlflow(urls["MLFLOW_BACKEND_STORE_URI"])
    write_password(Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]), os.environ["AIRFLOW_ADMIN_PASSWORD"])
    sys.exit(subprocess.call([sys.executable, "-m", "airflow", "db", "migrate"]))
