"""Running the gateway as a server of its own: one process for HTTP, others for the models."""

import logging
import os
import signal
import sys
import threading
import time

import uvicorn

from taxiway.serving.gateway.app import create_app
from taxiway.serving.gateway.settings import GatewaySettings
from taxiway.serving.workers.local import start_fork_server
from taxiway.tracking.client import quiet_mlflow

_GRACE_S = 10
_PARENT_POLL_S = 0.5
# MLflow's client waits minutes for a server that is away; a gateway looks again a second later anyway.
_MLFLOW_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}


def serve(settings: GatewaySettings) -> None:
    """Serve until SIGTERM or SIGINT: then finish the requests at hand (10 s at most) and end every process.

    Exits with code 3 and a message in its log if it cannot start, as when another gateway uses the state folder.
    """
    for name, value in _MLFLOW_PATIENCE.items():
        os.environ.setdefault(name, value)
    quiet_mlflow()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # uvicorn raises the signal once more when it is done, which would end the process before it has cleaned up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if settings.stop_with_parent:
        threading.Thread(target=_stop_without, args=(os.getppid(),), daemon=True).start()
    start_fork_server()
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
    )


def _stop_without(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_PARENT_POLL_S)
    os.kill(os.getpid(), signal.SIGTERM)
