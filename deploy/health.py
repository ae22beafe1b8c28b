"""The health checks of docker-compose.yml; the exit code is 1 if a service is not healthy.

`health.py URL` requires HTTP 2xx. `health.py scheduler` (or dag_processor, triggerer) reads the API server's health page.
`health.py worker` pings this container's Celery worker. None of them imports Airflow, which takes seconds.
"""

import json
import os
import socket
import sys
import urllib.request

API_SERVER = "http://airflow-api-server:8080/api/v2/monitor/health"
TIMEOUT_S = 5


def get(url: str) -> bytes:
    """The body of a successful HTTP response; raises OSError."""
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310 - addresses of our own
        body: bytes = answer.read()
        return body


def worker_answers() -> bool:
    """Whether the Celery worker of this container answers a ping."""
    from celery import Celery

    control = Celery(broker=os.environ["AIRFLOW__CELERY__BROKER_URL"]).control
    return bool(control.ping(destination=[f"celery@{socket.gethostname()}"], timeout=TIMEOUT_S, limit=1))


def is_healthy(service: str) -> bool:
    """Check a service; see the module's docstring."""
    if service == "worker":
        return worker_answers()
    if "://" in service:
        get(service)
        return True
    return bool(json.loads(get(API_SERVER))[service]["status"] == "healthy")


if __name__ == "__main__":
    try:
        healthy = is_healthy(sys.argv[1])
    except OSError as error:
        print(error)
        healthy = False
    sys.exit(0 if healthy else 1)
