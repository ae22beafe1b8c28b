"""Score a version, check the budget of the evaluation rows, run the model gate, and publish what `gate.show` allows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from taxiway.errors import TerminalError
from taxiway.messages import counted
from taxiway.records import Answered, Asked, Candidate, DataReport, Evaluation, Show, Snapshot, SpentRows, Status, Verdict
from taxiway.spec.gate import Gate
from taxiway.stages.context import StageContext
from taxiway.stages.validate_model.scoring import evaluate_with

if TYPE_CHECKING:
    from taxiway.evaluation.baselines.fit import FittedBaseline
    from taxiway.evaluation.evaluate import Evaluated
    from taxiway.gates.model_gate import UnscorableChampion
    from taxiway.ledger.answers.standing import Standing
    from taxiway.stats.spending import Account


@dataclass(frozen=True)
class Judged:
    """What may be seen of a decision.

    Attributes:
        evaluation: The evaluation, without the scores that are withheld.
        verdict: The verdict, with the reasons that may be seen.
    """

    evaluation: Evaluation
    verdict: Verdict


def judge(
    context: StageContext,
    candidate: Candidate,
    snapshot: Snapshot,
    report: DataReport,
    champion: int | None,
    baselines: "Sequence[FittedBaseline]" = (),
    *,
    show: Show | None = None,
    is_review: bool = False,
) -> Judged:
    """Evaluate a version against a champion, and let the model gate decide; only the ledger and the recorder of the run are written to.

    The query is recorded before the gate decides, and the answer before anything of it is shown: see `taxiway.ledger.answers`.

    Args:
        context: The run.
        candidate: The model version.
        snapshot: The snapshot whose evaluation rows are used.
        report: The DataReport of the snapshot.
        champion: The version to compare with; None for none.
        baselines: Simple models to compare it with.
        show: Which scores are shown; None for the setting `gate.show`.
        is_review: Whether the version was decided before. A review spends nothing.

    Raises:
        UntrustedModelError: The version needs types that Taxiway does not load.
        DataError: The evaluation rows lack a label.
        ModelLoadError: It cannot be loaded.
        TerminalError: The ledger of answers was edited, or a review would spend a part of the budget.

    Returns:
        The verdict and the evaluation, without what is withheld.
    """
    from taxiway.evaluation.evaluate import publish
    from taxiway.gates.model_gate import UnscorableChampion
    from taxiway.registry.promote import older_data_reason

    older = older_data_reason(context.registry, candidate.model, candidate.version, champion)
    evaluated, unscorable = evaluate_with(context, candidate, snapshot, None if older is not None else champion, baselines)
    without = UnscorableChampion(champion, unscorable) if champion is not None and unscorable is not None else None
    case = _Case(context, candidate, report, older, without, evaluated)
    judged = _review(case) if is_review else _ask(case, show)
    publish(evaluated, judged.evaluation, context.recorder)
    return judged


@dataclass(frozen=True)
class _Case:
    """A version with scores that are not published yet.

    Attributes:
        context: The run.
        candidate: The version.
        report: The DataReport of its snapshot.
        older: Why its data is older than the champion's; None if it is not.
        unscorable: The champion, if it could not be scored.
        evaluated: The scores.
    """

    context: StageContext
    candidate: Candidate
    report: DataReport
    older: str | None
    unscorable: "UnscorableChampion | None"
    evaluated: "Evaluated"

    @property
    def gate(self) -> Gate:
        return self.context.pipeline.gate

    @property
    def asked(self) -> Asked:
        """The query that the evaluation rows have to answer."""
        gate, evaluation = self.gate, self.evaluated.evaluation
        seen = gate.budget.adaptivity != "none"
        return Asked(
            key=self.evaluated.query,
            model=self.candidate.model,
            version=self.candidate.version,
            champion=evaluation.champion,
            evaluation_set=self.evaluated.evaluation_set,
            steps=gate.budget.steps,
            passes=gate.budget.passes if seen else None,
            guaranteed=bool(gate.conditions),
            shared=bool(gate.conditions) and gate.budget.shared,
            by=self.context.run,
            at=self.context.clock(),
        )

    def decide(self, log_share: float | None) -> Verdict:
        """The verdict with all reasons."""
        from taxiway.gates.model_gate import decide
        from taxiway.ledger.decisions import decisions

        return decide(
            self.candidate,
            self.report,
            self.evaluated.evaluation,
            self.gate,
            today=self.context.clock().date(),
            older_data_reason=self.older,
            unscorable=self.unscorable,
            human_decisions=decisions(self.context.ledger, about=self.report.digest),
            log_share=log_share,
        )


def _ask(case: _Case, wanted: Show | None) -> Judged:
    """Ask the evaluation rows, and record the answer before it is shown; `wanted` is what a person wants to see, None for the gate's."""
    from taxiway.gates.withhold import with_shared_rows
    from taxiway.ledger.answers.asking import ask, standing_of

    if wanted is not None:
        _require_answered(case, standing_of(case.context.ledger, case.asked))
    standing = ask(case.context.ledger, case.asked)
    judged = _decided(case, standing, wanted)
    if standing.is_spent and case.asked.shared and wanted != "exact":  # the reason says it
        return judged
    return replace(judged, verdict=with_shared_rows(judged.verdict, standing.elsewhere, case.gate))


def _decided(case: _Case, standing: "Standing", wanted: Show | None) -> Judged:
    from taxiway.gates.withhold import spent_verdict

    asked, full = case.asked, case.evaluated.evaluation
    if standing.is_spent and wanted == "exact" and standing.account.log_left == -math.inf:
        # Everything about the rows may be known, so showing it costs nothing. It decides nothing.
        return Judged(full, _with_spent(case.decide(None), asked, standing.account, "exact"))
    if standing.is_spent:
        elsewhere = standing.elsewhere if asked.shared else {}
        verdict = spent_verdict(case.decide(None), full, case.gate, standing.account, standing.sets, elsewhere)
        return Judged(full.without_scores(), _with_spent(verdict, asked, standing.account, "decision"))
    share = standing.decided.log_share if standing.decided else standing.account.log_share(asked.steps, asked.counted_passes)
    verdict = case.decide(share)
    return _shown(case, asked, standing, verdict, wanted or case.gate.shown, share)


def _shown(case: _Case, asked: Asked, standing: "Standing", verdict: Verdict, show: Show, log_share: float | None) -> Judged:
    """What may be seen of a decision; more than before is recorded first.

    If no other model may be tried on the rows after it, everything is shown.
    """
    from taxiway.gates.evaluation_sets import is_spent
    from taxiway.gates.withhold import log_values, measured_status, shown_evaluation, without_scores
    from taxiway.ledger.answers.asking import answer

    full, status = case.evaluated.evaluation, measured_status(verdict)
    measured = status is not Status.NOT_APPLICABLE
    passed = status is Status.PASS if measured and asked.passes is not None else None
    values = log_values(full, case.gate, show, log_share)
    account = standing.account.after(asked.steps, asked.counted_passes, passed=passed, log_values=values)
    if asked.guaranteed and is_spent(account, asked):
        show, values = "exact", math.inf
    most = max(standing.answers, key=lambda one: one.values, default=None)
    if most is not None and most.values >= values:
        show = most.shown
    else:
        recorded = Answered(
            key=asked.key,
            log_share=log_share,
            status=status,
            shown=show,
            log_values=None if math.isinf(values) else values,
            by=asked.by,
            at=asked.at,
        )
        answer(case.context.ledger, asked, recorded)
    if show != "exact":
        verdict = without_scores(verdict, full, case.gate, show, account, log_share)
    return Judged(shown_evaluation(full, case.gate, show), _with_spent(verdict, asked, account, show))


def _with_spent(verdict: Verdict, asked: Asked, account: "Account", show: Show) -> Verdict:
    from taxiway.gates.evaluation_sets import is_spent

    promised = asked.guaranteed
    spent = SpentRows(
        rows=asked.evaluation_set.rows,
        models=account.steps,
        steps=asked.steps,
        passes=account.passes,
        allowed_passes=asked.passes if promised else None,
        error_left=math.exp(account.log_left) if promised else None,
        shown=show,
        is_spent=is_spent(account, asked),
    )
    return verdict.model_copy(update={"spent": spent})


def _require_answered(case: _Case, standing: "Standing") -> None:
    """Raise TerminalError if a person wants to see the scores of another query than the one that was decided."""
    if not standing.answers and standing.account.log_left != -math.inf:
        raise TerminalError(
            f"version {case.candidate.version} was decided by other rules, or against another champion, than those of the pipeline file now: "
            "its scores can only be shown as they were decided. Restore the gate section of then, or decide its span again",
            key="gate",
        )


def _review(case: _Case) -> Judged:
    """Decide again about a version, which costs nothing if the rows are spent, or if the query was answered before.

    Raises:
        TerminalError: It would be another query, and spend a part of the budget.
    """
    from taxiway.ledger.answers.asking import standing_of

    asked = case.asked
    standing = standing_of(case.context.ledger, asked)
    shows_all = not asked.guaranteed and case.gate.shown == "exact"
    if standing.account.log_left == -math.inf or shows_all:
        return Judged(case.evaluated.evaluation, case.decide(standing.decided.log_share if standing.decided else None))
    if standing.answers:
        return _ask(case, standing.answers[0].shown)
    raise TerminalError(
        f"to decide again about version {asked.version} would be another query about the evaluation rows: "
        f"{standing.account.steps:,} of {counted(asked.steps, 'model')} were tried on them (gate.budget). To spend it, decide its span again",
        key="budget",
    )
