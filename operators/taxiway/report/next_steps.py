"""What a person may do after a verdict, with the commands."""

import shlex
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from taxiway.records import Anomaly, ReasonCode, Status, Waiver
from taxiway.report.content import ReportContent

_MAX_WAIVERS = 5
_WHY = ("--reason", "WHY")
_DECIDABLE = (ReasonCode.ROWS_TOO_FEW, ReasonCode.METRIC_THRESHOLD, ReasonCode.METRIC_AGAINST_CHAMPION, ReasonCode.CONDITION)


@dataclass(frozen=True)
class Step:
    """Something that a person may do.

    Attributes:
        what: What it does, as a sentence.
        command: The words of the command, quoted for a shell; empty if there is none.
    """

    what: str
    command: tuple[str, ...] = ()


def next_steps(content: ReportContent) -> list[Step]:
    """What a person may do about a version, most likely first."""
    verdict = content.verdict
    steps = list(_after_pass(content) if verdict.status is Status.PASS else _after_refusal(content))
    version = f"{verdict.model}/{verdict.version}"
    if content.evaluation.withheld and not (verdict.spent is not None and verdict.spent.is_spent):
        show = "See the scores that are withheld, and spend the evaluation rows."
        steps.append(Step(show, ("taxiway", "gate", "show", version)))
    if verdict.spent is not None:
        steps.append(Step("See which models were tried on which rows.", ("taxiway", "gate", "ledger", verdict.model)))
    return [
        *steps,
        Step(
            "Find out what would be decided today, if waivers have ended or data was corrected.", ("taxiway", "review", version)
        ),
        Step("See the data, the parameters and the runs behind the version.", ("taxiway", "lineage", "model", version)),
    ]


def needs_approval(content: ReportContent) -> bool:
    """Whether a person has to approve the version before it is pushed."""
    return content.pipeline.approval is not None or content.verdict.needs_approval


def _after_pass(content: ReportContent) -> Iterator[Step]:
    verdict, pipeline = content.verdict, content.pipeline
    version, has_shadow = f"{verdict.model}/{verdict.version}", pipeline.shadow is not None and verdict.champion is not None
    after = " after the shadow" if has_shadow else ""
    if needs_approval(content):
        yield Step(f"Approve the version: the run waits for it{after}.", ("taxiway", "approve", version, *_WHY))
        yield Step("Reject it: it is not pushed.", ("taxiway", "reject", version, *_WHY))
    elif has_shadow:
        yield Step(
            "Nothing has to be done: the run goes on to the shadow, which compares both versions on live requests, and then to the push."
        )
    else:
        yield Step("Nothing has to be done: the run goes on to the push.")
    if verdict.champion is not None:
        yield Step("Return to the champion of before, after the push.", ("taxiway", "rollback", verdict.model, *_WHY))


def _after_refusal(content: ReportContent) -> Iterator[Step]:
    verdict, span = content.verdict, content.snapshot.target_span.name
    version = f"{verdict.model}/{verdict.version}"
    open_codes = {reason.code for reason in verdict.reasons if reason.status in (Status.FAIL, Status.UNDECIDED)}
    for name in _waivable(content, open_codes)[:_MAX_WAIVERS]:
        yield Step(
            f"Accept the anomaly {name} until a day, if the data is right; then decide span {span} again.",
            ("taxiway", "waive", version, "--anomaly", shlex.quote(name), "--until", "YYYY-MM-DD", *_WHY),
        )
    if verdict.status is Status.UNDECIDED and open_codes.intersection(_DECIDABLE):
        yield Step("Wait for the next span, or evaluate on more rows: the reasons say about how many would decide.")
        if content.pipeline.source.unlabelled in ("wait", "drop"):
            yield Step("Have people label rows.", ("taxiway", "label", "export", version, "--output", "rows.csv"))
    if ReasonCode.CHAMPION_UNSCORABLE in open_codes:
        yield Step("Retire the champion, which cannot be scored any more.", ("taxiway", "retire", verdict.model, *_WHY))
    yield Step(
        "Push the version although it did not pass: every page names the person and the reason until it is replaced.",
        ("taxiway", "force", version, *_WHY),
    )


def _waivable(content: ReportContent, open_codes: Collection[ReasonCode]) -> list[str]:
    """The anomalies because of which the data did not pass, as `taxiway waive` takes them."""
    found: list[Anomaly | Waiver] = []
    if ReasonCode.DATA_ANOMALY in open_codes:
        found += content.data.blocking
    if ReasonCode.DATA_WAIVER in open_codes:
        found += [waiver for waiver in content.data.waivers if waiver.until < content.today]
    return list(dict.fromkeys(f"{one.kind}:{one.column}" if one.column else one.kind for one in found))
