"""Ingest: nothing broken or half-written becomes a span."""

import os
from pathlib import Path
from typing import Any

import fsspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.local import LocalFileSystem

from taxiway.data.ingest.ingest import ingest
from taxiway.data.sources.files import find_spans
from taxiway.errors import ConfigError, DataError, TransientError
from taxiway.records import Snapshot
from taxiway.records.digests import digest_of_file
from taxiway.store.store import Store


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
    with store.local_file(snapshot.evaluation_span.content) as path:
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


def lists_of_a_fixed_size(path: Path) -> None:
    pq.write_table(pa.table({"x": pa.array([[1.0, 2.0], None, [3.0, 4.0]], pa.list_(pa.float64(), 2))}), path)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            lists_of_a_fixed_size,
            r'lists of a fixed size \("x"\), which PyArrow cannot read if one of them is missing; write them as lists',
        ),
        (break_off, "truncated or corrupt"),
        (lose_footer_only, "truncated or corrupt"),
        (damage_a_page, "truncated or corrupt"),
        (lambda path: path.write_bytes(b""), r"is empty \(0 bytes\)"),
        (lambda path: path.write_text("x,y\n1,2\n"), r"is not Parquet: it begins with b'x,y"),
        (lambda path: path.write_bytes(b"PAR1"), "truncated or corrupt"),
        (lambda path: pd.DataFrame({"x": pd.Series(dtype="int64")}).to_parquet(path), "no rows"),
        (
            lambda path: pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=["x", "x"]), path),
            'more than one column named "x"',
        ),
    ],
)
def test_a_bad_file_is_refused_by_name_and_nothing_of_it_is_kept(damage: Any, said: str, folder: Path, store: Store) -> None:
    damage(folder / "2.parquet")
    with pytest.raises(DataError, match=said) as refused:
        take(folder, store)
    assert "2.parquet" in str(refused.value)
    assert "at the source" in str(refused.value)
    kept = [path.name for path in Path(store.url).rglob("objects/*/*")]
    assert digest_of_file(folder / "2.parquet") not in kept


def test_a_file_that_vanished_is_worth_a_retry(folder: Path, store: Store) -> None:
    found = find_spans(f"{folder}/{{SPAN}}.parquet")
    (folder / "2.parquet").unlink()
    with pytest.raises(TransientError, match=r"2\.parquet was removed"):
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
