"""Pushes and rollbacks that pause at any of their requests, with clocks that are wrong by twenty minutes, on a real MLflow store.

Each process is a thread that waits for its turn before each request, so an example is one order of all requests.
"""

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from helping import PATIENCE_S, examples
from taxiway.errors import TerminalError, TransientError
from taxiway.ledger.chain import Ledger
from taxiway.ledger.entry import DECIDED, Entry, State
from taxiway.ledger.keys import LedgerKeys, new_key
from taxiway.ledger.promotions import entries
from taxiway.records import Promotion, ShadowReport, Status, Verdict
from taxiway.registry.aliases import CHAMPION, PREVIOUS, version_at
from taxiway.registry.demote import retire, rollback
from taxiway.registry.promote import push
from taxiway.tracking.local import local_mlflow
from taxiway.tracking.tags import NEWEST_SPAN

KEYS = LedgerKeys((new_key(),))
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CLOCKS = st.sampled_from([-20, 0, 20]).map(lambda minutes: NOON + timedelta(minutes=minutes))
Act = Callable[[Any], Promotion]
_VERSIONS = 4


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowClient]:
    with local_mlflow(tmp_path_factory.mktemp("mlflow")) as opened:
        yield opened


class Paused:
    """A process that waits for its turn before each request to MLflow."""

    def __init__(self, client: MlflowClient, act: Act) -> None:
        self._client = client
        self._act = act
        self._turn, self._waits = threading.Semaphore(0), threading.Semaphore(0)
        self.over, self.writes = False, 0
        self.made: Promotion | None = None
        self.broken: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._arrive()

    def _run(self) -> None:
        try:
            self.made = attempted(self._act, self)
        except BaseException as error:
            self.broken = error
        self.over = True
        self._waits.release()

    def _arrive(self) -> None:
        assert self._waits.acquire(timeout=PATIENCE_S)
        if self.broken is not None:
            raise self.broken

    def step(self) -> None:
        """Let it send one request."""
        self._turn.release()
        self._arrive()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def request(*args: Any, **kwargs: Any) -> Any:
            self._waits.release()
            assert self._turn.acquire(timeout=PATIENCE_S)
            self.writes += not name.startswith(("get_", "search_"))
            return getattr(self._client, name)(*args, **kwargs)

        return request


def model_with_champion(client: MlflowClient) -> str:
    """A model with four versions, of which 1 and then 2 were promoted."""
    model = f"flights.p{uuid.uuid4().hex[:8]}"
    client.create_registered_model(model)
    for _ in range(_VERSIONS):
        _add_version(client, model)
    for version in (1, 2):
        pushes(model, version, version - 1 or None, NOON)(client)
    return model


def _add_version(client: MlflowClient, model: str) -> ModelVersion:
    logged = client.create_logged_model("0")
    source = f"models:/{logged.model_id}"
    return client.create_model_version(model, source=source, model_id=logged.model_id, tags={NEWEST_SPAN: "2013-04"})


def pushes(model: str, version: int, champion: int | None, at: datetime) -> Act:
    verdict = Verdict(
        model=model,
        version=version,
        champion=champion,
        snapshot="s",
        report="r",
        evaluation="e",
        status=Status.PASS,
        reasons=(),
    )
    shadow = ShadowReport(model=model, version=version, champion=champion, status=Status.NOT_APPLICABLE, reasons=())
    return lambda client: push(Ledger(client, KEYS), verdict, shadow, by="airflow", at=at)


def rolls_back(model: str, at: datetime, by: str = "ann", reason: str = "complaints") -> Act:
    return lambda client: rollback(Ledger(client, KEYS), model, by=by, reason=reason, at=at)


def retires(model: str, at: datetime) -> Act:
    return lambda client: retire(Ledger(client, KEYS), model, by="ann", reason="ends", at=at)


def attempted(act: Act, client: object) -> Promotion | None:
    """The promotion, if it took place."""
    try:
        return act(client)
    except (TerminalError, TransientError):
        return None


def run_in_order(acts: Sequence[Paused], order: Sequence[tuple[int, int]], *, finish: bool = True) -> None:
    """Let processes send requests in the given order, (who, how many), and then, to finish, one after another until all are over."""
    for who, requests in (*order, *((i, 10**6) for i in range(len(acts) if finish else 0))):
        for _ in range(requests):
            if acts[who].over:
                break
            acts[who].step()


def require_one_path(client: MlflowClient, model: str) -> list[Entry]:
    """Require that nothing is open, and that the promotions form one path, which ends at the champion. Returns them, oldest first."""
    found = entries(client, model)
    assert not {entry.state for entry in found} & {State.INTENT, State.MOVING}
    path = [entry for entry in reversed(found) if entry.state in DECIDED]
    steps = [(entry.promotion.from_version, entry.promotion.to_version) for entry in path]
    assert all(before[1] == after[0] for before, after in pairwise(steps)), steps
    assert version_at(client, model, CHAMPION) == steps[-1][1], steps
    assert len({entry.number for entry in path}) == len(path)
    return path


def test_a_kill_at_any_request_of_a_push_leaves_a_retry_one_promotion(client: MlflowClient) -> None:
    """A push that never goes on after its n-th write was killed there, for every n; then it is tried again.

    A kill between two reads leaves what a kill after the last write leaves. The kills of real tasks are in
    tests/airflow/test_faults.py.
    """
    model = model_with_champion(client)
    for fatal in range(100):
        champion = fatal + 2
        version = int(_add_version(client, model).version) if champion + 1 > _VERSIONS else champion + 1
        killed = Paused(client, pushes(model, version, champion, NOON))
        while killed.writes < fatal and not killed.over:
            killed.step()
        if killed.over:
            break
        assert attempted(pushes(model, version, champion, NOON), client) is not None, fatal
        states = [entry.state for entry in entries(client, model) if entry.promotion.to_version == version]
        assert states == [State.DONE], f"killed after write {fatal}: {states}"
        assert (version_at(client, model, CHAMPION), version_at(client, model, PREVIOUS)) == (version, champion), fatal
        require_one_path(client, model)
    assert fatal > 8


def test_a_kill_at_any_request_of_a_rollback_leaves_a_retry_one_step_back(client: MlflowClient) -> None:
    """As for pushes above: a command that was killed after its n-th write is typed again, for every n."""
    model = model_with_champion(client)
    for fatal in range(100):
        count = len(entries(client, model))
        killed = Paused(client, rolls_back(model, NOON))
        while killed.writes < fatal and not killed.over:
            killed.step()
        if killed.over:
            break
        made = attempted(rolls_back(model, NOON + timedelta(seconds=1)), client)
        assert made is not None, fatal
        path = require_one_path(client, model)
        assert (len(path), path[-1].promotion) == (count + 1, made), f"killed after write {fatal}"
        assert made.to_version == 1, fatal
        pushes(model, int(_add_version(client, model).version), 1, NOON)(client)
    assert fatal > 8


@examples(15)
@given(
    clocks=st.tuples(CLOCKS, CLOCKS),
    order=st.lists(st.tuples(st.integers(0, 1), st.sampled_from([1, 2, 5, 12])), max_size=14),
)
def test_two_people_who_roll_back_at_once_go_one_step_back(
    client: MlflowClient, clocks: tuple[datetime, ...], order: list[tuple[int, int]]
) -> None:
    """Also if both, or one of them, have to try again."""
    model = model_with_champion(client)
    pushes(model, 3, 2, NOON)(client)
    people = [Paused(client, rolls_back(model, at, by)) for at, by in zip(clocks, ("ann", "bob"), strict=True)]
    run_in_order(people, order)
    for by in ("ann", "bob"):
        attempted(rolls_back(model, NOON + timedelta(hours=1), by), client)
    path = require_one_path(client, model)
    assert [entry.promotion.to_version for entry in path] == [1, 2, 3, 2]
    assert {person.made for person in people} <= {None, path[-1].promotion}


@examples(15)
@given(
    clocks=st.tuples(CLOCKS, CLOCKS, CLOCKS),
    order=st.lists(st.tuples(st.integers(0, 2), st.sampled_from([1, 2, 5, 12])), max_size=14),
)
def test_any_order_of_requests_leaves_one_path_to_the_champion(
    client: MlflowClient, clocks: tuple[datetime, ...], order: list[tuple[int, int]]
) -> None:
    model = model_with_champion(client)
    acts = [pushes(model, 3, 2, clocks[0]), pushes(model, 4, 2, clocks[1]), rolls_back(model, clocks[2])]
    processes = [Paused(client, act) for act in acts]
    run_in_order(processes, order)
    path = require_one_path(client, model)
    assert {process.made for process in processes} - {None} <= {entry.promotion for entry in path}, (
        "nobody is told of one too many"
    )
    last = path[-1].promotion
    if last.verdict is not None:
        assert version_at(client, model, PREVIOUS) == last.from_version


@examples(15)
@given(pause=st.integers(2, 30), clocks=st.tuples(CLOCKS, CLOCKS, CLOCKS), again=st.booleans(), wakes=st.booleans())
def test_a_push_that_slept_does_not_override_a_rollback(
    client: MlflowClient, pause: int, clocks: tuple[datetime, ...], again: bool, wakes: bool
) -> None:
    """While a push sleeps before a request, another push is done, a person rolls back, and perhaps Airflow retries the first push.

    The first two requests read the ledger: a push that sleeps before them begins after the rollback, like a retry of a push that has
    no entry yet. A push that does not wake up was killed.
    """
    model = model_with_champion(client)
    sleeper = Paused(client, pushes(model, 3, 2, clocks[0]))
    run_in_order([sleeper], [(0, pause)], finish=False)
    begun = any(entry.promotion.to_version == 3 for entry in entries(client, model))
    attempted(pushes(model, 4, 2, clocks[1]), client)
    rolled_back = attempted(rolls_back(model, clocks[2]), client)
    if again:
        attempted(pushes(model, 3, 2, NOON), client)
    champion = version_at(client, model, CHAMPION)
    if wakes:
        run_in_order([sleeper], [])
    else:  # it was killed, and the next promotion cleans up
        attempted(retires(model, NOON + timedelta(hours=1)), client)
        champion = version_at(client, model, CHAMPION)
    path = require_one_path(client, model)
    if rolled_back:
        assert version_at(client, model, CHAMPION) == champion
        assert path[-1].promotion.by == "ann" or (again and not begun)
