"""What the model gate says about rows that only lack a label: what is undecided names them, and the command by which they get one."""

import pytest
from gates.test_model_gate import CANDIDATE, GATE, REPORT, evaluation, judge
from gates.test_reason_codes import CONDITION, MEANS

from taxiway.gates.withhold import measured_status, without_scores
from taxiway.records import Evaluation, ReasonCode, Status, Verdict
from taxiway.spec.gate import Gate
from taxiway.stats.spending import Account

EXPORT = "taxiway label export f.late/2 -o FILE --rows N"
FEW = MEANS.model_copy(update={"rows": 900, "units": 900.0})


def without_labels(found: Evaluation, rows: int, not_counted: int = 0) -> Evaluation:
    return found.model_copy(update={"rows_without_label": rows, "labels_not_counted": not_counted, "row_means": (FEW,)})


def undecided(verdict: Verdict) -> list[str]:
    return [reason.message for reason in verdict.reasons if reason.status is Status.UNDECIDED]


@pytest.mark.parametrize(
    ("gate", "scores"),
    [
        (GATE, evaluation(auc=(0.59, 0.612), gain=(-0.02, 0.012))),
        (CONDITION, evaluation()),
        (GATE.model_copy(update={"min_rows": 2_000}), evaluation()),
    ],
)
def test_what_is_undecided_names_the_rows_that_only_lack_a_label(gate: Gate, scores: Evaluation) -> None:
    plenty = undecided(judge(CANDIDATE, REPORT, without_labels(scores, 500_000), gate))
    assert plenty
    for message in plenty:
        assert message.endswith(
            f"; 500,000 rows of the evaluation spans only lack a label, and labels of them would decide it: {EXPORT}"
        )
    for message in undecided(judge(CANDIDATE, REPORT, without_labels(scores, 1), gate)):
        assert message.endswith(f"; 1 row of the evaluation spans only lacks a label, which is not enough: {EXPORT}")
    assert "label export" not in " ".join(undecided(judge(CANDIDATE, REPORT, without_labels(scores, 0), gate)))
    on_the_limit = undecided(judge(CANDIDATE, REPORT, without_labels(evaluation(auc=(0.59, 0.61)), 500_000), GATE))
    assert "label export" not in " ".join(on_the_limit), "no number of rows would decide it"
    decided = judge(CANDIDATE, REPORT, without_labels(evaluation(), 500_000), GATE)
    assert (decided.status, "label export" in " ".join(reason.message for reason in decided.reasons)) == (Status.PASS, False)


def test_labels_that_do_not_count_are_named_and_change_no_verdict() -> None:
    verdict = judge(CANDIDATE, REPORT, without_labels(evaluation(), 0, 2_500), GATE)
    (reason,) = (reason for reason in verdict.reasons if reason.code is ReasonCode.LABELS_NOT_COUNTED)
    assert (verdict.status, reason.status) == (Status.PASS, Status.INFO)
    assert reason.message.startswith("2,500 rows have labels and are left out of the evaluation, because they were not drawn")


def test_while_scores_are_withheld_labels_are_named_once_and_only_if_nothing_is_decided() -> None:
    full = without_labels(evaluation(), 400_000, 2_500)
    verdict = judge(CANDIDATE, REPORT, full, CONDITION)
    assert measured_status(verdict) is Status.UNDECIDED
    shown = without_scores(verdict, full, CONDITION, "decision", Account(), None)
    text = " ".join(reason.message for reason in shown.reasons)
    assert text.count(EXPORT) == 1
    assert "402,500 rows of the evaluation spans only lack a label that counts, and labels of them would decide it" in text
    assert "2,500 rows have labels and are left out" in text
