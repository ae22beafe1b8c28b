"""Score candidate and champion on the evaluation rows of a snapshot."""

from typing import TYPE_CHECKING

from taxiway.data.engine.read_rows import read_rows
from taxiway.errors import DataError
from taxiway.evaluation.leakage import columns_alone, is_almost_perfect
from taxiway.evaluation.metrics import METRICS
from taxiway.evaluation.pictures import pictures_of
from taxiway.evaluation.scoring import LoadedModel, missing_columns, score
from taxiway.evaluation.slices import results_by_slice
from taxiway.features.encoding import raw_frame
from taxiway.features.labels import true_labels
from taxiway.features.signature import signature_columns
from taxiway.records import ColumnAlone, Evaluation, MetricResult, Snapshot
from taxiway.records.recorder import Recorder
from taxiway.spec.gate import Gate
from taxiway.spec.metrics import Problem
from taxiway.stats.bootstrap import compare
from taxiway.store import Store

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


# Reported in any case, whatever metrics the gate uses.
_ALWAYS: dict[Problem, str] = {"classification": "accuracy", "regression": "mae"}


def evaluate(
    snapshot: Snapshot,
    candidate: LoadedModel,
    champion: LoadedModel | None,
    *,
    model: str,
    label: str,
    gate: Gate,
    store: Store,
    recorder: Recorder,
) -> Evaluation:
    """Evaluate candidate and champion on the same rows.

    Computes the metrics of the gate, and accuracy or MAE, each with its confidence interval, and the comparison metric by slice. A
    model that uses a column which has left the source is scored without values in it, as it would have to work from now on.

    Args:
        snapshot: The snapshot with the evaluation rows.
        candidate: The candidate.
        champion: The champion; None if there is none.
        model: The name of the registered model.
        label: The label.
        gate: The `gate` section.
        store: Where the rows are.
        recorder: Where to report the metrics, and the pictures of the candidate.

    Raises:
        DataError: A label is missing or not one of the candidate's classes, or the champion has other classes.
    """
    rows = read_rows(snapshot.evaluation, store)
    labels = true_labels(rows[label], gate.problem, candidate.classes, snapshot.evaluation)
    if champion is not None:
        _check_comparable(candidate, champion)
    ours = score(candidate, rows)
    theirs = score(champion, rows) if champion else None
    metrics = _results(labels, ours, theirs, gate)
    evaluation = Evaluation(
        snapshot=snapshot.digest,
        model=model,
        candidate=candidate.version,
        champion=champion.version if champion else None,
        confidence=gate.confidence,
        metrics=metrics,
        slices=results_by_slice(rows, labels, ours, theirs, gate) if theirs is not None else (),
        candidate_without=missing_columns(candidate, rows),
        champion_without=missing_columns(champion, rows) if champion else (),
        alone=_alone(candidate, rows, labels, gate.problem) if any(map(is_almost_perfect, metrics)) else (),
    )
    of_champion = {f"champion.{r.metric}": r.champion.value for r in evaluation.metrics if r.champion}
    recorder.metrics({f"evaluation.{r.metric}": r.candidate.value for r in evaluation.metrics} | of_champion)
    recorder.record(evaluation)
    recorder.files("evaluation", pictures_of(candidate, rows, labels, ours, gate))
    return evaluation


def _alone(model: LoadedModel, rows: "pd.DataFrame", labels: "Floats", problem: Problem) -> tuple[ColumnAlone, ...]:
    """The columns of an almost perfect model that may give the label away."""
    columns = signature_columns(model.predictor)
    numeric, categorical = ([name for name in names if name in rows] for names in (columns.numeric, columns.categorical))
    return columns_alone(raw_frame(rows, numeric, categorical), labels, problem)


def _check_comparable(candidate: LoadedModel, champion: LoadedModel) -> None:
    if champion.classes != candidate.classes:
        raise DataError(
            f"version {candidate.version} is {_kind(candidate)}, champion version {champion.version} is {_kind(champion)}; "
            "they cannot be compared. Create a new pipeline for the new label"
        )


def _results(labels: "Floats", ours: "Floats", theirs: "Floats | None", gate: Gate) -> tuple[MetricResult, ...]:
    """The metrics of the gate, and the one that is always reported, on all rows."""
    results = []
    for name in sorted({_ALWAYS[gate.problem], *gate.thresholds, gate.against_champion.metric}):
        found = compare(METRICS[name].compute, labels, ours, theirs, gate.confidence)
        results.append(
            MetricResult(metric=name, candidate=found.candidate, champion=found.champion, difference=found.difference)
        )
    return tuple(results)


def _kind(model: LoadedModel) -> str:
    return f"a binary classifier of {' and '.join(model.classes)}" if model.classes else "a regression model"
