"""Which imported labels an evaluation counts: those of rows that were drawn at random, however the rows are filtered, sampled and split."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helping import examples
from taxiway.data.ingest.ingest import ingest
from taxiway.data.ingest.labels.draws import add_draw, drawn_to, places_of
from taxiway.data.ingest.labels.fill import LabelSource
from taxiway.data.ingest.labels.imported import LabelBatch, add_batch
from taxiway.data.ingest.read_spec import ReadSpec
from taxiway.data.sources.files import find_spans
from taxiway.errors import DataError
from taxiway.records import SampleRule, Snapshot, SplitRule
from taxiway.store import Store

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
ROWS = 400
EVERYTHING = 2**64 - 1


def write(folder: Path, known: "set[int]", rows: int = ROWS) -> "list[int]":
    """Two spans, of which the second has only some labels; returns its rows in the random order."""
    ids = np.arange(rows)
    labels = np.array([at % 3 == 0 for at in ids])
    for span, missing in ((1, np.zeros(rows, bool)), (2, ~np.isin(ids, list(known)))):
        table = {"id": ids, "x": ids % 4, "y": pa.array(labels, mask=missing)}
        pq.write_table(pa.table(table), folder / f"{span}.parquet")
    places = places_of(folder / "2.parquet", ["id"], "span 2")
    assert len(set(places.tolist())) == rows
    return [int(at) for at in np.argsort(places)]


def import_labels(store: Store, folder: Path, rows: "list[int]") -> None:
    batch = {"span": ["2"] * len(rows), "k0": [str(at) for at in rows], "label": [at % 3 == 0 for at in rows]}
    pq.write_table(pa.table(batch), folder / "batch")
    add_batch(store, "t.p", ["2"], LabelBatch(store.put_file(folder / "batch"), "ann", NOON, ("id",)))


def draw(store: Store, folder: Path, last: int, key: "tuple[str, ...]" = ("id",)) -> None:
    """Draw the rows up to the one with this id."""
    place = places_of(folder / "2.parquet", ["id"], "span 2")[last]
    add_draw(store, "t.p", ["2"], key, int(place), NOON)


def evaluated(store: Store, folder: Path, **rules: Any) -> "tuple[Snapshot, set[int]]":
    """The snapshot, and the ids of its evaluation rows."""
    found = [span for span in find_spans(f"{folder}/{{SPAN}}.parquet") if span.name in ("1", "2")]
    spec = ReadSpec(label="y", imported=LabelSource(store, "t.p", "y"), **rules)
    made = ingest(tuple(found), pipeline="t.p", source="there", store=store, read_spec=spec)
    ids: set[int] = set()
    for span in made.evaluation:
        if span.name == "2":
            with store.local_file(span.content) as path:
                ids |= set(pq.read_table(path)["id"].to_pylist())
    return made, ids


def test_labels_count_up_to_the_last_drawn_row_and_those_of_chosen_rows_do_not(tmp_path: Path, store: Store) -> None:
    known = set(range(40))
    order = [at for at in write(tmp_path, known) if at not in known]
    chosen = [at for at in order if at % 5 == 0]
    import_labels(store, tmp_path, chosen)
    made, ids = evaluated(store, tmp_path)
    assert ids == known, "nothing was drawn"
    (labels,) = made.labels
    assert (labels.rows, labels.not_counted) == (len(chosen), len(chosen))
    assert labels.describe().endswith(
        f"; {len(chosen)} of them left out of the evaluation, because they were not drawn at random"
    )
    assert made.training[0].rows == ROWS
    draw(store, tmp_path, order[99])
    import_labels(store, tmp_path, order[:100])
    made, ids = evaluated(store, tmp_path)
    assert ids == known | set(order[:100]), "chosen rows count if they were drawn, too"
    assert made.labels[0].not_counted == len(set(chosen) - set(order[:100]))
    draw(store, tmp_path, order[0])
    assert evaluated(store, tmp_path)[1] == ids, "a smaller draw takes nothing away"
    import_labels(store, tmp_path, order)
    made, ids = evaluated(store, tmp_path)
    assert (len(ids), made.labels[0].not_counted) == (ROWS, 0), "no row lacks a label, so none was chosen"


def test_a_draw_of_all_rows_makes_no_labels_of_chosen_rows_count(tmp_path: Path, store: Store) -> None:
    order = write(tmp_path, {0})
    add_draw(store, "t.p", ["2"], ["id"], EVERYTHING, NOON)
    import_labels(store, tmp_path, [at for at in order if at % 5 == 0 and at])
    assert len(evaluated(store, tmp_path)[1]) <= 3


def test_a_draw_by_another_key_does_not_count(tmp_path: Path, store: Store) -> None:
    order = write(tmp_path, {0})
    draw(store, tmp_path, order[-1], ("id", "x"))
    store.set_ref("label_draws/t.p/2/notes", "to do")
    assert drawn_to(store, "t.p", "2", ["id"]) is None
    import_labels(store, tmp_path, order[:100])
    assert evaluated(store, tmp_path)[1] == {0}


@given(st.data())
@examples(15)
def test_enough_of_the_drawn_rows_have_a_label_up_to_the_last_one_that_counts(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("draws")
    store = Store(str(folder / "store"))
    order = [at for at in write(folder, {0, 1}, 60) if at not in (0, 1)]
    drawn = data.draw(st.integers(1, len(order) - 1))
    skipped = data.draw(st.sets(st.sampled_from(order), min_size=1, max_size=12))
    labelled = [at for at in order if at not in skipped]
    draw(store, folder, order[drawn - 1])
    import_labels(store, folder, labelled)
    counting = 0
    for number, at in enumerate(order[:drawn], 1):
        if at in labelled and len(set(order[:number]) & set(labelled)) >= 0.95 * number:
            counting = number
    assert evaluated(store, folder)[1] == {0, 1} | (set(order[:counting]) & set(labelled))


@pytest.mark.parametrize(
    "rules",
    [
        {"rows": "x <> 3"},
        {"sample": SampleRule(fraction=0.5, by="id")},
        {"rows": "x <> 3", "split": SplitRule(by="id", evaluation=0.4)},
        {"split": SplitRule(evaluation=0.4, stratify="x")},
    ],
)
def test_rows_that_are_not_read_are_not_missed(rules: dict[str, Any], tmp_path: Path, store: Store) -> None:
    order = write(tmp_path, set(range(40)))
    read = ReadSpec(label="y", imported=LabelSource(store, "t.p", "y"), **rules)
    everything = {key: rule for key, rule in rules.items() if key != "split"}
    import_labels(store, tmp_path, order)
    all_ids = evaluated(store, tmp_path, **everything)[1]
    assert read.removes_rows
    drawn = [at for at in order if at in all_ids and at >= 40][:60]
    other = Store(str(tmp_path / "other"))
    draw(other, tmp_path, drawn[-1])
    chosen = [at for at in all_ids if at % 7 == 0 and at >= 40 and at not in drawn]
    import_labels(other, tmp_path, drawn + chosen)
    made, ids = evaluated(other, tmp_path, **rules)
    assert ids
    assert not ids & set(chosen)
    if "split" not in rules:
        assert ids >= set(drawn)
        assert made.labels[0].not_counted == len(chosen)
    else:
        assert 0 < made.labels[0].not_counted < len(chosen), "rows to train on stay"
        assert (
            sum(span.rows for span in made.spans if span.name == "2")
            == len({at for at in all_ids if at < 40} | set(drawn) | set(chosen)) - made.labels[0].not_counted
        )


def test_no_row_to_evaluate_on_is_an_error_that_says_what_to_label(tmp_path: Path, store: Store) -> None:
    order = write(tmp_path, set())
    import_labels(store, tmp_path, order[:100])
    with pytest.raises(DataError, match=r"left of span 2: 100 rows have a label of a person, .* drawn at random.*label export"):
        evaluated(store, tmp_path)
    draw(store, tmp_path, order[99])
    assert len(evaluated(store, tmp_path)[1]) == 100
