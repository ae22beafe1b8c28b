"""The HTTP routes of the model gateway: MLflow's scoring protocol for callers, champion and challenger for pipelines."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version as installed

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, PlainTextResponse

from taxiway.errors import RequestError, TransientError
from taxiway.messages import listed, quoted
from taxiway.serving.answer_check import MAX_CHECKED
from taxiway.serving.api import MAX_VERSION, ChallengerRequest, ModelStatus
from taxiway.serving.gateway.http.auth import Access, refusal
from taxiway.serving.gateway.http.body_reader import BodyReader
from taxiway.serving.gateway.models.served_model import ServedModel
from taxiway.serving.gateway.models.versions import ModelVersions
from taxiway.serving.gateway.settings import GatewaySettings
from taxiway.serving.gateway.state.request_log import RequestLog
from taxiway.serving.gateway.state.served import ServedState

MAX_PAIRS = 50_000
_MAX_NAME = 256  # MLflow's own limit


class Gateway:
    """The served models of a gateway.

    Args:
        settings: The settings of the gateway.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self.settings = settings
        self.log = RequestLog(settings.state_folder, settings.keep_rows, settings.keep_bytes)
        self.bodies = BodyReader()
        self._state = ServedState(settings.state_folder)
        self._versions = ModelVersions(settings)
        self._models: dict[str, ServedModel] = {}
        self._watching: list[asyncio.Task[None]] = []
        for name in dict.fromkeys((*settings.models, *self._state.models)):
            self._serve(name)

    async def stop(self) -> None:
        """End all processes, then close the log."""
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        await asyncio.gather(*(model.close() for model in self._models.values()))
        self.bodies.close()
        self._versions.close()
        await asyncio.to_thread(self.log.close)

    @property
    def models(self) -> list[ServedModel]:
        """The served models, ordered by name."""
        return [self._models[name] for name in sorted(self._models)]

    def model(self, name: str) -> ServedModel:
        """A served model.

        Raises:
            RequestError: 404 if it is not served.
        """
        if name not in self._models:
            raise RequestError(
                404,
                f"{quoted(name)} is not served here; served: {self._names()}; to serve a model: POST /models/NAME/refresh",
            )
        return self._models[name]

    def only_model(self) -> ServedModel:
        """The model, for callers that do not name it.

        Raises:
            RequestError: 404 if the gateway serves no model, or several.
        """
        if len(self._models) != 1:
            raise RequestError(
                404, f"/invocations needs exactly one served model; served: {self._names()}; use /models/NAME/invocations"
            )
        return self.models[0]

    async def refresh(self, name: str) -> ModelStatus:
        """Look up the champion of a model now; a model that is not served yet is added.

        Raises:
            RequestError: 400 if the name cannot be that of a model, 404 if the registry has no such model.
            TransientError: The registry does not answer.
        """
        if name not in self._models:
            if not name.isprintable() or len(name) > _MAX_NAME:
                raise RequestError(400, f"{quoted(name)} is not a model; allowed: at most {_MAX_NAME} printable characters")
            await self._versions.champion(name, self._state.of(name).position)
            await self._state.follow(name)
            self._serve(name)
        model = self.model(name)
        await model.champion.refresh()
        return await self.status(model)

    async def status(self, model: ServedModel) -> ModelStatus:
        """The status of a model, with the problems that all models share."""
        status = await model.status()
        shared = (self.log.problem, self.bodies.problem)
        return status.model_copy(update={"problem": "; ".join(filter(None, (status.problem, *shared)))})

    def _serve(self, name: str) -> None:
        if name not in self._models:
            self._models[name] = ServedModel(name, self.settings, self.log, self._state, self._versions)
            self._watching.append(asyncio.create_task(self._models[name].watch()))

    def _names(self) -> str:
        return listed(sorted(self._models)) or "none"


def create_app(settings: GatewaySettings) -> FastAPI:
    """Create the gateway as an ASGI application; it loads its models when the server starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.gateway = Gateway(settings)
        try:
            yield
        finally:
            await app.state.gateway.stop()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Access, settings=settings)
    app.add_exception_handler(RequestError, _refusal)
    app.add_exception_handler(TransientError, _unavailable)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(StarletteHTTPException, _refusal)
    app.add_exception_handler(ClientDisconnect, _disconnected)
    app.include_router(_callers)
    app.include_router(_admins)
    return app


def _admin_only(request: Request) -> None:
    if request.state.role != "admin":
        raise HTTPException(403, "this route needs the admin token; the caller token only allows predictions and status")


def _gateway(request: Request) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway


_callers = APIRouter()
_admins = APIRouter(prefix="/models/{name}", dependencies=[Depends(_admin_only)])


@_callers.get("/ping")
async def ping() -> Response:
    """Answer 200 once the gateway takes requests, whether or not a model is loaded."""
    return Response("\n")


@_callers.get("/version")
async def version(request: Request) -> Response:
    """MLflow's version as text, as MLflow's servers answer; Taxiway's version and the role of the token are headers."""
    headers = {"X-Taxiway-Version": installed("taxiway"), "X-Taxiway-Role": request.state.role}
    return PlainTextResponse(installed("mlflow-skinny"), headers=headers)


@_callers.post("/invocations")
async def invocations(request: Request) -> Response:
    """Predict with the champion of the only served model."""
    return await _predict(_gateway(request), _gateway(request).only_model(), request)


@_callers.post("/models/{name}/invocations")
async def model_invocations(name: str, request: Request) -> Response:
    """Predict with the champion of this model."""
    return await _predict(_gateway(request), _gateway(request).model(name), request)


@_callers.get("/models")
async def models(request: Request) -> list[ModelStatus]:
    """The status of all served models."""
    gateway = _gateway(request)
    return list(await asyncio.gather(*(gateway.status(model) for model in gateway.models)))


@_callers.get("/models/{name}")
async def model_status(name: str, request: Request) -> ModelStatus:
    """The status of a served model."""
    gateway = _gateway(request)
    return await gateway.status(gateway.model(name))


@_admins.post("/refresh")
async def refresh(name: str, request: Request) -> ModelStatus:
    """Look up the champion of a model now; answers when it is loaded, or could not be loaded (see `problem`)."""
    return await _gateway(request).refresh(name)


@_admins.put("/challenger")
async def put_challenger(name: str, challenger: ChallengerRequest, request: Request) -> JSONResponse:
    """Load a version as challenger; answers when it is loaded."""
    await _gateway(request).model(name).challenger.put(challenger)
    return await get_challenger(name, request)


@_admins.get("/challenger")
async def get_challenger(name: str, request: Request) -> JSONResponse:
    """The challenger; null if there is none."""
    challenger = await _gateway(request).model(name).challenger.status()
    return JSONResponse({"challenger": challenger.model_dump(mode="json") if challenger else None})


@_admins.delete("/challenger")
async def delete_challenger(name: str, owner: str, request: Request) -> JSONResponse:
    """Remove this owner's challenger, if there is one."""
    await _gateway(request).model(name).challenger.remove(owner)
    return JSONResponse({"challenger": None})


@_admins.get("/pairs")
async def pairs(
    name: str,
    request: Request,
    version: int = Query(ge=1, le=MAX_VERSION),
    owner: str = Query(max_length=300),
    limit: int = Query(default=MAX_PAIRS, ge=1, le=MAX_PAIRS),
    bodies: int = Query(default=0, ge=0, le=MAX_CHECKED),
) -> Response:
    """The newest answers of champion and challenger to the same requests; the newest `bodies` of them with the request's body."""
    gateway = _gateway(request)
    read_pairs = partial(gateway.log.pairs, gateway.model(name).name, version, owner, limit, bodies)
    # The thread also writes the JSON: 50,000 pairs would block the event loop for seconds.
    content = await asyncio.to_thread(lambda: read_pairs().model_dump_json())
    return Response(content, media_type="application/json")


async def _predict(gateway: Gateway, model: ServedModel, request: Request) -> Response:
    text, rows = await gateway.bodies.read(await request.body())
    request_id, served_by, outcome = await model.predict(text, rows)
    headers = {"X-Taxiway-Request-Id": request_id, "X-Taxiway-Model-Version": str(served_by.version)}
    if outcome.status != 200:
        return refusal(outcome.status, outcome.error, headers)
    # The names of the classes, in the order of the probabilities.
    classes = f', "classes": {json.dumps(served_by.classes, ensure_ascii=False)}' if served_by.classes else ""
    threshold = f', "threshold": {served_by.threshold!r}' if served_by.threshold is not None else ""
    return Response(
        f'{{"predictions": {outcome.predictions}{classes}{threshold}}}', media_type="application/json", headers=headers
    )


async def _refusal(_: Request, error: Exception) -> Response:
    if isinstance(error, RequestError):
        return refusal(error.status, error.message)
    status, message = getattr(error, "status_code", 500), getattr(error, "detail", str(error))
    return refusal(status, f"{message}", getattr(error, "headers", None))


async def _unavailable(_: Request, error: Exception) -> Response:
    return refusal(503, str(error))


async def _disconnected(_: Request, __: Exception) -> Response:
    # Nobody receives this answer; without a handler, the exception would be logged.
    return refusal(400, "the connection was closed before the request was complete")


async def _invalid(_: Request, error: Exception) -> Response:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    return refusal(400, "; ".join(f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in found))
