"""`taxiway status` of a stack whose services do not answer: what is unknown is not said to be none."""

from pathlib import Path

import pytest

from helping import free_port
from taxiway.cli.views.status import show_status
from taxiway.lineage.outcomes import decided_pipelines, mark_processed
from taxiway.local.stack import Stack
from taxiway.local.stack_dir import StackDir
from taxiway.local.status import read_status
from taxiway.records import Outcome, RunSummary, Span
from taxiway.registry.champions import ChampionInfo
from taxiway.serving.api import ModelStatus
from taxiway.store import Store


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    home = StackDir.at(tmp_path / "home")
    return Stack(home, {service: free_port() for service in ("airflow", "mlflow", "gateway")}, home.secrets())


def test_services_that_do_not_answer_are_problems(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    found = read_status(stack)
    assert (found.champions, found.served, found.decisions, len(found.problems)) == (None, {}, {}, 2)
    show_status(stack.home.root, found)
    shown = capsys.readouterr().out
    assert "No model is in production" not in shown
    assert "does not answer" in shown


def test_the_parts_of_an_index_are_no_pipelines(stack: Stack) -> None:
    store = Store(str(stack.home.store))
    for name in ("team.new", "team.all"):
        span = Span(source="there", name="1", rows=1, content="a")
        mark_processed(
            store, RunSummary(pipeline=name, run="r", span=span, outcome=Outcome.BLOCKED, reasons=(), mlflow_run="0")
        )
    assert decided_pipelines(store) == ("team.all", "team.new")
    assert set(read_status(stack).decisions) == {"team.all", "team.new"}


def test_what_the_gateway_serves_is_shown_without_mlflow(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    served = ModelStatus(model="a.b", champion=2, since=None, problem="the registry is away", challenger=None)
    found = read_status(stack)
    for champions, words in (
        (None, "a.b unknown serves version 2; the registry is away"),
        ({"a.b": ChampionInfo("a.b", 2, None, None)}, "a.b version 2 set by hand serves version 2; the registry is away"),
    ):
        show_status(stack.home.root, type(found)(found.urls, champions, {"a.b": served}, {}, ()))
        assert words in " ".join(capsys.readouterr().out.split())
