"""The shadow gate's reason about labels: whether the challenger performs worse than the champion on requests whose labels are known.

The interval is a confidence sequence (`taxiway.stats.sequential`), which holds for all numbers of requests at once. So the shadow may
look whenever labels have come, and stop as soon as they decide.
"""

import math
from collections.abc import Sequence

from taxiway.gates.shadow.estimates import VersionClasses
from taxiway.gates.shadow.losses import largest_loss, loss_differences
from taxiway.gates.wording import ci_label, decimals, estimate_and_bounds, interval_text, rule_text
from taxiway.messages import counted, number_text
from taxiway.records import Interval, Reason, ReasonCode, Status
from taxiway.records.shadow_pairs import Pair
from taxiway.spec.shadow import ShadowLabels
from taxiway.stats.sequential import sequence_limits

LABELS_METHOD = "confidence sequence by betting (Waudby-Smith and Ramdas 2024)"


def judge_labels(
    pairs: Sequence[Pair], labels: ShadowLabels, confidence: float, classes: VersionClasses
) -> tuple[Reason, Interval | None]:
    """Judge the difference of both versions' mean losses on requests with labels.

    Args:
        pairs: The pairs with labels for all rows, of the champion that the challenger is compared with.
        labels: The requirements.
        confidence: The two-sided confidence level, such as 0.99.
        classes: The classes of both versions.

    Returns:
        The reason, and the mean difference with its confidence sequence; None without a request that can be compared. If labels are not
        `required`, the reason is INFO instead of UNDECIDED.
    """
    difference = _difference(pairs, labels, confidence, classes)
    if difference is None:
        unknown = "" if labels.compared == "mae" or (classes.champion and classes.challenger) else _NO_CLASSES
        return _reason(_open(labels), labels, f"{_UNLABELLED}{unknown}{_rest(labels)}"), None
    status = Status.PASS if difference.high <= labels.allowed else Status.FAIL
    if difference.low <= labels.allowed < difference.high:
        status = _open(labels)
    rest = _rest(labels) if status in (Status.UNDECIDED, Status.INFO) else ""
    return _reason(status, labels, f"{_message(difference, labels, confidence)}{rest}", difference), difference


_UNLABELLED = "no request with predictions from both versions has labels for all of its rows"
_NO_CLASSES = " and the classes of both versions are not known, so no loss can be computed"


def _difference(pairs: Sequence[Pair], labels: ShadowLabels, confidence: float, classes: VersionClasses) -> Interval | None:
    if labels.compared != "mae" and not (classes.champion and classes.challenger):
        return None
    differences = loss_differences(pairs, labels, classes)
    if not len(differences):
        return None
    scale = largest_loss(labels, classes)
    low, high = sequence_limits(differences / scale, math.log((1 - confidence) / 2))
    return Interval(value=float(differences.mean()), low=low * scale, high=high * scale, rows=len(differences))


def _message(difference: Interval, labels: ShadowLabels, confidence: float) -> str:
    limit = labels.allowed
    size = max(map(abs, (*estimate_and_bounds(difference), limit)))
    digits = decimals(estimate_and_bounds(difference), (limit,), least=4, scale=size)
    if difference.value == 0:
        compared = "the same as"
    else:
        compared = f"{abs(difference.value):.{digits}f} {'worse' if difference.value > 0 else 'better'} than"
    return (
        f"on {counted(difference.rows, 'request')} with labels, the challenger's {labels.compared} is {compared} the champion's "
        f"({ci_label(confidence)} of the increase of the loss {interval_text(difference, f'+.{digits}f')}, valid however often one looks; "
        f"allowed: at most {number_text(limit)} worse)"
    )


def _open(labels: ShadowLabels) -> Status:
    return Status.UNDECIDED if labels.required else Status.INFO


def _rest(labels: ShadowLabels) -> str:
    return "; more labels are needed" if labels.required else "; the other requirements decide"


def _reason(status: Status, labels: ShadowLabels, message: str, estimate: Interval | None = None) -> Reason:
    return Reason(
        status=status,
        code=ReasonCode.SHADOW_LABELS,
        message=message,
        rule=rule_text(f"labels.tolerance: increase of the loss of {labels.compared}", -1, labels.allowed),
        estimate=estimate,
        limit=labels.allowed,
        method=None if estimate is None else LABELS_METHOD,
    )
