"""When labels decide about a challenger, however often one looks, and what they do not decide."""

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from taxiway.gates.shadow.estimates import VersionClasses
from taxiway.gates.shadow.gate import decide
from taxiway.gates.shadow.labels import judge_labels
from taxiway.gates.shadow.losses import largest_loss, loss_differences
from taxiway.records import Reason, ReasonCode, ShadowReport, Status
from taxiway.records.shadow_pairs import Answer, Pair, PairedLog, Replayed
from taxiway.spec.shadow import Shadow, ShadowLabels
from taxiway.stats import sequential
from taxiway.stats.sequential import log_capital_of

CHAMPION, CHALLENGER = 3, 4
CLASSES = VersionClasses(("no", "yes"), ("no", "yes"))
LABELS = ShadowLabels(tolerance=0.02)


def pair(
    champion: list[Any] | None, challenger: list[Any] | None, labels: list[Any] | None, *, version: int = CHAMPION
) -> Pair:
    return Pair(
        request_id="r",
        call="c",
        at=datetime(2026, 1, 1, tzinfo=UTC),
        champion=Answer(version=version, predictions=champion, error="" if champion else "broken", latency_ms=10),
        challenger=Answer(version=CHALLENGER, predictions=challenger, error="" if challenger else "broken", latency_ms=10),
        labels=None if labels is None else tuple(labels),
    )


def pairs(rows: int, worse: float, *, seed: int = 1) -> list[Pair]:
    """Requests of one row, for which the challenger says the label with a probability that is lower by so much on average."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(rows):
        label, right = rng.integers(2), rng.uniform(0.5, 0.9)
        other = np.clip(right - worse + rng.normal(0, 0.05), 0, 1)
        made.append(pair([_of(label, right)], [_of(label, float(other))], ["no" if label == 0 else "yes"]))
    return made


def _of(label: int, right: float) -> list[float]:
    return [1 - right, right] if label else [right, 1 - right]


def judge(given: list[Pair], labels: ShadowLabels = LABELS, classes: VersionClasses = CLASSES) -> Reason:
    return judge_labels(given, labels, 0.99, classes)[0]


def report(given: list[Pair], **labels: Any) -> ShadowReport:
    """A report on 1,000 live requests that all agree, and on some of them with labels."""
    live = tuple(pair([[0.2, 0.8]], [[0.2, 0.8]], None).model_copy(update={"call": f"c{i}"}) for i in range(1000))
    log = PairedLog(model="m", version=CHALLENGER, owner="run-1", pairs=live, dropped=0, unanswered=0)
    requirements = Shadow.model_validate({"min_requests": 1000, "labels": {"tolerance": 0.02, **labels}})
    return decide(
        log,
        model="m",
        version=CHALLENGER,
        champion=CHAMPION,
        requirements=requirements,
        confidence=0.99,
        classes=CLASSES,
        labelled=given,
    )


@pytest.mark.parametrize(("worse", "status"), [(-0.05, Status.PASS), (0.0, Status.PASS), (0.15, Status.FAIL)])
def test_a_challenger_is_decided_by_its_loss_on_labelled_requests(worse: float, status: Status) -> None:
    found = report(pairs(2000, worse))
    assert found.status is status
    (reason,) = (each for each in found.reasons if each.code is ReasonCode.SHADOW_LABELS)
    assert reason.status is status
    assert "on 2,000 requests with labels, the challenger's brier is" in reason.message
    assert "allowed: at most 0.02 worse" in reason.message
    assert found.loss_difference == reason.estimate
    assert found.loss_difference is not None
    assert found.loss_difference.rows == 2000


@pytest.mark.parametrize(("required", "status"), [(True, Status.UNDECIDED), (False, Status.PASS)])
@pytest.mark.parametrize("labelled", [0, 5])
def test_labels_that_do_not_decide_are_undecided_or_leave_it_to_the_others(
    required: bool, status: Status, labelled: int
) -> None:
    found = report(pairs(labelled, 0.0), required=required)
    assert found.status is status
    assert (found.loss_difference is None) == (labelled == 0)


def test_even_optional_labels_reject_a_worse_challenger() -> None:
    assert report(pairs(2000, 0.15), required=False).status is Status.FAIL


def test_labels_of_another_champions_answers_do_not_count() -> None:
    others = [
        each.model_copy(update={"champion": each.champion.model_copy(update={"version": 2})}) for each in pairs(500, 0.15)
    ]
    assert report(others).loss_difference is None


def test_requests_that_cannot_be_compared_are_left_out() -> None:
    good = pair([[0.4, 0.6]], [[0.2, 0.8]], ["yes"])
    left_out = [
        pair(None, [[0.2, 0.8]], ["yes"]),
        pair([[0.4, 0.6]], None, ["yes"]),
        pair([[0.4, 0.6]], [[0.2, 0.8]], []),
        pair([[0.4, 0.6]], [[0.2, 0.8]], ["maybe"]),
        pair([[0.4, 0.6]], [["late"]], ["yes"]),
        pair([[0.4, 0.6]], [[0.2, 0.3, 0.5]], ["yes"]),
        pair([[0.4, 0.6]], [[-7.0, 8.0]], ["yes"]),
    ]
    assert loss_differences([good, *left_out], LABELS, CLASSES).tolist() == pytest.approx([0.2**2 - 0.4**2])


def test_a_request_of_several_rows_counts_once() -> None:
    many = pair([[0.4, 0.6], [0.5, 0.5]], [[0.2, 0.8], [0.5, 0.5]], ["yes", "no"])
    assert loss_differences([many], LABELS, CLASSES).tolist() == pytest.approx([(0.2**2 - 0.4**2) / 2])


@pytest.mark.parametrize(
    ("metric", "difference", "largest"),
    [("accuracy", -1.0, 1.0), ("brier", 0.4**2 - 0.6**2, 1.0), ("clipped_log_loss", math.log(0.4 / 0.6), math.log(100))],
)
def test_each_metric_is_a_loss(metric: Any, difference: float, largest: float) -> None:
    labels = ShadowLabels(metric=metric)
    assert loss_differences([pair([[0.6, 0.4]], [[0.4, 0.6]], ["yes"])], labels, CLASSES).tolist() == pytest.approx(
        [difference]
    )
    assert largest_loss(labels, CLASSES) == largest


def test_versions_with_other_classes_or_thresholds_are_compared_by_name() -> None:
    classes = VersionClasses(("no", "yes"), ("maybe", "yes", "no"), champion_threshold=0.7)
    given = [pair([[0.4, 0.6]], [[0.0, 0.9, 0.1]], ["yes"]), pair([[0.4, 0.6]], [[0.8, 0.1, 0.1]], ["maybe"])]
    found = loss_differences(given, ShadowLabels(metric="accuracy"), classes)
    assert found.tolist() == [-1, -1], "0.6 is below the champion's threshold, and the champion cannot predict maybe"
    assert largest_loss(ShadowLabels(), classes) == 2


def test_a_regression_counts_errors_up_to_the_largest() -> None:
    labels = ShadowLabels(tolerance=1, max_error=50)
    given = [pair([[110.0]], [105.0], [100]), pair([100.0], [1e9], [100.0]), pair([100.0], [100.0], ["late"])]
    assert loss_differences(given, labels, VersionClasses()).tolist() == [-5, 50]
    many = [pair([100.0 + 20 * (i % 2)], [100.0 + 18 * (i % 2)], [100]) for i in range(400)]
    reason = judge(many, labels, VersionClasses())
    assert (reason.status, reason.limit) == (Status.PASS, 1)
    assert "the challenger's mae is 1.0000 better than the champion's" in reason.message


def test_versions_without_known_classes_are_undecided_and_say_so() -> None:
    reason = judge(pairs(100, 0.0), classes=VersionClasses())
    assert reason.status is Status.UNDECIDED
    assert "the classes of both versions are not known" in reason.message


def _decided(differences: "np.ndarray", tolerance: float, *, first: int = 50) -> Status:
    """What the labels decide if one looks again after every request, until they decide."""
    enough = -math.log(0.05)  # a confidence of 90%, on one side
    better, worse = _capital_by_row(-differences, -tolerance), _capital_by_row(differences, tolerance)
    looks = np.flatnonzero((np.maximum(better, worse) >= enough) & (np.arange(len(differences)) >= first))
    rows = int(looks[0]) + 1 if len(looks) else len(differences)
    assert log_capital_of(-differences[:rows], -tolerance) == pytest.approx(better[rows - 1], abs=1e-6)
    assert log_capital_of(differences[:rows], tolerance) == pytest.approx(worse[rows - 1], abs=1e-6)
    if not len(looks):
        return Status.UNDECIDED
    return Status.PASS if better[rows - 1] >= enough else Status.FAIL


def _capital_by_row(values: "np.ndarray", bound: float) -> "np.ndarray":
    """`log_capital_of` after each row: logarithms of products of so few numbers, which take less time than sums of logarithms."""
    growth = 1 + np.outer(sequential._fractions(), (1 + values) / (1 + bound) - 1)
    return np.log(growth.cumprod(axis=1).mean(axis=0))


@pytest.mark.parametrize(("true", "wrong"), [(0.05, (Status.PASS, Status.FAIL)), (0.0, (Status.FAIL,))])
def test_looks_without_end_decide_wrongly_no_more_often_than_promised(true: float, wrong: tuple[Status, ...]) -> None:
    """At the tolerance itself, both decisions are wrong; a challenger that is as good as the champion must not be rejected."""
    rng, runs = np.random.default_rng(7), 150
    found = [_decided(np.clip(rng.normal(true, 0.3, 1000), -1, 1), 0.05) for _ in range(runs)]
    assert all(found.count(each) <= runs * 0.05 + 3 * math.sqrt(runs * 0.05) for each in wrong)


@pytest.mark.parametrize(("true", "right"), [(-0.05, Status.PASS), (0.0, Status.PASS), (0.12, Status.FAIL)])
def test_a_real_difference_is_found(true: float, right: Status) -> None:
    rng = np.random.default_rng(8)
    found = [_decided(np.clip(rng.normal(true, 0.2, 2000), -1, 1), 0.05) for _ in range(30)]
    assert found.count(right) >= 29


def replaying(replayed: list[Pair], live: int, *, calls: int | None = None, slower: float = 1) -> ShadowReport:
    """A report on replayed requests, and on live ones that all agree, in so many calls that take the challenger longer."""
    one = pair([[0.2, 0.8]], [[0.2, 0.8]], None)
    one = one.model_copy(update={"challenger": one.challenger.model_copy(update={"latency_ms": 10 * slower})})
    pairs = tuple(one.model_copy(update={"call": f"c{i % (calls or live)}"}) for i in range(live))
    log = PairedLog(model="m", version=CHALLENGER, owner="run-1", pairs=pairs, dropped=0, unanswered=0)
    requirements = Shadow.model_validate({"min_requests": 1000, "replay": "7d", "labels": {"tolerance": 0.02}})
    return decide(
        log,
        model="m",
        version=CHALLENGER,
        champion=CHAMPION,
        requirements=requirements,
        confidence=0.99,
        classes=CLASSES,
        replayed=Replayed(tuple(replayed)),
    )


@pytest.mark.parametrize(("live", "latency"), [(0, Status.NOT_APPLICABLE), (99, Status.NOT_APPLICABLE), (100, Status.PASS)])
def test_replayed_requests_count_in_everything_but_latency(live: int, latency: Status) -> None:
    found = replaying(pairs(1000, 0.0), live)
    assert (found.status, found.requests, found.replayed) == (Status.PASS, live, 1000)
    assert found.agreement is not None
    assert found.agreement.rows == 1000 + live
    assert found.loss_difference is not None
    assert found.loss_difference.rows == 1000
    assert p99_of(found).status is latency
    assert (found.latency_p99_ratio is None) == (live == 0)


def p99_of(found: ShadowReport) -> Reason:
    (reason,) = (each for each in found.reasons if each.code is ReasonCode.SHADOW_LATENCY_P99)
    return reason


def test_a_slow_challenger_passes_no_more_easily_with_a_replay_of_nothing() -> None:
    for replayed in ([], pairs(1000, 0.0)):
        found = replaying(replayed, 1000, calls=60, slower=900)
        assert found.status is p99_of(found).status is Status.UNDECIDED
        assert "only 60 predict calls; the 99th percentile needs at least 100" in p99_of(found).message


@pytest.mark.parametrize(("live", "status"), [(60, Status.UNDECIDED), (100, Status.FAIL)])
def test_a_slow_challenger_does_not_pass_by_replayed_requests(live: int, status: Status) -> None:
    found = replaying(pairs(1000, 0.0), live, slower=900)
    assert found.status is p99_of(found).status is status
    assert "is 900.00 times the champion's" in p99_of(found).message


def test_too_few_replayed_requests_leave_the_rest_to_live_ones() -> None:
    found = replaying(pairs(600, 0.0), 300)
    assert found.status is Status.UNDECIDED
    (requests,) = (reason for reason in found.reasons if reason.code is ReasonCode.SHADOW_REQUESTS)
    assert "and 600 logged requests replayed; required: at least 1,000, which is 100 more" in requests.message


def test_errors_of_replayed_requests_count() -> None:
    broken = [pair([[0.2, 0.8]], None, None) for _ in range(100)]
    assert replaying([*pairs(1000, 0.0), *broken], 0).status is Status.FAIL
