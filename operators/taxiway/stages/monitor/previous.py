"""Compares a served version with the version before it, on the same requests and labels."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.errors import NoRequestsError, TaxiwayError, TerminalError
from taxiway.evaluation.predictions import positive_class
from taxiway.features.signature import ModelColumns, signature_columns
from taxiway.ledger.chain import Ledger
from taxiway.ledger.entry import Entry, trusted
from taxiway.messages import clipped, counted, error_text, names_text
from taxiway.monitoring.row_losses import log_evidence, loss_differences, row_loss_name
from taxiway.records import Promotion
from taxiway.records.served import PreviousPerformance
from taxiway.spec.python_refs import same_process
from taxiway.stages.batch.version import find_version, load_version, row_model
from taxiway.stages.monitor.monitored import Monitored
from taxiway.stages.monitor.windows.labels.rows import LabelledRows, Period, evaluation_rows, labelled_rows, logged_columns
from taxiway.stages.monitor.windows.performance import CONFIDENCE, MIN_ROWS
from taxiway.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from taxiway.evaluation.predictions import Predictions
    from taxiway.evaluation.scoring import LoadedModel

_MAX_CHARACTERS = 500


class _NotComparedError(TerminalError):
    """The two versions cannot be compared."""


@dataclass(frozen=True)
class PreviousAsked:
    """Where the two versions are compared.

    Attributes:
        ledger: The ledger, which says which version was champion before.
        known: The entries of the model in it, newest first.
        store: Where the evaluation rows are.
        period: The requests; those since the promotion count.
        code: The folder of trusted code, for models of a team's own class; None for none.
    """

    ledger: Ledger
    known: Sequence[Entry]
    store: Store
    period: Period
    code: Path | None = None


def previous_performance(asked: PreviousAsked, found: Monitored, pyfunc: Any) -> PreviousPerformance:
    """Predict the labelled rows of a version by the version that was champion before it, and compare the metric of both.

    Rows from before the promotion of the version do not count: it may have been champion earlier, too.

    Args:
        asked: Where they are compared.
        found: The served version, with its metric.
        pyfunc: Its model.
    """
    version = found.version.version
    promotion = newest_promotion_to(asked, version)
    if promotion is None:
        return PreviousPerformance(not_compared=f"version {version} was never promoted, so there is no version before it")
    if promotion.from_version is None:
        return PreviousPerformance(
            since=promotion.at, not_compared=f"no version was champion when version {version} was promoted"
        )
    try:
        return _compared(asked, found, pyfunc, promotion, promotion.from_version)
    except (_NotComparedError, NoRequestsError) as error:
        return PreviousPerformance(version=promotion.from_version, since=promotion.at, not_compared=str(error))


def newest_promotion_to(asked: PreviousAsked, version: int) -> Promotion | None:
    """The newest promotion to a version after a verdict, also a forced one, but no rollback; None if there is none."""
    promotions = (entry.promotion for entry in trusted(asked.ledger, asked.known))
    return next((made for made in promotions if made.to_version == version and made.verdict is not None), None)


def _compared(asked: PreviousAsked, found: Monitored, pyfunc: Any, promotion: Promotion, previous: int) -> PreviousPerformance:
    from taxiway.evaluation.metrics import metric_of
    from taxiway.evaluation.scoring import LoadedModel
    from taxiway.stats.bootstrap import compare

    classes, metric = found.reference.classes, found.reference.metric
    columns, period = row_model(pyfunc, found.version).columns, asked.period
    period = replace(period, since=max(period.since, promotion.at))
    before = _loaded(asked, found, previous, columns)
    rows = _rows(period, found, _present(before, columns))
    other = _scored(before, rows.inputs, classes)
    intervals = compare(metric_of(metric, classes).compute, rows.labels, rows.predictions, other, CONFIDENCE)
    difference = intervals.difference
    if difference is None or not all(map(math.isfinite, (difference.value, difference.low, difference.high))):
        raise _NotComparedError(
            f"{metric} of these {len(rows.labels):,} rows has no interval, as with very few rows of a class"
        )
    evidence = None
    if row_loss_name(metric) is not None and rows.days is not None:
        largest = _largest_difference(asked, found, LoadedModel(0, pyfunc, classes), before)
        evidence = log_evidence(loss_differences(metric, rows.predictions, other, rows.labels), largest, rows.days)
    return PreviousPerformance(
        version=previous,
        since=period.since,
        rows=len(rows.labels),
        served=intervals.candidate,
        previous=intervals.champion,
        difference=difference,
        log_evidence=evidence,
    )


def _loaded(asked: PreviousAsked, found: Monitored, number: int, columns: ModelColumns) -> "LoadedModel":
    """The version before; it takes columns that have been renamed since by their former names."""
    from taxiway.evaluation.scoring import LoadedModel

    with _not_compared_if_it_fails(f"version {number} cannot be loaded"):
        version = find_version(asked.ledger, f"{found.version.model}/{number}", asked.known)
        pyfunc = load_version(asked.ledger.client, version, asked.code)
        classes = tuple(row_model(pyfunc, version).classes)
    if set(classes) != set(found.reference.classes):
        raise _NotComparedError(
            f"version {number} has other classes: {names_text(classes) if classes else 'none, for a regression'}"
        )
    return LoadedModel(number, pyfunc, classes, renamed=columns.renamed)


def _scored(before: "LoadedModel", rows: "pd.DataFrame", classes: tuple[str, ...]) -> "Predictions":
    from taxiway.evaluation.scoring import score

    with _not_compared_if_it_fails(f"version {before.version} cannot predict the rows"):
        return score(before, rows, classes, positive_class(classes))


@contextmanager
def _not_compared_if_it_fails(problem: str) -> Iterator[None]:
    """The version before may need a library that was removed or changed since: its errors are not those of the champion's monitoring."""
    try:
        with same_process():
            yield
    except MemoryError:
        raise
    except (Exception, SystemExit) as error:  # a model of a team's own class may raise anything
        text = str(error) if isinstance(error, TaxiwayError) else error_text(error)
        raise _NotComparedError(f"{problem}: {clipped(text, _MAX_CHARACTERS)}") from error


def _rows(period: Period, found: Monitored, taken: ModelColumns) -> LabelledRows:
    """The rows of the served version, with the columns that the version before takes."""
    logged = logged_columns(period, found.version, taken)
    missing = [name for name in taken.names if name not in logged.names]
    if missing:
        raise _NotComparedError(
            f"the version before takes {names_text(missing)}, which the log does not have: a column that no request has, a list, or one "
            "that the log omits or hashes"
        )
    rows = labelled_rows(period, found.version, found.reference, taken)
    if len(rows.labels) < MIN_ROWS:
        raise _NotComparedError(
            f"version {found.version.version} has {counted(len(rows.labels), 'row')} with a label since "
            f"{period.since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, fewer than {MIN_ROWS}"
        )
    return rows


def _present(before: "LoadedModel", columns: ModelColumns) -> ModelColumns:
    """The columns of the version before, by their present names."""
    of = signature_columns(before.predictor)
    now = dict(zip(of.names, columns.present_names(of.names), strict=True))
    numeric, categorical = (tuple(now[name] for name in names) for names in (of.numeric, of.categorical))
    return ModelColumns(numeric, categorical, {now[name]: kind for name, kind in of.types.items() if name in now})


def _largest_difference(asked: PreviousAsked, found: Monitored, served: "LoadedModel", before: "LoadedModel") -> float:
    """The largest difference of losses that counts: 1 for classes, and for numbers the largest one of the evaluation rows."""
    from taxiway.evaluation.scoring import score

    if found.reference.classes:
        return 1.0
    snapshot, label = found.evaluated.snapshot, found.evaluated.label
    of_served = signature_columns(served.predictor)
    columns = dict.fromkeys([*of_served.names, *_present(before, of_served).names])
    rows, labels = evaluation_rows(snapshot, label, found.reference, list(columns), asked.store)
    first, second = score(served, rows, (), None), _scored(before, rows, ())
    return float(abs(loss_differences(found.reference.metric, first, second, labels)).max())
