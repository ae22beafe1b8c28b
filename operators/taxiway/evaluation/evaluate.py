"""Scoring candidate and champion on a snapshot's evaluation rows: the same rows, the same code, in one go."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taxiway.data.engine.read_rows import read_rows
from taxiway.errors import DataError
from taxiway.evaluation.metrics import METRICS
from taxiway.evaluation.slices import results_by_slice
from taxiway.features.encoding import predict_rows, raw_frame, signature_columns
from taxiway.features.labels import true_labels
from taxiway.records import Evaluation, MetricResult, Snapshot
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


# What people ask first, whatever the gate decides by.
_ALWAYS: dict[Problem, str] = {"classification": "accuracy", "regression": "mae"}


@dataclass(frozen=True)
class LoadedModel:
    """A registered version, loaded: anything with an MLflow signature whose `predict` gives a probability for each class.

    `classes` are the label's values as text, in the order of those probabilities; of a regression, whose `predict` gives numbers,
    there are none.
    """

    version: int
    predictor: Any
    classes: tuple[str, ...]


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
    """All metrics that the gate names, and accuracy or MAE, on the evaluation rows, and the comparison's metric by slice.

    Slices share the confidence between them (Bonferroni), so that many slices do not raise false alarms. Raises DataError where
    a label is missing or none that the candidate was trained on, and where the champion was trained on others.
    """
    rows = read_rows(snapshot.evaluation, store)
    labels = true_labels(rows[label], gate.problem, candidate.classes)
    if champion is not None and champion.classes != candidate.classes:
        raise DataError(
            f"version {candidate.version} {_tells(candidate)}, champion version {champion.version} {_tells(champion)}: "
            "they cannot be compared; give the new label a pipeline of its own"
        )
    ours = score(candidate, rows)
    theirs = score(champion, rows) if champion else None
    names = sorted({_ALWAYS[gate.problem], *gate.thresholds, gate.against_champion.metric})
    results = []
    for name in names:
        found = compare(METRICS[name].compute, labels, ours, theirs, gate.confidence)
        results.append(
            MetricResult(metric=name, candidate=found.candidate, champion=found.champion, difference=found.difference)
        )
    made = Evaluation(
        snapshot=snapshot.digest,
        model=model,
        candidate=candidate.version,
        champion=champion.version if champion else None,
        confidence=gate.confidence,
        metrics=tuple(results),
        slices=results_by_slice(rows, labels, ours, theirs, gate) if theirs is not None else (),
    )
    recorder.metrics({f"evaluation.{r.metric}": r.candidate.value for r in results})
    recorder.metrics({f"champion.{r.metric}": r.champion.value for r in results if r.champion})
    recorder.record(made)
    return made


def score(model: LoadedModel, rows: "pd.DataFrame") -> "Floats":
    """The probability of the positive class, or the number, that `model` gives each of `rows`, by its own signature."""
    import numpy as np

    columns = signature_columns(model.predictor)
    missing = [name for name in columns.names if name not in rows]
    if missing:
        raise DataError(
            f"version {model.version} needs the columns {', '.join(missing)}, which the evaluation rows do not have"
        )
    frame = raw_frame(rows, columns.numeric, columns.categorical)
    answers = np.asarray(predict_rows(model.predictor.predict, frame), dtype=float)
    scores: Floats = answers[:, 1] if model.classes else answers.reshape(-1)
    return scores


def _tells(model: LoadedModel) -> str:
    return f"tells {' from '.join(model.classes)}" if model.classes else "estimates a number"
