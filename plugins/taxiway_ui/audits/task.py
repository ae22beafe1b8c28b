"""The rows of the next audit of a champion, which people label on a page, and send to the gateway as `taxiway label send` does."""

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowNotFoundException

from taxiway.errors import ConfigError, TerminalError
from taxiway.hooks.config import setting
from taxiway.hooks.gateway import GatewayHook
from taxiway.lineage.monitoring import newest_served
from taxiway.messages import counted
from taxiway.records.served import ServedPerformance, ServedWindow
from taxiway.spec.monitor import Monitor
from taxiway.spec.source.span_pattern import DATA
from taxiway.stages.batch.version import Version
from taxiway.stages.context import Services
from taxiway.stages.monitor.windows.labels.audit_rows import AuditPage, audit_page
from taxiway.stages.monitor.windows.log_windows import Every, last_day
from taxiway.stages.monitor.windows.performance import MIN_ROWS
from taxiway.store import Store
from taxiway_ui.clients import ANSWER_SECONDS, cached_record
from taxiway_ui.people.upload import InvalidFormError
from taxiway_ui.reviews.loaded import LoadedPipeline

if TYPE_CHECKING:
    from taxiway.serving.client import GatewayClient

ROWS = 15
"""How many rows a page shows: a form has at most 20 fields."""
_FIELD = re.compile(r"label:(?P<request>[^:]+):(?P<row>\d{1,9})")
_PLACE = re.compile(r"[0-9a-f]{32} \S+ \d+")


@dataclass(frozen=True)
class SentLabels:
    """What became of the labels of a form.

    Attributes:
        recorded: How many rows have got a label.
        corrected: How many labels of the person were replaced.
        unchanged: How many rows had the label already.
        refused: Why labels were not taken, such as that somebody else has labelled the row differently, a sentence for each row.
    """

    recorded: int
    corrected: int
    unchanged: int
    refused: tuple[str, ...]

    @property
    def taken(self) -> str:
        """`12 labels`, of those that the gateway has now."""
        return counted(self.recorded + self.corrected + self.unchanged, "label")


@dataclass(frozen=True)
class AuditTask:
    """Rows that a person is to label.

    Attributes:
        dag: The pipeline.
        version: The version that has predicted them.
        window: The first day of their window.
        messages: When the audit is due and why, a sentence each.
        page: The rows.
        after: The place of the row after which they begin; empty for the first one.
        sent: What became of the labels that the person has just sent; None if there were none.
    """

    dag: str
    version: int
    window: date
    messages: tuple[str, ...]
    page: AuditPage
    after: str = ""
    sent: SentLabels | None = None

    @property
    def last(self) -> str:
        """The place of the last row that is shown."""
        return self.page.rows[-1].place if self.page.rows else self.after


def audit_task(
    dag: str, store: Store, loaded: LoadedPipeline | str, after: str = "", sent: SentLabels | None = None
) -> AuditTask:
    """Read the rows that a person labels next.

    Args:
        dag: The pipeline.
        store: The store.
        loaded: The pipeline; or why its file cannot be read.
        after: The place of the row after which they begin; empty for the first one.
        sent: What became of the labels that the person has just sent.

    Raises:
        InvalidFormError: `after` is not a place.
        ConfigError: The pipeline file cannot be read, or has no section `monitor.audit`, or the request log is not there.
        TerminalError: Monitoring has not found out yet how many labels are needed, or no window has ended.
    """
    if after and not _PLACE.fullmatch(after):
        raise InvalidFormError("the place of the last row is none; go back to the first rows", key="after", got=after)
    if isinstance(loaded, str):
        raise ConfigError(loaded)
    monitor = loaded.pipeline.monitor
    if monitor is None or monitor.audit is None:
        raise ConfigError(
            f"{loaded.shown} has no section monitor.audit, so nobody needs labels; add it to know when they are due"
        )
    digest = newest_served(store, dag)
    found = cached_record(store, ServedPerformance, digest) if digest is not None else None
    if found is None or found.audit is None:
        raise TerminalError(f"monitoring has not found out yet which labels {dag} needs; run the DAG {dag}.monitor first")
    window = _window(found, monitor.window)
    version = Version(found.model, found.version, None)
    rows = audit_page(_log(monitor), version, (window.first, monitor.window), found.audit.labels, after, ROWS)
    return AuditTask(dag, found.version, window.first, found.audit.messages, rows, after, sent)


def send_audit(dag: str, fields: Mapping[str, str], person: str) -> SentLabels:
    """Send the labels of a form to the gateway of the connection `taxiway_gateway`, with the name of the person.

    Args:
        dag: The pipeline, which is the name of its model.
        fields: The fields of the form: `label:REQUEST:ROW` has the label of a row.
        person: The name of the person.

    Raises:
        InvalidFormError: There is no label.
        ConfigError: There is no connection to a gateway.
        TaxiwayError: The gateway does not take labels now.
    """
    given = given_labels(fields)
    if not given:
        raise InvalidFormError("no row has a label; label at least one")
    body = io.StringIO()
    csv.writer(body).writerows([("request_id", "row", "label"), *given])
    with _gateway() as client:
        answer = client.send_labels(dag, body.getvalue().encode(), "text/csv", auditor=person)
    refused = tuple(
        f"row {given[each['index']][1]} of request {given[each['index']][0]}: {each['reason']}" for each in answer["refused"]
    )
    return SentLabels(answer["recorded"], answer["corrected"], answer["unchanged"], refused)


def given_labels(fields: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """The labels of a form: request id, row and label. Rows that were left open have none."""
    return [
        (place["request"], place["row"], value.strip())
        for name, value in fields.items()
        if value.strip() and (place := _FIELD.fullmatch(name))
    ]


def _gateway() -> "GatewayClient":
    try:
        return GatewayHook().client(timeout_s=ANSWER_SECONDS)
    except AirflowNotFoundException as error:
        raise ConfigError(
            "there is no connection taxiway_gateway, so labels cannot be sent; add it, or use taxiway label send"
        ) from error


def _window(found: ServedPerformance, every: Every) -> ServedWindow:
    """The newest window that had ended when it was compared, with enough rows, as monitoring chooses it."""
    ended = [each for each in found.windows if each.rows >= MIN_ROWS and last_day(each.first, every) < found.at.date()]
    if not ended:
        raise TerminalError(f"no window of {found.model} with at least {MIN_ROWS} rows has ended yet")
    return ended[-1]


def _log(monitor: Monitor) -> Path:
    """The folder of the request log, which Airflow's API server needs at the path that the workers have."""
    path = Services(data=setting("data") if DATA in monitor.log else None).filled(monitor.log).removeprefix("file://")
    if not Path(path).is_dir():
        raise ConfigError(
            f"there is no request log at {path} where Airflow's API server runs; mount it there, or use taxiway audit -o"
        )
    return Path(path)
