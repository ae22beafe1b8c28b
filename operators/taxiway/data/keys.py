"""Whether the key tells any two rows apart: within each span, and across the spans of a snapshot.

A row that is in a training span and in the evaluation span would let a model be examined on what it learned by heart.
"""

from collections.abc import Sequence
from pathlib import Path

from taxiway.data.findings import Findings
from taxiway.data.table import add_view, connect, run
from taxiway.data.words import SHOWN_VALUES, listed
from taxiway.records import Anomaly, Severity

_KEY_CHARACTERS = 256


def check_keys(spans: Sequence[tuple[str, Sequence[Path]]], key: tuple[str, ...], findings: Findings) -> None:
    """Look for keys that occur more than once in the spans, given by their names and files.

    Rows without a whole key are the presence check's business.
    """
    rows = _key_rows(spans, key)
    for at, (name, _) in enumerate(spans):
        findings.add(*[_duplicates(name, name, key, found) for found in rows if found[:2] == (at, at)])
        if at:
            findings.add(
                *[_duplicates(name, spans[found[0]][0], key, found) for found in rows if found[1] == at and found[0] < at]
            )


def _key_rows(spans: Sequence[tuple[str, Sequence[Path]]], key: tuple[str, ...]) -> list[tuple[int, int, int, list[str]]]:
    """For each pair of spans (first, last) that share keys, or one span twice: their number of keys, and examples."""
    what = "the spans " + ", ".join(name for name, _ in spans)
    parts = []
    with connect() as connection:
        for number, (name, paths) in enumerate(spans):
            columns = {column.name: column.sql for column in add_view(connection, f"span{number}", paths, f"span {name}")}
            if set(key) <= set(columns):
                texts = ", ".join(f"{columns[part]}::VARCHAR" for part in key)
                present = " AND ".join(f"{columns[part]} IS NOT NULL" for part in key)
                parts.append(f"SELECT {number} AS place, [{texts}] AS key FROM span{number} WHERE {present}")
        found = run(connection, _shared(parts), what) if parts else []
    return [(int(first), int(last), int(count), list(examples)) for first, last, count, examples in found]


def _shared(parts: list[str]) -> str:
    return f"""
        WITH repeated AS (
            SELECT key, min(place) AS first, max(place) AS last FROM ({" UNION ALL ".join(parts)})
            GROUP BY key HAVING count(*) > 1
        )
        SELECT first, last, count(*), list(left(array_to_string(key, ', '), {_KEY_CHARACTERS}) ORDER BY key)[:{SHOWN_VALUES}]
        FROM repeated GROUP BY first, last ORDER BY last, first"""


def _duplicates(span: str, other: str, key: tuple[str, ...], found: tuple[int, int, int, list[str]]) -> Anomaly:
    count, examples = found[2], found[3]
    name = ", ".join(key)
    keys = f"{count:,} keys" if count > 1 else "1 key"
    if span == other:
        sentence = f"{keys} of {name} {'are' if count > 1 else 'is'} in more than one row of {span}"
    else:
        sentence = f"{keys} of {name} in {span} {'are' if count > 1 else 'is'} also in {other}: rows would be learned and examined twice"
    return Anomaly(
        kind="duplicate_key",
        span=span,
        column=name,
        severity=Severity.ERROR,
        observed=f"{keys} more than once",
        expected="each key once",
        sentence=f"{sentence}, such as {listed(examples, count)}.",
        examples=tuple(examples),
    )
