"""Samples and splits: by the value of a column, the same in every run, with every class kept and no value on both sides."""

import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helping import examples
from taxiway.data.engine.read_rows import read_rows
from taxiway.data.ingest.ingest import ingest
from taxiway.data.ingest.materialize import RowRules, materialize_rows
from taxiway.data.ingest.read_spec import ReadSpec
from taxiway.data.ingest.sampling import Subset
from taxiway.data.sources.files import find_spans
from taxiway.errors import ConfigError, DataError
from taxiway.records import SampleRule, Snapshot, SplitRule
from taxiway.store.store import Store
from taxiway.tuning.trials import tuning_snapshot

Subsets = dict[int, pd.DataFrame]
Part = Callable[..., Subsets]


@pytest.fixture
def part(tmp_path: Path) -> Part:
    """A function that samples and splits a table: its rows by their side."""

    def make(
        rows: pd.DataFrame | pa.Table, sample: SampleRule | None = None, split: SplitRule | None = None, **rules: Any
    ) -> Subsets:
        table = rows if isinstance(rows, pa.Table) else pa.Table.from_pandas(rows, preserve_index=False)
        pq.write_table(table, tmp_path / "rows.parquet")
        parts = materialize_rows(
            tmp_path / "rows.parquet", RowRules(sample=sample, split=split, **rules), tmp_path, label="span 1"
        ).files
        return {found.subset: pq.read_table(found.path).to_pandas() for found in parts}

    return make


def drawn(part: Part, rows: pd.DataFrame, **rule: Any) -> pd.DataFrame:
    found = part(rows, SampleRule(**{"fraction": 0.1, "by": "id", **rule}))
    return found.get(Subset.TRAINING, rows.head(0))


def deviations(count: int, of: int, fraction: float) -> float:
    """How many standard deviations of a fair draw a count is away from its mean."""
    return abs(count - of * fraction) / math.sqrt(of * fraction * (1 - fraction))


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.5, 0.9])
def test_a_sample_is_as_large_as_its_fraction_and_like_all_rows(part: Part, fraction: float) -> None:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"id": range(100_000), "x": rng.normal(size=100_000), "c": rng.choice(list("ab"), 100_000)})
    found = drawn(part, rows, fraction=fraction)
    assert deviations(len(found), 100_000, fraction) < 4
    assert deviations(int((found["c"] == "a").sum()), len(found), 0.5) < 4
    assert abs(found["x"].mean()) * math.sqrt(len(found)) < 4
    assert found["id"].is_monotonic_increasing, "rows keep their order"


def test_what_was_drawn_stays_drawn_as_data_grow_and_fractions_do(part: Part) -> None:
    rows = pd.DataFrame({"id": range(20_000)})
    small = set(drawn(part, rows.head(10_000))["id"])
    assert small == set(drawn(part, rows)["id"]) & set(range(10_000))
    assert small < set(drawn(part, rows.head(10_000), fraction=0.2)["id"])


@pytest.mark.parametrize(
    "other",
    [
        lambda ids: pd.Series(ids, dtype="float64"),
        lambda ids: ids.astype(str),
        lambda ids: ids.astype("int16"),
        lambda ids: ids.astype(str).astype("category"),
    ],
)
def test_two_tables_sampled_by_the_same_values_agree_whatever_their_types(part: Part, other: Any) -> None:
    ids = pd.Series(range(5000))
    same = drawn(part, pd.DataFrame({"id": other(ids)}))["id"].astype("float64").astype(int)
    assert list(same) == list(drawn(part, pd.DataFrame({"id": ids}))["id"])


@pytest.mark.parametrize(
    "values",
    [
        [date(2013, 1, 1), date(2013, 1, 2), None],
        [datetime(2013, 1, 1, 5), None, datetime(2013, 1, 1, 6)],
        [datetime(2013, 1, 1, 5, tzinfo=UTC), None, datetime(2013, 1, 1, 6, tzinfo=UTC)],
        [True, False, None],
        [0.5, math.nan, math.inf, None, -0.0],
        ["", None, "ä", "'"],
    ],
)
def test_rows_of_one_value_are_on_one_side_and_those_without_one_too(part: Part, values: list[Any]) -> None:
    table = pa.table({"k": pa.array(values * 7), "n": range(7 * len(values))})
    sides = part(table, split=SplitRule(by="k", evaluation=0.5))
    assert sum(map(len, sides.values())) == 7 * len(values)
    places = [{n % len(values) for n in rows["n"]} for rows in sides.values()]
    assert sum(map(len, places)) == len(values), "a value is on both sides"


def test_a_small_class_stays_and_every_class_keeps_at_least_its_fraction(part: Part) -> None:
    counts = {"large": 9000, "small": 50, "tiny": 3, "one": 1}
    rows = pd.DataFrame(
        {"id": range(sum(counts.values())), "c": [name for name, count in counts.items() for _ in range(count)]}
    )
    rows = pd.concat([rows, pd.DataFrame({"id": [-1], "c": [None]})], ignore_index=True)
    found = drawn(part, rows, stratify="c")
    kept = found["c"].value_counts(dropna=False).to_dict()
    assert kept.pop(next(name for name in kept if pd.isna(name))) == 1
    for name, count in counts.items():
        assert kept[name] >= max(1, math.ceil(count * 0.1 - 1e-9)), name
        assert kept[name] <= math.ceil(count * 0.1) + 4 * math.sqrt(count * 0.09), name
    assert set(drawn(part, rows)["id"]) <= set(found["id"]), "a stratified sample only adds"


@examples(60)
@given(
    strata=st.lists(st.sampled_from([*"abc", None]), min_size=1, max_size=60),
    fraction=st.floats(0.01, 0.99),
)
def test_every_stratum_of_any_data_keeps_its_fraction(part: Part, strata: list[str | None], fraction: float) -> None:
    rows = pd.DataFrame({"id": range(len(strata)), "c": pd.Series(strata, dtype="str")})
    found = drawn(part, rows, fraction=fraction, stratify="c")
    before, after = (frame["c"].fillna("none").value_counts() for frame in (rows, found))
    assert all(after[name] >= math.ceil(fraction * count - 1e-9) for name, count in before.items())


def test_a_split_holds_out_its_share_and_knows_nothing_of_the_sample(part: Part) -> None:
    rows = pd.DataFrame({"id": range(100_000)})
    rule = SplitRule(by="id", evaluation=0.2)
    sides = part(rows, split=rule)
    assert deviations(len(sides[Subset.EVALUATION]), 100_000, 0.2) < 4
    both = part(rows, SampleRule(fraction=0.1, by="id"), rule)
    assert deviations(len(both[Subset.EVALUATION]), len(both[Subset.EVALUATION]) + len(both[Subset.TRAINING]), 0.2) < 4
    assert set(both[Subset.EVALUATION]["id"]) < set(sides[Subset.EVALUATION]["id"])
    other = part(rows, split=rule, salt="tuning")
    assert deviations(len(set(other[Subset.EVALUATION]["id"]) & set(sides[Subset.EVALUATION]["id"])), 20_000, 0.2) < 4


@pytest.mark.parametrize("rule", [{"by": "idd"}, {"by": "id", "stratify": "kind"}])
def test_a_column_that_is_not_there_is_said(part: Part, rule: dict[str, str]) -> None:
    with pytest.raises(
        ConfigError,
        match=r'source.sample or source.split names the column "(idd|kind)", but span 1 has no such column\n    allowed: id',
    ):
        drawn(part, pd.DataFrame({"id": [1]}), **rule)


def test_a_file_that_breaks_off_is_a_data_error_and_leaves_no_part(tmp_path: Path) -> None:
    count = 400_000
    rows = pa.table({"id": range(count), "x": np.random.default_rng(0).normal(size=count)})
    pq.write_table(rows, tmp_path / "rows.parquet", row_group_size=100_000, use_dictionary=False)
    content = bytearray((tmp_path / "rows.parquet").read_bytes())
    chunk = pq.ParquetFile(tmp_path / "rows.parquet").metadata.row_group(3).column(1)
    content[chunk.data_page_offset : chunk.data_page_offset + 100] = bytes(100)
    (tmp_path / "rows.parquet").write_bytes(content)
    with pytest.raises(DataError, match="span 1 cannot be read"):
        materialize_rows(
            tmp_path / "rows.parquet", RowRules(split=SplitRule(by="id", evaluation=0.5)), tmp_path, label="span 1"
        )
    assert [path.name for path in tmp_path.iterdir()] == ["rows.parquet"], "a truncated part looks like a whole one"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three months in which the same 200 customers come again and again, with a number of the row."""
    place = tmp_path / "source"
    place.mkdir()
    rng = np.random.default_rng(3)
    for month in (1, 2, 3):
        rows = pd.DataFrame({"customer": rng.integers(0, 200, 1000), "n": np.arange(1000) + 1000 * month})
        rows.to_parquet(place / f"2013-{month:02}.parquet", index=False)
    return place


def taken(folder: Path, store: Store, count: int = 3, **rules: Any) -> Snapshot:
    found = find_spans(f"{folder}/{{YYYY}}-{{MM}}.parquet")[:count]
    return ingest(found, pipeline="t.p", source="there", store=store, read_spec=ReadSpec(**rules))


SPLIT = SplitRule(by="customer", evaluation=0.25)


def test_no_customer_is_in_training_and_evaluation_of_any_span_and_no_row_is_lost(folder: Path, store: Store) -> None:
    snapshot = taken(folder, store, split=SPLIT)
    assert [span.label for span in snapshot.training] == [f"2013-{month:02} (training)" for month in (1, 2, 3)]
    assert [span.label for span in snapshot.evaluation] == [f"2013-{month:02} (evaluation)" for month in (1, 2, 3)]
    training, evaluation = (read_rows(spans, store) for spans in (snapshot.training, snapshot.evaluation))
    assert not set(training["customer"]) & set(evaluation["customer"])
    assert sorted([*training["n"], *evaluation["n"]]) == list(range(1000, 4000))
    assert snapshot.split == SPLIT
    decided = snapshot.target_span
    assert (decided.label, decided.rows, decided.part) == ("2013-03", 1000, None)
    assert decided.content == snapshot.evaluation_span.source_digest
    assert Snapshot.from_json(snapshot.to_json()) == snapshot


def test_a_customer_keeps_its_side_as_spans_come(folder: Path, store: Store) -> None:
    early, late = taken(folder, store, 2, split=SPLIT), taken(folder, store, split=SPLIT)
    assert late.training[:2] == early.training
    assert late.evaluation[:2] == early.evaluation


def test_one_span_is_enough_where_it_is_parted(folder: Path, store: Store) -> None:
    assert [span.name for span in taken(folder, store, 1, split=SPLIT).spans] == ["2013-01", "2013-01"]
    with pytest.raises(ConfigError, match="at least one span to train on"):
        taken(folder, store, 1)


def test_a_sample_of_files_says_what_it_was_drawn_from(folder: Path, store: Store) -> None:
    snapshot = taken(folder, store, sample=SampleRule(fraction=0.3, by="n"))
    assert [span.label for span in snapshot.spans] == ["2013-01", "2013-02", "2013-03"]
    assert all(200 < span.rows < 400 and span.original is not None and span.original.rows == 1000 for span in snapshot.spans)
    assert snapshot.target_span == snapshot.evaluation_span


def test_the_same_rules_give_the_same_snapshot_and_others_another(folder: Path, store: Store) -> None:
    rules = [
        {},
        {"split": SPLIT},
        {"sample": SampleRule(fraction=0.3, by="n")},
        {"split": SplitRule(by="customer", evaluation=0.26)},
    ]
    digests = [taken(folder, store, **rule).digest for rule in rules]
    assert len(set(digests)) == len(rules)
    assert digests == [taken(folder, store, **rule).digest for rule in rules]


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"sample": SampleRule(fraction=1e-9, by="n")}, "keeps none of 1,000 rows in span 2013-01; increase its fraction"),
        (
            {"split": SplitRule(by="customer", evaluation=1e-9)},
            "evaluation: 1e-09 leaves no rows of span 2013-03 to evaluate on",
        ),
        ({"split": SplitRule(by="customer", evaluation=1 - 1e-9)}, "leaves no rows to train on; lower evaluation"),
    ],
)
def test_rules_that_leave_nothing_are_refused(folder: Path, store: Store, rules: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        taken(folder, store, **rules)


def test_a_sweep_scores_on_customers_that_no_trial_learned_and_the_gate_asks_none_of(folder: Path, store: Store) -> None:
    snapshot = taken(folder, store, split=SPLIT)
    tuning = tuning_snapshot(snapshot, store)
    learned, scored = (set(read_rows(spans, store)["customer"]) for spans in (tuning.training, tuning.evaluation))
    gate = set(read_rows(snapshot.evaluation, store)["customer"])
    assert learned | scored == set(read_rows(snapshot.training, store)["customer"])
    assert not learned & scored
    assert not (learned | scored) & gate
    assert 0.1 < len(scored) / len(learned | scored) < 0.4
    assert tuning == tuning_snapshot(snapshot, store)
