"""A row of the request log."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LoggedRequest:
    """A row of the log with the champion's answer; the challenger's answer is added later.

    Attributes:
        request_id: The request's id.
        at: When it was received, in seconds since 1970.
        model: The registered model.
        payload: The request's JSON.
        call_id: The id of the predict call; requests that were predicted together share it.
        champion_version: The version that answered.
        champion_status: The HTTP status of its answer.
        champion_answer: The predictions as JSON; empty for an error.
        champion_error: The error; empty if there is none.
        champion_ms: The latency of the predict call in ms.
        challenger_version: The version that the request was mirrored to; None without a challenger.
        challenger_owner: The owner of that challenger.
        mirror: `queued`, `dropped`, or None without a challenger.
        caller: The name of the caller; empty if it has none.
        total_ms: The time in ms from the reception of the request to the end of its predict call; None if it is not known.
    """

    request_id: str
    at: float
    model: str
    payload: str
    call_id: str
    champion_version: int
    champion_status: int
    champion_answer: str
    champion_error: str
    champion_ms: float
    challenger_version: int | None
    challenger_owner: str | None
    mirror: str | None
    caller: str = ""
    total_ms: float | None = None
