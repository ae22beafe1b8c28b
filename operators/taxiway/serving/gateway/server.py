"""Runs the gateway as a server: one process for HTTP, and others for the models."""

import asyncio
import errno
import gc
import logging
import os
import resource
import signal
import socket
import ssl
import sys
import threading
import time
from typing import Any

import uvicorn

from taxiway.credentials import log_to_stderr
from taxiway.serving.gateway.http.app import create_app
from taxiway.serving.gateway.http.certificates import follow_certificate
from taxiway.serving.gateway.http.connections import limited_connection
from taxiway.serving.gateway.settings import GatewaySettings
from taxiway.serving.protocol import KEEP_ALIVE_S
from taxiway.serving.workers.local import start_fork_server
from taxiway.serving.workers.process import LOG_FORMAT_ENV
from taxiway.tracking.client import quiet_mlflow

log = logging.getLogger(__name__)

_GRACE_S = 10
_NOT_STARTED = 3
_PARENT_POLL_S = 0.5
# By default MLflow's client retries for minutes; the gateway repeats its check after a second anyway.
_MLFLOW_TIMEOUTS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}


def serve(settings: GatewaySettings) -> None:
    """Serve until SIGTERM or SIGINT, then finish the current requests (for at most 10 s) and end all processes.

    The process exits with code 3 and a log message if it cannot start, for example because another gateway uses the state folder, or
    another process the port.
    """
    for name, value in _MLFLOW_TIMEOUTS.items():
        os.environ.setdefault(name, value)
    os.environ[LOG_FORMAT_ENV] = settings.log_format  # for the processes of models and in the background
    quiet_mlflow()
    log_to_stderr(as_json=settings.log_format == "json")
    # MLflow's client warns at each retry, and a server that does not answer is a problem that is logged once.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    # uvicorn raises the signal again when it has finished, which would end the process before the clean-up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    _require_free_port(settings.host, settings.port)
    _allow_many_connections()
    if settings.stop_with_parent:
        threading.Thread(target=_stop_without, args=(os.getppid(),), daemon=True).start()
    start_fork_server()
    _keep_out_of_collections()
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        http=limited_connection(settings.request_timeout_s),
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
        timeout_keep_alive=KEEP_ALIVE_S,
        log_config=None,  # as all other loggers
    )
    server = _Server(config, settings)
    server.run()
    if not server.started:
        sys.exit(_NOT_STARTED)


class _Server(uvicorn.Server):
    """A server that follows its certificate while it serves."""

    def __init__(self, config: uvicorn.Config, settings: GatewaySettings) -> None:
        super().__init__(config)
        self._certificate, self._key = settings.tls_certificate, settings.tls_key
        self._tls = _tls_context(config) if self._certificate is not None else None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        if self._tls is None or self._certificate is None or self._key is None:
            await super().serve(sockets)
            return
        following = asyncio.create_task(follow_certificate(self._tls, self._certificate, self._key))
        try:
            await super().serve(sockets)
        finally:
            following.cancel()


def _tls_context(config: uvicorn.Config) -> ssl.SSLContext:
    """Load the configuration; returns its TLS context. The process exits with a log message if the certificate cannot be used."""
    try:
        config.load()
    except OSError as error:  # among them ssl.SSLError
        log.error("the certificate %s and its key %s cannot be used: %s", config.ssl_certfile, config.ssl_keyfile, error)  # noqa: TRY400 the message says what is wrong
        sys.exit(_NOT_STARTED)
    assert config.ssl is not None
    return config.ssl


def _require_free_port(host: str, port: int) -> None:
    """Exit with a log message if the gateway cannot listen, which the server finds out only when all models have been loaded."""
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        errors = [error for family, _, _, _, address in addresses if (error := _why_not_bound(family, address)) is not None]
    except socket.gaierror as error:
        addresses, errors = [], [error]
    # A family that the machine does not have is left out by the server, too.
    fatal = next((error for error in errors if error.errno in (errno.EADDRINUSE, errno.EACCES)), None)
    if fatal is None and len(errors) < len(addresses):
        return
    log.error(
        "the gateway cannot listen at %s, port %d: %s; choose another with --host and --port", host, port, fatal or errors[0]
    )
    sys.exit(_NOT_STARTED)


def _why_not_bound(family: int, address: Any) -> OSError | None:
    """Why a socket cannot be bound to an address, with the options of the server; None if it can."""
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind(address)
    except OSError as error:
        return error
    return None


def _allow_many_connections() -> None:
    """Raise the limit of open files as far as allowed: usually it is 1,024, which idle connections alone can use up."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _keep_out_of_collections() -> None:
    """Import MLflow's client now, and exempt everything that has been imported from garbage collection.

    A collection that looks at all these objects stops the event loop for 100 to 200 ms, and requests with many rows make it frequent.
    """
    from mlflow import MlflowClient  # noqa: F401

    gc.collect()
    gc.freeze()


def _stop_without(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_PARENT_POLL_S)
    os.kill(os.getpid(), signal.SIGTERM)
