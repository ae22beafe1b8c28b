"""When labels of a served version are needed next, and of which rows, by what monitoring has found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from taxiway.errors import ConfigError
from taxiway.messages import counted, number_text
from taxiway.monitoring.label_audits import Answer, Audit, AuditPlan, AuditPolicy, audit, band_on, plan_audit
from taxiway.records import Interval
from taxiway.records.served import ServedAudit, ServedPerformance
from taxiway.spec.metrics import facts_of
from taxiway.spec.monitor import Monitor
from taxiway.stages.batch.version import Version
from taxiway.stages.context import StageContext
from taxiway.stages.monitor.windows.log_windows import Every, last_day
from taxiway.stages.monitor.windows.performance import MIN_ROWS, Reference, WindowPerformance

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class LabelAudit:
    """When the next audit of a version is due, and which window it is of.

    Attributes:
        plan: When it is due, and why.
        window: The newest window that has ended, with enough rows; None if there is none.
        bands: Where the metric is in the windows since the last audit, by their first days.
    """

    plan: AuditPlan
    window: WindowPerformance | None
    bands: Mapping[date, Interval]

    @property
    def is_due(self) -> bool:
        """Whether an audit is due, and there is a window for it."""
        return self.plan.is_due and self.window is not None

    @property
    def misses_target(self) -> bool:
        """Whether the labels of the last audit show that the metric misses its target."""
        return self.plan.answer is Answer.MISSED

    @property
    def messages(self) -> tuple[str, ...]:
        """The band, the day on which the audit is due, and the number of labels, a sentence each."""
        return (*self.plan.messages, self._labels_message())

    def record(self) -> ServedAudit:
        """What is recorded of it."""
        plan = self.plan
        return ServedAudit(
            target=plan.policy.target,
            tolerance=plan.policy.tolerance,
            max_change=plan.max_change,
            last=plan.last.found,
            last_at=plan.last.at,
            band=plan.band,
            answer=plan.answer.value,
            due=plan.due,
            labels=plan.labels,
            messages=self.messages,
        )

    def described(self) -> dict[str, Any]:
        """The audit as content for JSON."""
        return {**self.record().model_dump(mode="json"), "window": str(self.window.first) if self.window is not None else None}

    def _labels_message(self) -> str:
        needed = f"the audit needs {counted(self.plan.labels, 'label')}"
        if self.window is None:
            return f"{needed}; no window with at least {MIN_ROWS} rows has ended yet"
        rows, labelled = self.window.rows, self.window.labelled
        have = f"{rows:,} rows, {labelled:,} of them with a label"
        if self.plan.labels > rows:
            return f"{needed}, more than the window from {self.window.first} has ({have}): label all of them, or use longer windows"
        return f"{needed} of the window from {self.window.first} ({have})"


def audit_policy(metric: str, target: float, tolerance: float, max_change: float | None) -> AuditPolicy:
    """What labels are to answer.

    Raises:
        ConfigError: The metric cannot have the value of the target.
    """
    facts = facts_of(metric)
    if not facts.low <= target <= facts.high:
        raise ConfigError(
            f"the target of {metric} is {number_text(target)}; allowed: {number_text(facts.low)} to {number_text(facts.high)}"
        )
    return AuditPolicy(metric, target, tolerance, max_change)


def champion_audit(
    context: StageContext,
    asked: Monitor,
    version: Version,
    reference: Reference,
    windows: Sequence[WindowPerformance],
    before: ServedPerformance | None,
) -> LabelAudit | None:
    """When the next audit of the champion of a pipeline is due, which is logged.

    Args:
        context: The run.
        asked: The section `monitor` of the pipeline.
        version: The champion.
        reference: How well it predicts its evaluation rows.
        windows: Its windows, oldest first.
        before: What the run before has recorded; None if there is none.

    Returns:
        The audit; None if the pipeline has no section `monitor.audit`.
    """
    if asked.audit is None:
        return None
    policy = audit_policy(reference.metric, asked.audit.target, asked.audit.tolerance, asked.audit.max_change)
    recorded, today = _recorded(before, version, reference), context.clock().date()
    made = next_audit(context.registry, version, reference, windows, policy, asked.window, today, recorded)
    for message in made.messages:
        context.log.info("%s", message)
    return made


def next_audit(
    client: "MlflowClient",
    version: Version,
    reference: Reference,
    windows: Sequence[WindowPerformance],
    policy: AuditPolicy,
    every: Every,
    today: date,
    recorded: Audit | None = None,
) -> LabelAudit:
    """When the next audit of a version is due.

    Its audits are the windows that have ended and have enough labels. Before the first one, the evaluation counts as an audit on the day
    on which the version was registered.

    Args:
        client: The MLflow client.
        version: The version.
        reference: How well it predicts its evaluation rows.
        windows: Its windows, oldest first.
        policy: What labels are to answer.
        every: How long a window is.
        today: The day, in UTC.
        recorded: The last audit by the run before, which counts if none of the windows is one; None if there is none.
    """
    ended = [window for window in windows if last_day(window.first, every) < today]
    audits = [
        audit(policy.metric, _middle(window.first, every), window.realised) for window in ended if window.realised is not None
    ] or [recorded or _evaluation(client, version, reference)]
    newest = next((window for window in reversed(ended) if window.rows >= MIN_ROWS), None)
    later = newest is not None and _middle(newest.first, every) > audits[-1].at
    plan = plan_audit(policy, audits, today, newest.estimated if newest is not None and later else None)
    return LabelAudit(plan, newest, _bands(plan, windows, every))


def command_text(version: Version, log: Path, policy: AuditPolicy, every: Every, windows: int) -> str:
    """The command that writes the rows to be labelled, by the newest windows."""
    change = f" --max-change {number_text(policy.max_change)}" if policy.max_change is not None else ""
    asked = f"--metric {quote(policy.metric)} --target {number_text(policy.target)} --tolerance {number_text(policy.tolerance)}{change}"
    return f"taxiway audit {version.model}/{version.version} --log {quote(str(log))} --every {every} --windows {windows} {asked} -o labels.csv"


def _recorded(before: ServedPerformance | None, version: Version, reference: Reference) -> Audit | None:
    """The last audit by the run before: its window may be older than those that are compared."""
    if before is None or before.audit is None or (before.version, before.metric) != (version.version, reference.metric):
        return None
    return Audit(before.audit.last_at, before.audit.last)


def _evaluation(client: "MlflowClient", version: Version, reference: Reference) -> Audit:
    registered = client.get_model_version(version.model, str(version.version)).creation_timestamp
    return audit(reference.metric, datetime.fromtimestamp(registered / 1000, UTC).date(), reference.performance)


def _bands(plan: AuditPlan, windows: Sequence[WindowPerformance], every: Every) -> dict[date, Interval]:
    if plan.max_change is None:
        return {}
    middles = {window.first: _middle(window.first, every) for window in windows}
    return {
        first: band_on(plan.policy.metric, plan.last, plan.max_change, at)
        for first, at in middles.items()
        if at >= plan.last.at
    }


def _middle(first: date, every: Every) -> date:
    """The day in the middle of a window: the metric of evenly spread rows differs from that of this day least."""
    return first + timedelta(days=(last_day(first, every) - first).days // 2)
