"""Talking to a gateway: one small method a route, answers as typed forms, errors as those that a retry may heal or not."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Self
from urllib.parse import quote

import httpx

from taxiway.errors import TerminalError, TransientError
from taxiway.records.shadow_pairs import PairedLog
from taxiway.serving.api import ChallengerRequest, ChallengerStatus, ModelStatus, Remote

# A refresh and a new challenger answer when the model is loaded.
_TIMEOUT_S = 180.0
_CONNECT_S = 10.0


class GatewayClient:
    """A gateway at `url`, spoken to with `token` (the admin's for anything but `predict` and `status`).

    Every method raises TransientError where the gateway cannot be reached or answers 5xx, TerminalError with the gateway's
    own message where it answers 4xx.
    """

    def __init__(self, url: str, token: str, *, timeout_s: float = _TIMEOUT_S) -> None:
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}
        self._timeout = httpx.Timeout(timeout_s, connect=min(timeout_s, _CONNECT_S))

    @cached_property
    def _http(self) -> httpx.Client:
        return httpx.Client(headers=self._headers, timeout=self._timeout)

    def async_http(self) -> httpx.AsyncClient:
        """Connections for `challenger_async`; making them costs more than a poll, so one is made for many: `async with` it."""
        return httpx.AsyncClient(headers=self._headers, timeout=self._timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections, if there are any."""
        if "_http" in self.__dict__:
            self._http.close()

    def role(self) -> str:
        """What this client's token opens: `admin` or `caller`."""
        try:
            response = self._http.get(f"{self.url}/version")
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        if not response.is_success or "X-Taxiway-Role" not in response.headers:
            self._content(response)
            raise TerminalError(f"what answers at {self.url} is no gateway of Taxiway")
        return str(response.headers["X-Taxiway-Role"])

    def predict(self, model: str, records: Sequence[Mapping[str, Any]]) -> list[Any]:
        """The champion's predictions, one for each record."""
        predictions: list[Any] = self._call("POST", model, "/invocations", json={"dataframe_records": list(records)})[
            "predictions"
        ]
        return predictions

    def status(self, model: str) -> ModelStatus:
        """Who answers for `model`, and how its challenger fares."""
        return ModelStatus.model_validate(self._call("GET", model))

    def refresh(self, model: str) -> ModelStatus:
        """Make the gateway follow `model` and look up its champion now; waits until that is loaded (`problem` if it cannot)."""
        return ModelStatus.model_validate(self._call("POST", model, "/refresh"))

    def put_challenger(
        self, model: str, version: int, owner: str, expires_in_s: float, remote: Remote | None = None
    ) -> ChallengerStatus:
        """Load `version` as challenger for `owner` (a DAG run), or take it as it is served at `remote`; waits until it answers.

        Saying it again prolongs the lease.
        """
        asked = ChallengerRequest(version=version, owner=owner, expires_in_s=expires_in_s, remote=remote)
        content = self._call("PUT", model, "/challenger", json=asked.model_dump(exclude_none=True))
        return ChallengerStatus.model_validate(content["challenger"])

    def challenger(self, model: str) -> ChallengerStatus | None:
        """The challenger and its counts, None without one."""
        return _challenger(self._call("GET", model, "/challenger"))

    async def challenger_async(self, http: httpx.AsyncClient, model: str) -> ChallengerStatus | None:
        """The same as `challenger`, for an event loop: a trigger's poll, over the connections of `async_http`."""
        try:
            response = await http.get(self._url(model, "/challenger"))
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        return _challenger(self._content(response))

    def delete_challenger(self, model: str, owner: str) -> None:
        """End this owner's challenger; nothing happens if it is gone already."""
        self._call("DELETE", model, "/challenger", params={"owner": owner})

    def pairs(self, model: str, version: int, owner: str, *, limit: int = 50_000, bodies: int = 0) -> PairedLog:
        """What champion and challenger answered to the same requests: the newest `limit` (at most 50,000), oldest first.

        The newest `bodies` of them (at most 10,000, and 16 MiB) have the bodies of their requests.
        """
        params = {"version": version, "owner": owner, "limit": limit, "bodies": bodies}
        return PairedLog.model_validate(self._call("GET", model, "/pairs", params=params))

    def _call(self, method: str, model: str, path: str = "", **content: Any) -> Any:
        try:
            response = self._http.request(method, self._url(model, path), **content)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        return self._content(response)

    def _url(self, model: str, path: str) -> str:
        return f"{self.url}/models/{quote(model, safe='')}{path}"

    def _unreachable(self, error: Exception) -> TransientError:
        return TransientError(f"the gateway at {self.url} did not answer ({type(error).__name__}: {error}); is it running?")

    def _content(self, response: httpx.Response) -> Any:
        if response.is_success:
            try:
                return response.json()
            except ValueError:
                raise TerminalError(f"what answers at {self.url} is no gateway of Taxiway") from None
        try:
            message = str(response.json()["message"])
        except (ValueError, KeyError, TypeError):
            message = response.text[:300]
        kind = TransientError if response.status_code >= 500 else TerminalError
        raise kind(f"the gateway at {self.url} answered {response.status_code}: {message}")


def _challenger(content: Any) -> ChallengerStatus | None:
    found = content["challenger"]
    return None if found is None else ChallengerStatus.model_validate(found)
