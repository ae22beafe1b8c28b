"""The watcher for new spans, on real files and a real store, without a stack: what it sees, and what it survives."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec
import pytest
from airflow.sdk import AssetOrTimeSchedule
from fsspec.implementations.local import LocalFileSystem

from helping import PATIENCE_S
from taxiway.errors import ConfigError
from taxiway.hooks.config import poll_seconds
from taxiway.lineage.outcomes import changed_since, mark_processed, processed_spans
from taxiway.records import Outcome, RunSummary, Snapshot, Span
from taxiway.spec.files.pipeline_file import read_pipeline
from taxiway.spec.source import read_source
from taxiway.spec.source.periods import ended_periods
from taxiway.store import Store
from taxiway.templates.schedule import schedule_of
from taxiway.triggers import new_span
from taxiway.triggers.new_span import NewSpanTrigger

REPOSITORY = Path(__file__).parents[2]
PIPELINE = read_pipeline(REPOSITORY / "dags/flights/late_arrivals.pipeline.yaml").model_copy(update={"schedule": ("new_span",)})


class AilingFileSystem(LocalFileSystem):
    """A source, or a store, that cannot be reached for some looks."""

    protocol = "ailing"
    failures = 0

    def glob(self, path: str, **kwargs: Any) -> Any:
        self.ail()
        return super().glob(path, **kwargs)

    def ls(self, path: str, detail: bool = False, **kwargs: Any) -> Any:
        self.ail()
        return super().ls(path, detail=detail, **kwargs)

    @classmethod
    def ail(cls) -> None:
        if cls.failures:
            cls.failures -= 1
            raise ConnectionResetError("the network is down")


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    fsspec.register_implementation("ailing", AilingFileSystem, clobber=True)
    monkeypatch.setenv("AIRFLOW__TAXIWAY__STORE", str(tmp_path / "store"))
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


def arrive(source: Path, *names: str) -> None:
    for name in names:
        (source / f"{name}.parquet").write_bytes(b"not looked at")


def watcher(source: Path, scheme: str = "") -> NewSpanTrigger:
    return trigger({"spans": f"{scheme}{source}/{{SPAN}}.parquet", "window": 1, "label": "y"})


def trigger(source: dict[str, Any]) -> NewSpanTrigger:
    return NewSpanTrigger(source=json.dumps(source), pipeline="team.made", poll_seconds=0.005)


def summary(span: str, content: str = "a") -> RunSummary:
    return RunSummary(
        pipeline="team.made",
        run="run 1",
        span=Span(source="there", name=span, rows=1, content=content),
        outcome=Outcome.BLOCKED,
        reasons=("made",),
        mlflow_run="0",
    )


def decide(source: Path, span: str) -> None:
    mark_processed(Store(str(source.parent / "store")), summary(span))


async def next_span(events: AsyncIterator[Any]) -> str:
    event = await asyncio.wait_for(anext(events), PATIENCE_S)
    return str(event.payload["span"])


async def sees_nothing(events: AsyncIterator[Any]) -> None:
    """A hundred looks without an event; the watcher cannot be asked again after this."""
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(events), 0.5)


def test_each_span_wakes_once_oldest_first_and_a_watcher_that_starts_anew_finds_what_came_meanwhile(source: Path) -> None:
    async def watch() -> None:
        arrive(source, "1", "2", "3", "4")
        events = watcher(source).run()
        for span in ("2", "3"):
            assert await next_span(events) == span
            decide(source, span)
        assert await next_span(events) == "4"
        # The run for 4 broke: nothing changed, so nothing is said again for an hour.
        await sees_nothing(events)
        # This watcher is dead now. One that knows nothing of it sees what is undecided, and what came while nobody looked.
        arrive(source, "5")
        events = watcher(source).run()
        assert await next_span(events) == "4"
        decide(source, "4")
        assert await next_span(events) == "5"
        decide(source, "5")
        arrive(source, "2", "5")
        await sees_nothing(events)

    asyncio.run(watch())


@pytest.mark.parametrize("ailing", ["source", "store"])
def test_a_watcher_outlives_a_source_and_a_store_that_cannot_be_reached(
    source: Path, ailing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if ailing == "store":
        monkeypatch.setenv("AIRFLOW__TAXIWAY__STORE", f"ailing://{source.parent}/store")

    async def watch() -> None:
        arrive(source, "1", "2")
        events = watcher(source, "ailing://" if ailing == "source" else "").run()
        AilingFileSystem.failures = 5
        assert await next_span(events) == "2"
        assert AilingFileSystem.failures == 0
        # Down again after the event: that is no news, and the next span is seen when it is over.
        decide(source, "2")
        AilingFileSystem.failures = 5
        arrive(source, "3")
        assert await next_span(events) == "3"

    asyncio.run(watch())
    assert AilingFileSystem.failures == 0


def test_periods_of_a_query_wake_without_a_question_to_its_database(source: Path) -> None:
    months = list(ended_periods("2020-01", "month", datetime.now(UTC)))[-3:]
    keys = {"sql": "SELECT 1 WHERE {begin} < {end}", "connection": "nowhere", "every": "month", "first": months[0].name}
    for origin in (keys, {"function": "nowhere.py:read", "every": "month", "first": months[0].name}):
        content = read_source({**origin, "delay": "1s", "window": 1, "label": "y"})
        kept = content.model_dump_json(by_alias=True, exclude_defaults=True)
        looker = NewSpanTrigger(source=kept, pipeline="team.made", poll_seconds=0.005)
        again = NewSpanTrigger(**looker.serialize()[1])
        assert again.due() == (months[1].name, 0)
    decide(source, months[1].name)
    assert again.due() == (months[2].name, 0)
    decide(source, months[2].name)
    assert again.due() is None


def test_a_span_wakes_when_what_is_joined_to_it_has_come_too_and_a_denied_one_never_does(source: Path) -> None:
    join = {"spans": f"{source}/joined/{{SPAN}}.parquet", "on": {"a": "b"}, "columns": ["c"], "min_match_rate": 1}
    wanted = {"spans": f"{source}/{{SPAN}}.parquet", "window": 1, "exclude": ["2"], "label": "y", "join": {"other": join}}
    (source / "joined").mkdir()

    async def watch() -> None:
        arrive(source, "1", "2", "3", "4")
        arrive(source / "joined", "1", "2", "4")
        events = trigger(wanted).run()
        assert await next_span(events) == "4"
        arrive(source / "joined", "3")
        assert await next_span(events) == "3", "the older one, now that it can be read"

    asyncio.run(watch())


def test_a_watcher_outlives_files_that_cannot_be_obeyed(source: Path) -> None:
    async def watch() -> None:
        arrive(source, "1", "2", "02")
        looker = watcher(source)
        with pytest.raises(ConfigError, match="are both version 0 of span 2"):
            looker.due()
        looking = asyncio.ensure_future(next_span(looker.run()))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(looking), 0.2)
        (source / "02.parquet").unlink()
        assert await looking == "2"

    asyncio.run(watch())


def test_a_span_that_stays_due_wakes_again_after_growing_pauses(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100_000))
    monkeypatch.setattr(new_span, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(new_span, "REPEAT_S", 4.0)
    monkeypatch.setattr(new_span, "MAX_REPEAT_S", 16.0)
    checks = 0

    class Counting(NewSpanTrigger):
        def _look(self) -> Any:
            nonlocal checks
            checks += 1
            return super()._look()

    async def watch() -> list[int]:
        arrive(source, "1", "2")
        events = Counting(**watcher(source).serialize()[1]).run()
        return [checks for _ in range(5) if await next_span(events) == "2"]

    # After 4, 8, 16 and 16 seconds, of which each check takes one.
    assert asyncio.run(watch()) == [1, 5, 13, 29, 45]


def test_a_source_that_waits_for_labels_wakes_at_each_arrival_while_a_span_is_due(source: Path) -> None:
    keys = {"spans": f"{source}/{{SPAN}}.parquet", "window": 1, "label": "y"}

    async def watch() -> None:
        arrive(source, "1", "2")
        waiting, other = trigger({**keys, "unlabelled": "wait"}).run(), trigger(keys).run()
        assert await next_span(waiting) == await next_span(other) == "2"
        arrive(source, "3")
        assert await next_span(waiting) == "2"  # its run may decide 3, if only the labels of 2 are missing
        await sees_nothing(other)
        decide(source, "2")
        assert await next_span(waiting) == "3"
        decide(source, "3")
        arrive(source, "1")
        await sees_nothing(waiting)

    asyncio.run(watch())


def test_a_source_that_cannot_be_read_for_an_hour_starts_a_run_that_says_so(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_span, "REPEAT_S", 0.05)
    arrive(source, "2", "02")

    async def watch() -> Any:
        return await asyncio.wait_for(anext(watcher(source).run()), PATIENCE_S)

    assert asyncio.run(watch()).payload == {"problem": "the source or the store cannot be read"}


def test_a_pipeline_for_new_spans_runs_by_the_clock_only_if_a_database_has_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__TAXIWAY__DATA", "/data")
    monkeypatch.setenv("AIRFLOW__TAXIWAY__POLL_SECONDS", "60")
    (asset,) = schedule_of(PIPELINE)
    arguments = asset.watchers[0].trigger.serialize()[1]
    assert arguments == {
        "source": '{"label":"late","spans":"/data/flights/{YYYY}-{MM}.parquet"}',
        "pipeline": "flights.late_arrivals",
        "poll_seconds": 60.0,
    }
    keys = {
        "sql": "SELECT 1 WHERE {begin} < {end}",
        "connection": "nowhere",
        "every": "month",
        "first": "2020-01",
        "label": "y",
    }
    sql = PIPELINE.model_copy(update={"source": read_source(keys)})
    assert isinstance(schedule_of(sql), list)
    versions = "SELECT count(*) FROM t WHERE at >= {begin} AND at < {end}"
    for every, first, expression in (("month", "2020-01", "0 0 * * *"), ("hour", "2020-01-01T00", "0 * * * *")):
        source = read_source({**keys, "every": every, "first": first, "version": versions})
        schedule = schedule_of(PIPELINE.model_copy(update={"source": source}))
        assert isinstance(schedule, AssetOrTimeSchedule)
        assert schedule.timetable.expression == expression


@pytest.mark.parametrize("value", ["0", "-1", "soon", "inf", "nan"])
def test_an_interval_that_is_none_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__TAXIWAY__POLL_SECONDS", value)
    with pytest.raises(ConfigError, match=r"poll_seconds.*allowed: a number of seconds above 0"):
        poll_seconds()


def test_a_decided_span_whose_file_has_other_content_now_is_told_and_stays_decided(source: Path) -> None:
    store = Store(str(source.parent / "store"))
    for span in ("1", "2"):
        mark_processed(store, summary(span, content="a"))
    spans = tuple(
        Span(source="there", name=name, rows=1, content=content) for name, content in [("1", "b"), ("2", "a"), ("3", "c")]
    )
    snapshot = Snapshot(pipeline="team.made", training=spans[:2], evaluation=spans[2:])
    (message,) = changed_since(store, snapshot, span_option="span={span}")
    assert message.startswith("the file of span 1 was overwritten: run run 1 decided the span as BLOCKED with content a")
    assert message.endswith("decide the span again with span=1")
    assert "{VERSION}" in message
    assert processed_spans(store, "team.made") == {("1", 0), ("2", 0)}
