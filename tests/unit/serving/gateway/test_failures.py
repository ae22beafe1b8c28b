import logging

import pytest

from taxiway.serving.callers import Caller, Scope
from taxiway.serving.gateway.http.failures import Failures
from taxiway.serving.workers.base import Outcome

SHOP, ADMIN = Caller(name="shop"), Caller(name="admin", scopes=(Scope.ADMIN,))
RAISED = Outcome(500, "", "the model failed: KeyError: 'iban DE89'", 1.0, 0, admin_only=True)
UNLOADABLE = Outcome(503, "", "m version 2 could not be loaded: OSError: /srv", 0.0, 0, retry_after_s=7.2, admin_only=True)


def written(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_each_kind_of_failure_has_a_neutral_message() -> None:
    failures = Failures()
    known = "to ask those who operate the gateway, give them the request id 17"
    assert failures.message("m", "17", SHOP, RAISED) == f"m failed for this request; {known}"
    assert failures.message("m", "17", SHOP, UNLOADABLE) == f"m cannot answer now; try again in 8 s; {known}"
    assert failures.message("m", "17", ADMIN, UNLOADABLE) == UNLOADABLE.error


def test_an_error_of_the_caller_is_told_and_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    wrong = Outcome(400, "", "the rows do not match the inputs of the model: missing columns: x", 1.0, 0)
    assert Failures().message("m", "17", SHOP, wrong) == wrong.error
    assert not written(caplog)


def test_a_model_that_always_fails_writes_a_line_a_second(caplog: pytest.LogCaptureFixture) -> None:
    now = 100.0
    failures = Failures(clock=lambda: now)
    for at in range(30):
        failures.message("m", str(at), SHOP, RAISED)
    failures.message("other", "31", SHOP, UNLOADABLE)
    now += 1.5
    failures.message("m", "32", SHOP, RAISED)
    first, other, later = written(caplog)
    assert first == f"m: request 0 of shop was answered with 500: {RAISED.error}"
    assert other.startswith("other: request 31 ")
    assert later.endswith("(29 other failed requests since the last line about them)")


def test_errors_are_not_logged_where_columns_are_private(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    Failures(private=True).message("m", "17", SHOP, RAISED)
    (line,) = written(caplog)
    assert "iban" not in line
    assert "may quote private columns" in line
