"""Validations in processes of their own, and the threads that wait for them."""

from pathlib import Path
from threading import enumerate as enumerate_threads

import pytest

from helping import PATIENCE_S, until
from taxiway.errors import TransientError
from taxiway_ui.reviews import validations
from taxiway_ui.reviews.background import Background
from taxiway_ui.reviews.validations import Validations, validate


def test_a_validation_that_fails_says_why_and_is_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TransientError, match="the validation failed: KeyError: 'store'"):
        validate("{}")
    known = Validations()
    failed = known.find("{}", ())
    until(failed.done, "the process has ended")
    assert known.find("{}", ()) is failed
    monkeypatch.setattr(validations, "RETRY_SECONDS", -1)
    assert known.find("{}", ()) is not failed


def test_a_validation_is_another_one_for_other_files(tmp_path: Path) -> None:
    file, known = tmp_path / "schema.yaml", Validations()
    file.write_text("a")
    first = known.find("{}", (file,))
    assert known.find("{}", (file,)) is first
    file.write_text("b")
    assert known.find("{}", (file,)) is not first


def test_work_beside_the_requests_is_all_done_and_its_errors_are_those_of_its_result() -> None:
    pool = Background(2, "test")
    results = [pool.submit(lambda number=number: 10 // number) for number in range(-5, 6)]
    with pytest.raises(ZeroDivisionError):
        results[5].result(PATIENCE_S)
    assert [found.result(PATIENCE_S) for at, found in enumerate(results) if at != 5] == [
        10 // number for number in range(-5, 6) if number
    ]
    assert all(thread.daemon for thread in enumerate_threads() if thread.name.startswith("test-"))
