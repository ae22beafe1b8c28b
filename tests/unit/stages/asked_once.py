"""Models that are decided by conditions on the same evaluation rows, the first of them once for all tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.local_runs import kept
from stages.conftest import Site

from taxiway.lineage.outcomes import summaries
from taxiway.lineage.run_records import RunRecords, run_records
from taxiway.records import Evaluation, Verdict
from taxiway.spec.pipeline import Pipeline
from taxiway.stages.context import Services
from taxiway.stages.installation import Installation
from taxiway.stages.runner import run_in
from taxiway.store import Store
from taxiway.tracking.local import local_mlflow
from taxiway.tracking.run import refs_of

TOO_GOOD = {"conditions": ["n > 0.95 +/- 0.05"], "budget": {"steps": 3}}
GOOD_ENOUGH = {"conditions": ["n > 0.6 +/- 0.05"], "budget": {"steps": 3}}


def pipeline(site: Site, gate: dict[str, Any], depth: int = 1, **changes: Any) -> Pipeline:
    """The model's predictions depend on its depth, so each depth is another model."""
    model = {"estimator": "sklearn.tree.DecisionTreeClassifier", "params": {"max_depth": depth}}
    return site.pipeline(gate=gate, model=model, **changes)


def run(installation: Installation, made: Pipeline, **options: Any) -> tuple[RunRecords, Verdict]:
    found = run_in(installation, made, again="other parameters", span="2", **options)
    assert found.verdict is not None
    assert found.evaluation is not None
    assert found.evaluation.digest == found.verdict.evaluation
    return found, found.verdict


@dataclass(frozen=True)
class Asked:
    """A site with an MLflow of its own, and what its first run was answered."""

    site: Site
    installation: Installation
    mlflow_run: str
    evaluation: Evaluation
    verdict: Verdict


@contextmanager
def asked(folder: Path, template: Path, gate: dict[str, Any]) -> Iterator[Asked]:
    """A copy of a folder in which the first model was decided by this gate."""
    site = Site(folder, "small")

    @contextmanager
    def installed() -> Iterator[Installation]:
        with local_mlflow(folder / "home") as client:
            yield Installation(Store(str(folder / "store")), client, Services(data=str(site.data)))

    def make() -> None:
        site.arrive(1)
        site.arrive(2)
        with installed() as installation:
            run(installation, pipeline(site, gate))

    kept(folder, template, make)
    with installed() as installation:
        (summary,) = summaries(installation.store, "runner.small")
        found = run_records(installation.store, refs_of(installation.client.get_run(summary.mlflow_run).data.tags))
        assert found.evaluation is not None
        assert found.verdict is not None
        yield Asked(site, installation, summary.mlflow_run, found.evaluation, found.verdict)
