"""A form acts only with a token of a page that was shown to its user, for its pipeline, within a day, from this site."""

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import URLSafeTimedSerializer

from taxiway_ui.people import tokens
from taxiway_ui.people.runs import run_id
from taxiway_ui.people.tokens import VALID_SECONDS, ForgedFormError, check_origin, check_token, make_token


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__SECRET_KEY", "a secret of the installation")


def test_a_token_is_valid_for_its_user_and_pipeline() -> None:
    token = check_token(make_token("ann", "a.b"), "ann", "a.b")
    assert abs(datetime.now(UTC) - token.at) < timedelta(minutes=5)


@pytest.mark.parametrize(("user", "dag"), [("bob", "a.b"), ("ann", "a.c"), ("", ""), ('ann", "a.b', "")])
def test_a_token_of_another_user_or_pipeline_is_refused(user: str, dag: str) -> None:
    with pytest.raises(ForgedFormError, match="another user or pipeline"):
        check_token(make_token("ann", "a.b"), user, dag)


def test_a_token_ends_after_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    class Earlier(URLSafeTimedSerializer):
        class default_signer(URLSafeTimedSerializer.default_signer):
            def get_timestamp(self) -> int:
                return super().get_timestamp() - VALID_SECONDS - 2

    with monkeypatch.context() as patched:
        patched.setattr(tokens, "URLSafeTimedSerializer", Earlier)
        old = make_token("ann", "a.b")
    with pytest.raises(ForgedFormError, match="older than a day"):
        check_token(old, "ann", "a.b")


def test_a_token_of_another_installation_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setenv("AIRFLOW__API__SECRET_KEY", "another secret")
        foreign = make_token("ann", "a.b")
    with pytest.raises(ForgedFormError, match="not made by this Airflow"):
        check_token(foreign, "ann", "a.b")


@given(st.text(max_size=80), st.integers(0, 200))
def test_no_other_token_can_be_made_from_one(text: str, cut: int) -> None:
    token = make_token("ann", "a.b")
    for forged in (text, token[:cut] + text + token[cut + 1 :], token + text):
        with contextlib.suppress(ForgedFormError):
            # Padding of base64 may be added to a token: it is still the same one, and starts the same run.
            assert check_token(forged, "ann", "a.b") == check_token(token, "ann", "a.b")


@pytest.mark.parametrize(
    "origin", [None, "", "null", "https://evil.example", "http://host:8080.evil.example", "host:8080", "file://host:8080"]
)
def test_a_form_of_another_site_is_refused(origin: str | None) -> None:
    with pytest.raises(ForgedFormError, match="allowed: host:8080"):
        check_origin(origin, {"host:8080"})


def test_a_form_of_this_site_is_accepted() -> None:
    for origin in ("http://host:8080", "https://airflow.example"):
        check_origin(origin, {"host:8080", "airflow.example"})


def test_a_form_starts_one_run_and_another_form_another() -> None:
    token, asked = check_token(make_token("ann", "a.b"), "ann", "a.b"), {"span": "1", "reason": "x"}
    assert run_id(token, asked) == run_id(token, dict(reversed(asked.items())))
    assert run_id(token, asked) != run_id(token, {**asked, "span": "2"})
    assert run_id(token, asked).startswith(f"manual__{token.at:%Y-%m-%dT%H:%M:%S}+00:00_")
