"""Serves one model version to one gateway until its lease ends. This runs in a challenger's container.

It uses the same loader and the same predict code as a worker process of the gateway.
"""

import asyncio
import hmac
import logging
import os
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from pydantic import Field, SecretStr, TypeAdapter, ValidationError

from taxiway.credentials import forget_variables, log_to_stderr
from taxiway.records.base import FrozenModel
from taxiway.records.digests import digest_of_folder
from taxiway.serving.model_copy import ModelCopy
from taxiway.serving.protocol import KEEP_ALIVE_S, Rows
from taxiway.serving.workers import process as worker
from taxiway.serving.workers.base import ModelSource
from taxiway.store import temp_folder
from taxiway.tracking.client import quiet_mlflow

log = logging.getLogger(__name__)

_BATCH = TypeAdapter(list[Rows])


class VersionSettings(FrozenModel):
    """The settings of `taxiway serve-version`.

    Attributes:
        tracking_uri: The MLflow server.
        model: The registered model.
        version: Its version.
        token: The bearer token that the gateway sends.
        lease_s: The seconds after which the process ends.
        host: The address to listen on.
        port: The port to listen on.
        loader: `module:function` that loads a pyfunc model, given the folder of its files.
        code: The folder of trusted code, for models of a team's own class.
    """

    tracking_uri: str = Field(pattern=r"^https?://")
    model: str
    version: int = Field(ge=1)
    token: SecretStr = Field(min_length=16)
    lease_s: float = Field(gt=0)
    host: str = "127.0.0.1"
    port: int = Field(default=8600, ge=1, le=65535)
    code: Path | None = None
    loader: str = Field(default="taxiway.registry.load:load_folder", pattern=r"^[\w.]+:\w+$")


def serve_version(settings: VersionSettings) -> None:
    """Serve until the lease ends, or SIGTERM. The process exits with code 3 and a log message if the version cannot be loaded."""
    quiet_mlflow()
    worker.limit_threads()
    log_to_stderr()
    lease = threading.Timer(settings.lease_s, _end)
    lease.daemon = True
    lease.start()
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        access_log=False,
        server_header=False,
        log_config=None,
        timeout_keep_alive=KEEP_ALIVE_S,
    )


def create_app(settings: VersionSettings) -> FastAPI:
    """Create the ASGI application; it takes requests once the model is loaded."""
    # One thread, because the model's libraries may not be thread-safe, and each call is timed.
    predicting = ThreadPoolExecutor(1)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.get_running_loop().run_in_executor(predicting, _load, settings)
        yield

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/ping")
    async def ping() -> dict[str, str | int]:
        return {"model": settings.model, "version": settings.version}

    @app.post("/batch")
    async def batch(request: Request) -> list[dict[str, object]]:
        sent = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(sent, f"Bearer {settings.token.get_secret_value()}".encode()):
            raise HTTPException(401, "missing or invalid bearer token; only the gateway of this challenger has it")
        try:
            rows = _BATCH.validate_json(await request.body())
        except ValidationError as error:
            raise HTTPException(400, f"the body is not a batch of rows: {error.error_count()} validation errors") from None
        outcomes = await asyncio.get_running_loop().run_in_executor(predicting, worker.predict, rows)
        return [asdict(outcome) for outcome in outcomes]

    return app


def _load(settings: VersionSettings) -> None:
    """Download and load the version; the files are not needed after that."""
    from mlflow import MlflowClient

    from taxiway.registry.load import download_version

    client = MlflowClient(settings.tracking_uri)
    with temp_folder("model") as folder:
        files = download_version(client, client.get_model_version(settings.model, str(settings.version)), folder)
        forget_variables()  # the model may run code of a team, which needs no credentials of the registry
        copy = ModelCopy(files, digest_of_folder(files))
        worker.load(ModelSource(settings.loader, settings.model, settings.version, copy, settings.code))


def _end() -> None:
    log.info("the lease has ended")
    logging.shutdown()
    os._exit(0)  # even if the model's libraries hang
