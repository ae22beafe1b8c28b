"""The fields of a reason on which programs and the gate report rely: code, rule, estimate, limit and method."""

import re
from pathlib import Path

import pytest
from gates.test_model_gate import CANDIDATE, GATE, REPORT, evaluation, interval, judge, slice_of
from gates.test_shadow_gate import judge as judge_shadow
from gates.test_shadow_gate import pair

from taxiway.records import Baseline, Interval, Reason, ReasonCode, RowGroups, RowMeans, ShadowReport, Status, Verdict
from taxiway.spec.gate import Gate

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "verdicts.md"
CONDITION = Gate.model_validate({"conditions": [{"condition": "n - o > 0 +/- 0.01"}, {"condition": "n > 0.8 +/- 0.01"}]})
MEANS = RowMeans(metric="accuracy", rows=20_000, units=20_000, candidate=0.87, champion=0.84, disagreement=0.1, variance=0.1)


def only(decided: Verdict | ShadowReport, code: ReasonCode) -> Reason:
    (found,) = (reason for reason in decided.reasons if reason.code is code)
    return found


def test_every_code_is_in_the_guide() -> None:
    table = GUIDE.read_text().partition("| code | about |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `([a-z_.0-9]+)` \|", table, re.M)
    assert rows == [code.value for code in ReasonCode]


def test_every_code_is_explained_where_it_is_defined() -> None:
    assert re.findall(r"^ +([A-Z_0-9]+): \w", ReasonCode.__doc__ or "", re.M) == [code.name for code in ReasonCode]


def test_a_threshold_says_what_was_required_and_found() -> None:
    found = only(judge(CANDIDATE, REPORT, evaluation(), GATE), ReasonCode.METRIC_THRESHOLD)
    assert (found.rule, found.limit) == ("thresholds.roc_auc >= 0.6", 0.6)
    assert found.estimate == interval(0.7, 0.72)
    assert found.method == "bootstrap, standard interval, 400 replicates (Clopper and Pearson if few rows decide)"


def test_a_maximum_is_a_rule_with_the_other_comparison() -> None:
    gate = Gate.model_validate({"thresholds": {"log_loss": 0.9}, "against_champion": {"metric": "log_loss"}})
    result = evaluation().metrics[0].model_copy(update={"metric": "log_loss"})
    verdict = judge(CANDIDATE, REPORT, evaluation().model_copy(update={"metrics": (result,)}), gate)
    assert only(verdict, ReasonCode.METRIC_THRESHOLD).rule == "thresholds.log_loss <= 0.9"
    improvement = only(verdict, ReasonCode.METRIC_AGAINST_CHAMPION)
    assert improvement.rule == "against_champion.min_improvement: improvement of log_loss >= 0"
    assert improvement.estimate == Interval(value=-0.02, low=-0.03, high=-0.01, rows=1000)


def test_the_comparison_with_the_champion_is_of_improvements() -> None:
    grouped = evaluation(gain=(-0.004, 0.012)).model_copy(update={"groups": RowGroups(column="day", groups=40)})
    verdict = judge(CANDIDATE, REPORT, grouped, GATE)
    found = only(verdict, ReasonCode.METRIC_AGAINST_CHAMPION)
    assert (found.rule, found.limit) == ("against_champion.min_improvement: improvement of roc_auc >= -0.005", -0.005)
    assert found.estimate == interval(-0.004, 0.012)
    assert (
        found.method
        == "paired bootstrap, standard interval, 400 replicates (Clopper and Pearson if few rows decide), whole groups by day"
    )
    assert ", the same within noise: a difference of 0.0080 or more could have been shown; required: at least" in found.message
    assert only(verdict, ReasonCode.GROUPS_TOO_FEW).rule == "group_by: groups >= 20"
    assert only(verdict, ReasonCode.ROWS_TOO_FEW).limit == 300


def test_a_slice_has_the_limit_in_the_unit_of_its_estimate() -> None:
    found = only(judge(CANDIDATE, REPORT, evaluation(slices=(slice_of(-0.2, -0.06),)), GATE), ReasonCode.SLICE_DROP)
    assert (found.status, found.rule) == (Status.FAIL, "slices.max_drop: improvement of roc_auc >= -0.05")
    assert (found.estimate, found.limit) == (interval(-0.2, -0.06), -0.05)
    assert (
        found.method
        == "paired bootstrap, standard interval, 400 replicates (Clopper and Pearson if few rows decide), Bonferroni over the compared slices"
    )


def test_slices_that_pass_say_what_they_could_have_shown() -> None:
    wide, fine = slice_of(-0.1, 0.08), slice_of(-0.01, 0.01).model_copy(update={"value": "EV"})
    clear = slice_of(0.01, 0.03).model_copy(update={"value": "UA"})
    found = only(judge(CANDIDATE, REPORT, evaluation(slices=(wide, fine, clear)), GATE), ReasonCode.SLICE_DROP)
    assert found.message == (
        "3 of 3 slices (carrier) compared: no significant drop above 0.05; 2 the same within noise; the smallest drop that could have "
        "been shown: 0.010 (carrier EV) to 0.090 (carrier YV)"
    )
    assert found.estimate is None, "it is about several slices"


def test_a_condition_has_the_bound_that_decided_it() -> None:
    seen = evaluation().model_copy(update={"row_means": (MEANS,)})
    difference, alone = (
        reason for reason in judge(CANDIDATE, REPORT, seen, CONDITION).reasons if reason.code is ReasonCode.CONDITION
    )
    assert (difference.rule, difference.limit) == ("conditions: n - o > 0 +/- 0.01", 0)
    assert difference.method == "exact binomial of wins and losses"
    assert difference.estimate is not None
    assert difference.estimate.value == pytest.approx(0.03)
    assert (alone.rule, alone.method, alone.limit) == ("conditions: n > 0.8 +/- 0.01", "exact binomial", 0.8)


def test_a_simple_model_is_compared_without_a_limit() -> None:
    linear = Baseline(name="linear", metric="roc_auc", score=interval(0.6, 0.62), difference=interval(0.05, 0.15), rows=100)
    found = only(judge(CANDIDATE, REPORT, evaluation().model_copy(update={"baselines": (linear,)}), GATE), ReasonCode.BASELINE)
    assert (found.rule, found.limit, found.estimate) == (None, None, interval(0.05, 0.15))


def test_an_interval_that_is_not_known_is_no_estimate() -> None:
    unknown = Interval(value=0.7, low=float("nan"), high=float("nan"), rows=1000)
    result = evaluation().metrics[0].model_copy(update={"candidate": unknown})
    verdict = judge(CANDIDATE, REPORT, evaluation().model_copy(update={"metrics": (result,)}), GATE)
    assert only(verdict, ReasonCode.METRIC_THRESHOLD).estimate is None
    assert Verdict.from_json(verdict.to_json()) == verdict, "NaN would make a stored reason unequal to itself"


def test_every_reason_of_a_gate_has_a_code() -> None:
    """The older and the unscorable champion, and a missing report, are in the tests of their own."""
    for decided in (
        judge(CANDIDATE, REPORT, evaluation(slices=(slice_of(-0.01, 0.01),)), GATE),
        judge(CANDIDATE, None, evaluation(gain=None), GATE),
        judge(CANDIDATE, REPORT, evaluation(), GATE, older="its newest span is 9"),
        judge_shadow([pair(number) for number in range(1000)]),
        judge_shadow([]),
    ):
        assert all(reason.code is not ReasonCode.UNKNOWN for reason in decided.reasons)


@pytest.mark.parametrize(
    ("code", "rule", "method"),
    [
        (ReasonCode.SHADOW_REQUESTS, "min_requests: requests >= 1000", None),
        (
            ReasonCode.SHADOW_AGREEMENT,
            "min_agreement: agreement >= 0.9",
            "binomial (Clopper and Pearson; Korn and Graubard for requests of several rows)",
        ),
        (ReasonCode.SHADOW_ERRORS, "max_error_rate: error rate <= 0.01", "exact binomial (Clopper and Pearson)"),
        (ReasonCode.SHADOW_SCORE_SHIFT, None, "Student's t over requests"),
        (ReasonCode.SHADOW_LATENCY_P50, None, "percentile bootstrap over predict calls, 1,000 resamples"),
        (
            ReasonCode.SHADOW_LATENCY_P99,
            "max_p99_ratio: ratio of the 99th percentiles <= 1.5",
            "percentile bootstrap over predict calls, 1,000 resamples",
        ),
    ],
)
def test_a_shadow_report_says_it_too(code: ReasonCode, rule: str | None, method: str | None) -> None:
    found = only(judge_shadow([pair(number) for number in range(1000)]), code)
    assert (found.rule, found.method, found.limit is None) == (rule, method, rule is None)
    assert (found.estimate is None) == (method is None)
