"""The pages' access to MLflow and the store, with a message if one of them does not answer."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.sdk.exceptions import AirflowException

from taxiway.credentials import without_credentials
from taxiway.errors import ConfigError, TaxiwayError, TransientError
from taxiway.hooks import config as settings
from taxiway.hooks.mlflow import MlflowHook
from taxiway.ledger import chain
from taxiway.ledger.chain import Ledger
from taxiway.records import Record
from taxiway.store import Store

if TYPE_CHECKING:
    from mlflow import MlflowClient

T = TypeVar("T")
R = TypeVar("R", bound=Record)
ANSWER_SECONDS = 5
NO_STORE = "Records are not shown: [taxiway] store is not set in Airflow's API server."
READERS = 16
"""How many threads read from the store for a page."""
_MAX_RECORDS = 20_000
NO_KEYS = (
    "The ledger is signed, and Airflow's API server has no key to sign with, so nothing can be decided here. Set [taxiway] ledger_keys "
    "for the API server too, or decide with the commands of taxiway."
)
_log = logging.getLogger(__name__)


def query_mlflow(query: Callable[["MlflowClient"], T], default: T, what: str = "champions and promotions") -> tuple[T, str]:
    """Query the MLflow server of the connection `mlflow_default`; see `query_server`."""
    try:
        uri = MlflowHook().tracking_uri()
    except (AirflowException, TaxiwayError) as error:
        return default, f"{what.capitalize()} are not shown: {error}"
    return query_server(uri, query, default, what)


def query_server(
    uri: str, query: Callable[["MlflowClient"], T], default: T, what: str = "champions and promotions"
) -> tuple[T, str]:
    """Query an MLflow server.

    Args:
        uri: Its address; credentials in it are not shown.
        query: Called with a client.
        default: The result if the server does not answer.
        what: What is not shown then, for the message.

    Returns:
        The result, and a message that says why it is the default; empty if it is not.
    """
    answer_soon()
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ImportError:
        return (
            default,
            f"{what.capitalize()} are not shown: install taxiway[ml] in the environment of Airflow's API server.",
        )
    try:
        return query(MlflowClient(tracking_uri=uri)), ""
    except MlflowException as error:
        _log.warning("MLflow did not answer the pages: %s", without_credentials(str(error)))
        return default, f"MLflow at {without_credentials(uri)} does not answer, so {what} are not shown."
    except TaxiwayError as error:  # of the ledger, such as a deleted experiment
        return default, f"{what.capitalize()} are not shown: {error}"


_records: dict[tuple[type[Record], str, str], Any] = {}
"""The records that were read, by their kind, store and digest, the oldest first."""


def _read(kind: type[R], url: str, digest: str) -> R:
    key = kind, url, digest
    found: R | None = _records.get(key)
    if found is None:
        found = _records[key] = Store(url).get(kind, digest)
        for oldest in list(_records)[: len(_records) - _MAX_RECORDS]:
            _records.pop(oldest, None)
    return found


def cached_record(store: Store, kind: type[R], digest: str) -> R | None:
    """Read a record, at most once in this process: what has a digest never changes. None if it cannot be read."""
    try:
        found: R = _read(kind, store.url, digest)
    except (TaxiwayError, ValueError, OSError) as error:
        _log.warning("the pages cannot read the %s %s: %s", kind.__name__, digest, error)
        return None
    return found


def cached_records(store: Store, kind: type[R], digests: Iterable[str]) -> dict[str, R]:
    """Read records, as `cached_record` does, those that are new to this process in several threads; without those that cannot be read."""
    wanted = tuple(dict.fromkeys(digests))
    found: dict[str, R] = {digest: _records[key] for digest in wanted if (key := (kind, store.url, digest)) in _records}
    left = [digest for digest in wanted if digest not in found]
    if left:
        with ThreadPoolExecutor(READERS) as readers:
            read = readers.map(lambda digest: cached_record(store, kind, digest), left)
            found |= {digest: record for digest, record in zip(left, read, strict=True) if record is not None}
    return found


def query_store(query: Callable[[], T], default: T) -> tuple[T, str]:
    """Read from the store.

    Args:
        query: Reads.
        default: What is returned if the store cannot be read.

    Returns:
        The result, and a message if the store cannot be read.
    """
    try:
        return query(), ""
    except (TaxiwayError, ValueError, OSError) as error:
        _log.warning("the pages cannot read the store: %s", error)
        return default, f"What is in the store is not shown, because it cannot be read: {error}"


class RememberingStore(Store):
    """The store of the installation; each record is read once in this process, because it never changes."""

    def get(self, kind: type[R], digest: str) -> R:
        """Read a record; see `Store.get`."""
        found: R = _read(kind, self.url, digest)
        return found


def query_ledger(query: Callable[[Ledger], T], default: T) -> tuple[T, str]:
    """Query the ledger in the MLflow server of the connection `mlflow_default`; see `query_server`."""
    try:
        keys = settings.ledger_keys()
    except TaxiwayError as error:
        return default, f"Champions and promotions are not shown: {error}"
    return query_mlflow(lambda client: query(Ledger(client, keys)), default)


@contextmanager
def writable_ledger() -> Iterator[Ledger]:
    """The ledger of the installation, for a person who decides.

    Raises:
        ConfigError: The ledger is signed, and there are no keys here.
        TransientError: MLflow does not answer.
        TaxiwayError: A setting is missing or cannot be read.
    """
    answer_soon()
    from mlflow.exceptions import MlflowException

    try:
        ledger = Ledger(MlflowHook().get_conn(), settings.ledger_keys())
        if not can_write(ledger):
            raise ConfigError(NO_KEYS, key="ledger_keys")
        yield ledger
    except MlflowException as error:
        message = without_credentials(str(error))
        _log.warning("MLflow did not answer the pages: %s", message)
        raise TransientError(f"MLflow did not answer, so the decision may not be complete; try again: {message}") from error


def can_write(ledger: Ledger) -> bool:
    """Whether this process has the keys that the ledger is signed with; takes two requests without keys, and none with them."""
    return bool(ledger.keys) or not chain.is_signed(ledger.client)


def answer_soon() -> None:
    """Let MLflow's client give up soon, and not retry: a person waits for the page."""
    # MLflow's client would retry for minutes. It reads these settings from the environment only.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(ANSWER_SECONDS))


def notices(problem: str, store: Store | None) -> tuple[str, ...]:
    """Messages about what a page does not show: why MLflow was not read, and that the store cannot be opened."""
    return tuple(message for message in (problem, "" if store else NO_STORE) if message)


def open_store() -> Store | None:
    """Open the installation's store; None if it is not set or cannot be used."""
    try:
        return settings.open_store()
    except TaxiwayError:
        return None
