"""The model gate: it collects the result of every check as a reason, and then decides once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from taxiway.evaluation.leakage import is_almost_perfect
from taxiway.gates.baselines import baseline_reasons
from taxiway.gates.conditions.reasons import condition_reasons
from taxiway.gates.data_report import data_reasons
from taxiway.gates.labels import excluded_label_reasons, labelling_hint
from taxiway.gates.metric_rules import comparison_reasons, threshold_reasons
from taxiway.gates.slices import slice_reasons
from taxiway.gates.wording import decimals, fail_reason, rule_text
from taxiway.messages import counted, listed
from taxiway.records import (
    Candidate,
    DataReport,
    Decision,
    Evaluation,
    Reason,
    ReasonCode,
    RowGroups,
    Status,
    Verdict,
    worst,
)
from taxiway.spec.gate import Gate
from taxiway.stats.bootstrap import MIN_GROUPS

_MAX_SUSPICIOUS_COLUMNS = 3
_MAX_SHOWN_CLASSES = 5


@dataclass(frozen=True)
class UnscorableChampion:
    """A champion that cannot be scored on the evaluation rows.

    Attributes:
        version: Its version.
        why: Why it cannot be scored.
    """

    version: int
    why: str


def decide(
    candidate: Candidate,
    report: DataReport | None,
    evaluation: Evaluation,
    gate: Gate,
    *,
    today: date,
    older_data_reason: str | None = None,
    unscorable: UnscorableChampion | None = None,
    human_decisions: Sequence[Decision] = (),
    log_share: float | None = None,
) -> Verdict:
    """Decide whether a candidate passes the model gate.

    A bound passes if the whole confidence interval meets it, fails if the whole interval misses it, and is UNDECIDED otherwise.
    The entries of `gate.conditions` have a tolerance and a guarantee, and are decided as `taxiway.gates.conditions.decide` says. A slice fails only if its whole interval lies beyond the allowed drop; a
    slice with too few rows never decides. Without a champion the thresholds, and the conditions on the candidate alone, must still be
    met; the comparisons are NOT_APPLICABLE.

    Args:
        candidate: The model version to decide on.
        report: The DataReport of the snapshot that the candidate was trained on; None if there is none.
        evaluation: The metrics of candidate and champion on the same rows.
        gate: The pipeline's thresholds and comparisons.
        today: The day on which waivers of the report must still be valid.
        older_data_reason: Why the candidate's data is older than the champion's; None if it is not. Such a candidate fails and
            is not compared, because the champion may have been trained on these evaluation rows.
        unscorable: The champion, if it cannot be scored on the evaluation rows; the candidate is then not compared.
        human_decisions: The decisions of people about the report, such as waivers.
        log_share: The logarithm of the share of the error probability of `gate.conditions` that this answer may spend, see
            `taxiway.stats.spending`; None for that of the last model of the budget.

    Returns:
        The verdict, with every reason; its status is the worst of theirs.
    """
    reasons = (
        *data_reasons(candidate, report, today, human_decisions),
        *_evaluation_mismatch(candidate, evaluation),
        *_missing_columns(evaluation),
        *_unseen_and_absent_classes(evaluation),
        *_almost_perfect(evaluation),
        *_row_count(evaluation, gate),
        *excluded_label_reasons(evaluation),
        *threshold_reasons(evaluation, gate),
        *condition_reasons(evaluation, gate, log_share),
        *_comparison(candidate, evaluation, gate, older_data_reason, unscorable),
        *baseline_reasons(evaluation, gate.facts(gate.comparison_metric)),
    )
    return Verdict(
        model=candidate.model,
        version=candidate.version,
        champion=unscorable.version if unscorable else evaluation.champion,
        snapshot=candidate.snapshot,
        report=report.digest if report else None,
        evaluation=evaluation.digest,
        status=worst(tuple(reason.status for reason in reasons)),
        reasons=reasons,
        files=candidate.files,
        needs_approval=unscorable is not None and gate.champion_unscorable == "approval",
    )


def _comparison(
    candidate: Candidate,
    evaluation: Evaluation,
    gate: Gate,
    older_data_reason: str | None,
    unscorable: UnscorableChampion | None,
) -> Iterator[Reason]:
    """The comparison with the champion, or why there is none."""
    if older_data_reason is not None:
        older = f"version {candidate.version} was trained on older data than the champion: {older_data_reason}"
        yield fail_reason(ReasonCode.CHAMPION_NEWER, older)
    elif unscorable is not None:
        yield _not_compared(unscorable, candidate, gate)
    else:
        yield from comparison_reasons(evaluation, gate)
        yield from slice_reasons(evaluation, gate)


def _not_compared(unscorable: UnscorableChampion, candidate: Candidate, gate: Gate) -> Reason:
    if gate.champion_unscorable == "fail":
        status, message = (
            Status.FAIL,
            f"{unscorable.why}, and gate.champion_unscorable is `fail`. To decide without the comparison, set it to `thresholds`, or to "
            f"`approval` to also ask a person; to promote this version anyway: taxiway force {candidate.model}/{candidate.version} --reason WHY; to retire "
            f"the champion: taxiway retire {candidate.model} --reason WHY",
        )
    else:
        asks = ", and a person has to approve it" if gate.champion_unscorable == "approval" else ""
        status, message = (
            Status.NOT_APPLICABLE,
            f"{unscorable.why}: the candidate is judged without a comparison{asks} (gate.champion_unscorable: {gate.champion_unscorable})",
        )
    rule = f"champion_unscorable: {gate.champion_unscorable}"
    return Reason(status=status, code=ReasonCode.CHAMPION_UNSCORABLE, message=message, rule=rule)


def _evaluation_mismatch(candidate: Candidate, evaluation: Evaluation) -> Iterator[Reason]:
    if (evaluation.model, evaluation.snapshot, evaluation.candidate) != (
        candidate.model,
        candidate.snapshot,
        candidate.version,
    ):
        yield fail_reason(
            ReasonCode.EVALUATION_MISMATCH,
            f"the evaluation belongs to {evaluation.model} version {evaluation.candidate} on snapshot {evaluation.snapshot}, "
            f"not to {candidate.model} version {candidate.version} on snapshot {candidate.snapshot}",
        )


def _row_count(evaluation: Evaluation, gate: Gate) -> Iterator[Reason]:
    rows = min((result.candidate.rows for result in evaluation.metrics), default=0)
    found = f"{rows:,} evaluation rows"
    more = gate.min_rows - rows
    too_few = f"only {found}; required: at least {gate.min_rows:,}, which is {more:,} more{labelling_hint(evaluation, more)}"
    yield Reason(
        status=Status.PASS if rows >= gate.min_rows else Status.UNDECIDED,
        code=ReasonCode.ROWS_TOO_FEW,
        message=f"{found} (required: at least {gate.min_rows:,})" if rows >= gate.min_rows else too_few,
        rule=rule_text("min_rows: rows", 1, gate.min_rows),
        limit=gate.min_rows,
    )
    if evaluation.groups is not None:
        yield _group_count(evaluation.groups)


def _group_count(found: RowGroups) -> Reason:
    enough = found.groups >= MIN_GROUPS
    counts = f"{counted(found.groups, 'group')} of rows by {found.column}"
    too_few = f"only {counts}; required: at least {MIN_GROUPS}, which is {MIN_GROUPS - found.groups} more"
    return Reason(
        status=Status.PASS if enough else Status.UNDECIDED,
        code=ReasonCode.GROUPS_TOO_FEW,
        message=f"{counts} (required: at least {MIN_GROUPS}); confidence intervals resample whole groups"
        if enough
        else too_few,
        rule=rule_text("group_by: groups", 1, MIN_GROUPS),
        limit=MIN_GROUPS,
    )


def _missing_columns(evaluation: Evaluation) -> Iterator[Reason]:
    models = {
        f"version {evaluation.candidate}": evaluation.candidate_missing_columns,
        f"champion version {evaluation.champion}": evaluation.champion_missing_columns,
    }
    for model, columns in models.items():
        if columns:
            message = f"{model} was scored without values of {listed(columns)}, which the data no longer has"
            yield Reason(status=Status.INFO, code=ReasonCode.COLUMNS_MISSING, message=message)


def _unseen_and_absent_classes(evaluation: Evaluation) -> Iterator[Reason]:
    """How classes were treated that are missing from the training rows or from the evaluation rows; this does not change the verdict."""
    rows = min((result.candidate.rows for result in evaluation.metrics), default=0)
    models = {
        f"version {evaluation.candidate}": evaluation.unseen_classes,
        f"champion version {evaluation.champion}": evaluation.champion_unseen_classes,
    }
    for model, classes in models.items():
        if classes:
            counts = ", ".join(f"{found.name}: {found.rows:,}" for found in classes[:_MAX_SHOWN_CLASSES])
            more = f" and {len(classes) - _MAX_SHOWN_CLASSES} more" if len(classes) > _MAX_SHOWN_CLASSES else ""
            yield Reason(
                status=Status.INFO,
                code=ReasonCode.CLASSES_UNSEEN,
                message=f"{sum(found.rows for found in classes):,} of {rows:,} evaluation rows have a class that {model} was not trained on "
                f"({counts}{more}): these rows count as errors, with a probability of 0 for their class",
            )
    if evaluation.absent_classes:
        yield Reason(
            status=Status.INFO,
            code=ReasonCode.CLASSES_ABSENT,
            message=f"no evaluation row has the class {listed(evaluation.absent_classes)}, so the metrics say nothing about it",
        )


def _almost_perfect(evaluation: Evaluation) -> Iterator[Reason]:
    """A warning that does not change the verdict: real problems are rarely solved this well, and a column may leak the label."""
    suspects = "; ".join(column.describe() for column in evaluation.leakage_suspects[:_MAX_SUSPICIOUS_COLUMNS])
    where = f": {suspects}" if suspects else "; see evaluation/permutation_importance in the MLflow run"
    for result in evaluation.metrics:
        if is_almost_perfect(result):
            value = f"{result.candidate.value:.{decimals((result.candidate.value,), (1.0,), least=3)}f}"
            yield Reason(
                status=Status.INFO,
                code=ReasonCode.METRIC_ALMOST_PERFECT,
                message=f"{result.metric} {value} is almost perfect: check that no column leaks the label{where}",
            )
