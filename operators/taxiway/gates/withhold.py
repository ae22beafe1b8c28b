"""Which parts of an evaluation and a verdict are shown while more models may be tried on the same rows, and what that costs."""

import math
from collections.abc import Mapping

from taxiway.gates.conditions.reasons import enough_rows, missing_rows_text
from taxiway.gates.sample_size import ROUNDED_VALUES
from taxiway.messages import counted, names_text, number_text
from taxiway.records import Evaluation, Reason, ReasonCode, RowMeans, Show, Status, Verdict, worst
from taxiway.spec.gate import Gate
from taxiway.stats.spending import Account

_NOT_MEASURED = {
    ReasonCode.DATA_REPORT,
    ReasonCode.DATA_ANOMALY,
    ReasonCode.DATA_WAIVER,
    ReasonCode.EVALUATION_MISMATCH,
    ReasonCode.COLUMNS_MISSING,
    ReasonCode.CLASSES_UNSEEN,
    ReasonCode.CLASSES_ABSENT,
    ReasonCode.ROWS_TOO_FEW,
    ReasonCode.ROWS_SHARED,
    ReasonCode.GROUPS_TOO_FEW,
    ReasonCode.LABELS_NOT_COUNTED,
    ReasonCode.CHAMPION_NEWER,
    ReasonCode.CHAMPION_UNSCORABLE,
}
"""The reasons that do not depend on predictions and labels together; all others are withheld, also those that are added later."""


def log_values(evaluation: Evaluation, gate: Gate, show: Show, log_share: float | None) -> float:
    """The logarithm of the number of values that can be shown with a decision, beside whether the model passed.

    Args:
        evaluation: The evaluation; only what does not depend on labels is used.
        gate: The `gate` section.
        show: What is shown.
        log_share: The logarithm of the share of the error for this answer.

    Returns:
        Infinity for `exact`: metrics, curves and slices to the last digit may tell the label of each row.
    """
    if show == "exact":
        return math.inf
    fail_or_undecided = 0.0 if _is_never_undecided(evaluation, gate, log_share) else math.log(2)
    if show == "decision":
        return fail_or_undecided
    means = sum(1 + (each.champion is not None) for each in evaluation.row_means)
    return fail_or_undecided + means * math.log(ROUNDED_VALUES)


def shown_evaluation(evaluation: Evaluation, gate: Gate, show: Show) -> Evaluation:
    """An evaluation as it is shown."""
    if show == "exact":
        return evaluation
    return evaluation.without_scores(tuple(_rounded(each, gate) for each in evaluation.row_means) if show == "rounded" else ())


def measured_status(verdict: Verdict) -> Status:
    """The decision by the scores alone; NOT_APPLICABLE if nothing was decided by them, or nothing is required of them."""
    return worst(tuple(reason.status for reason in verdict.reasons if _is_measured(reason)))


def without_scores(
    verdict: Verdict, full: Evaluation, gate: Gate, show: Show, account: Account, log_share: float | None
) -> Verdict:
    """A verdict whose reasons about scores are one, which only says the decision.

    Args:
        verdict: The verdict with all reasons.
        full: The evaluation with all scores.
        gate: The `gate` section.
        show: What is shown: `rounded` or `decision`.
        account: What is spent of the rows, this answer included.
        log_share: The logarithm of the share of the error for this answer.

    Returns:
        The verdict, of the evaluation as it is shown.
    """
    shown, status = shown_evaluation(full, gate, show), measured_status(verdict)
    missing = missing_rows_text(full, gate, log_share) if status is Status.UNDECIDED else ""
    message = f"{_decision_text(verdict, shown, full)}{missing}. {_withheld_text(full, gate, show, account)}"
    decision = Reason(status=status, code=ReasonCode.SCORES_WITHHELD, message=message)
    return _with_reason(verdict, decision, shown)


def spent_verdict(
    verdict: Verdict, full: Evaluation, gate: Gate, account: Account, sets: int, elsewhere: Mapping[str, int]
) -> Verdict:
    """The verdict if the evaluation rows are spent: nothing is decided by them, and nothing shown.

    Args:
        verdict: The verdict that nobody sees.
        full: The evaluation with all scores.
        gate: The `gate` section.
        account: What is spent of the rows.
        sets: The number of other evaluation sets among whose rows some of these rows are.
        elsewhere: How many models of other pipelines are among those that were tried, by the name of the registered model.

    Returns:
        An UNDECIDED verdict, or a worse one if other reasons demand it.
    """
    asked = f"the {counted(_rows(full), 'evaluation row')} are spent: {_spent_text(account, gate)}"
    if sets:
        asked += f", on these rows or on {counted(sets, 'other evaluation set')} that shares rows with them"
    own = ""
    if elsewhere:
        asked += f"; among them {_elsewhere_text(elsewhere)}"
        own = (
            f" If whoever makes models of {verdict.model} does not know those answers, state it with gate.budget.shared: false."
        )
    message = (
        f"{asked}. Bring new rows: the next span does so by itself.{own} To decide without them: taxiway force "
        f"{verdict.model}/{verdict.version} --reason WHY; what was asked: taxiway gate ledger {next(iter(elsewhere), verdict.model)}"
    )
    spent = Reason(status=Status.UNDECIDED, code=ReasonCode.ROWS_SPENT, message=message)
    return _with_reason(verdict, spent, full.without_scores())


def with_shared_rows(verdict: Verdict, elsewhere: Mapping[str, int], gate: Gate) -> Verdict:
    """A verdict that says which other pipelines have asked about the evaluation rows.

    Args:
        verdict: The verdict.
        elsewhere: The number of models that were tried on the rows, by the name of the other pipelines' registered models.
        gate: The `gate` section.
    """
    if not elsewhere:
        return verdict
    tried = f"{_elsewhere_text(elsewhere)} tried on these rows"
    if gate.budget.shared:
        message = f"{tried} before: counted, because the answers may be known. If they are not, state it with gate.budget.shared: false"
    else:
        message = (
            f"{tried}: not counted, because the pipeline file states that the answers are not known (gate.budget.shared: false)"
        )
    reason = Reason(status=Status.INFO, code=ReasonCode.ROWS_SHARED, message=message)
    return verdict.model_copy(update={"reasons": (*verdict.reasons, reason)})


def _elsewhere_text(elsewhere: Mapping[str, int]) -> str:
    names = names_text(sorted(elsewhere, key=lambda name: (-elsewhere[name], name)))
    return f"{counted(sum(elsewhere.values()), 'model')} of other pipelines ({names})"


def _spent_text(account: Account, gate: Gate) -> str:
    tried = f"{account.steps:,} of {counted(gate.budget.steps, 'model')} tried"
    if account.steps >= gate.budget.steps:
        return f"{tried} (gate.budget.steps)"
    if account.passes >= gate.budget.passes:
        return f"{tried}, {account.passes:,} passed (gate.budget.adaptivity: {gate.budget.adaptivity})"
    return f"{tried}, and nothing is left of the error of the gate, because scores were shown or the budget was changed"


def _with_reason(verdict: Verdict, reason: Reason, shown: Evaluation) -> Verdict:
    reasons = (*(each for each in verdict.reasons if not _is_measured(each)), reason)
    status = worst(tuple(each.status for each in reasons))
    return verdict.model_copy(update={"reasons": reasons, "evaluation": shown.digest, "status": status})


def _is_measured(reason: Reason) -> bool:
    """Whether a reason tells how well a model predicts the labels. How many rows have which label is not secret, nor what follows from it."""
    return reason.code not in _NOT_MEASURED and reason.status is not Status.NOT_APPLICABLE


def _decision_text(verdict: Verdict, shown: Evaluation, full: Evaluation) -> str:
    measured = [reason for reason in verdict.reasons if _is_measured(reason) and reason.status is not Status.INFO]
    requirements = [str(reason.rule).removeprefix("conditions: ") for reason in measured if reason.code is ReasonCode.CONDITION]
    if len(measured) > len(requirements):
        requirements.append("the other requirements of the gate" if requirements else "the requirements of the gate")
    status = measured_status(verdict)
    finding = {Status.PASS: "met", Status.FAIL: "not shown to be met", Status.UNDECIDED: "undecided"}.get(status)
    rows = f"the {counted(_rows(full), 'evaluation row')}"
    text = f"{' and '.join(requirements)}: {finding} on {rows}" if finding else f"nothing is required of the scores on {rows}"
    for means in shown.row_means:
        old = "" if means.champion is None else f", champion about {number_text(means.champion)}"
        text += f"; {means.metric} about {number_text(means.candidate)}{old}"
    return text


def _withheld_text(full: Evaluation, gate: Gate, show: Show, account: Account) -> str:
    left = gate.budget.steps - account.steps
    return (
        f"Scores are withheld (gate.show: {show}), because up to {counted(left, 'more model')} may be tried on these rows; to see them, and "
        f"to spend the rows: taxiway gate show {full.model}/{full.candidate}"
    )


def _is_never_undecided(evaluation: Evaluation, gate: Gate, log_share: float | None) -> bool:
    """Whether the scores pass or fail, as is known without labels: by conditions alone, for which there are enough rows."""
    return not (gate.thresholds or gate.against_champion) and enough_rows(evaluation, gate, log_share)


def _rounded(means: RowMeans, gate: Gate) -> RowMeans:
    facts = gate.facts(means.metric)
    unit = (facts.high - facts.low) / (ROUNDED_VALUES - 1)
    rounded = [
        None if each is None else float(f"{facts.low + unit * round((each - facts.low) / unit):.10g}")
        for each in (means.candidate, means.champion)
    ]
    return means.model_copy(update={"candidate": rounded[0], "champion": rounded[1], "variance": None})


def _rows(evaluation: Evaluation) -> int:
    return max((result.candidate.rows for result in evaluation.metrics), default=0)
