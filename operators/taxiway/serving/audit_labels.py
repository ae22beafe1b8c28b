"""Marks labels that people have made for an audit: they were looked at to decide about the champion, and name the person."""

from urllib.parse import quote, unquote

from taxiway.errors import RequestError
from taxiway.messages import quoted

AUDITOR_HEADER = "X-Taxiway-Auditor"
"""The header of feedback of an audit: the person who has made the labels, percent-encoded."""
MAX_AUDITOR = 100
"""How many characters the name of a person may have."""
_MARK = "audit/"


def auditor_header(person: str) -> dict[str, str]:
    """The header of labels that a person has made for an audit."""
    return {AUDITOR_HEADER: quote(person[:MAX_AUDITOR], safe="")}


def read_auditor(value: str | None) -> str:
    """The person in the header; empty without one.

    Raises:
        RequestError: 400 if it is not a name.
    """
    if value is None:
        return ""
    person = unquote(value)
    if not person.strip() or not person.isprintable() or len(person) > MAX_AUDITOR:
        raise RequestError(
            400,
            f"the header {AUDITOR_HEADER} is {quoted(value)}; allowed: the percent-encoded name of the person who has made the labels, of at most "
            f"{MAX_AUDITOR} characters",
        )
    return person


def marked_caller(caller: str, auditor: str) -> str:
    """What the request log has as the caller of a label: names of callers have no slash, so it identifies labels of audits."""
    return f"{_MARK}{caller}/{auditor}" if auditor else caller


def auditor_of(caller: str) -> str:
    """The person who has made a label for an audit, by its caller in the request log; empty for other labels."""
    return caller.removeprefix(_MARK).partition("/")[2] if caller.startswith(_MARK) else ""


def is_audit_sql(caller: str) -> str:
    """SQL for whether a label is of an audit.

    Args:
        caller: SQL for the caller of the label.
    """
    return f"starts_with({caller}, '{_MARK}')"
