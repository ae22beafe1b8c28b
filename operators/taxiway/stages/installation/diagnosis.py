"""Diagnosis: what an installation consists of, what answers, and what to mend."""

import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from taxiway.errors import TaxiwayError
from taxiway.ledger.chain import Ledger, newest_links
from taxiway.ledger.entry import DECIDED, Entry
from taxiway.ledger.promotions import entries
from taxiway.messages import counted
from taxiway.store import Store

if TYPE_CHECKING:
    from taxiway.serving.client import GatewayClient

_PACKAGES = ("taxiway", "apache-airflow", "mlflow-skinny", "scikit-learn", "duckdb")
_NEWEST = 1000
"""How many entries of the ledger are looked at, the newest ones."""
_ANSWER_SECONDS = 5.0


class Health(StrEnum):
    """How a part is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """What was found about one part.

    Attributes:
        part: The part.
        health: How it is.
        message: What was found, and for anything but OK what to do.
    """

    part: str
    health: Health
    message: str


def diagnose(
    ledger: Callable[[], AbstractContextManager[Ledger]],
    store: Callable[[], Store],
    gateway: "Callable[[], GatewayClient] | None",
    airflow: str | None = None,
) -> Iterator[Finding]:
    """Look at each part of an installation; a part that fails does not keep the others from being looked at.

    Args:
        ledger: Opens MLflow with the ledger.
        store: Opens the store.
        gateway: Makes a client of the gateway; None if there is none.
        airflow: The address of Airflow; None if it is not known.
    """
    yield _versions()
    yield from _caught("store", lambda: _store(store()))
    yield from _caught("MLflow and ledger", lambda: _ledger(ledger))
    if gateway is None:
        yield Finding(
            "gateway",
            Health.WARNING,
            "no gateway is known here; name it (--gateway URL, in Airflow the connection taxiway_gateway), or start one: taxiway serve",
        )
    else:
        yield from _caught("gateway", lambda: _gateway(gateway))
    if airflow is not None:
        yield from _airflow(airflow)


def _caught(part: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except TaxiwayError as error:
        yield Finding(part, Health.ERROR, str(error))
    except OSError as error:
        yield Finding(part, Health.ERROR, f"{type(error).__name__}: {error}")


def _versions() -> Finding:
    found = {"Python": ".".join(map(str, sys.version_info[:3]))}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return Finding("versions", Health.OK, ", ".join(f"{name} {number}" for name, number in found.items()))


def _store(store: Store) -> Iterator[Finding]:
    name, text = f"doctor/{uuid.uuid4().hex}", "written by taxiway doctor"
    store.set_ref(name, text)
    try:
        same = store.get_ref(name) == text
    finally:
        store.delete_ref(name)
    if same:
        yield Finding("store", Health.OK, f"{store.url} can be written and read")
    else:
        yield Finding("store", Health.ERROR, f"{store.url} does not return what was written; check its file system")


def _ledger(opening: Callable[[], AbstractContextManager[Ledger]]) -> Iterator[Finding]:
    with opening() as ledger:
        known = entries(ledger.client, limit=_NEWEST)
        links = newest_links(ledger.client)
        yield _mlflow(ledger.client.tracking_uri)
        yield _signatures(ledger, known, any(link.signature is not None for link in links))
        yield _aliases(ledger, known)


def _mlflow(uri: str) -> Finding:
    """That MLflow answers, and for a server its version."""
    import httpx

    own = version("mlflow-skinny")
    if not uri.startswith("http"):
        return Finding("MLflow", Health.OK, f"{uri} answers")
    try:
        answer = httpx.get(f"{uri.rstrip('/')}/version", timeout=_ANSWER_SECONDS)
        server = answer.text.strip() if answer.is_success else ""
    except httpx.HTTPError:
        server = ""
    if not server:
        return Finding("MLflow", Health.OK, f"{uri} answers, and does not give its version")
    if server.split(".")[0] != own.split(".")[0]:
        return Finding(
            "MLflow",
            Health.WARNING,
            f"{uri} answers with version {server}, and the client here is {own}; use the same major version",
        )
    return Finding("MLflow", Health.OK, f"{uri} answers, version {server}")


def _airflow(url: str) -> Iterator[Finding]:
    """That Airflow answers, its version, and what of it is not healthy."""
    import httpx

    try:
        with httpx.Client(base_url=f"{url.rstrip('/')}/api/v2", timeout=_ANSWER_SECONDS) as client:
            found, parts = (client.get(path).raise_for_status().json() for path in ("/version", "/monitor/health"))
    except (httpx.HTTPError, ValueError) as error:
        yield Finding("Airflow", Health.ERROR, f"{url} does not answer as Airflow does: {type(error).__name__}: {error}")
        return
    ill = [name for name, part in parts.items() if part.get("status") not in ("healthy", None)]
    if ill:
        yield Finding(
            "Airflow",
            Health.ERROR,
            f"{url} answers, version {found['version']}; not healthy: {', '.join(ill)}; start them again",
        )
    else:
        yield Finding("Airflow", Health.OK, f"{url} answers, version {found['version']}; {', '.join(parts)} are healthy")


def _signatures(ledger: Ledger, known: list[Entry], signed: bool) -> Finding:
    decided = [entry for entry in known if entry.state in DECIDED]
    left = [entry for entry in decided if not entry.is_linked(ledger)]
    what = f"the newest {counted(len(decided), 'promotion')}" if len(known) == _NEWEST else counted(len(decided), "promotion")
    if not ledger.keys:
        return Finding(
            "ledger",
            Health.ERROR if signed else Health.WARNING,
            f"{what}; the ledger is {'signed, and its keys are not known here' if signed else 'not signed'}. Set TAXIWAY_LEDGER_KEYS, in "
            "Airflow [taxiway] ledger_keys; `taxiway ledger new-key` makes a key",
        )
    if left:
        first = left[0].promotion
        return Finding(
            "ledger",
            Health.ERROR,
            f"{len(left)} of {what} not signed with a key of this installation, the newest to version {first.to_version or 'none'} of "
            f"{first.model}; see `taxiway ledger verify`, and for entries that are older than the keys `taxiway ledger sign`",
        )
    return Finding("ledger", Health.OK, f"{what}, all signed" if decided else "no promotion yet; new ones are signed")


def _aliases(ledger: Ledger, known: list[Entry]) -> Finding:
    """Whether each alias is where the newest promotion has put it."""
    from taxiway.registry.champions import champion_versions

    newest: dict[str, int | None] = {}
    for entry in known:
        if entry.state in DECIDED:
            newest.setdefault(entry.promotion.model, entry.promotion.to_version)
    champions = champion_versions(ledger.client)
    wrong = [
        f"{model}: the alias champion points to version {champions.get(model) or 'none'}, the ledger to version {to or 'none'}"
        for model, to in newest.items()
        if champions.get(model) != to
    ]
    if len(known) < _NEWEST:
        wrong += [f"{model}: no promotion backs version {at}" for model, at in champions.items() if model not in newest]
    if wrong:
        advice = "the gateway serves the champion of the ledger; to restore the alias: taxiway ledger restore-alias MODEL"
        return Finding("champions", Health.ERROR, f"{'; '.join(wrong)}. Somebody moved the alias by hand: {advice}")
    return Finding("champions", Health.OK, f"{counted(len(champions), 'model')} in production, each according to the ledger")


def _gateway(make: "Callable[[], GatewayClient]") -> Iterator[Finding]:
    with make() as gateway:
        statuses = gateway.statuses()
        url = gateway.url
    yield Finding("gateway", Health.OK, f"{url} answers and serves {counted(len(statuses), 'model')}")
    for status in statuses:
        if status.problem:
            yield Finding(f"gateway: {status.model}", Health.ERROR if not status.champion else Health.WARNING, status.problem)
