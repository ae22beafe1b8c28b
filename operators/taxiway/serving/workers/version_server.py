"""Serving one model version to one gateway, for as long as its lease lasts: what runs in a challenger's container.

It loads through the same trusted loader and predicts with the same code as a gateway's own worker process.
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

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError

from taxiway.serving.protocol import Rows
from taxiway.serving.workers import process as worker
from taxiway.tracking.client import quiet_mlflow

log = logging.getLogger(__name__)

_BATCH = TypeAdapter(list[Rows])


class VersionSettings(BaseModel):
    """Which version is served where, to whom, and for how many seconds. `loader` is as in the gateway's settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tracking_uri: str = Field(pattern=r"^https?://")
    model: str
    version: int = Field(ge=1)
    token: SecretStr = Field(min_length=16)
    lease_s: float = Field(gt=0)
    host: str = "127.0.0.1"
    port: int = Field(default=8600, ge=1, le=65535)
    loader: str = Field(default="taxiway.registry.models:load_trusted", pattern=r"^[\w.]+:\w+$")


def serve_version(settings: VersionSettings) -> None:
    """Serve until the lease is over, or SIGTERM. Exits with code 3 and a message in its log if the version cannot be loaded."""
    quiet_mlflow()
    worker.limit_threads()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    lease = threading.Timer(settings.lease_s, _end)
    lease.daemon = True
    lease.start()
    uvicorn.run(create_app(settings), host=settings.host, port=settings.port, access_log=False, server_header=False)


def create_app(settings: VersionSettings) -> FastAPI:
    """The version as an ASGI application; it takes requests once the model is loaded."""
    source = worker.ModelSource(settings.loader, settings.tracking_uri, settings.model, settings.version)
    # One thread: the model's libraries need not be safe for several, and calls are timed one by one.
    predicting = ThreadPoolExecutor(1)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.get_running_loop().run_in_executor(predicting, worker.load, source)
        yield

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/ping")
    async def ping() -> dict[str, str | int]:
        return {"model": settings.model, "version": settings.version}

    @app.post("/batch")
    async def batch(request: Request) -> list[dict[str, object]]:
        sent = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(sent, f"Bearer {settings.token.get_secret_value()}".encode()):
            raise HTTPException(401, "this serves one gateway only, which knows the token")
        try:
            rows = _BATCH.validate_json(await request.body())
        except ValidationError as error:
            raise HTTPException(400, f"the body is no batch: {error.error_count()} mistakes") from None
        outcomes = await asyncio.get_running_loop().run_in_executor(predicting, worker.predict, rows)
        return [asdict(outcome) for outcome in outcomes]

    return app


def _end() -> None:
    log.info("the lease is over")
    logging.shutdown()
    os._exit(0)  # whatever the model's libraries are doing
