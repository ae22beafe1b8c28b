"""What is read from a form, and what the pages keep in memory."""

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import urlencode

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from taxiway.records import Span
from taxiway.store import Store
from taxiway_ui.actions import Form, _fields, _one_line
from taxiway_ui.clients import cached_record
from taxiway_ui.people.tokens import FormToken
from taxiway_ui.people.upload import InvalidFormError


def form(**fields: str) -> Form:
    return Form("a.b", fields, "because", FormToken("page", datetime(2026, 1, 2, tzinfo=UTC)), "/base/taxiway")


def read(*chunks: bytes) -> dict[str, str]:
    """The fields of a form with this content."""
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    sent = iter([*messages, {"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, object]:
        return next(sent)

    return asyncio.run(_fields(Request({"type": "http", "headers": []}, receive)))


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.text(min_size=1, max_size=30), max_size=5))
def test_a_form_is_read_as_it_was_written(fields: dict[str, str]) -> None:
    assert read(urlencode(fields).encode()) == fields


@pytest.mark.parametrize(
    "chunks", [(b"a=" + b"x" * 40_000,), (b"x" * 20_000,) * 2, (b"a=%ff",), ("a=\u00e9".encode(),), (b"&".join([b"a=1"] * 30),)]
)
def test_what_no_page_sends_is_refused(chunks: tuple[bytes, ...]) -> None:
    with pytest.raises(InvalidFormError):
        read(*chunks)


@pytest.mark.parametrize("version", ["", "0", "-1", "1.0", "x", "\u0663", "9" * 12, "9" * 5000])
def test_what_is_no_version_is_refused(version: str) -> None:
    with pytest.raises(InvalidFormError, match="version"):
        form(version=version).version()


def test_versions_and_days_are_read() -> None:
    assert form(version=" 12 ").version() == 12
    assert form(until="2026-12-31").day("until") == date(2026, 12, 31)
    for day in ("", "31.12.2026", "2026-02-30", "2026-12-31T00:00"):
        with pytest.raises(InvalidFormError, match="until"):
            form(until=day).day("until")


def test_a_form_leads_back_to_its_page_and_nowhere_else() -> None:
    assert form().back("retire").headers["Location"] == "/base/taxiway/pipelines/a.b?done=retire"
    strange = form(run="//evil.example/?a=b#c").back("waive").headers["Location"]
    assert strange == "/base/taxiway/pipelines/a.b/runs/%2F%2Fevil.example%2F%3Fa%3Db%23c?done=waive"


@given(st.text())
def test_a_reason_is_one_printable_line(text: str) -> None:
    assert _one_line(text).isprintable()
    assert _one_line(f"  the numbers\r\n are {text}good").startswith("the numbers are ")


def test_a_record_is_read_once_and_looked_for_again_until_it_is_there(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    made = Span(source="s", name="1", rows=1, content="c")
    assert cached_record(store, Span, made.digest) is None
    store.put(made)
    assert cached_record(store, Span, made.digest) == made
    for path in tmp_path.rglob("*"):
        if path.is_file():
            path.unlink()
    assert cached_record(store, Span, made.digest) == made
