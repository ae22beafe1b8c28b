"""Waiting: as long as something changes, and no longer."""

from itertools import count

import pytest

from helping import until


def test_a_wait_goes_on_for_as_long_as_something_changes() -> None:
    polled, made = count(), count()
    assert until(lambda: next(polled) > 50, "fifty polls", progress=lambda: next(made), patience_s=0, every_s=0)


def test_a_wait_without_a_change_fails_and_says_what_was_last_seen() -> None:
    with pytest.raises(
        pytest.fail.Exception, match=r"nothing changed for 0 s while waiting until it is there; last seen: \(\[\], 7\)"
    ):
        until(list, "it is there", progress=lambda: 7, patience_s=0, every_s=0)
