"""The classifier that tells a window from reference rows: its p-values hold, and it finds changed relations of columns."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from monitoring.drifting import change_of
from scipy.stats import kstest

from taxiway.monitoring import domain_classifier
from taxiway.monitoring.domain_classifier import domain_shift, kept_domain_shift, mann_whitney, sample
from taxiway.monitoring.drift import FALSE_ALERTS, SMALLEST_CHANGE
from taxiway.store import Store


def test_mann_whitney_has_the_moments_of_all_orders_of_the_labels() -> None:
    scores = np.array([0.1, 0.3, 0.3, 0.3, 0.7, 0.9, 0.9])
    found = []
    for chosen in combinations(range(len(scores)), 3):
        labels = np.isin(np.arange(len(scores)), chosen).astype(int)
        pairs = [(one > zero) + (one == zero) / 2 for one in scores[labels == 1] for zero in scores[labels == 0]]
        area, excess, variance = mann_whitney(scores, labels)
        assert area == pytest.approx(np.mean(pairs))
        assert excess == pytest.approx(np.sum(pairs) - len(pairs) / 2)
        found.append((excess, variance))
    assert np.mean([excess for excess, _ in found]) == pytest.approx(0)
    assert found[0][1] == pytest.approx(np.mean([excess**2 for excess, _ in found]))


def rows_of(rng: np.random.Generator, rows: int, related: float = 0.0) -> pd.DataFrame:
    """Rows of three columns, of which the first two have a correlation."""
    a, b = rng.normal(size=(2, rows))
    c = pd.Series(rng.choice(np.array(["x", "y", None], dtype=object), rows), dtype="object")
    return pd.DataFrame({"a": a, "b": related * a + np.sqrt(1 - related**2) * b, "c": c})


def test_p_values_are_uniform_without_a_change() -> None:
    rng = np.random.default_rng(1)
    found = [domain_shift(rows_of(rng, 150), rows_of(rng, 250)) for _ in range(40)]
    p_values = [each.p_value for each in found if each is not None]
    assert len(p_values) == 40
    assert kstest(p_values, "uniform").pvalue > 0.001


def test_a_changed_relation_of_columns_is_found_although_each_is_distributed_as_before() -> None:
    rng = np.random.default_rng(2)
    before, after = rows_of(rng, 2000), rows_of(rng, 2000, related=0.7)
    assert all(change_of(before[name].to_numpy(), after[name].to_numpy()) is None for name in "abc")
    found = domain_shift(before, after)
    assert found is not None
    assert found.p_value < FALSE_ALERTS / 151
    assert found.distance > SMALLEST_CHANGE
    assert set(found.columns) == {"a", "b"}


def test_a_changed_relation_is_found_among_many_columns() -> None:
    rng = np.random.default_rng(5)
    before, after = (rows_of(rng, 2000, related).drop(columns="c") for related in (0, 0.6))
    others = [pd.DataFrame(rng.normal(size=(2000, 148))).rename(columns=str) for _ in range(2)]
    found = domain_shift(pd.concat([before, others[0]], axis=1), pd.concat([after, others[1]], axis=1))
    assert found is not None
    assert found.p_value < FALSE_ALERTS / 151
    assert {"a", "b"} <= set(found.columns)


def test_a_changed_relation_of_a_category_and_a_missing_value_is_found() -> None:
    rng = np.random.default_rng(3)
    before, after = rows_of(rng, 2000), rows_of(rng, 2000)
    before["a"] = before["a"].mask(rng.random(2000) < 1 / 3)
    after["a"] = after["a"].mask(after["c"].isna())
    found = domain_shift(before, after)
    assert found is not None
    assert found.p_value < FALSE_ALERTS / 151
    assert set(found.columns) == {"a", "c"}


@pytest.mark.parametrize("names", [["a"], ["c"], ["empty"], ["a", "empty", "constant"]])
def test_any_columns_can_be_compared(names: list[str]) -> None:
    rng = np.random.default_rng(6)
    before, after = (rows_of(rng, 200).assign(empty=np.nan, constant=1e38)[names] for _ in range(2))
    found = domain_shift(before, after)
    assert found is not None
    assert found.p_value > FALSE_ALERTS
    assert found.columns == ()


def test_few_rows_are_not_measured_shift_and_of_many_a_part_is_used() -> None:
    rng = np.random.default_rng(4)
    assert domain_shift(rows_of(rng, 99), rows_of(rng, 500)) is None
    positions = sample(1_000_000)
    assert len(set(positions.tolist())) == len(positions) == 5000
    assert sorted(sample(20).tolist()) == list(range(20))


def test_the_shift_of_the_same_rows_is_kept_and_that_of_others_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng, store = np.random.default_rng(8), Store(str(tmp_path))
    before, after = rows_of(rng, 300), rows_of(rng, 300, related=0.9)
    found = domain_shift(before, after)
    assert found is not None
    assert found.columns
    assert kept_domain_shift(before, after, store) == found
    monkeypatch.setattr(domain_classifier, "_shift_of", lambda _: None)
    assert kept_domain_shift(before.copy(), after.copy(), store) == found
    assert kept_domain_shift(before[:50], after, store) is None
    changed, renamed = after.copy(), {"a": "b", "b": "a"}
    changed.loc[7, "a"] += 1e-9
    for others in (
        (before, changed),
        (before[1:], after),
        (after, before),
        (before.rename(columns=renamed), after.rename(columns=renamed)),
    ):
        with pytest.raises(AttributeError):  # it is not kept, so it is computed
            kept_domain_shift(*others, store)


def test_a_store_that_cannot_be_written_to_only_costs_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rng = np.random.default_rng(9)
    before, after = rows_of(rng, 200), rows_of(rng, 200)
    (tmp_path / "records").write_text("a file where the store has a folder: nothing can be written, not even by root")
    assert kept_domain_shift(before, after, Store(str(tmp_path))) == domain_shift(before, after)
    assert "is not kept for the next run" in caplog.text
