"""The shadow stage beside a real gateway: labels decide whenever they come, and logged requests are replayed and stay what they were."""

import json
import logging
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from running import ADMIN, Running, start_gateway
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helping import until
from taxiway.errors import ConfigError, TransientError
from taxiway.features.signature import ModelColumns
from taxiway.models.row_model import RowModel
from taxiway.records import ReasonCode, ShadowReport, Snapshot, Span, Status, Verdict
from taxiway.records.recorder import InMemoryRun
from taxiway.registry.register import ModelToSave, register
from taxiway.serving.client import GatewayClient
from taxiway.serving.gateway.rolling.roll import roll
from taxiway.spec.pipeline import Pipeline
from taxiway.stages.context import Services, StageContext
from taxiway.stages.shadow import Wait, begin_shadow, finish_shadow
from taxiway.store import Store
from taxiway.tracking.tags import CLASSES

COLUMNS = ModelColumns(("a", "b"), ())
BETTER, WORSE = 2, 3
"""The versions of challengers; version 1 is the champion."""
LATER = timedelta(days=2)
"""The stage runs so long after the requests, which are then of past days."""
LIVE = {"min_requests": 100, "min_agreement": 0.1, "max_p99_ratio": 1000, "labels": {"tolerance": 0.02}}


class Failing(GatewayClient):
    """A client to which the gateway answers with 503 on one path."""

    def __init__(self, url: str, path: str) -> None:
        super().__init__(url, ADMIN)
        self.path = path

    def _call(self, method: str, model: str, path: str = "", **content: Any) -> Any:
        if path == self.path:
            raise TransientError("HTTP 503")
        return super()._call(method, model, path, **content)


class World:
    """A model with three versions on a real gateway, and the stage of one of them."""

    def __init__(self, registry: MlflowClient, gateway: Running, model: str, folder: Path) -> None:
        self.registry, self.gateway, self.model, self.folder = registry, gateway, model, folder
        self.sent: list[tuple[str, str]] = []
        """The ids and the true labels of the requests."""

    def context(self, shadow: dict[str, Any], *, log: Path | None = None) -> StageContext:
        team, _, name = self.model.partition(".")
        content = {
            "pipeline": name,
            "team": team,
            "source": {"spans": "{data}/{YYYY}-{MM}-{DD}.parquet", "window": 1, "label": "y"},
            "schema": str(self.folder / "x.schema.yaml"),
            "model": {"estimator": "sklearn.linear_model.LogisticRegression"},
            "gate": {"thresholds": {"roc_auc": 0.6}, "against_champion": {"metric": "roc_auc"}},
            "gateway": "g",
            "shadow": shadow,
            "monitor": {"log": str(log or self.gateway.state / "log")},
        }
        services = Services(gateway=lambda: GatewayClient(self.gateway.url, ADMIN))
        return StageContext(
            Pipeline.model_validate(content),
            Store(str(self.folder / "store")),
            InMemoryRun(),
            self.registry,
            f"{self.model}/run-{uuid.uuid4().hex[:8]}",
            services,
            clock=lambda: datetime.now(UTC) + LATER,
            log=logging.getLogger("tests.shadow"),
        )

    def verdict(self, version: int, *, newest: str = "2026-01-02") -> Verdict:
        """The verdict on a challenger with this newest span."""
        digest = "0" * 32
        learned, scored = (Span(source=name, name=name, rows=1, content=digest) for name in ("2026-01-01", newest))
        snapshot = Store(str(self.folder / "store")).put(
            Snapshot(pipeline=self.model, training=(learned,), evaluation=(scored,))
        )
        return Verdict(
            model=self.model,
            version=version,
            champion=1,
            snapshot=snapshot.digest,
            evaluation=digest,
            status=Status.PASS,
            reasons=(),
        )

    def ask(self, count: int) -> None:
        rows = rows_of(count, seed=len(self.sent) + 100)
        for a, b, y in zip(rows["a"], rows["b"], rows["y"], strict=True):
            answer = self.gateway.post(self.model, {"dataframe_records": [{"a": a, "b": b, "order": f"o{len(self.sent)}"}]})
            self.sent.append((answer.headers["X-Taxiway-Request-Id"], str(y)))

    def label(self, first: int, last: int | None = None) -> dict[str, Any]:
        labels = [{"request_id": request_id, "label": label} for request_id, label in self.sent[first:last]]
        return self.gateway.admin.send_labels(self.model, json.dumps({"labels": labels}).encode())

    def answered(self, count: int) -> None:
        def done() -> bool:
            status = self.gateway.admin.challenger(self.model)
            return status is not None and status.answered == count

        until(done, "the challenger answered everything")

    def logged(self) -> list[Any]:
        with closing(sqlite3.connect(self.gateway.state / "requests.sqlite")) as log:
            return log.execute("SELECT * FROM requests ORDER BY seq").fetchall()


def rows_of(count: int, *, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, count))
    return pd.DataFrame({"a": a, "b": b, "y": np.where(2 * a + 2 * b + rng.logistic(size=count) > 0, "True", "False")})


def fitted(feature: str) -> Any:
    """A model that knows one of the columns, or both."""
    rows = rows_of(2000, seed=1)
    for name in {"a", "b"} - set(feature):
        rows[name] = np.random.default_rng(2).normal(size=len(rows))
    return make_pipeline(StandardScaler(), LogisticRegression(C=1)).fit(rows[["a", "b"]], rows["y"])


@pytest.fixture(scope="module")
def production(mlflow_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A gateway with the loader of production."""
    running = start_gateway(mlflow_url, tmp_path_factory.mktemp("production"), loader="taxiway.registry.load:load_folder")
    yield running
    running.stop()


@pytest.fixture
def world(production: Running, registry: MlflowClient, tmp_path: Path) -> World:
    model = f"shadowed.m{uuid.uuid4().hex[:8]}"
    run = registry.create_run(registry.create_experiment(model)).info.run_id
    worse = fitted("ab")
    worse[-1].coef_ *= -1
    for key, pipeline in (("a", fitted("a")), ("ab", fitted("ab")), ("worse", worse)):
        example = rows_of(20, seed=3)[["a", "b"]]
        saved = ModelToSave(
            RowModel.of(pipeline, COLUMNS, ("False", "True")), example, key, {CLASSES: json.dumps(["False", "True"])}, {}
        )
        register(registry, run, model, saved)
    registry.set_registered_model_alias(model, "champion", "1")
    assert production.admin.refresh(model).champion == 1
    return World(registry, production, model, tmp_path)


def of_labels(report: ShadowReport) -> Any:
    (reason,) = (each for each in report.reasons if each.code is ReasonCode.SHADOW_LABELS)
    return reason


def test_labels_decide_as_soon_as_they_suffice(world: World) -> None:
    context, verdict = world.context(LIVE), world.verdict(BETTER)
    wait = begin_shadow(context, verdict)
    assert isinstance(wait, Wait)
    assert (wait.requests, wait.labelled) == (100, 50)
    world.ask(200)
    world.answered(200)
    assert world.label(0, 10)["recorded"] == 10
    assert world.label(0, 10)["unchanged"] == 10, "labels that are sent twice count once"
    unknown = json.dumps({"labels": [{"request_id": "0" * 32, "label": "True"}]}).encode()
    assert len(world.gateway.admin.send_labels(world.model, unknown)["refused"]) == 1
    again = finish_shadow(context, verdict, wait.until)
    assert again == Wait(wait.owner, wait.until, 100, 60), "ten labels decide nothing"
    assert world.gateway.admin.challenger(world.model) is not None, "the challenger goes on answering"
    world.label(10)
    report = finish_shadow(context, verdict, again.until)
    assert isinstance(report, ShadowReport)
    assert report.status is of_labels(report).status is Status.PASS, report.reasons
    assert report.loss_difference is not None
    assert report.loss_difference.rows == report.requests == 200
    assert world.gateway.admin.challenger(world.model) is None


def test_a_worse_challenger_is_rejected_by_labels_and_without_them_undecided(world: World) -> None:
    context, verdict = world.context(LIVE), world.verdict(WORSE)
    wait = begin_shadow(context, verdict)
    assert isinstance(wait, Wait)
    world.ask(120)
    world.answered(120)
    over = finish_shadow(context, verdict, context.clock())
    assert isinstance(over, ShadowReport)
    assert over.status is of_labels(over).status is Status.UNDECIDED
    assert isinstance(begin_shadow(context, verdict), Wait)
    world.label(0)
    report = finish_shadow(context, verdict, wait.until)
    assert isinstance(report, ShadowReport)
    assert report.status is of_labels(report).status is Status.FAIL


def failing(world: World, context: StageContext, path: str, hours: int) -> StageContext:
    """The context some hours after the machine's time, with a gateway that answers with 503 on a path."""
    services = Services(gateway=lambda: Failing(world.gateway.url, path))
    return replace(context, services=services, clock=lambda: datetime.now(UTC) + timedelta(hours=hours))


@pytest.mark.parametrize("path", ["/challenger", "/labelled-pairs"])
def test_a_gateway_that_does_not_answer_at_a_look_does_not_end_the_wait(world: World, path: str) -> None:
    context, verdict = replace(world.context(LIVE), clock=lambda: datetime.now(UTC)), world.verdict(BETTER)
    wait = begin_shadow(context, verdict)
    assert isinstance(wait, Wait)
    assert finish_shadow(failing(world, context, path, 12), verdict, wait.until) == wait
    assert world.gateway.admin.challenger(world.model) is not None
    with pytest.raises(TransientError):
        finish_shadow(failing(world, context, "/labelled-pairs", 25), verdict, wait.until)
    assert world.gateway.admin.challenger(world.model) is None, "the time is over"


def test_a_task_that_fails_within_its_time_is_retried_with_the_same_challenger(world: World) -> None:
    context = replace(world.context({**LIVE, "labels": None}), clock=lambda: datetime.now(UTC))
    verdict = world.verdict(BETTER)
    wait = begin_shadow(context, verdict)
    assert isinstance(wait, Wait)
    with pytest.raises(TransientError):
        finish_shadow(failing(world, context, "/pairs", 12), verdict, wait.until)
    again = begin_shadow(replace(context, clock=lambda: datetime.now(UTC) + timedelta(hours=12)), verdict)
    assert isinstance(again, Wait)
    assert again.until < wait.until + timedelta(hours=1), "the wait has begun anew"


def test_a_decision_that_fails_within_its_time_leaves_the_challenger(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow does not answer while the models are loaded."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    context = replace(world.context({**LIVE, "labels": None}), clock=lambda: datetime.now(UTC))
    verdict = world.verdict(BETTER)
    wait = begin_shadow(context, verdict)
    assert isinstance(wait, Wait)
    world.ask(100)
    world.answered(100)
    away = replace(context, registry=MlflowClient("http://127.0.0.1:9"), clock=lambda: datetime.now(UTC) + timedelta(hours=12))
    with pytest.raises(MlflowException):
        finish_shadow(away, verdict, wait.until)
    assert world.gateway.admin.challenger(world.model) is not None
    again = begin_shadow(replace(context, clock=away.clock), verdict)
    assert isinstance(again, Wait)
    assert again.until < wait.until + timedelta(hours=1), "the wait has begun anew"
    report = finish_shadow(context, verdict, wait.until)
    assert isinstance(report, ShadowReport)
    assert (report.status, report.requests) == (Status.PASS, 100)
    assert world.gateway.admin.challenger(world.model) is None


def test_replayed_requests_with_labels_decide_at_once_and_leave_no_trace(world: World) -> None:
    world.ask(150)
    world.label(0)
    roll(world.gateway.state)
    before = world.logged()
    context = world.context({**LIVE, "replay": "7d"})
    passed, failed = begin_shadow(context, world.verdict(BETTER)), begin_shadow(context, world.verdict(WORSE))
    assert isinstance(passed, ShadowReport)
    assert isinstance(failed, ShadowReport)
    assert (passed.status, failed.status) == (Status.PASS, Status.FAIL), passed.reasons
    assert (passed.requests, passed.replayed, passed.checked_answers) == (0, 150, 300)
    assert passed.latency_p99_ratio is None
    messages = "\n".join(reason.message for reason in passed.reasons)
    assert "0 requests with a result from both versions, predictions or an error, and 150 logged requests replayed" in messages
    assert "the 99th-percentile latency is not compared: replayed requests have none" in messages
    assert world.logged() == before, "a replayed request was logged"
    assert world.gateway.admin.challenger(world.model) is None
    assert begin_shadow(context, world.verdict(BETTER)) == passed, "a task that is tried again decides the same"


def test_too_few_replayed_requests_shorten_the_wait_for_live_ones(world: World) -> None:
    world.ask(40)
    roll(world.gateway.state)
    context, verdict = world.context({**LIVE, "labels": None, "replay": "7d"}), world.verdict(BETTER)
    wait = begin_shadow(context, verdict)
    assert isinstance(wait, Wait)
    assert (wait.requests, wait.labelled) == (60, 0)
    world.ask(60)
    world.answered(60)
    roll(world.gateway.state)
    report = finish_shadow(context, verdict, wait.until)
    assert isinstance(report, ShadowReport)
    assert (report.status, report.requests, report.replayed) == (Status.PASS, 60, 40), "a mirrored request was replayed, too"


def test_days_that_the_challenger_was_trained_on_are_not_replayed(world: World) -> None:
    world.ask(150)
    world.label(0)
    roll(world.gateway.state)
    now = datetime.now(UTC)
    context = replace(world.context({**LIVE, "replay": "7d"}), clock=lambda: now + LATER)
    older, same = (world.verdict(BETTER, newest=(now - timedelta(days=days)).date().isoformat()) for days in (3, 0))
    passed = begin_shadow(context, older)
    assert isinstance(passed, ShadowReport)
    assert (passed.status, passed.replayed) == (Status.PASS, 150)
    left_out = "of 7 days, of which the challenger's snapshot may have rows"
    assert passed.reasons[0].message.endswith(f"(required: at least 100); the replay leaves out 4 {left_out}")
    wait = begin_shadow(context, same)
    assert isinstance(wait, Wait)
    assert (wait.requests, wait.labelled) == (100, 50), "live requests decide"
    over = finish_shadow(replace(context, clock=lambda: wait.until), same, wait.until)
    assert isinstance(over, ShadowReport)
    assert (over.status, over.replayed, over.loss_difference) == (Status.UNDECIDED, 0, None)
    assert over.reasons[0].message.endswith(f"; the replay leaves out 7 {left_out}")


def test_a_log_that_is_missing_stops_the_task_and_deploys_nothing(world: World) -> None:
    context = world.context({**LIVE, "replay": "7d"}, log=world.folder / "elsewhere")
    with pytest.raises(ConfigError, match="elsewhere is not a folder"):
        begin_shadow(context, world.verdict(BETTER))
    assert world.gateway.admin.challenger(world.model) is None
