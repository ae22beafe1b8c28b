"""Score candidate and champion on the evaluation rows of a snapshot."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from taxiway.data.engine.read_rows import LIST_OF, read_rows
from taxiway.data.schema.feature import DATE_TYPES
from taxiway.errors import ChampionUnscorableError
from taxiway.evaluation.baselines.costs import costs_text, model_costs
from taxiway.evaluation.baselines.fit import FittedBaseline
from taxiway.evaluation.baselines.score import Scored, baseline_metrics, baseline_results, score_baselines
from taxiway.evaluation.comparison import Comparison, all_classes
from taxiway.evaluation.evaluation_set import evaluation_set, query_key
from taxiway.evaluation.groups import row_groups
from taxiway.evaluation.leakage import columns_alone, is_almost_perfect
from taxiway.evaluation.pictures import pictures_of
from taxiway.evaluation.predictions import Predictions, positive_class
from taxiway.evaluation.row_means import row_means
from taxiway.evaluation.scoring import LoadedModel, missing_columns, model_frame, score, score_frame
from taxiway.evaluation.slices import results_by_slice
from taxiway.features.encoding import raw_frame
from taxiway.features.labels import true_labels
from taxiway.features.signature import signature_columns
from taxiway.messages import error_text
from taxiway.records import (
    Baseline,
    ClassRows,
    ColumnAlone,
    Evaluation,
    EvaluationSet,
    MetricResult,
    RowGroups,
    Snapshot,
    span_label,
)
from taxiway.records.recorder import Recorder
from taxiway.spec.gate import Gate
from taxiway.spec.metrics import Problem, facts_of, metric_key
from taxiway.store import Store
from taxiway.tracking import tags

if TYPE_CHECKING:
    import pandas as pd


# Reported in any case, whatever metrics the gate uses.
_ALWAYS: dict[Problem, str] = {"classification": "accuracy", "regression": "mae"}


@dataclass(frozen=True)
class Evaluated:
    """An evaluation that nobody has seen yet.

    Attributes:
        evaluation: All scores.
        evaluation_set: The rows.
        query: The digest of what a decision about the scores depends on.
        costs: Time and size of the models, by their names in MLflow; they depend on no label.
        costs_text: The same in a sentence.
        pictures: Draws the pictures and tables of the candidate: their content by file name.
    """

    evaluation: Evaluation
    evaluation_set: EvaluationSet
    query: str
    costs: Mapping[str, float]
    costs_text: str
    pictures: Callable[[], Mapping[str, bytes]]


def evaluate(
    snapshot: Snapshot,
    candidate: LoadedModel,
    champion: LoadedModel | None,
    *,
    model: str,
    label: str,
    gate: Gate,
    store: Store,
    baselines: Sequence[FittedBaseline] = (),
    joined: Collection[str] = (),
    renamed: Mapping[str, str] | None = None,
) -> Evaluated:
    """Evaluate candidate and champion on the same rows.

    Computes the metrics of the gate, and accuracy or MAE, each with its confidence interval, and the comparison metric by slice. A
    model that uses a column which has left the source is scored without values in it, as it would have to work from now on. For a class
    that a model has not learned, its probability is 0. Nothing is recorded, because scores spend the evaluation rows; see `publish`.

    Args:
        snapshot: The snapshot with the evaluation rows.
        candidate: The candidate.
        champion: The champion; None if there is none.
        model: The name of the registered model.
        label: The label.
        gate: The `gate` section.
        store: Where the rows are.
        baselines: Simple models of the candidate's columns, to compare it with.
        joined: The columns of joined tables.
        renamed: The present names of columns that the source has renamed, by their former ones.

    Raises:
        ChampionUnscorableError: The champion fails on the rows, or the models have no class in common.
        DataError: A label is missing, or the candidate has no class in common with the labels.
    """
    rows = read_rows(snapshot.evaluation, store)
    frame = model_frame(candidate, rows)
    comparison = _compare(candidate, champion, rows, frame, snapshot, label, gate)
    scored = score_baselines(baselines, frame, comparison.classes, comparison.candidate.positive)
    costs = model_costs(candidate, baselines, frame)
    identity = evaluation_set(rows, {label, *joined}, {now: before for before, now in (renamed or {}).items()})
    evaluation = _evaluation(comparison, candidate, champion, scored, snapshot=snapshot, model=model)
    return Evaluated(
        evaluation,
        identity,
        query_key(identity.content, gate, comparison, evaluation),
        costs,
        costs_text(costs, candidate.size),
        lambda: pictures_of(candidate, rows, comparison, gate),
    )


def publish(evaluated: Evaluated, shown: Evaluation, recorder: Recorder) -> None:
    """Record what is shown of an evaluation.

    Args:
        evaluated: The evaluation.
        shown: The record: with all scores, or without those that are withheld. Pictures are only recorded with all.
        recorder: Where to record them.
    """
    metrics = {**_metrics_by_name(shown), **evaluated.costs}
    recorder.record(shown, metrics=metrics, tags={tags.COSTS: evaluated.costs_text})
    if not shown.withheld:
        recorder.files("evaluation", evaluated.pictures())


def _evaluation(
    comparison: Comparison,
    candidate: LoadedModel,
    champion: LoadedModel | None,
    scored: Scored,
    *,
    snapshot: Snapshot,
    model: str,
) -> Evaluation:
    """The record of a comparison, with the scored baselines."""
    metrics, baselines = _results(comparison, scored)
    gate, rows = comparison.gate, comparison.rows
    return Evaluation(
        snapshot=snapshot.digest,
        model=model,
        candidate=candidate.version,
        champion=champion.version if champion else None,
        confidence=gate.confidence,
        metrics=metrics,
        slices=results_by_slice(rows, comparison, gate) if champion else (),
        candidate_missing_columns=missing_columns(candidate, rows),
        champion_missing_columns=missing_columns(champion, rows) if champion else (),
        leakage_suspects=_suspicious_columns(candidate, comparison, metrics),
        unseen_classes=_unseen_classes(candidate, comparison),
        champion_unseen_classes=_unseen_classes(champion, comparison) if champion else (),
        absent_classes=_absent_classes(candidate, comparison),
        groups=_groups(comparison),
        baselines=baselines,
        row_means=row_means(comparison),
        rows_without_label=_rows_without_label(snapshot),
        labels_not_counted=sum(labels.not_counted for labels in snapshot.labels),
    )


def _rows_without_label(snapshot: Snapshot) -> int:
    evaluated = {span_label(span.name, span.version) for span in snapshot.evaluation}
    return sum(removed.unlabelled for removed in snapshot.removed if removed.span in evaluated)


def _metrics_by_name(evaluation: Evaluation) -> dict[str, float]:
    """The metrics of candidate, champion and baselines by their names in MLflow, such as `evaluation.roc_auc`."""
    of_candidate = {f"evaluation.{metric_key(result.metric)}": result.candidate.value for result in evaluation.metrics}
    of_champion = {
        f"champion.{metric_key(result.metric)}": result.champion.value for result in evaluation.metrics if result.champion
    }
    return of_candidate | of_champion | baseline_metrics(evaluation.baselines)


def _compare(
    candidate: LoadedModel,
    champion: LoadedModel | None,
    rows: "pd.DataFrame",
    frame: "pd.DataFrame",
    snapshot: Snapshot,
    label: str,
    gate: Gate,
) -> Comparison:
    """The predictions of candidate and champion for the rows; `frame` has the columns of the candidate."""
    classes = all_classes(candidate, champion, rows[label])
    positive = positive_class(candidate.classes)
    return Comparison(
        gate,
        rows,
        classes,
        true_labels(rows[label], classes, snapshot.evaluation),
        score_frame(candidate, frame, classes, positive),
        _score_champion(champion, rows, classes, positive) if champion else None,
        row_groups(rows, gate.group_by) if gate.group_by else None,
    )


def _score_champion(champion: LoadedModel, rows: "pd.DataFrame", classes: Sequence[str], positive: int | None) -> Predictions:
    try:
        return score(champion, rows, classes, positive)
    except (MemoryError, OSError):
        raise
    except Exception as error:  # of any library
        raise ChampionUnscorableError(
            f"champion version {champion.version} cannot be scored, so in production it would fail on such rows too: {error_text(error)}"
        ) from error


def _results(comparison: Comparison, scored: Scored) -> tuple[tuple[MetricResult, ...], tuple[Baseline, ...]]:
    """The metrics of the gate, and the one that is always reported, on all rows; and the baselines, by the comparison metric."""
    gate = comparison.gate
    comparison_metric, results = gate.comparison_metric, []
    names = sorted({_ALWAYS[gate.problem], *gate.metrics_used})
    baselines: tuple[Baseline, ...] = ()
    for name in names:
        baseline_predictions = [predictions for _, predictions in scored.values()] if name == comparison_metric else []
        found = comparison.intervals(name, gate.confidence, baseline_predictions)
        own = gate.metrics.get(name)
        results.append(
            MetricResult(
                metric=name,
                candidate=found.candidate,
                champion=found.champion,
                difference=found.difference,
                better=own.better if own else None,
                deciding_rows=_few_deciding_rows(comparison, name),
            )
        )
        if name == comparison_metric:
            baselines = baseline_results(scored, found.others, comparison, names)
    return tuple(results), baselines


def _few_deciding_rows(comparison: Comparison, metric: str) -> int | None:
    """The rows, or groups, that decide a metric of one class, if they are fewer than all and than `gate.min_rows`; None for other metrics."""
    if metric in comparison.gate.metrics or not facts_of(metric).of_one_class:
        return None
    rows = comparison.deciding_rows(metric, comparison.candidate)
    everything = len(comparison.labels) if comparison.groups is None else int(comparison.groups.max()) + 1
    return int(rows) if rows < min(everything, comparison.gate.min_rows) else None


def _class_rows(comparison: Comparison) -> dict[str, int]:
    """The number of rows of each class."""
    return {name: int((comparison.labels == at).sum()) for at, name in enumerate(comparison.classes)}


def _unseen_classes(model: LoadedModel, comparison: Comparison) -> tuple[ClassRows, ...]:
    """The classes of evaluation rows that a model has not learned."""
    counts = _class_rows(comparison)
    return tuple(ClassRows(name=name, rows=rows) for name, rows in counts.items() if rows and name not in model.classes)


def _absent_classes(model: LoadedModel, comparison: Comparison) -> tuple[str, ...]:
    """The classes of a model that no evaluation row has."""
    return tuple(name for name, rows in _class_rows(comparison).items() if name in model.classes and not rows)


def _groups(comparison: Comparison) -> RowGroups | None:
    if comparison.groups is None:
        return None
    return RowGroups(column=str(comparison.gate.group_by), groups=int(comparison.groups.max()) + 1)


def _suspicious_columns(model: LoadedModel, comparison: Comparison, metrics: Sequence[MetricResult]) -> tuple[ColumnAlone, ...]:
    """The columns that may leak the label; they are only looked for if the model is almost perfect."""
    if not any(map(is_almost_perfect, metrics)):
        return ()
    columns, rows = signature_columns(model.predictor), comparison.rows
    numeric, categorical = ([name for name in names if name in rows] for names in (columns.numeric, columns.categorical))
    types = {name: kind for name, kind in columns.types.items() if kind in DATE_TYPES or kind.startswith(LIST_OF)}
    frame = raw_frame(rows, numeric, categorical, types, lenient=True)
    return columns_alone(frame, comparison.labels, comparison.gate.problem)
