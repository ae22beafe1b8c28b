"""The model gate: three-valued, coupled to the data's report, and never passed by default."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxiway.gates import decide
from taxiway.gates.metric_rules import threshold_reasons
from taxiway.records import (
    Anomaly,
    Candidate,
    ClassRows,
    ColumnAlone,
    DataReport,
    Evaluation,
    Interval,
    MetricResult,
    RowGroups,
    Severity,
    SliceResult,
    Status,
    Verdict,
    Waiver,
)
from taxiway.spec.gate import Gate

GATE = Gate.model_validate(
    {
        "thresholds": {"roc_auc": 0.6},
        "against_champion": {"metric": "roc_auc", "min_improvement": -0.005},
        "slices": {"by": ["carrier"], "max_drop": 0.05, "min_rows": 300},
    }
)
REPORT = DataReport(snapshot="snap", schema_version="schema", status=Status.PASS, checks=9)
CANDIDATE = Candidate(
    model="f.late",
    version=2,
    snapshot="snap",
    report=REPORT.digest,
    features="f",
    schema_version="schema",
    estimator="e",
    params="{}",
)


TODAY = date(2026, 11, 1)


def judge(
    candidate: Candidate, report: DataReport | None, evaluation: Evaluation, gate: Gate, *, older: str | None = None
) -> Verdict:
    return decide(candidate, report, evaluation, gate, today=TODAY, older_data_reason=older)


def interval(low: float, high: float) -> Interval:
    return Interval(value=(low + high) / 2, low=low, high=high, rows=1000)


def evaluation(
    *,
    auc: tuple[float, float] = (0.7, 0.72),
    gain: tuple[float, float] | None = (0.01, 0.03),
    slices: tuple[SliceResult, ...] = (),
) -> Evaluation:
    champion = None if gain is None else interval(0.68, 0.7)
    result = MetricResult(
        metric="roc_auc", candidate=interval(*auc), champion=champion, difference=None if gain is None else interval(*gain)
    )
    return Evaluation(
        snapshot="snap",
        model="f.late",
        candidate=2,
        champion=None if gain is None else 1,
        confidence=0.99,
        metrics=(result,),
        slices=slices,
    )


def slice_of(low: float, high: float, rows: int = 400) -> SliceResult:
    return SliceResult(
        metric="roc_auc", column="carrier", value="YV", rows=rows, confidence=0.999, difference=interval(low, high)
    )


def test_a_better_candidate_on_sound_data_passes() -> None:
    verdict = judge(CANDIDATE, REPORT, evaluation(), GATE)
    assert verdict.status is Status.PASS
    assert (verdict.version, verdict.champion, verdict.report) == (2, 1, REPORT.digest)


@pytest.mark.parametrize(
    ("auc", "expected"),
    [((0.61, 0.63), Status.PASS), ((0.60, 0.62), Status.PASS), ((0.59, 0.61), Status.UNDECIDED), ((0.5, 0.59), Status.FAIL)],
)
def test_the_whole_interval_must_meet_a_threshold(auc: tuple[float, float], expected: Status) -> None:
    assert judge(CANDIDATE, REPORT, evaluation(auc=auc), GATE).status is expected


def test_a_threshold_that_few_rows_decide_says_how_many() -> None:
    found = evaluation(auc=(0.5, 0.7))
    few = found.metrics[0].model_copy(update={"deciding_rows": 10})
    (reason,) = threshold_reasons(found.model_copy(update={"metrics": (few,)}), GATE)
    assert reason.message.startswith("roc_auc 0.600 (1,000 rows, of which 10 decide, 99% CI 0.500 to 0.700): ")
    grouped = found.model_copy(update={"metrics": (few,), "groups": RowGroups(column="day", groups=40)})
    assert "of which 10 groups decide" in next(threshold_reasons(grouped, GATE)).message


@pytest.mark.parametrize(
    ("gain", "expected"),
    [((-0.004, 0.01), Status.PASS), ((-0.02, 0.01), Status.UNDECIDED), ((-0.03, -0.01), Status.FAIL)],
)
def test_the_whole_interval_must_meet_the_required_improvement(gain: tuple[float, float], expected: Status) -> None:
    assert judge(CANDIDATE, REPORT, evaluation(gain=gain), GATE).status is expected


@pytest.mark.parametrize(("auc", "warned"), [((0.9991, 0.9999), True), ((1.0, 1.0), True), ((0.97, 0.98), False)])
def test_a_model_that_is_too_good_to_be_true_passes_with_a_warning(auc: tuple[float, float], warned: bool) -> None:
    verdict = judge(CANDIDATE, REPORT, evaluation(auc=auc), GATE)
    told = [reason for reason in verdict.reasons if "almost perfect: check that no column leaks the label" in reason.message]
    assert [reason.status for reason in told] == [Status.INFO] * warned
    assert verdict.status is Status.PASS


def test_the_warning_names_the_columns_that_alone_are_nearly_as_good() -> None:
    suspects = (
        ColumnAlone(column="alive", metric="roc_auc", value=1.0, by="values"),
        ColumnAlone(column="tip", metric="roc_auc", value=0.97, by="missing"),
    )
    verdict = judge(CANDIDATE, REPORT, evaluation(auc=(0.999, 1.0)).model_copy(update={"leakage_suspects": suspects}), GATE)
    assert any(
        "leaks the label: `alive` alone reaches roc_auc 1.000; whether `tip` is missing alone reaches roc_auc 0.970"
        in r.message
        for r in verdict.reasons
    )


def test_without_a_champion_comparisons_are_not_applicable_rather_than_passed() -> None:
    verdict = judge(CANDIDATE, REPORT, evaluation(gain=None), GATE)
    assert verdict.status is Status.PASS
    assert [r.status for r in verdict.reasons].count(Status.NOT_APPLICABLE) == 2


def test_a_first_champion_below_the_threshold_fails() -> None:
    assert judge(CANDIDATE, REPORT, evaluation(gain=None, auc=(0.5, 0.55)), GATE).status is Status.FAIL


@pytest.mark.parametrize(("drop", "expected"), [((-0.2, -0.06), Status.FAIL), ((-0.2, -0.04), Status.PASS)])
def test_a_slice_blocks_only_if_its_interval_excludes_the_limit(drop: tuple[float, float], expected: Status) -> None:
    verdict = judge(CANDIDATE, REPORT, evaluation(slices=(slice_of(*drop),)), GATE)
    assert verdict.status is expected
    if expected is Status.FAIL:
        assert any(
            r.message
            == "roc_auc for carrier YV dropped by 0.130 (400 rows, 99.9% CI of the difference -0.200 to -0.060; allowed drop: 0.05)"
            for r in verdict.reasons
        )


def test_a_slice_with_too_few_rows_does_not_block() -> None:
    small = SliceResult(metric="roc_auc", column="carrier", value="HA", rows=30, confidence=0.999, difference=None)
    verdict = judge(CANDIDATE, REPORT, evaluation(slices=(small, slice_of(-0.01, 0.01))), GATE)
    assert verdict.status is Status.PASS
    message = (
        "1 of 2 slices (carrier) compared: no significant drop above 0.05; 1 the same within noise; the smallest drop that could have been "
        "shown: 0.010 (carrier YV); 1 had too few rows"
    )
    assert message in [r.message for r in verdict.reasons]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (30, "no slice (carrier) has at least 300 rows, so slices were not compared"),
        (300, "no slice (carrier) has enough rows with different labels, so slices were not compared"),
    ],
)
def test_slices_of_which_none_was_compared_do_not_count_as_passed(rows: int, message: str) -> None:
    slice_ = SliceResult(metric="roc_auc", column="carrier", value="HA", rows=rows, confidence=0.999, difference=None)
    verdict = judge(CANDIDATE, REPORT, evaluation(slices=(slice_,)), GATE)
    assert [r.status for r in verdict.reasons if r.message == message] == [Status.NOT_APPLICABLE]
    assert verdict.status is Status.PASS, "the other reasons decide"


def test_a_missing_report_fails_whatever_the_metrics_say() -> None:
    verdict = judge(CANDIDATE, None, evaluation(auc=(0.99, 1.0)), GATE)
    assert verdict.status is Status.FAIL
    assert "no DataReport for snapshot snap" in verdict.reasons[0].message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"snapshot": "other"}, "belongs to snapshot other"),
        ({"schema_version": "older"}, "with schema older"),
        ({"status": Status.FAIL}, "did not pass"),
        ({"status": Status.UNDECIDED}, "did not pass"),
        ({"checks": 10}, "not the one recorded on the model"),
    ],
)
def test_a_report_that_is_not_exactly_the_models_fails(change: dict[str, object], words: str) -> None:
    report = REPORT.model_copy(update=change)
    candidate = CANDIDATE
    if "checks" not in change:
        candidate = CANDIDATE.model_copy(update={"report": report.digest})
    verdict = judge(candidate, report, evaluation(), GATE)
    assert verdict.status is Status.FAIL
    assert any(words in r.message for r in verdict.reasons)


def test_a_blocking_anomaly_fails_even_under_a_report_that_says_pass() -> None:
    anomaly = Anomaly(
        kind="range",
        span="s",
        column="wind_speed",
        severity=Severity.ERROR,
        observed="-1",
        expected="0 to 75",
        message="wind is -1",
    )
    report = REPORT.model_copy(update={"anomalies": (anomaly,)})
    verdict = judge(CANDIDATE.model_copy(update={"report": report.digest}), report, evaluation(), GATE)
    assert verdict.status is Status.FAIL
    assert any("wind is -1" in r.message for r in verdict.reasons)


@pytest.mark.parametrize(
    ("until", "expected"), [(date(2026, 11, 2), Status.PASS), (TODAY, Status.PASS), (date(2026, 10, 31), Status.FAIL)]
)
def test_a_waiver_holds_until_its_last_day(until: date, expected: Status) -> None:
    anomaly = Anomaly(
        kind="range", span="s", column="wind", severity=Severity.ERROR, observed="-1", expected="0", message="wind is -1"
    )
    waiver = Waiver(kind="range", column="wind", owner="kim", reason="new sensor", until=until)
    report = REPORT.model_copy(update={"anomalies": (anomaly,), "waivers": (waiver,)})
    verdict = judge(CANDIDATE.model_copy(update={"report": report.digest}), report, evaluation(), GATE)
    assert verdict.status is expected
    if expected is Status.PASS:
        assert verdict.reasons[0].message == "the data passed validation: 9 checks, 1 anomaly, none blocking, 1 waived"
    else:
        message = "the waiver of range in wind, by kim, was valid until 2026-10-31"
        assert message in [r.message for r in verdict.reasons]


def test_an_evaluation_of_other_rows_or_another_version_fails() -> None:
    for change in ({"snapshot": "other"}, {"candidate": 7}):
        assert judge(CANDIDATE, REPORT, evaluation().model_copy(update=change), GATE).status is Status.FAIL


def test_a_model_of_older_data_than_the_champions_fails() -> None:
    verdict = judge(CANDIDATE, REPORT, evaluation(), GATE, older="its newest span is 9, the champion's is 10")
    assert verdict.status is Status.FAIL
    assert any("on older data than the champion: its newest span is 9" in r.message for r in verdict.reasons)
    assert not any("improvement" in r.message for r in verdict.reasons), "the champion may have been trained on these rows"


def test_few_rows_decide_nothing_however_good_they_look() -> None:
    perfect = Interval(value=1, low=1, high=1, rows=5)
    result = MetricResult(metric="roc_auc", candidate=perfect, champion=None, difference=None)
    few = evaluation(gain=None).model_copy(update={"metrics": (result,)})
    verdict = judge(CANDIDATE, REPORT, few, GATE)
    assert verdict.status is Status.UNDECIDED
    assert "only 5 evaluation rows; required: at least 300, which is 295 more" in [r.message for r in verdict.reasons]


def test_enough_rows_are_a_reason_too() -> None:
    assert "1,000 evaluation rows (required: at least 300)" in [
        r.message for r in judge(CANDIDATE, REPORT, evaluation(), GATE).reasons
    ]


def test_lower_is_better_for_losses() -> None:
    gate = Gate.model_validate(
        {"thresholds": {"log_loss": 0.5}, "against_champion": {"metric": "log_loss", "min_improvement": 0.01}}
    )
    result = MetricResult(
        metric="log_loss", candidate=interval(0.4, 0.42), champion=interval(0.45, 0.47), difference=interval(-0.06, -0.04)
    )
    better = evaluation().model_copy(update={"metrics": (result,)})
    passed = judge(CANDIDATE, REPORT, better, gate)
    assert passed.status is Status.PASS
    assert any("improvement +0.050 (99% CI +0.040 to +0.060); required: at least +0.01" in r.message for r in passed.reasons)
    worse = result.model_copy(update={"difference": interval(0.04, 0.06)})
    assert judge(CANDIDATE, REPORT, evaluation().model_copy(update={"metrics": (worse,)}), gate).status is Status.FAIL


def test_a_number_that_could_not_be_computed_is_not_passed() -> None:
    nan = float("nan")
    broken = Interval(value=nan, low=nan, high=nan, rows=5)
    result = MetricResult(metric="roc_auc", candidate=broken, champion=broken, difference=broken)
    verdict = judge(CANDIDATE, REPORT, evaluation().model_copy(update={"metrics": (result,)}), GATE)
    assert verdict.status is Status.UNDECIDED


@given(st.floats(0, 1), st.floats(0, 0.2), st.floats(-0.3, 0.3), st.floats(0, 0.1))
def test_pass_means_that_no_reason_fails_or_is_open(auc: float, width: float, gain: float, gain_width: float) -> None:
    verdict = judge(
        CANDIDATE, REPORT, evaluation(auc=(auc - width, auc + width), gain=(gain - gain_width, gain + gain_width)), GATE
    )
    assert (verdict.status is Status.PASS) == (auc - width >= 0.6 and gain - gain_width >= -0.005)
    assert Verdict.from_json(verdict.to_json()) == verdict


def test_classes_that_appear_and_vanish_are_told_and_decide_nothing() -> None:
    new, gone = (ClassRows(name="grey", rows=31), ClassRows(name="pink", rows=2)), ("green",)
    plain = evaluation()
    changed = plain.model_copy(update={"unseen_classes": new, "champion_unseen_classes": new[:1], "absent_classes": gone})
    verdict = judge(CANDIDATE, REPORT, changed, GATE)
    assert verdict.status is judge(CANDIDATE, REPORT, plain, GATE).status
    messages = [reason.message for reason in verdict.reasons]
    told = "33 of 1,000 evaluation rows have a class that version 2 was not trained on (grey: 31, pink: 2): these rows count as errors, with a"
    assert any(message.startswith(told) for message in messages), messages
    assert any("a class that champion version 1 was not trained on (grey: 31)" in message for message in messages)
    assert any(message.startswith('no evaluation row has the class "green"') for message in messages)


@pytest.mark.parametrize(("groups", "status"), [(19, Status.UNDECIDED), (20, Status.PASS)])
def test_few_groups_of_rows_decide_nothing(groups: int, status: Status) -> None:
    grouped = evaluation().model_copy(update={"groups": RowGroups(column="day", groups=groups)})
    verdict = judge(CANDIDATE, REPORT, grouped, GATE)
    assert next(reason.status for reason in verdict.reasons if "by day" in reason.message) is status


@pytest.mark.parametrize(
    ("ends", "words"),
    [((float("nan"),) * 3, "not a number on these rows"), ((0.7, *(float("nan"),) * 2), "its interval is not known")],
)
def test_a_metric_that_is_not_a_number_decides_nothing_and_says_so(ends: tuple[float, float, float], words: str) -> None:
    value, low, high = ends
    unknown = Interval(value=value, low=low, high=high, rows=1000)
    result = evaluation().metrics[0].model_copy(update={"candidate": unknown})
    verdict = judge(CANDIDATE, REPORT, evaluation().model_copy(update={"metrics": (result,)}), GATE)
    (reason,) = (reason for reason in verdict.reasons if words in reason.message)
    assert reason.status is Status.UNDECIDED
