"""A gateway's log is checked against the models: a wrong answer in it is found, and decides nothing."""

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from misbehaving import Healthy, Raises

from taxiway.errors import WrongAnswersError
from taxiway.records import ShadowReport, Status
from taxiway.records.shadow_pairs import Answer, Pair
from taxiway.serving.answer_check import LoggedAnswer, check_answers, check_shadow

CHAMPION, CHALLENGER = 3, 4
PASSED = ShadowReport(model="m", version=CHALLENGER, champion=CHAMPION, status=Status.PASS, reasons=(), requests=300)


def body(*xs: Any) -> str:
    return json.dumps({"dataframe_records": [{"x": x} for x in xs]})


def own(*xs: float) -> list[list[float]]:
    return [[1 - x, x] for x in xs]


def pair(number: int, *, answered: Any = None, champion: int = CHAMPION, sent: str | None = None) -> Pair:
    """A request of two rows, which both sides answer as `Healthy` does, unless the challenger says what is `answered`."""
    xs = (number / 1000, 0.5)
    return Pair(
        request_id=f"r{number}",
        call=f"c{number}",
        at=datetime(2026, 1, 1, tzinfo=UTC),
        champion=Answer(version=champion, predictions=own(*xs), error="", latency_ms=1),
        challenger=Answer(version=CHALLENGER, predictions=answered or own(*xs), error="", latency_ms=1),
        body=body(*xs) if sent is None else sent,
    )


def test_a_log_with_the_answers_of_the_models_is_a_reason_with_the_numbers() -> None:
    report = check_shadow(PASSED, [pair(i) for i in range(600)], lambda _: Healthy())
    assert report.status is Status.PASS
    assert report.checked_answers == 1200
    assert report.reasons[-1].message == (
        "600 of 600 champion answers and 600 of 600 challenger answers in the log equal what the models compute for the logged rows"
    )


@pytest.mark.parametrize(
    "answered",
    [
        [[1 - 0.007, 0.007], [0.5, 0.5 + 1e-8]],
        [[1 - 0.007, 0.007]],
        [[1 - 0.007, 0.007], [0.5]],
        [["0.993", "0.007"], [0.5, 0.5]],
        [[True, False], [0.5, 0.5]],
        [{"no": 0.993, "yes": 0.007}, [0.5, 0.5]],
        ["late", "early"],
    ],
)
def test_one_wrong_answer_of_many_is_an_error_with_numbers_an_example_and_advice(answered: Any) -> None:
    pairs = [pair(i, answered=answered if i == 7 else None) for i in range(300)]
    with pytest.raises(WrongAnswersError) as raised:
        check_shadow(PASSED, pairs, lambda _: Healthy())
    message = str(raised.value)
    assert message.startswith("1 of 300 logged answers of the challenger, m version 4, differ from what the model computes")
    assert "version 4 answered request r7 with [" in message
    assert "but the model computes: [[0.993,0.007],[0.5,0.5]]" in message
    assert "run the shadow again" in message


def test_an_answer_to_rows_that_the_model_refuses_is_wrong() -> None:
    found = check_answers({1: [LoggedAnswer("r1", body("noon"), [[0.5, 0.5]])]}, lambda _: Healthy())
    assert (found.answers, found.equal) == (1, 0)
    assert found.difference is not None
    assert (
        "but the model computes: the rows do not match the inputs of the model: row 0: column x is 'noon'" in found.difference
    )
    assert check_answers({1: [LoggedAnswer("r1", body(0.5), own(0.5))]}, lambda _: Raises()).equal == 0


def test_the_last_digit_that_another_processor_rounds_is_no_difference() -> None:
    answered = [[1 - 0.007, 0.007], [0.5, 0.5 + 1e-13]]
    assert check_shadow(PASSED, [pair(7, answered=answered)], lambda _: Healthy()).status is Status.PASS


@pytest.mark.parametrize("answered", [1 - 1e-10, 1 - 1e-13, 0.5])
def test_a_probability_near_0_has_no_more_digits_than_that_near_1(answered: float) -> None:
    """It is computed as a difference from 1, of which another processor may round the last bit otherwise."""

    class Sure:
        metadata = Healthy.metadata

        def predict(self, frame: Any) -> Any:
            return [[1 - answered, answered]] * len(frame)

    other = math.nextafter(answered, 0.0)
    found = check_answers({1: [LoggedAnswer("r1", body(0.5), [[1 - other, other]])]}, lambda _: Sure())
    assert (found.answers, found.equal) == (1, 1), found.difference


def test_errors_and_the_answers_of_another_champion_are_not_checked() -> None:
    failed = pair(1).model_copy(update={"challenger": Answer(version=CHALLENGER, predictions=None, error="x", latency_ms=1)})
    report = check_shadow(PASSED, [failed, pair(2), pair(3, champion=2)], lambda _: Healthy())
    assert report.reasons[-1].message.startswith("2 of 2 champion answers and 2 of 2 challenger answers")


def test_a_log_without_bodies_is_not_called_right() -> None:
    pairs = [pair(i).model_copy(update={"body": None}) for i in range(300)]
    report = check_shadow(PASSED, pairs, lambda _: pytest.fail("no model is needed"))
    assert report.status is report.reasons[-1].status is Status.UNDECIDED
    assert report.checked_answers == 0
    failed = check_shadow(PASSED.model_copy(update={"status": Status.FAIL}), pairs, lambda _: Healthy())
    assert failed.status is Status.FAIL


def test_a_report_from_before_has_no_such_number() -> None:
    assert "checked_answers" not in PASSED.to_json()
    assert ShadowReport.from_json(PASSED.to_json()).checked_answers is None
