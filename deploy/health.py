"""Whether a part of the stack is well, for the health checks of docker-compose.yml; exits with 1 where it is not.

`health.py URL` wants a 2xx; `health.py scheduler` (dag_processor, triggerer) looks the part up on the API server's health page;
`health.py worker` asks this container's Celery worker over the broker. None of them starts an Airflow, which takes seconds.
"""

import json
import os
import socket
import sys
import urllib.request

API_SERVER = "http://airflow-api-server:8080/api/v2/monitor/health"
TIMEOUT_S = 5


def get(url: str) -> bytes:
    """The body of a successful answer; raises OSError."""
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310 - addresses of our own
        body: bytes = answer.read()
        return body


def worker_answers() -> bool:
    """Whether the Celery worker of this container answers a ping."""
    from celery import Celery

    control = Celery(broker=os.environ["AIRFLOW__CELERY__BROKER_URL"]).control
    return bool(control.ping(destination=[f"celery@{socket.gethostname()}"], timeout=TIMEOUT_S, limit=1))


def is_healthy(what: str) -> bool:
    """See the module's docstring."""
    if what == "worker":
        return worker_answers()
    if "://" in what:
        get(what)
        return True
    return bool(json.loads(get(API_SERVER))[what]["status"] == "healthy")


if __name__ == "__main__":
    try:
        well = is_healthy(sys.argv[1])
    except OSError as error:
        print(error)
        well = False
    sys.exit(0 if well else 1)
