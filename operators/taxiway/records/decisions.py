"""The records of decisions: verdicts, shadow reports, promotions and run summaries."""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import AwareDatetime

from taxiway.records.base import Migration, Record, Status, renamed, without
from taxiway.records.data import Span
from taxiway.records.evaluation import Interval, Version
from taxiway.records.evaluation_sets import SpentRows
from taxiway.records.reason_codes import ReasonCode


class Reason(Record):
    """One reason for a decision.

    Attributes:
        status: Its status.
        code: What it is about.
        message: One sentence with the numbers.
        rule: The requirement, as the section of the pipeline file has it: `thresholds.roc_auc >= 0.6`; None if there is none.
        estimate: The number that the requirement is about, with its confidence interval; None if there is no such interval.
        limit: The number that the estimate is compared with, in its unit; None if there is none.
        method: How the interval was computed; None without an interval.
    """

    status: Status
    code: ReasonCode
    message: str
    rule: str | None = None
    estimate: Interval | None = None
    limit: float | None = None
    method: str | None = None


def _with_unknown_codes(body: dict[str, Any]) -> dict[str, Any]:
    """A migration: reasons had no codes."""
    return {**body, "reasons": [{"code": ReasonCode.UNKNOWN.value, **reason} for reason in body["reasons"]]}


class Verdict(Record):
    """The model gate's decision on a model version.

    Attributes:
        model: The name of the registered model.
        version: The version that was validated.
        champion: The version of the champion; None if there was none.
        snapshot: The digest of the snapshot.
        report: The digest of the data report; None if there was none.
        evaluation: The digest of the evaluation.
        status: FAIL if any reason is FAIL, else UNDECIDED if any is UNDECIDED, else PASS.
        reasons: The reasons.
        files: The digest of the files of the version that was validated; None if it is not known.
        needs_approval: Whether a person has to approve the version although its pipeline does not always require it, because the
            champion could not be scored.
        spent: What is spent of the evaluation rows; None in a verdict of an earlier version of Taxiway.
    """

    record_version: ClassVar[int] = 4
    migrations: ClassVar[Mapping[int, Migration]] = {
        1: without("champion", "report"),
        2: renamed(sentence="message"),
        3: _with_unknown_codes,
    }

    model: str
    version: int
    champion: Version | None = None
    snapshot: str
    report: str | None = None
    evaluation: str
    status: Status
    reasons: tuple[Reason, ...]
    files: str | None = None
    needs_approval: bool = False
    spent: SpentRows | None = None


class ShadowReport(Record):
    """The paired comparison of challenger and champion on live requests, and the decision.

    Attributes:
        model: The name of the registered model.
        version: The version of the challenger.
        champion: The version of the champion; None if there was none.
        status: The decision; NOT_APPLICABLE without a champion or without a `shadow` section.
        reasons: The reasons.
        requests: The number of pairs: live requests with a result from both versions, predictions or an error.
        replayed: The number of logged requests that the challenger was asked afterwards. They count in the agreement, the errors and the
            loss, and not in the latencies.
        agreement: The fraction of rows for which both predicted the same label; None if it could not be estimated.
        score_shift: The mean difference of the scores, challenger minus champion; None if it could not be estimated.
        champion_errors: The number of pairs in which the champion returned an error.
        challenger_errors: The number of pairs in which the challenger returned an error.
        latency_p50_ratio: The ratio of the median latencies, challenger to champion; None if it could not be estimated.
        latency_p99_ratio: The same ratio of the 99th percentiles.
        loss_difference: The mean difference of the losses on requests with labels, challenger minus champion, with the confidence sequence;
            `rows` is the number of these requests. None without `shadow.labels`, or without such requests.
        checked_answers: The number of logged predictions of both versions that were recomputed with the models and are equal;
            None if none were recomputed.
    """

    record_version: ClassVar[int] = 4
    migrations: ClassVar[Mapping[int, Migration]] = {
        1: without("champion"),
        2: renamed(sentence="message"),
        3: _with_unknown_codes,
    }

    model: str
    version: int
    champion: Version | None = None
    status: Status
    reasons: tuple[Reason, ...]
    requests: int = 0
    replayed: int = 0
    agreement: Interval | None = None
    score_shift: Interval | None = None
    champion_errors: int = 0
    challenger_errors: int = 0
    latency_p50_ratio: Interval | None = None
    latency_p99_ratio: Interval | None = None
    loss_difference: Interval | None = None
    checked_answers: int | None = None

    def is_about(self, verdict: Verdict) -> bool:
        """Whether it compared the version of a verdict with the same champion; a cleared run may have one against an earlier champion."""
        return (self.model, self.version, self.champion) == (verdict.model, verdict.version, verdict.champion)


class Promotion(Record):
    """The event that an alias moved to another version.

    Attributes:
        model: The name of the registered model.
        alias: The alias.
        from_version: The version before; None if the alias did not exist.
        to_version: The version after; None if the model was retired.
        by: The user or the run that moved the alias.
        at: The time, with a time zone.
        verdict: The digest of the verdict; None for a rollback and for the end of a champion.
        shadow: The digest of the shadow report; None for a rollback, a forced promotion and the end of a champion.
        reason: Why the alias moved.
        decision: The digest of the decision of a person that the promotion rests on; None if there is none.
        files: The digest of the files of the version after; None if it is not known.
        downstream: The pipelines that have read predictions of the model, by name; of many, the first ones.
        downstream_more: The number of further such pipelines.
    """

    record_version: ClassVar[int] = 2
    migrations: ClassVar[Mapping[int, Migration]] = {1: without("from_version", "verdict", "shadow")}

    model: str
    alias: str
    from_version: Version | None = None
    to_version: Version | None
    by: str
    at: AwareDatetime
    verdict: str | None = None
    shadow: str | None = None
    reason: str
    decision: str | None = None
    files: str | None = None
    downstream: tuple[str, ...] = ()
    downstream_more: int = 0

    @property
    def forced(self) -> bool:
        """Whether a person promoted a version that had not passed its gates."""
        return self.decision is not None and self.shadow is None


class DecisionKind(StrEnum):
    """What a person decided.

    Attributes:
        APPROVAL: A version that passed its gates may be pushed.
        REJECTION: It may not.
        WAIVER: An anomaly of a data report is accepted until a date.
        FORCE: A version is pushed although it did not pass.
        LABELS: Labels for rows of a version's evaluation were imported.
        ACKNOWLEDGEMENT: An alert of monitoring was acknowledged.
        RUN: A run was started.
        AGAIN: A span is decided again.
    """

    APPROVAL = "approval"
    REJECTION = "rejection"
    WAIVER = "waiver"
    FORCE = "force"
    LABELS = "labels"
    ACKNOWLEDGEMENT = "acknowledgement"
    RUN = "run"
    AGAIN = "run again"


class Decision(Record):
    """An answer of a person to a question of the platform.

    Attributes:
        kind: What was decided.
        model: The registered model, which has the name of its pipeline.
        version: The version that the decision is about; None if it is about data only.
        about: The digest of the record that it is about: a Verdict, for a waiver a DataReport, for an acknowledgement a ServedAlert, for
            a span that is decided again the RunSummary of its newest attempt. For a run that was started, the id of that run.
        by: Who decided, as the operating system or Airflow's login names them.
        via: Where: `command line` or `airflow`.
        at: When, with a time zone.
        reason: Why.
        until: The last day on which a waiver holds; None for other kinds.
        anomaly: The kind of the anomaly that a waiver accepts; None for other kinds.
        column: The column of that anomaly; None for the whole table.
        span: The span that is decided again; None for other kinds.
    """

    kind: DecisionKind
    model: str
    version: Version | None = None
    about: str
    by: str
    via: str
    at: AwareDatetime
    reason: str
    until: date | None = None
    anomaly: str | None = None
    column: str | None = None
    span: str | None = None


class Outcome(StrEnum):
    """The outcome of a run.

    Attributes:
        FIRST_CHAMPION: The model became the first champion.
        PROMOTED: The model replaced the champion.
        BLOCKED: The data did not pass.
        REJECTED: The model did not pass the gate or the shadow.
        UNDECIDED: The gate or the shadow could not decide.
    """

    FIRST_CHAMPION = "FIRST_CHAMPION"
    PROMOTED = "PROMOTED"
    BLOCKED = "BLOCKED"
    REJECTED = "REJECTED"
    UNDECIDED = "UNDECIDED"


class RunSummary(Record):
    """The outcome of a run. It marks the target span as processed.

    Attributes:
        pipeline: The name of the pipeline.
        run: The id of the run.
        span: The target span.
        outcome: The outcome.
        reasons: Why, as messages.
        version: The model version; None if no model was trained.
        mlflow_run: The id of the MLflow run.
        attempt: Which decision about this version of the span it is, from 1; the newest stands.
        again: Why the span was decided again; None for the first attempt.
        previous: The digest of the summary of the attempt before; None for the first attempt.
        started_by: What has started the run, in a sentence.
        retraining: Why monitoring has started the run, in a sentence; empty if it has not.
    """

    record_version: ClassVar[int] = 2
    migrations: ClassVar[Mapping[int, Migration]] = {1: without("version")}

    pipeline: str
    run: str
    span: Span
    outcome: Outcome
    reasons: tuple[str, ...]
    version: Version | None = None
    mlflow_run: str
    attempt: int = 1
    again: str | None = None
    previous: str | None = None
    started_by: str = ""
    retraining: str = ""
