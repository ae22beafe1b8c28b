"""The client of a gateway, with one method for each route."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Self
from urllib.parse import quote

import httpx

from taxiway.errors import TerminalError, TransientError
from taxiway.records.shadow_pairs import Pair, PairedLog
from taxiway.serving.api import ChallengerRequest, ChallengerStatus, ModelStatus, Remote
from taxiway.serving.audit_labels import auditor_header

# A refresh and a new challenger are answered when the model is loaded.
_TIMEOUT_S = 180.0
_CONNECT_S = 10.0


class GatewayClient:
    """A client of a gateway.

    Every method raises TransientError if the gateway cannot be reached or answers with HTTP 5xx, and TerminalError with the
    gateway's message if it answers with HTTP 4xx.

    Args:
        url: The gateway's address.
        token: The admin token, or the caller token for `predict` and `status` only.
        timeout_s: How long a request may take, in seconds.
    """

    def __init__(self, url: str, token: str, *, timeout_s: float = _TIMEOUT_S) -> None:
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}
        self._timeout = httpx.Timeout(timeout_s, connect=min(timeout_s, _CONNECT_S))

    @cached_property
    def _http(self) -> httpx.Client:
        return httpx.Client(headers=self._headers, timeout=self._timeout)

    def async_http(self) -> httpx.AsyncClient:
        """Open the connections for `challenger_async`: use it with `async with`, once for many polls."""
        return httpx.AsyncClient(headers=self._headers, timeout=self._timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        if "_http" in self.__dict__:
            self._http.close()

    def role(self) -> str:
        """The role of this client's token: `admin` or `caller`."""
        try:
            response = self._http.get(f"{self.url}/version")
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        if not response.is_success or "X-Taxiway-Role" not in response.headers:
            self._content(response)
            raise TerminalError(f"{self.url} is not a Taxiway gateway; check the address")
        return str(response.headers["X-Taxiway-Role"])

    def predict(self, model: str, records: Sequence[Mapping[str, Any]]) -> list[Any]:
        """The champion's predictions, one for each record."""
        predictions: list[Any] = self._call("POST", model, "/invocations", json={"dataframe_records": list(records)})[
            "predictions"
        ]
        return predictions

    def send_labels(
        self, model: str, body: bytes, media_type: str = "application/json", *, auditor: str = ""
    ) -> dict[str, Any]:
        """Send true labels of predictions.

        Args:
            model: The registered model.
            body: The labels as JSON, CSV or Parquet.
            media_type: The media type of the body.
            auditor: The person who has made the labels for an audit, which replace no label of anybody else; empty for other labels.

        Returns:
            The numbers `recorded`, `corrected` and `unchanged`, and `refused`, a list with the index of a label and the reason.
        """
        headers = {"Content-Type": media_type, **(auditor_header(auditor) if auditor else {})}
        answer: dict[str, Any] = self._call("POST", model, "/feedback", content=body, headers=headers)
        return answer

    def statuses(self) -> list[ModelStatus]:
        """The status of all models that the gateway serves."""
        return [ModelStatus.model_validate(found) for found in self._request("GET", f"{self.url}/models")]

    def status(self, model: str) -> ModelStatus:
        """The champion and the challenger of a model."""
        return ModelStatus.model_validate(self._call("GET", model))

    def refresh(self, model: str) -> ModelStatus:
        """Make the gateway look up the champion of a model now; returns when it is loaded, or with `problem` if it cannot be."""
        return ModelStatus.model_validate(self._call("POST", model, "/refresh"))

    def put_challenger(
        self, model: str, version: int, owner: str, expires_in_s: float, remote: Remote | None = None
    ) -> ChallengerStatus:
        """Deploy a challenger, and wait until it answers. A second call for the same version and owner extends the lease.

        Args:
            model: The registered model.
            version: The challenger's version.
            owner: The DAG run that deploys it.
            expires_in_s: The seconds after which the gateway removes it.
            remote: Where it is served; None if the gateway loads it.
        """
        request = ChallengerRequest(version=version, owner=owner, expires_in_s=expires_in_s, remote=remote)
        content = self._call("PUT", model, "/challenger", json=request.model_dump(exclude_none=True))
        return ChallengerStatus.model_validate(content["challenger"])

    def challenger(self, model: str) -> ChallengerStatus | None:
        """The challenger with its counts; None if there is none."""
        return _challenger(self._call("GET", model, "/challenger"))

    async def challenger_async(self, http: httpx.AsyncClient, model: str) -> ChallengerStatus | None:
        """The same as `challenger` for an event loop, with the connections of `async_http`."""
        try:
            response = await http.get(self._url(model, "/challenger"))
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        return _challenger(self._content(response))

    def delete_challenger(self, model: str, owner: str) -> None:
        """Remove this owner's challenger, if it still exists."""
        self._call("DELETE", model, "/challenger", params={"owner": owner})

    def pairs(self, model: str, version: int, owner: str, *, limit: int = 50_000, bodies: int = 0) -> PairedLog:
        """The answers of champion and challenger to the same requests, oldest first.

        Args:
            model: The registered model.
            version: The challenger's version.
            owner: The challenger's owner.
            limit: How many pairs, the newest ones; at most 50,000.
            bodies: How many of them, the newest ones, have the bodies of their requests; at most 10,000, and 16 MiB together.
        """
        params = {"version": version, "owner": owner, "limit": limit, "bodies": bodies}
        return PairedLog.model_validate(self._call("GET", model, "/pairs", params=params))

    def labelled_pairs(self, model: str, version: int, owner: str, *, limit: int = 50_000) -> tuple[Pair, ...]:
        """The answers of both versions to the requests all of whose rows have labels, those first that were labelled first.

        Args:
            model: The registered model.
            version: The challenger's version.
            owner: The challenger's owner.
            limit: How many pairs; at most 50,000.
        """
        params = {"version": version, "owner": owner, "limit": limit}
        return tuple(Pair.model_validate(pair) for pair in self._call("GET", model, "/labelled-pairs", params=params))

    def _call(self, method: str, model: str, path: str = "", **content: Any) -> Any:
        return self._request(method, self._url(model, path), **content)

    def _request(self, method: str, url: str, **content: Any) -> Any:
        try:
            response = self._http.request(method, url, **content)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        return self._content(response)

    def _url(self, model: str, path: str) -> str:
        return f"{self.url}/models/{quote(model, safe='')}{path}"

    def _unreachable(self, error: Exception) -> TransientError:
        return TransientError(
            f"the gateway at {self.url} does not answer ({type(error).__name__}: {error}); check the address, and whether it is running"
        )

    def _content(self, response: httpx.Response) -> Any:
        if response.is_success:
            try:
                return response.json()
            except ValueError:
                raise TerminalError(f"{self.url} is not a Taxiway gateway; check the address") from None
        try:
            message = str(response.json()["message"])
        except (ValueError, KeyError, TypeError):
            message = response.text[:300]
        kind = TransientError if response.status_code >= 500 else TerminalError
        raise kind(f"the gateway at {self.url} answered with HTTP {response.status_code}: {message}")


def _challenger(content: Any) -> ChallengerStatus | None:
    found = content["challenger"]
    return None if found is None else ChallengerStatus.model_validate(found)
