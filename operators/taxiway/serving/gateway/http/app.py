"""The HTTP routes of the model gateway: MLflow's scoring protocol for callers, champion and challenger for pipelines."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache, partial
from importlib.metadata import version as version_of
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, PlainTextResponse

from taxiway.errors import LimitError, RequestError, TransientError
from taxiway.messages import listed, quoted
from taxiway.records.shadow_pairs import Pair
from taxiway.serving.answer_check import MAX_CHECKED
from taxiway.serving.api import MAX_VERSION, ChallengerRequest, ModelStatus
from taxiway.serving.audit_labels import AUDITOR_HEADER, read_auditor
from taxiway.serving.callers import Caller, Scope
from taxiway.serving.gateway.feedback.given import MEDIA_TYPES
from taxiway.serving.gateway.http.auth import Access, refusal
from taxiway.serving.gateway.http.feedback import take_labels
from taxiway.serving.gateway.http.gateway import Gateway
from taxiway.serving.gateway.http.known_callers import KnownCallers
from taxiway.serving.gateway.http.limits import retry_after
from taxiway.serving.gateway.http.predict import predict
from taxiway.serving.gateway.metrics import GatewayMetrics
from taxiway.serving.gateway.models.served_model import ServedModel
from taxiway.serving.gateway.openapi.document import openapi_document
from taxiway.serving.gateway.settings import GatewaySettings

MAX_PAIRS = 50_000
_PAIRS = TypeAdapter(tuple[Pair, ...])
_installed = cache(version_of)  # it reads files


def create_app(settings: GatewaySettings) -> FastAPI:
    """Create the gateway as an ASGI application; it loads its models when the server starts."""
    callers, metrics = KnownCallers(settings), GatewayMetrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.gateway = Gateway(settings, callers, metrics)
        try:
            yield
        finally:
            await app.state.gateway.stop()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Access, callers=callers, max_bytes=settings.max_body_bytes, metrics=metrics)
    app.add_exception_handler(RequestError, _refusal)
    app.add_exception_handler(TransientError, _unavailable)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(StarletteHTTPException, _refusal)
    app.add_exception_handler(ClientDisconnect, _disconnected)
    app.include_router(_callers)
    app.include_router(_admins)
    return app


# FastAPI would call functions that are not `async` in a thread, which takes longer than they do.
async def _only_admins(request: Request) -> None:
    _require_scope(request, Scope.ADMIN)


async def _only_known_options(request: Request) -> None:
    """Refuse options in the URL that a route does not have, or that are repeated: a misspelled one would have no effect."""
    if not request.query_params:
        return
    known = [field.alias for field in request.scope["route"].dependant.query_params]
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        raise HTTPException(400, f"unknown option {listed(unknown)} in the URL; allowed here: {listed(known) or 'none'}")
    names = [name for name, _ in request.query_params.multi_items()]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise HTTPException(400, f"the option {listed(repeated)} is repeated in the URL; give it once")


def _require_scope(request: Request, scope: Scope) -> Caller:
    caller: Caller = request.state.caller
    if not caller.may(scope):
        _gateway(request).metrics.refused("scope")
        has = listed(tuple(map(str, caller.scopes)))
        raise HTTPException(
            403, f"this route needs the scope {scope}; the caller {caller.name} has the scope {has}. Ask for another token"
        )
    return caller


def _model(request: Request, name: str) -> ServedModel:
    return _gateway(request).model(name, request.state.caller)


def _gateway(request: Request) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway


_callers = APIRouter(dependencies=[Depends(_only_known_options)])
_admins = APIRouter(prefix="/models/{name}", dependencies=[Depends(_only_admins), Depends(_only_known_options)])


@_callers.get("/ping")
async def ping() -> Response:
    """Answer 200 once the gateway takes requests, whether or not a model is loaded."""
    return Response("\n")


@_callers.get("/ready")
async def ready(request: Request) -> Response:
    """Answer 200 if requests can be logged and every served model has a champion that answers, else 503; it names no model."""
    gateway = _gateway(request)
    if gateway.log.problem:
        return refusal(503, "requests cannot be logged, so they are refused; see GET /models")
    waiting = sum(model.champion.current is None for model in gateway.models)
    if waiting:
        return refusal(503, f"{waiting} of {len(gateway.models)} models have no champion that answers; see GET /models")
    return Response("\n")


@_callers.get("/metrics")
async def metrics(request: Request) -> Response:
    """The metrics in Prometheus' text format; the caller needs the scope `metrics`."""
    _require_scope(request, Scope.METRICS)
    gateway = _gateway(request)
    not_rolled = await asyncio.to_thread(gateway.log.not_rolled)
    content, media_type = gateway.metrics.text(not_rolled, gateway.log.uncommitted)
    return Response(content, headers={"Content-Type": media_type})


@_callers.get("/version")
async def version(request: Request) -> Response:
    """MLflow's version as text, as MLflow's servers answer; Taxiway's version and the role of the token are headers."""
    headers = {"X-Taxiway-Version": _installed("taxiway"), "X-Taxiway-Role": request.state.caller.role}
    return PlainTextResponse(_installed("mlflow-skinny"), headers=headers)


@_callers.get("/openapi.json")
async def openapi(request: Request) -> JSONResponse:
    """The OpenAPI document, with the models that the caller may use."""
    gateway, caller = _gateway(request), request.state.caller
    models = await asyncio.gather(*map(gateway.described, gateway.models_of(caller)))
    document = openapi_document(_installed("taxiway"), models, caller.may)
    return JSONResponse(document)


@_callers.post("/invocations")
async def invocations(request: Request, explain: bool = False) -> Response:
    """Predict with the champion of the only served model."""
    return await _predict(request, _gateway(request).only_model(request.state.caller), explain=explain)


@_callers.post("/models/{name}/invocations")
async def model_invocations(name: str, request: Request, explain: bool = False) -> Response:
    """Predict with the champion of this model."""
    return await _predict(request, _model(request, name), explain=explain)


@_callers.post("/feedback")
async def feedback(request: Request) -> Response:
    """Take true labels of predictions of the only served model."""
    return await _feedback(request, _gateway(request).only_model(request.state.caller))


@_callers.post("/models/{name}/feedback")
async def model_feedback(name: str, request: Request) -> Response:
    """Take true labels of predictions of this model."""
    return await _feedback(request, _model(request, name))


@_callers.get("/models")
async def models(request: Request) -> list[ModelStatus]:
    """The status of all served models that the caller may use."""
    gateway = _gateway(request)
    own = gateway.models_of(request.state.caller)
    return list(await asyncio.gather(*(gateway.status(model, request.state.caller) for model in own)))


@_callers.get("/models/{name}")
async def model_status(name: str, request: Request) -> ModelStatus:
    """The status of a served model."""
    return await _gateway(request).status(_model(request, name), request.state.caller)


@_admins.post("/refresh")
async def refresh(name: str, request: Request) -> ModelStatus:
    """Look up the champion of a model now; answers when it is loaded, or could not be loaded (see `problem`)."""
    return await _gateway(request).refresh(name, request.state.caller)


@_admins.put("/challenger")
async def put_challenger(name: str, challenger: ChallengerRequest, request: Request) -> JSONResponse:
    """Load a version as challenger; answers when it is loaded."""
    await _model(request, name).challenger.put(challenger)
    return await get_challenger(name, request)


@_admins.get("/challenger")
async def get_challenger(name: str, request: Request) -> JSONResponse:
    """The challenger; null if there is none."""
    challenger = await _model(request, name).challenger.status()
    return JSONResponse({"challenger": challenger.model_dump(mode="json") if challenger else None})


@_admins.delete("/challenger")
async def delete_challenger(name: str, owner: str, request: Request) -> JSONResponse:
    """Remove this owner's challenger, if there is one."""
    await _model(request, name).challenger.remove(owner)
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
    read_pairs = partial(gateway.log.pairs, _model(request, name).name, version, owner, limit, bodies)
    # The thread also writes the JSON: 50,000 pairs would block the event loop for seconds.
    content = await asyncio.to_thread(lambda: read_pairs().model_dump_json())
    return Response(content, media_type="application/json")


@_admins.get("/labelled-pairs")
async def labelled_pairs(
    name: str,
    request: Request,
    version: int = Query(ge=1, le=MAX_VERSION),
    owner: str = Query(max_length=300),
    limit: int = Query(default=MAX_PAIRS, ge=1, le=MAX_PAIRS),
) -> Response:
    """The answers of champion and challenger to the requests all of whose rows have labels, those first that were labelled first."""
    read_pairs = partial(_gateway(request).log.labelled_pairs, _model(request, name).name, version, owner, limit)
    content = await asyncio.to_thread(lambda: _PAIRS.dump_json(read_pairs()))
    return Response(content, media_type="application/json")


async def _predict(request: Request, model: ServedModel, *, explain: bool) -> Response:
    caller = _require_scope(request, Scope.PREDICT)
    if explain:
        _require_scope(request, Scope.EXPLAIN)
    return await predict(_gateway(request), model, caller, await request.body(), request.headers, explain=explain)


async def _feedback(request: Request, model: ServedModel) -> Response:
    caller = _require_scope(request, Scope.FEEDBACK)
    media_type = request.headers.get("content-type", MEDIA_TYPES[0]).partition(";")[0].strip().lower()
    auditor = read_auditor(request.headers.get(AUDITOR_HEADER))
    return await take_labels(_gateway(request), model, caller, await request.body(), media_type, auditor)


async def _refusal(_: Request, error: Exception) -> Response:
    if isinstance(error, RequestError):
        headers = {"Retry-After": retry_after(error.retry_after_s)} if isinstance(error, LimitError) else None
        return refusal(error.status, error.message, headers)
    status, message = getattr(error, "status_code", 500), getattr(error, "detail", str(error))
    return refusal(status, f"{message}", getattr(error, "headers", None))


async def _unavailable(_: Request, error: Exception) -> Response:
    return refusal(503, str(error))


async def _disconnected(_: Request, __: Exception) -> Response:
    # Nobody receives this answer; without a handler, the exception would be logged.
    return refusal(400, "the connection was closed before the request was complete")


async def _invalid(_: Request, error: Exception) -> Response:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    return refusal(400, "; ".join(map(_invalid_value, found)))


def _invalid_value(error: Mapping[str, Any]) -> str:
    """What is wrong with a value of the URL or the body, from an error of pydantic."""
    place, *names = error["loc"]
    if error["type"] == "bool_parsing":
        return f"{'.'.join(map(str, names))} is {quoted(str(error['input']))}; allowed: true or false"
    return f"{'.'.join(map(str, (place, *names)))}: {error['msg']}"
