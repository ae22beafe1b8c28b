"""The identity of evaluation rows: what does not make them other rows, and what does."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from records.samples import EVALUATION

from taxiway.evaluation.comparison import Comparison
from taxiway.evaluation.evaluation_set import evaluation_set, query_key, row_hashes
from taxiway.evaluation.predictions import Predictions
from taxiway.spec.gate import Gate

GATE = Gate.model_validate({"thresholds": {"roc_auc": 0.5}, "against_champion": {"metric": "roc_auc"}})
ROWS = pd.DataFrame(
    {
        "n": [1, 2, 3],
        "x": [0.5, -0.0, np.nan],
        "t": ["a", None, "c"],
        "at": pd.to_datetime(["2026-01-01", "2026-01-02", None]),
        "flag": [True, False, True],
        "tags": [["a"], [], None],
        "y": [0, 1, 0],
    }
)


def content(rows: pd.DataFrame, *without: str) -> str:
    return evaluation_set(rows, without).content


def test_order_labels_and_types_of_equal_values_do_not_count() -> None:
    first = content(ROWS, "y")
    assert first == content(ROWS.sample(frac=1, random_state=1), "y")
    assert first == content(ROWS.assign(y=[1, 1, 1]), "y"), "labels can be corrected"
    assert first == content(ROWS[["y", "x", "n", "t", "at", "flag", "tags"]], "y")
    renamed = ROWS.rename(columns={"n": "number"})
    assert first == evaluation_set(renamed, {"y"}, {"number": "n"}).content, "the source has renamed it"
    assert first == content(ROWS.astype({"n": "category", "t": "category"}), "y")
    assert first == content(ROWS.assign(at=ROWS["at"].astype("datetime64[us]")), "y")
    assert first == content(ROWS.assign(at=ROWS["at"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")), "y")
    assert first == content(ROWS.astype({"n": "Int64", "flag": "boolean", "t": "string"}), "y")
    assert first == content(ROWS.assign(x=[0.5, 0.0, np.nan]), "y")
    assert first == content(ROWS.assign(weather=[1, 2, 3]), "y", "weather"), "of a joined table"


def test_other_values_are_other_rows() -> None:
    first = content(ROWS, "y")
    for column, value in {"n": 7, "x": 0.25, "t": "b", "flag": False, "at": pd.Timestamp("2026-02-01")}.items():
        assert first != content(ROWS.assign(**{column: [value, *ROWS[column][1:]]}), "y"), column
    assert first != content(ROWS[:2], "y")
    one, other = pd.DataFrame({"a": [0, 1], "b": [1, 0]}), pd.DataFrame({"a": [0, 0], "b": [1, 1]})
    assert content(one) != content(other), "values do not change columns"


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("ab")), min_size=1, max_size=40))
def test_equal_rows_have_equal_hashes_and_are_counted(rows: list[tuple[int, str]]) -> None:
    frame = pd.DataFrame(rows, columns=["a", "b"])
    hashes = row_hashes(frame)
    by_hash = {}
    for row, each in zip(rows, hashes.tolist(), strict=True):
        assert by_hash.setdefault(each, row) == row
    found = evaluation_set(frame, ())
    assert (found.rows, found.different, found.once) == (len(rows), len(set(rows)), sum(rows.count(r) == 1 for r in set(rows)))


def test_a_table_of_only_a_label_is_identified_by_it() -> None:
    assert content(ROWS[["y"]], "y") != content(ROWS[["y"]].assign(y=[0, 0, 0]), "y")


def test_what_follows_from_predictions_is_no_part_of_a_query() -> None:
    """So that a query that was made before a field was added to the scores is the same one."""
    predictions = Predictions(np.array([[0.2, 0.8], [0.7, 0.3]]), np.array([1, 0]), 1)
    comparison = Comparison(GATE, ROWS[:2], ("0", "1"), np.array([1.0, 0.0]), predictions, None, None)
    evaluation = EVALUATION.model_copy(update={"champion": None})
    (score,) = evaluation.metrics
    known = query_key("c" * 32, GATE, comparison, evaluation)
    few = evaluation.model_copy(update={"metrics": (score.model_copy(update={"deciding_rows": 7}),)})
    assert query_key("c" * 32, GATE, comparison, few) == known
    other = evaluation.model_copy(
        update={"metrics": (score.model_copy(update={"candidate": score.candidate.model_copy(update={"value": 0.71})}),)}
    )
    assert query_key("c" * 32, GATE, comparison, other) != known
    assert known == "7bc3b8aedc87561d4a26cfda12f34171"
