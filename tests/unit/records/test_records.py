"""Records: one JSON form, a digest that stands for the content."""

from datetime import UTC, date, datetime

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from records.samples import EVALUATION

from taxiway.records import (
    Anomaly,
    ColumnAlone,
    DataReport,
    Interval,
    Promotion,
    SchemaChange,
    Severity,
    Snapshot,
    Span,
    SplitRule,
    Status,
    Waiver,
    worst,
)
from taxiway.spec.conditions.budget import Budget

spans = st.builds(
    Span,
    source=st.text(),
    name=st.text(),
    version=st.integers(0, 99),
    rows=st.integers(1, 10**9),
    content=st.text(alphabet="0123456789abcdef", min_size=32, max_size=32),
)


@given(spans)
def test_a_record_round_trips_through_its_json(span: Span) -> None:
    again = Span.from_json(span.to_json())
    assert again == span
    assert again.digest == span.digest


@given(st.lists(spans, min_size=2, max_size=4, unique=True))
def test_the_order_of_spans_changes_a_snapshots_digest(found: list[Span]) -> None:
    one = Snapshot(pipeline="a.b", training=tuple(found[:-1]), evaluation=(found[-1],))
    other = Snapshot(pipeline="a.b", training=tuple(reversed(found[:-1])), evaluation=(found[-1],))
    assert (one.digest == other.digest) == (one == other)


def test_a_digest_is_32_characters_and_stays_what_it_is() -> None:
    span = Span(source="s", name="2013-04", rows=3, content="0" * 32)
    assert span.digest == "ffaba4cfc9001e4507355c627020388c"


def test_json_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a Span of version 1, got Interval"):
        Span.from_json(Interval(value=1, low=0, high=2, rows=3).to_json())


def test_a_record_is_frozen_and_closed() -> None:
    span = Span(source="s", name="n", rows=1, content="0" * 32)
    with pytest.raises(ValidationError):
        span.rows = 2  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Span(source="s", name="n", rows=1, content="0", colour="red")  # type: ignore[call-arg]


def test_a_copy_with_an_unknown_field_is_refused() -> None:
    for frozen in (Span(source="s", name="n", rows=1, content="0" * 32), Budget(steps=3)):
        with pytest.raises(TypeError, match=r"has no field colour; its fields: \w+, "):
            frozen.model_copy(update={"colour": "red"})


def test_a_promotion_without_a_time_zone_is_refused() -> None:
    given_ = {"model": "m", "alias": "champion", "to_version": 1, "by": "me"}
    rest = {"reason": ""}
    with pytest.raises(ValidationError, match="timezone"):
        Promotion(**given_, at=datetime(2026, 1, 1), **rest)
    Promotion(**given_, at=datetime(2026, 1, 1, tzinfo=UTC), **rest)


def test_a_waiver_covers_its_anomaly_until_its_day() -> None:
    anomaly = _anomaly("range", "temp")
    waiver = Waiver(kind="range", column="temp", owner="ann", reason="known", until=date(2026, 3, 1))
    assert waiver.covers(anomaly, date(2026, 3, 1))
    assert not waiver.covers(anomaly, date(2026, 3, 2))
    assert not waiver.covers(_anomaly("range", "dewp"), date(2026, 1, 1))
    assert not waiver.covers(_anomaly("type", "temp"), date(2026, 1, 1))


def test_only_errors_without_a_waiver_block() -> None:
    waiver = Waiver(kind="range", column="temp", owner="ann", reason="known", until=date(2026, 3, 1))
    report = DataReport(
        snapshot="s",
        schema_version="v",
        status=Status.FAIL,
        checks=3,
        anomalies=(_anomaly("range", "temp"), _anomaly("range", "dewp"), _anomaly("new_column", "x", Severity.WARNING)),
        waivers=(waiver,),
    )
    assert [a.column for a in report.blocking] == ["dewp"]


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ((Status.PASS, Status.FAIL, Status.UNDECIDED), Status.FAIL),
        ((Status.PASS, Status.UNDECIDED), Status.UNDECIDED),
        ((Status.PASS, Status.NOT_APPLICABLE), Status.PASS),
        ((Status.NOT_APPLICABLE,), Status.NOT_APPLICABLE),
        ((Status.INFO, Status.PASS), Status.PASS),
        ((Status.INFO,), Status.NOT_APPLICABLE),
        ((), Status.NOT_APPLICABLE),
    ],
)
def test_the_worst_status_decides(statuses: tuple[Status, ...], expected: Status) -> None:
    assert worst(statuses) is expected


def _anomaly(kind: str, column: str, severity: Severity = Severity.ERROR) -> Anomaly:
    return Anomaly(kind=kind, span="2013-04", column=column, severity=severity, observed="1", expected="2", message="s")


@given(
    st.lists(
        st.one_of(st.text(), st.integers(), st.booleans(), st.sampled_from(["01067", "no", "1e5", "a b", "9E", "2024-01-01"]))
    )
)
def test_a_change_is_described_as_yaml_that_reads_as_the_value(values: list[str | int | bool]) -> None:
    text = SchemaChange(path=("features", "zip", "domain"), value=values).describe()
    assert yaml.safe_load(text) == {"features.zip.domain": values}


def test_a_split_by_a_column_keeps_the_digest_that_it_had_when_it_was_the_only_kind() -> None:
    stored = '{"by":"id","evaluation":0.2,"record":"SplitRule","record_version":1}'
    assert SplitRule(by="id", evaluation=0.2).to_json() == stored
    assert SplitRule.from_json(stored) == SplitRule(by="id", evaluation=0.2)
    rules = [SplitRule(evaluation=0.2), *(SplitRule(evaluation=0.2, **{key: "c"}) for key in ("by", "stratify", "by_time"))]
    assert len({rule.digest for rule in rules}) == len(rules)
    assert [SplitRule.from_json(rule.to_json()) for rule in rules] == rules


def test_an_evaluation_whose_scores_are_withheld_has_none() -> None:
    suspects = (ColumnAlone(column="tip", metric="roc_auc", value=0.97, by="order"),)
    evaluation = EVALUATION.model_copy(update={"leakage_suspects": suspects})
    withheld = evaluation.without_scores()
    assert (withheld.metrics, withheld.slices, withheld.leakage_suspects, withheld.baselines) == ((), (), (), ())
