"""Checks the answers in a gateway's log: the models compute them again from the logged requests."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from taxiway.errors import WrongAnswersError
from taxiway.models.predictor import predictor_of
from taxiway.records import Reason, ReasonCode, ShadowReport, Status, worst
from taxiway.records.shadow_pairs import Answer, Pair
from taxiway.serving.protocol import LARGEST_LIMITS, read_rows
from taxiway.serving.workers.process import predict_with

MAX_CHECKED = 10_000
"""How many pairs of a shadow are checked at most, the newest ones; see also `request_log.MAX_BODIES_BYTES`."""
# The gateway may run on another machine, whose processor rounds the last digits of a sum differently.
_TOLERANCE = 1e-9
_REQUESTS_AT_ONCE = 256
_QUOTED = 200

Load = Callable[[int], Any]
"""Loads a version as a pyfunc model."""


@dataclass(frozen=True)
class LoggedAnswer:
    """A logged request with the answer of a version.

    Attributes:
        request_id: The request's id.
        body: The request's JSON.
        predictions: The logged predictions.
    """

    request_id: str
    body: str
    predictions: list[Any]


@dataclass(frozen=True)
class AnswerCheck:
    """The result of a check.

    Attributes:
        answers: How many logged answers were computed again.
        equal: How many of them are equal.
        difference: The first answer that is not equal; None if all are.
    """

    answers: int
    equal: int
    difference: str | None = None


def check_answers(answers: Mapping[int, Sequence[LoggedAnswer]], load: Load) -> AnswerCheck:
    """Compute logged answers again with the models, and compare.

    Answers are equal if they have the same structure, the same texts, and numbers that differ by at most a billionth of the largest
    number in the model's answers. (A probability near 0 is computed as a difference from 1, so it has no more correct digits.)

    Args:
        answers: The logged answers by version.
        load: Called once for each version that has answers.
    """
    total, equal, difference = 0, 0, None
    for version, logged in answers.items():
        if not logged:
            continue
        predictor = predictor_of(load(version))
        for start in range(0, len(logged), _REQUESTS_AT_ONCE):
            batch = logged[start : start + _REQUESTS_AT_ONCE]
            outcomes = predict_with(predictor, [read_rows(answer.body.encode(), LARGEST_LIMITS)[1] for answer in batch])
            recomputed_answers = [json.loads(outcome.predictions) if outcome.status == 200 else None for outcome in outcomes]
            allowed = _TOLERANCE * max(map(_magnitude, recomputed_answers))
            for answer, outcome, recomputed in zip(batch, outcomes, recomputed_answers, strict=True):
                is_equal = recomputed is not None and _equal(answer.predictions, recomputed, allowed)
                equal += is_equal
                if not is_equal and difference is None:
                    shown = _short(outcome.predictions or outcome.error)
                    difference = (
                        f"version {version} answered request {answer.request_id} with {_short(json.dumps(answer.predictions))}, "
                        f"but the model computes: {shown}"
                    )
        total += len(logged)
    return AnswerCheck(total, equal, difference)


def check_shadow(report: ShadowReport, pairs: Sequence[Pair], load: Load) -> ShadowReport:
    """Check the logged answers of champion and challenger, and add a reason to the report.

    Args:
        report: The report of the comparison.
        pairs: The pairs; those without the request's body are not checked.
        load: Loads a version.

    Raises:
        WrongAnswersError: A logged answer differs from the model's, so the log cannot be used for a decision.
    """
    assert report.champion is not None
    champion = [_logged_answer(pair, pair.champion) for pair in pairs if pair.champion.version == report.champion]
    challenger = [_logged_answer(pair, pair.challenger) for pair in pairs]
    checks = [
        check_answers({version: [answer for answer in answers if answer is not None]}, load)
        for version, answers in ((report.champion, champion), (report.version, challenger))
    ]
    for name, version, check in zip(("champion", "challenger"), (report.champion, report.version), checks, strict=True):
        if check.equal < check.answers:
            raise WrongAnswersError(
                f"{check.answers - check.equal:,} of {check.answers:,} logged answers of the {name}, {report.model} version "
                f"{version}, differ from what the model computes for the logged rows; the first: {check.difference}. The shadow is not "
                "decided. Check that the server of this version has the same versions of the libraries as this task, restart it, and "
                "run the shadow again",
                key=f"{report.model}/{version}",
                got=check.difference,
            )
    reason = _reason(*checks)
    return report.model_copy(
        update={
            "reasons": (*report.reasons, reason),
            "status": worst((report.status, reason.status)),
            "checked_answers": sum(check.answers for check in checks),
        }
    )


def _reason(champion: AnswerCheck, challenger: AnswerCheck) -> Reason:
    if not champion.answers or not challenger.answers:
        return Reason(
            status=Status.UNDECIDED,
            code=ReasonCode.SHADOW_ANSWERS,
            message=f"the log has the requests of {champion.answers:,} champion answers and {challenger.answers:,} challenger answers, "
            "too few to check the answers with the models",
        )
    return Reason(
        status=Status.PASS,
        code=ReasonCode.SHADOW_ANSWERS,
        message=f"{champion.equal:,} of {champion.answers:,} champion answers and {challenger.equal:,} of {challenger.answers:,} "
        "challenger answers in the log equal what the models compute for the logged rows",
    )


def _logged_answer(pair: Pair, answer: Answer) -> LoggedAnswer | None:
    """The answer with its request; None if it is an error, or if the body of the request is not known."""
    if pair.body is None or answer.predictions is None:
        return None
    return LoggedAnswer(pair.request_id, pair.body, answer.predictions)


def _equal(logged: Any, computed: Any, allowed: float) -> bool:
    if isinstance(logged, list) and isinstance(computed, list):
        return len(logged) == len(computed) and all(_equal(a, b, allowed) for a, b in zip(logged, computed, strict=True))
    if isinstance(logged, dict) and isinstance(computed, dict):
        return logged.keys() == computed.keys() and all(
            _equal(value, computed[name], allowed) for name, value in logged.items()
        )
    if _is_number(logged) and _is_number(computed):
        return bool(abs(logged - computed) <= allowed)
    return type(logged) is type(computed) and bool(logged == computed)


def _magnitude(answer: Any) -> float:
    """The largest absolute value of the numbers in an answer; 0 if it has none."""
    if isinstance(answer, list | dict):
        return max(map(_magnitude, answer.values() if isinstance(answer, dict) else answer), default=0.0)
    return abs(float(answer)) if _is_number(answer) and math.isfinite(answer) else 0.0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _short(text: str) -> str:
    return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}..."
