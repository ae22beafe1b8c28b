"""Why a champion predicts worse: one list of what is known, what explains most of it first, and one sentence."""

from collections.abc import Iterator, Sequence
from datetime import date

from taxiway.ledger.chain import Ledger
from taxiway.messages import decimal_texts, percent
from taxiway.monitoring.retraining.evidence import is_worse
from taxiway.records.served import ServedPerformance
from taxiway.records.served.causes import Cause, CauseKind, Causes
from taxiway.stages.monitor.monitored import Monitored, MonitoredWindow
from taxiway.stages.monitor.upstream import changed_upstream
from taxiway.stages.monitor.windows.log_windows import Every, last_day
from taxiway.stages.monitor.windows.performance import MIN_ROWS
from taxiway.store import Store

_SMALLEST_SHARE = 0.05


def root_causes(
    found: Monitored, every: Every, ledger: Ledger, store: Store, before: ServedPerformance | None = None
) -> Causes | None:
    """Why the newest window with enough rows is worse, or the newest one whose realised performance is known; None if neither is.

    Args:
        found: What was found, with its slices.
        every: How long a window is.
        ledger: The ledger, which has the champions of the models upstream.
        store: The store, which has the spans that were decided.
        before: The record of the run before, whose windows are older; None if there is none.
    """
    window = next((each for each in (found.newest, found.newest_labelled) if each is not None and each.performance.alert), None)
    if window is None:
        return None
    first = window.performance.first
    upstream = changed_upstream(ledger, store, found.version, found.evaluated.snapshot, last_day(first, every))
    causes = tuple(_ranked([*_inputs(found, window), *_others(found, window), *upstream]))
    since, is_oldest = _since(found, window, before)
    message = _message(found, window, since, causes, is_oldest=is_oldest)
    return Causes(first=first, since=since, message=message, causes=causes)


def _ranked(causes: Sequence[Cause]) -> list[Cause]:
    """Those whose share is known, the largest first, then the others in the order of their kinds."""
    kinds = list(CauseKind)
    return sorted(causes, key=lambda each: (each.share is None, -(each.share or 0.0), kinds.index(each.kind)))


def _inputs(found: Monitored, window: MonitoredWindow) -> Iterator[Cause]:
    """The inputs that have drifted, with their shares if the estimate of this window was divided among them."""
    of = found.shares if window is found.newest and found.shares is not None else None
    for drift in window.drift.columns:
        share = of.shares.get(drift.column) if of is not None else None
        error = of.errors.get(drift.column) if of is not None else None
        yield Cause(kind=CauseKind.INPUT, name=drift.column, message=drift.message, share=share, error=error or None)


def _others(found: Monitored, window: MonitoredWindow) -> Iterator[Cause]:
    """What may be a reason, without a share."""
    if (changed := _concept_drift(found, window)) is not None:
        yield changed
    for number, anomaly in enumerate(window.anomalies, start=1):
        name = anomaly.column or "the table"
        yield Cause(kind=CauseKind.ANOMALY, name=name, message=f"anomaly {number}: {anomaly.message}")
    joint = window.drift.joint
    if joint is not None:
        yield Cause(kind=CauseKind.RELATION, name="relation of inputs", message=joint.message)
    if window is found.newest_labelled:
        for each in found.slices:
            name = f"{each.column} = {each.value}"
            yield Cause(kind=CauseKind.SLICE, name=name, message=each.describe(found.reference.metric))


def _concept_drift(found: Monitored, window: MonitoredWindow) -> Cause | None:
    """That the labels are worse than the estimate for the same rows allows: what the inputs do not explain."""
    of, metric = window.performance, found.reference.metric
    realised, expected = of.realised, of.estimated_of_labelled
    if realised is None or expected is None:
        return None
    if not is_worse(metric, realised.model_copy(update={"low": realised.value, "high": realised.value}), expected):
        return None
    now, then, low, high = decimal_texts(realised.value, expected.value, expected.low, expected.high)
    message = (
        f"realised {metric} {now} of {realised.rows:,} rows, and {then} ({low} to {high}) was estimated for the same rows: the relation of "
        "inputs and label may have changed (concept drift)"
    )
    return Cause(kind=CauseKind.CONCEPT, name="concept drift", message=message)


def _since(found: Monitored, window: MonitoredWindow, before: ServedPerformance | None) -> tuple[date, bool]:
    """The first day of the first of the worse windows that end with this one, and whether no older window is known.

    Windows with too few rows neither are worse nor end the run.
    """
    known = {each.performance.first: (each.performance.rows, each.performance.alert) for each in found.windows}
    if before is not None and before.metric == found.reference.metric:
        ones = [(each.version, each.window) for each in before.earlier]
        ones += [(before.version, each) for each in before.windows]
        older = {each.first: (each.rows, each.worse) for version, each in ones if version == found.version.version}
        known = {**older, **known}
    since = window.performance.first
    for first in sorted((day for day in known if day < since), reverse=True):
        rows, worse = known[first]
        if worse:
            since = first
        elif rows >= MIN_ROWS:
            return since, False
    return since, True


def _message(found: Monitored, window: MonitoredWindow, since: date, causes: Sequence[Cause], *, is_oldest: bool) -> str:
    """`estimated roc_auc fell from 0.740 for evaluation rows to 0.690 in the window from 2013-06-10, worse since the window from 2013-06-03;
    80.1% of it from carrier (the share of ...; anomaly 4), 9.0% from distance`."""
    of, metric, first = window.performance, found.reference.metric, window.performance.first
    shares = found.shares if window is found.newest else None
    is_estimate = of.alert == "estimated"
    now = of.estimated if is_estimate else of.realised
    assert now is not None
    start = shares.before if shares is not None and is_estimate else found.reference.performance.value
    run = (
        ""
        if since == first
        else f", worse since the window from {since}{', the oldest one that was compared' if is_oldest else ''}"
    )
    message = f"{of.alert} {_changed(metric, start, now.value)} in the window from {first}{run}"
    if not is_estimate and (concept := next((each for each in causes if each.kind is CauseKind.CONCEPT), None)) is not None:
        message += f"; {concept.message}"
    if shares is None:
        return message
    if not is_estimate:
        message += f"; the estimated {_changed(metric, shares.before, shares.now)}"
    parts = ", ".join(_shares(window, causes))
    return f"{message}; {parts}" if parts else f"{message}, which no input that drifted explains alone"


def _changed(metric: str, before: float, now: float) -> str:
    texts = decimal_texts(before, now)
    return f"{metric} {'fell' if now < before else 'rose'} from {texts[0]} for evaluation rows to {texts[1]}"


def _shares(window: MonitoredWindow, causes: Sequence[Cause]) -> Iterator[str]:
    """What each input explains, if it is not little; of the first one, also what has changed."""
    large = [each for each in causes if each.share is not None and each.share >= _SMALLEST_SHARE]
    for place, each in enumerate(large):
        assert each.share is not None
        text = f"{percent(each.share)}{f' ± {percent(each.error)}' if each.error else ''} of it from {each.name}"
        if place:
            yield text
            continue
        numbers = [number for number, anomaly in enumerate(window.anomalies, start=1) if anomaly.column == each.name]
        what = [each.message.removeprefix(f"{each.name}: "), *(f"anomaly {number}" for number in numbers)]
        yield f"{text} ({'; '.join(what)})"
