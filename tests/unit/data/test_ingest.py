"""Ingest: the right window is planned, and nothing broken or half-written becomes a span."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.local import LocalFileSystem
from hypothesis import given
from hypothesis import strategies as st

from taxiway.data.ingest import ingest
from taxiway.data.plan import gaps, plan_as_of, plan_window
from taxiway.data.spans import FoundSpan, find_spans
from taxiway.digests import digest_of_file
from taxiway.errors import BadData, ConfigError, TransientError
from taxiway.records import Snapshot
from taxiway.store.store import Store

FOUND = tuple(FoundSpan(name, 0, f"/{name}") for name in "abcdef")


def names(plan: tuple[FoundSpan, ...] | None) -> str | None:
    return None if plan is None else "".join(span.name for span in plan)


@pytest.mark.parametrize(
    ("decided", "requested", "planned"),
    [
        ("", None, "abcd"),
        ("d", None, "bcde"),
        ("df", None, "bcde"),
        ("e", None, "abcd"),
        ("def", None, None),
        ("def", "e", "bcde"),
        ("", "f", "cdef"),
    ],
)
def test_the_oldest_undecided_span_is_planned_with_its_window(decided: str, requested: str | None, planned: str | None) -> None:
    plan = plan_window(FOUND, window=3, decided=frozenset((name, 0) for name in decided), requested=requested)
    assert names(plan) == planned


def test_a_corrected_version_of_a_decided_span_is_undecided_again() -> None:
    found = (*FOUND[:3], FoundSpan("d", 1, "/d-v1"))
    plan = plan_window(found, window=3, decided=frozenset({("d", 0)}), requested=None)
    assert plan == found


def test_too_few_spans_are_nothing_to_do() -> None:
    assert plan_window(FOUND[:3], window=3, decided=frozenset(), requested=None) is None
    assert plan_window((), window=1, decided=frozenset(), requested=None) is None


@pytest.mark.parametrize(
    ("requested", "said"),
    [
        ("x", "x is not at the source; there: a, b, c, d, e, f"),
        ("b", "has 1 spans before it, and window needs 3; the first that has: d"),
    ],
)
def test_a_request_that_cannot_be_met_lists_what_there_is(requested: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        plan_window(FOUND, window=3, decided=frozenset(), requested=requested)


def month(number: int) -> FoundSpan:
    """A month, counted from January 2013."""
    year, at = divmod(number, 12)
    return FoundSpan(f"{2013 + year}-{at + 1:02}", 0, "/", first_of(number + 1))


def first_of(number: int) -> datetime:
    year, at = divmod(number, 12)
    return datetime(2013 + year, at + 1, 1, tzinfo=UTC)


MONTHS = tuple(month(number) for number in range(6))


@pytest.mark.parametrize(
    ("moment", "before", "planned"),
    [
        (datetime(2013, 5, 1, tzinfo=UTC), None, MONTHS[1:4]),
        (datetime(2013, 4, 30, 23, 59, tzinfo=UTC), None, MONTHS[0:3]),
        (datetime(2013, 4, 1, tzinfo=UTC), None, MONTHS[0:3]),
        (datetime(2013, 3, 31, tzinfo=UTC), None, None),
        (datetime(2026, 1, 1, tzinfo=UTC), None, MONTHS[3:6]),
        (datetime(2013, 5, 1, tzinfo=UTC), datetime(2013, 4, 1, tzinfo=UTC), MONTHS[1:4]),
        (datetime(2013, 5, 2, tzinfo=UTC), datetime(2013, 5, 1, tzinfo=UTC), None),
    ],
)
def test_a_past_moment_sees_the_periods_that_had_ended(
    moment: datetime, before: datetime | None, planned: tuple[FoundSpan, ...] | None
) -> None:
    assert plan_as_of(MONTHS, window=2, moment=moment, before=before) == planned


@given(
    there=st.sets(st.integers(0, 30), max_size=20),
    window=st.integers(1, 4),
    moments=st.lists(st.datetimes(datetime(2012, 12, 1), datetime(2016, 3, 1)), min_size=1, max_size=60),
)
def test_runs_for_past_moments_see_nothing_later_and_decide_each_span_once_oldest_first(
    there: set[int], window: int, moments: list[datetime]
) -> None:
    found, before, decided = tuple(month(number) for number in sorted(there)), None, []
    for moment in sorted(m.replace(tzinfo=UTC) for m in moments):
        plan = plan_as_of(found, window=window, moment=moment, before=before)
        if plan is not None:
            assert len(plan) == window + 1
            assert all(span.ends is not None and span.ends <= moment for span in plan)
            at = found.index(plan[-1])
            assert plan == found[at - window : at + 1]
            assert not [span for span in found[at + 1 :] if span.ends is not None and span.ends <= moment]
            decided.append(at)
        before = moment
    assert decided == sorted(set(decided))


def test_numbers_are_no_dates_to_backfill_by() -> None:
    numbers = (FoundSpan("1", 0, "/1"), FoundSpan("2", 0, "/2"))
    with pytest.raises(ConfigError, match=r"the spans 1, 2 are numbers and have no dates.*the parameter span"):
        plan_as_of(numbers, window=1, moment=datetime(2013, 5, 1, tzinfo=UTC))


def write(folder: Path, **tables: pd.DataFrame) -> None:
    for name, rows in tables.items():
        rows.to_parquet(folder / f"{name}.parquet", index=False)


def take(folder: Path, store: Store) -> Snapshot:
    return ingest(find_spans(f"{folder}/{{SPAN}}.parquet"), pipeline="made", source="there", store=store)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "source"
    place.mkdir()
    write(place, **{str(at): pd.DataFrame({"x": range(at, at + 50)}) for at in (1, 2, 3)})
    return place


def test_a_snapshot_holds_the_files_exactly_and_the_last_is_for_evaluation(folder: Path, store: Store) -> None:
    snapshot = take(folder, store)
    assert [span.name for span in snapshot.training] == ["1", "2"]
    assert [span.name for span in snapshot.evaluation] == ["3"]
    assert [span.rows for span in snapshot.spans] == [50, 50, 50]
    with store.local_file(snapshot.newest.content) as path:
        assert path.read_bytes() == (folder / "3.parquet").read_bytes()


def test_touched_files_give_the_same_snapshot_and_changed_ones_another(folder: Path, store: Store) -> None:
    first = take(folder, store)
    os.utime(folder / "2.parquet", (1, 1))
    assert take(folder, store).digest == first.digest
    write(folder, **{"2": pd.DataFrame({"x": [1]})})
    assert take(folder, store).digest != first.digest


def break_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def lose_footer_only(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + content[-4:])


def damage_a_page(path: Path) -> None:
    rows = pa.table({"x": pa.array([f"text {at}" for at in range(5000)])})
    pq.write_table(rows, path, compression="zstd", use_dictionary=False)
    content = bytearray(path.read_bytes())
    content[60:400] = bytes(340)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (break_off, "truncated or broken"),
        (lose_footer_only, "truncated or broken"),
        (damage_a_page, "truncated or broken"),
        (lambda path: path.write_bytes(b""), r"is empty \(0 bytes\)"),
        (lambda path: path.write_text("x,y\n1,2\n"), r"is not Parquet: it begins with b'x,y"),
        (lambda path: path.write_bytes(b"PAR1"), "truncated or broken"),
        (lambda path: pd.DataFrame({"x": pd.Series(dtype="int64")}).to_parquet(path), "no rows"),
        (
            lambda path: pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=["x", "x"]), path),
            "more than one column named x",
        ),
    ],
)
def test_a_bad_file_is_refused_by_name_and_nothing_of_it_is_kept(damage: Any, said: str, folder: Path, store: Store) -> None:
    damage(folder / "2.parquet")
    with pytest.raises(BadData, match=said) as refused:
        take(folder, store)
    assert "2.parquet" in str(refused.value)
    assert "have the source" in str(refused.value)
    kept = [path.name for path in Path(store.url).rglob("objects/*/*")]
    assert digest_of_file(folder / "2.parquet") not in kept


def test_a_file_that_vanished_is_worth_a_retry(folder: Path, store: Store) -> None:
    found = find_spans(f"{folder}/{{SPAN}}.parquet")
    (folder / "2.parquet").unlink()
    with pytest.raises(TransientError, match=r"2\.parquet vanished"):
        ingest(found, pipeline="made", source="there", store=store)


class ChangingFileSystem(LocalFileSystem):
    """A source that is written in place: every file grows as soon as somebody opens it."""

    protocol = "changing"

    def _open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:
        stream = super()._open(path, mode, **kwargs)
        with Path(path).open("ab") as source:
            source.write(b"more")
        return stream


def test_a_file_that_changes_while_it_is_read_is_worth_a_retry_and_not_kept(folder: Path, store: Store) -> None:
    fsspec.register_implementation("changing", ChangingFileSystem, clobber=True)
    found = find_spans(f"changing://{folder}/{{SPAN}}.parquet")
    assert len(found) == 3
    with pytest.raises(TransientError, match="changed while it was read"):
        ingest(found, pipeline="made", source="there", store=store)
    assert not list(Path(store.url).rglob("objects/*/*"))


def test_a_plan_without_training_is_refused(folder: Path, store: Store) -> None:
    with pytest.raises(ConfigError, match="at least one span to train on"):
        ingest(find_spans(f"{folder}/{{SPAN}}.parquet")[:1], pipeline="made", source="there", store=store)


@pytest.mark.parametrize(
    ("pattern", "names", "expected"),
    [
        ("{YYYY}-{MM}", ["2024-11", "2024-12", "2025-01"], []),
        ("{YYYY}-{MM}", ["2024-01", "2024-03", "2024-04"], ["nothing is there between 2024-01 and 2024-03"]),
        ("{YYYY}-{MM}-{DD}", ["2024-02-28", "2024-02-29", "2024-03-01"], []),
        ("{YYYY}-{MM}-{DD}", ["2023-02-28", "2023-03-02"], ["nothing is there between 2023-02-28 and 2023-03-02"]),
        ("{YYYY}", ["2023", "2024", "2026"], ["nothing is there between 2024 and 2026"]),
        ("{SPAN}", ["9", "10", "12"], ["nothing is there between 10 and 12"]),
    ],
)
def test_a_span_that_is_missing_between_two_is_told(
    tmp_path: Path, pattern: str, names: list[str], expected: list[str]
) -> None:
    for name in names:
        (tmp_path / f"{name}.parquet").write_bytes(b"")
    assert list(gaps(find_spans(f"{tmp_path}/{pattern}.parquet"))) == expected
