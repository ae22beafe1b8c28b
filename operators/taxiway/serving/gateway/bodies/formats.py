"""The formats that a request's body may have, by its header `Content-Type`."""

from collections.abc import Mapping
from enum import StrEnum

from taxiway.errors import RequestError
from taxiway.messages import quoted

_MAX_SHOWN = 100


class BodyFormat(StrEnum):
    """The format of a body: its media type."""

    JSON = "application/json"
    CSV = "text/csv"
    ARROW = "application/vnd.apache.arrow.stream"


def format_of(headers: Mapping[str, str]) -> BodyFormat:
    """The format of a body. JSON is assumed if the headers name none.

    As with MLflow's scoring server, `charset` is the only parameter, and UTF-8 its only value.

    Args:
        headers: The headers of the request.

    Raises:
        RequestError: 415 if the format, a parameter of it, or the encoding of the content is not supported.
    """
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise RequestError(415, "the body is compressed; send it without the header Content-Encoding")
    media_type, *parameters = (part.strip() for part in headers.get("content-type", BodyFormat.JSON).split(";"))
    for parameter in filter(None, parameters):
        name, _, value = parameter.partition("=")
        if (name.strip().lower(), value.strip().strip('"').lower()) != ("charset", "utf-8"):
            got = quoted(parameter[:_MAX_SHOWN])
            raise RequestError(415, f"the parameter {got} of the content type is not supported; allowed: charset=utf-8")
    try:
        return BodyFormat(media_type.lower())
    except ValueError:
        got = quoted(media_type[:_MAX_SHOWN])
        raise RequestError(415, f"the content type {got} is not supported; allowed: {', '.join(BodyFormat)}") from None
