"""The gate report of a run: it is in the MLflow run, and no failure to write it touches the verdict."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from stages.conftest import Site

from taxiway.records import Status, Verdict
from taxiway.stages.context import StageContext, no_connection
from taxiway.stages.ingest import ingest, plan_ingest
from taxiway.stages.installation import Installation
from taxiway.stages.train.train import train
from taxiway.stages.transform import transform
from taxiway.stages.validate_data import validate_data
from taxiway.stages.validate_model import validate_model
from taxiway.stages.validate_model.gate_report import report_url
from taxiway.tracking import tags
from taxiway.tracking.run import MlflowRun


class FullDisk(MlflowRun):
    """An MLflow run whose server cannot write reports."""

    def files(self, folder: str, contents: Mapping[str, bytes]) -> None:
        if folder == "report":
            raise OSError(28, "No space left on device")
        super().files(folder, contents)


def run_of(site: Site, installation: Installation, kind: type[MlflowRun]) -> MlflowRun:
    run = MlflowRun.find_or_make(installation.client, site.pipeline().experiment, f"{site.name}/1", {})
    return kind(run.client, run.run_id, run.experiment_id)


def decided(site: Site, installation: Installation, recorder: MlflowRun) -> Verdict:
    pipeline = site.pipeline(purpose={"description": "Predicts y of a."})
    context = StageContext(pipeline, installation.store, recorder, installation.client, f"{site.name}/1", installation.services)
    plan = plan_ingest(context.source, pipeline.name, context.store, no_connection, now=context.clock())
    snapshot = ingest(context, plan)
    report, features = validate_data(context, snapshot), transform(context, snapshot)
    verdict = validate_model(context, train(context, snapshot, report, features), snapshot, report)
    assert verdict is not None
    return verdict


def test_the_verdict_stands_if_its_report_cannot_be_written(
    site: Site, installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = run_of(site, installation, FullDisk)
    verdict = decided(site, installation, recorder)
    assert verdict.status is Status.PASS
    assert verdict.digest in {ref.digest for ref in recorder.refs()}
    assert recorder.tag(tags.GATE_REPORT) == ""
    assert "the gate report could not be written; the verdict is recorded and stands" in caplog.text


def test_a_report_has_the_costs_and_the_purpose_of_the_run(
    site: Site, installation: Installation, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "taxiway.stages")
    recorder = run_of(site, installation, MlflowRun)
    verdict = decided(site, installation, recorder)
    logged = recorder.logged()
    assert logged.tags[tags.GATE_REPORT] == "report/gate.html"
    assert logged.metrics["train.seconds"] > 0
    html = Path(installation.client.download_artifacts(recorder.run_id, "report/gate.html", str(tmp_path))).read_text()
    for part in ("Predicts y of a.", verdict.digest, "s of CPU time", "<dt>Size</dt>", "compared with the linear model"):
        assert part in html
    (file,) = (line.partition("Gate report: ")[2] for line in caplog.text.splitlines() if "Gate report: " in line)
    assert Path(file).read_text() == html, "without a server, people open the file"
    assert (
        report_url("http://mlflow/#/experiments/1/runs/2") == "http://mlflow/#/experiments/1/runs/2/artifacts/report/gate.html"
    )
