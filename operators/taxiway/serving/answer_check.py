"""Whether the answers in a gateway's log are those of the models: they are computed again from the logged requests."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from taxiway.errors import WrongAnswersError
from taxiway.records import Reason, ShadowReport, Status, worst
from taxiway.records.shadow_pairs import Answer, Pair
from taxiway.serving.protocol import read_rows
from taxiway.serving.workers.process import predict_with

MAX_CHECKED = 10_000
"""Of a shadow, so many pairs are checked at most, the newest ones; see also `request_log.MAX_BODIES_BYTES`."""
# The gateway may run on another machine than the check, whose processor rounds the last digits of a sum in another way.
_TOLERANCE = 1e-9
_REQUESTS_AT_ONCE = 256
_QUOTED = 200

Load = Callable[[int], Any]
"""Loads a version as a pyfunc model."""


@dataclass(frozen=True)
class LoggedAnswer:
    """A request as it was logged: its body, and the predictions with which a version answered it."""

    request_id: str
    body: str
    predictions: list[Any]


@dataclass(frozen=True)
class AnswerCheck:
    """How many logged answers were computed again, and how many were `equal`; `difference` is about the first that was not."""

    answers: int
    equal: int
    difference: str | None = None


def check_answers(answers: Mapping[int, Sequence[LoggedAnswer]], load: Load) -> AnswerCheck:
    """Compute the answers of each version again with the model itself, and compare.

    Answers are equal if they have the same form, the same texts, and numbers that differ by at most a billionth of the model's largest
    answer: a probability near 0 is a difference from 1, and has no more digits than that.

    Args:
        answers: The logged answers by version.
        load: Called once for each version that has answers.
    """
    total, equal, difference = 0, 0, None
    for version, logged in answers.items():
        model = load(version) if logged else None
        for start in range(0, len(logged), _REQUESTS_AT_ONCE):
            batch = logged[start : start + _REQUESTS_AT_ONCE]
            outcomes = predict_with(model, [read_rows(answer.body.encode())[1] for answer in batch])
            own_answers = [json.loads(outcome.predictions) if outcome.status == 200 else None for outcome in outcomes]
            allowed = _TOLERANCE * max(map(_magnitude, own_answers))
            for answer, outcome, again in zip(batch, outcomes, own_answers, strict=True):
                same = again is not None and _same(answer.predictions, again, allowed)
                equal += same
                if not same and difference is None:
                    own = _short(outcome.predictions or outcome.error)
                    difference = (
                        f"version {version} answered request {answer.request_id} with {_short(json.dumps(answer.predictions))}, "
                        f"the model itself with {own}"
                    )
        total += len(logged)
    return AnswerCheck(total, equal, difference)


def check_shadow(report: ShadowReport, pairs: Sequence[Pair], load: Load) -> ShadowReport:
    """The report with a reason about the logged answers of both sides, which are checked if `pairs` carry the request's body.

    Raises:
        WrongAnswersError: A logged answer is not the model's own. Nothing can be decided on such a log.
    """
    assert report.champion is not None
    champion = [_logged(pair, pair.champion) for pair in pairs if pair.champion.version == report.champion]
    challenger = [_logged(pair, pair.challenger) for pair in pairs]
    checks = [
        check_answers({version: [answer for answer in answers if answer is not None]}, load)
        for version, answers in ((report.champion, champion), (report.version, challenger))
    ]
    for name, version, check in zip(("champion", "challenger"), (report.champion, report.version), checks, strict=True):
        if check.equal < check.answers:
            raise WrongAnswersError(
                f"{check.answers - check.equal:,} of {check.answers:,} logged answers of the {name}, {report.model} version "
                f"{version}, are not what the model itself answers to the logged rows; the first: {check.difference}. Nothing is "
                "decided on such answers. Restart what serves this version, see that it has the same versions of the libraries "
                "as this task, and run the shadow again",
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
            message=f"of {champion.answers:,} answers of the champion and {challenger.answers:,} of the challenger the log has the "
            "requests, too few to check them with the models themselves",
        )
    return Reason(
        status=Status.PASS,
        message=f"{champion.equal:,} of {champion.answers:,} answers of the champion and {challenger.equal:,} of "
        f"{challenger.answers:,} of the challenger equal what the models themselves answer to the logged rows",
    )


def _logged(pair: Pair, answer: Answer) -> LoggedAnswer | None:
    """The answer, if it is one, and if the request that it answers is known."""
    if pair.body is None or answer.predictions is None:
        return None
    return LoggedAnswer(pair.request_id, pair.body, answer.predictions)


def _same(logged: Any, own: Any, allowed: float) -> bool:
    if isinstance(logged, list) and isinstance(own, list):
        return len(logged) == len(own) and all(_same(a, b, allowed) for a, b in zip(logged, own, strict=True))
    if isinstance(logged, dict) and isinstance(own, dict):
        return logged.keys() == own.keys() and all(_same(value, own[name], allowed) for name, value in logged.items())
    if _is_number(logged) and _is_number(own):
        return bool(abs(logged - own) <= allowed)
    return type(logged) is type(own) and bool(logged == own)


def _magnitude(answer: Any) -> float:
    """The largest number in an answer, whatever its sign; 0 if it has none."""
    if isinstance(answer, list | dict):
        return max(map(_magnitude, answer.values() if isinstance(answer, dict) else answer), default=0.0)
    return abs(float(answer)) if _is_number(answer) and math.isfinite(answer) else 0.0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _short(text: str) -> str:
    return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}..."
