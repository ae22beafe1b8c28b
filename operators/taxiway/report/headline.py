"""The verdict in one sentence, and the order and the titles of its reasons."""

from collections.abc import Mapping

from taxiway.messages import counted
from taxiway.records import Reason, ReasonCode, Status, Verdict

_ORDER = (Status.FAIL, Status.UNDECIDED, Status.PASS, Status.NOT_APPLICABLE, Status.INFO)
TITLES: Mapping[ReasonCode, str] = {
    ReasonCode.DATA_REPORT: "Report on the data",
    ReasonCode.DATA_ANOMALY: "Quality of the data",
    ReasonCode.DATA_WAIVER: "Waivers",
    ReasonCode.EVALUATION_MISMATCH: "Evaluation",
    ReasonCode.COLUMNS_MISSING: "Missing columns",
    ReasonCode.CLASSES_UNSEEN: "Unseen classes",
    ReasonCode.CLASSES_ABSENT: "Absent classes",
    ReasonCode.ROWS_TOO_FEW: "Number of rows",
    ReasonCode.GROUPS_TOO_FEW: "Number of groups",
    ReasonCode.LABELS_NOT_COUNTED: "Labels that do not count",
    ReasonCode.METRIC_ALMOST_PERFECT: "Suspiciously good",
    ReasonCode.METRIC_THRESHOLD: "Metric threshold",
    ReasonCode.CONDITION: "Condition",
    ReasonCode.CHAMPION_NEWER: "Older training data",
    ReasonCode.CHAMPION_UNSCORABLE: "Champion",
    ReasonCode.METRIC_AGAINST_CHAMPION: "Against the champion",
    ReasonCode.SLICE_DROP: "Slices",
    ReasonCode.BASELINE: "Baselines",
    ReasonCode.SCORES_WITHHELD: "Scores withheld",
    ReasonCode.ROWS_SHARED: "Other pipelines",
    ReasonCode.ROWS_SPENT: "Spent rows",
}


def title(reason: Reason) -> str:
    """The title of a reason; its code if there is none."""
    return TITLES.get(reason.code, reason.code.value)


def headline(verdict: Verdict, *, needs_approval: bool) -> str:
    """The verdict in one sentence.

    Args:
        verdict: The verdict.
        needs_approval: Whether a person has to approve the version before it is pushed.
    """
    name = f"Version {verdict.version} of {verdict.model}"
    stays = "" if verdict.champion is None else f"; version {verdict.champion} stays the champion"
    failed = [reason for reason in verdict.reasons if reason.status is verdict.status]
    if verdict.status is Status.FAIL:
        return f"{name} does not meet {counted(len(failed), 'requirement')}{stays}."
    if verdict.status is Status.UNDECIDED and any(reason.code is ReasonCode.ROWS_SPENT for reason in failed):
        return f"The evaluation rows are spent, so nothing was decided about {_lower(name)}{stays}."
    if verdict.status is Status.UNDECIDED:
        return f"There is too little evidence about {_lower(name)}: {counted(len(failed), 'requirement')} {'is' if len(failed) == 1 else 'are'} undecided{stays}."
    if verdict.status is not Status.PASS:
        return f"Nothing was decided about {_lower(name)}{stays}."
    may = "become the first champion" if verdict.champion is None else f"replace version {verdict.champion}, the champion"
    return f"{name} meets all requirements and may {may}{', if a person approves it' if needs_approval else ''}."


def unmet(verdict: Verdict) -> str:
    """What was not met, or is undecided, by the titles of the reasons; empty if nothing is."""
    word = {Status.FAIL: "Not met", Status.UNDECIDED: "Undecided"}.get(verdict.status)
    titles = dict.fromkeys(title(reason) for reason in verdict.reasons if reason.status is verdict.status)
    return f"{word}: {', '.join(map(_lower, titles))}." if word else ""


def ordered(verdict: Verdict) -> list[Reason]:
    """The reasons, those that fail first; otherwise in the order of the gate."""
    return sorted(verdict.reasons, key=lambda reason: _ORDER.index(reason.status))


def _lower(name: str) -> str:
    return f"{name[0].lower()}{name[1:]}"
