"""The metric by which the versions of a pipeline are compared."""

from taxiway.records import Evaluation, MetricResult, Verdict
from taxiway.store import Store
from taxiway_ui.clients import cached_record


def evaluation_of(store: Store, verdict: str | None) -> Evaluation | None:
    """The evaluation that a verdict rests on.

    Args:
        store: The store.
        verdict: The digest of the verdict; None if there is none.
    """
    found = cached_record(store, Verdict, verdict) if verdict is not None else None
    return cached_record(store, Evaluation, found.evaluation) if found is not None else None


def main_metric(evaluation: Evaluation | None) -> MetricResult | None:
    """The result of the metric by which champion and challenger are compared; None without an evaluation."""
    if evaluation is None or not evaluation.metrics:
        return None
    compared = {piece.metric for piece in evaluation.slices} | {baseline.metric for baseline in evaluation.baselines}
    return next((result for result in evaluation.metrics if result.metric in compared), evaluation.metrics[0])
