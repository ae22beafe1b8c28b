"""In Airflow, a run whose span waits for labels is skipped with the reason, before it makes an MLflow run."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from airflow.sdk.exceptions import AirflowSkipException

from taxiway.operators.ingest import plan_run
from taxiway.spec.pipeline import Pipeline
from taxiway.spec.team import Notification

SCHEMA = "label: y\nfeatures:\n  a: {type: number}\n  y: {type: boolean, presence: optional}\n"


TOLD: list[dict[str, Any]] = []


class Notifier:
    """Keeps what it is told."""

    def __call__(self, context: Any) -> None:
        TOLD.append(context["taxiway"])


NOTIFICATION = Notification(notifier=f"{__name__}.Notifier")


def pipeline(folder: Path) -> Pipeline:
    (folder / "waits.schema.yaml").write_text(SCHEMA)
    return Pipeline.model_validate(
        {
            "pipeline": "waits",
            "team": "labels",
            "source": {"spans": f"{folder}/{{SPAN}}.csv", "window": 1, "label": "y", "unlabelled": "wait"},
            "schema": str(folder / "waits.schema.yaml"),
            "model": {"estimator": "sklearn.linear_model.LogisticRegression"},
            "gate": {"thresholds": {"roc_auc": 0.6}, "against_champion": {"metric": "roc_auc"}},
        }
    )


def test_a_run_whose_span_waits_for_labels_is_skipped_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__TAXIWAY__STORE", str(tmp_path / "store"))
    run = SimpleNamespace(run_type="manual", conf={}, data_interval_end=None, logical_date=None)
    context: Any = {"ti": SimpleNamespace(dag_id="labels.waits", run_id="r"), "dag_run": run}
    for span, labels in ((1, [True, False, True]), (2, [True, None, None])):
        pd.DataFrame({"a": [1.0, 2.0, 3.0], "y": labels}).to_csv(tmp_path / f"{span}.csv", index=False)
    with pytest.raises(
        AirflowSkipException, match=r"nothing to do: .*span 2 cannot be read yet: the label y is missing in 2 of 3 rows"
    ):
        plan_run(pipeline(tmp_path), context, None, NOTIFICATION)
    (told,) = TOLD
    assert (told["event"], told["pipeline"], told["span"]) == ("LABELS", "labels.waits", "2")
    assert told["reasons"] == ["span 2 waits for 2 of 3 labels; its other columns passed validation"]
    with pytest.raises(AirflowSkipException):
        plan_run(pipeline(tmp_path), context, None, NOTIFICATION)
    assert len(TOLD) == 1, "each span once"
    pd.DataFrame({"a": [1.0, 2.0, 3.0], "y": [True, False, True]}).to_csv(tmp_path / "2.csv", index=False)
    assert [span.name for span in plan_run(pipeline(tmp_path), context, None).window.spans] == ["1", "2"]
