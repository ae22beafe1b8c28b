"""Authentication and the limit of the body's size, for all routes of the gateway."""

from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from taxiway.messages import clipped
from taxiway.serving.callers import Caller
from taxiway.serving.gateway.http.known_callers import KnownCallers
from taxiway.serving.gateway.metrics import GatewayMetrics

_OPEN = ("/ping", "/ready")
_MAX_MESSAGE = 2000
_UNAVAILABLE = 503
_ERROR_CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    405: "METHOD_NOT_ALLOWED",
    409: "RESOURCE_CONFLICT",
    413: "REQUEST_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    422: "INVALID_STATE",
    429: "REQUEST_LIMIT_EXCEEDED",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def refusal(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Create an error response in the format of MLflow's servers: an error code and a message, of at most 2,000 characters.

    Without a header Retry-After, 503 gets one of a second.
    """
    if status == _UNAVAILABLE:
        headers = {"Retry-After": "1", **(headers or {})}
    content = {"error_code": _ERROR_CODES.get(status, "INTERNAL_ERROR"), "message": clipped(message, _MAX_MESSAGE)}
    return JSONResponse(content, status_code=status, headers=headers)


class Access:
    """ASGI middleware that requires a caller's token on every path but /ping and /ready, and limits the size of a body.

    The caller is in `scope["state"]["caller"]`.

    Args:
        app: The application behind it.
        callers: The callers.
        max_bytes: The size limit of a body.
        metrics: Counts what is refused.
    """

    def __init__(self, app: ASGIApp, callers: KnownCallers, max_bytes: int, metrics: GatewayMetrics) -> None:
        self._app = app
        self._callers = callers
        self._max_bytes = max_bytes
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _OPEN:
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        caller = self._caller(headers.get(b"authorization", b""))
        if caller is None:
            self._metrics.refused("token")
            message = (
                "missing or invalid bearer token; send the header Authorization: Bearer TOKEN with a token of this gateway"
            )
            await refusal(401, message, {"WWW-Authenticate": "Bearer"})(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        announced = headers.get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > self._max_bytes:
            self._metrics.refused("size")
            await refusal(413, self._too_large())(scope, receive, send)
            return
        await self._app(scope, self._counting(receive), send)

    def _caller(self, authorization: bytes) -> Caller | None:
        kind, _, token = authorization.partition(b" ")
        return self._callers.of(token.strip()) if kind.lower() == b"bearer" else None

    def _counting(self, receive: Receive) -> Receive:
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message: dict[str, Any] = dict(await receive())
            seen += len(message.get("body", b""))
            if seen > self._max_bytes:
                self._metrics.refused("size")
                raise HTTPException(413, self._too_large())
            return message

        return counted

    def _too_large(self) -> str:
        return f"the body is larger than {self._max_bytes:,} bytes; send fewer rows per request"
