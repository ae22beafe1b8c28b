"""What is read from a form with a file: what a browser sends, within limits."""

import asyncio

import httpx
import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from taxiway_ui.people.upload import MAX_FILE_BYTES, InvalidFormError, Upload, read_upload


def encoded(fields: dict[str, str], name: str, content: bytes) -> tuple[bytes, str]:
    """A form as a client sends it, and its type."""
    sent = httpx.Request("POST", "http://x/", data=fields, files={"file": (name, content)})
    return sent.read(), sent.headers["content-type"]


def read(body: bytes, kind: str, size: int = 10_000) -> tuple[dict[str, str], Upload]:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    sent = iter([*messages, {"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, object]:
        return next(sent)

    scope = {"type": "http", "headers": [(b"content-type", kind.encode("latin-1"))]}
    return asyncio.run(read_upload(Request(scope, receive)))


@given(st.dictionaries(st.sampled_from(["token", "run"]), st.text(max_size=30)), st.binary(max_size=500), st.integers(1, 200))
def test_a_form_is_read_as_it_was_sent_however_it_is_cut(fields: dict[str, str], content: bytes, size: int) -> None:
    body, kind = encoded(fields, "rows.csv", content)
    assert read(body, kind, size) == (fields, Upload("rows.csv", ".csv", content))


@pytest.mark.parametrize(
    ("name", "shown", "suffix"),
    [
        ("C:\\mine\\Rows.CSV", "Rows.CSV", ".csv"),
        ("../../etc/rows.parquet", "rows.parquet", ".parquet"),
        ("x" * 300 + ".csv", "x" * 96 + ".csv", ".csv"),
    ],
)
def test_the_name_of_a_file_has_no_folders_and_ends_in_a_format(name: str, shown: str, suffix: str) -> None:
    _, upload = read(*encoded({}, name, b"a"))
    assert (upload.name, upload.suffix) == (shown, suffix)


@pytest.mark.parametrize(("name", "why"), [("rows.xlsx", "ends in .xlsx"), ("rows", "ends in nothing"), ("", "is empty")])
def test_a_file_of_another_format_is_refused(name: str, why: str) -> None:
    with pytest.raises(InvalidFormError, match=why):
        read(*encoded({}, name, b"a"))


def test_a_file_that_is_too_large_is_refused_before_it_was_read() -> None:
    body, kind = encoded({}, "rows.csv", b"a" * MAX_FILE_BYTES)
    with pytest.raises(InvalidFormError, match="more than 16 MiB"):
        read(body + b"x" * 10_000_000, kind, 1_000_000)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"a=1", "application/x-www-form-urlencoded"),
        (b"a=1", ""),
        (b"a=1", "multipart/form-data; boundary=x"),
        (b"--x\r\n\r\nnothing\r\n--x--", "multipart/form-data; boundary=x"),
        (b"", "multipart/form-data; nothing"),
        (
            b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n" + b"1" * 40_000 + b"\r\n--x--",
            "multipart/form-data; boundary=x",
        ),
    ],
)
def test_what_no_page_sends_is_refused(body: bytes, kind: str) -> None:
    with pytest.raises(InvalidFormError):
        read(body, kind)
