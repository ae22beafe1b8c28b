"""The index of spans: right whatever is written at once or killed in between, and the same cost for any number of spans."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxiway.store import SpanIndex, SpanKey, Store, index

FOLDER = "decided/team.made"


@pytest.fixture(autouse=True)
def _small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments come every few entries, so that tests see many of them."""
    monkeypatch.setattr(index, "_MAX_MARKERS", 3)


def as_new_process() -> None:
    index._segments.clear()


def ordered(keys: set[SpanKey]) -> tuple[SpanKey, ...]:
    return tuple(sorted(keys, key=lambda key: (tuple(map(int, key[0].split("-"))), key[1])))


names = st.tuples(st.integers(2012, 2014), st.integers(1, 12)).map(lambda date: f"{date[0]}-{date[1]:02}")
keys = st.tuples(names, st.integers(0, 2))


def test_entries_are_found_and_listed_oldest_first(store: Store) -> None:
    made = SpanIndex(store, FOLDER)
    assert (made.spans(), made.get("9", 0)) == ((), None)
    for number in (10, 9, 11, 2, 1):
        made.add(str(number), 0, f"digest {number}")
    made.add("9", 2, "corrected")
    assert made.spans() == (("1", 0), ("2", 0), ("9", 0), ("9", 2), ("10", 0), ("11", 0))
    assert (made.get("9", 0), made.get("9", 2), made.get("9", 1)) == ("digest 9", "corrected", None)
    made.add("9", 2, "again")
    assert (made.get("9", 2), len(made.spans())) == ("again", 6)


@given(added=st.lists(st.tuples(keys, st.booleans()), max_size=30))
def test_writers_and_readers_in_any_order_see_every_entry(
    tmp_path_factory: pytest.TempPathFactory, added: list[tuple[SpanKey, bool]]
) -> None:
    store = Store(str(tmp_path_factory.mktemp("index")))
    expected: set[SpanKey] = set()
    for (name, version), read in added:
        SpanIndex(store, FOLDER).add(name, version, "x")
        expected.add((name, version))
        if read:
            as_new_process()
        assert SpanIndex(store, FOLDER).spans() == ordered(expected)


@pytest.mark.parametrize("fatal", range(14))
def test_a_kill_at_any_write_loses_no_entry_that_was_added(tmp_path: Path, fatal: int, monkeypatch: pytest.MonkeyPatch) -> None:
    store, writes = Store(str(tmp_path)), 0
    made = SpanIndex(store, FOLDER)
    for number in range(4):
        made.add(str(number), 0, "x")

    def killed_at(change: Callable[..., None]) -> Callable[..., None]:
        def act(*arguments: str) -> None:
            nonlocal writes
            writes += 1
            if writes > fatal:
                raise KeyboardInterrupt
            change(*arguments)

        return act

    with monkeypatch.context() as dying:
        dying.setattr(store, "set_ref", killed_at(store.set_ref))
        dying.setattr(store, "delete_ref", killed_at(store.delete_ref))
        added = 4
        with suppress(KeyboardInterrupt):  # what stands for a kill
            for number in range(4, 8):
                made.add(str(number), 0, "x")
                added += 1
    as_new_process()
    assert {(str(number), 0) for number in range(added)} <= set(made.spans())
    made.add("99", 0, "x")  # and it goes on
    assert made.spans()[-1] == ("99", 0)
    assert all(made.get(*key) == "x" for key in made.spans())


def test_many_who_add_at_once_lose_nothing_and_fail_nobody(tmp_path: Path) -> None:
    def add_some(first: int) -> None:
        made = SpanIndex(Store(str(tmp_path)), FOLDER)
        for number in range(first, first + 10):
            made.add(str(number), 0, "x")

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(add_some, first) for first in (0, 10, 20, 30)]:
            done.result()
    as_new_process()
    assert [name for name, _ in SpanIndex(Store(str(tmp_path)), FOLDER).spans()] == [str(number) for number in range(40)]


def test_entries_of_a_store_that_had_no_listing_are_listed(store: Store) -> None:
    """As it was before 0.1: an entry each, and nothing else."""
    for number in (3, 1, 2):
        store.set_ref(f"{FOLDER}/2013-{number:02}@0", "x")
    assert SpanIndex(store, FOLDER).spans() == (("2013-01", 0), ("2013-02", 0), ("2013-03", 0))


def test_two_who_merge_at_once_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one adds, and merges, while the first has read everything and has not written yet."""
    store = Store(str(tmp_path))
    one, other = SpanIndex(store, FOLDER), SpanIndex(Store(str(tmp_path)), FOLDER)
    for number in range(1, 4):
        one.add(str(number), 0, "x")
    set_ref = store.set_ref

    def late(name: str, value: str) -> None:
        if name.startswith(f"{FOLDER}.all/"):
            for number in range(10, 15):
                other.add(str(number), 0, "x")
        set_ref(name, value)

    monkeypatch.setattr(store, "set_ref", late)
    one.add("4", 0, "x")
    one.add("5", 0, "x")
    as_new_process()
    assert [name for name, _ in other.spans()] == ["1", "2", "3", "4", "5", "10", "11", "12", "13", "14"]


def test_a_lost_listing_is_made_again_from_the_entries(store: Store) -> None:
    made = SpanIndex(store, FOLDER)
    for number in range(9):
        made.add(str(number), 0, "x")
    for kind in ("all", "new"):
        for name in store.list_refs(f"{FOLDER}.{kind}"):
            store.delete_ref(f"{FOLDER}.{kind}/{name}")
    as_new_process()
    assert [name for name, _ in made.spans()] == [str(number) for number in range(9)]
    assert len(store.list_refs(f"{FOLDER}.all")) == 1


@pytest.mark.parametrize("folder", [FOLDER, f"{FOLDER}.new", f"{FOLDER}.all"])
def test_strays_are_left_out_named_once_and_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture, folder: str) -> None:
    store = Store(str(tmp_path))
    made = SpanIndex(store, FOLDER)
    made.add("1", 0, "x")
    for stray in (".DS_Store", "notes.txt", "2013-01@first", "a folder/b"):
        store.set_ref(f"{folder}/{stray}", "text")
    for number in range(2, 12):
        made.add(str(number), 0, "x")
    for name in store.list_refs(f"{FOLDER}.all"):  # so that the entries themselves are listed
        if len(name) > 32:
            store.delete_ref(f"{FOLDER}.all/{name}")
    as_new_process()
    assert {span for span, _ in made.spans()} >= {str(number) for number in range(1, 9)}
    assert {".DS_Store", "notes.txt", "2013-01@first", "a folder"} <= set(store.list_refs(folder))
    assert caplog.text.count("notes.txt") == 1


@pytest.mark.parametrize("content", ["", "1@0\n2@0", "1@0\n2@0\n3@0\n4@0\n99@0", "\x00\xff"])
def test_an_altered_segment_is_made_again_from_the_entries(
    store: Store, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    made = SpanIndex(store, FOLDER)
    for number in range(1, 10):
        made.add(str(number), 0, "x")
    (segment,) = store.list_refs(f"{FOLDER}.all")
    store.set_ref(f"{FOLDER}.all/{segment}", content)
    as_new_process()
    assert [name for name, _ in made.spans()] == [str(number) for number in range(1, 10)]
    assert "is altered; it is made again" in caplog.text
    caplog.clear()
    as_new_process()
    made.add("10", 0, "x")
    assert len(made.spans()) == 10
    assert "altered" not in caplog.text


def test_listing_reads_one_object_however_many_spans_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, reads = Store(str(tmp_path)), []
    made = SpanIndex(store, FOLDER)
    for number in range(50):
        made.add(str(number), 0, "x")
    state = made.state()
    get_ref = store.get_ref
    monkeypatch.setattr(store, "get_ref", lambda name: reads.append(name) or get_ref(name))
    as_new_process()
    assert len(made.spans()) == 50
    assert len(reads) == 1
    made.spans()
    assert len(reads) == 1
    assert made.state() == state
    made.add("50", 0, "x")
    assert made.state() != state
