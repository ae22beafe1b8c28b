"""Check that the key is unique for every row, within each span and across the spans of a snapshot.

A row in both a training span and the evaluation span is leakage: the model is evaluated on a row that it was trained on. Keys are
compared by value, whatever the types of the files: 1 equals 1.0, and a time equals the same time with a time zone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taxiway.data.engine.connection import connect, run
from taxiway.data.engine.duckdb_table import Column, add_view
from taxiway.data.engine.keys_sql import key_text
from taxiway.data.validation.inputs import CheckInput
from taxiway.data.validation.results import CheckResults
from taxiway.messages import SHOWN_VALUES, counted, listed
from taxiway.records import Anomaly, Severity

_KEY_CHARACTERS = 256
_RowsOf = Callable[[str], list[tuple[Any, ...]]]  # all rows of a query, on the connection that has the views


@dataclass(frozen=True)
class _View:
    """The view of a span: its label, how messages name it, the view's name in SQL, and its columns."""

    label: str
    title: str
    sql: str
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class _RepeatedKeys:
    """Keys that occur more than once and have the same first and last span, which may be one span.

    Attributes:
        first: The index of the oldest span that has the keys.
        last: The index of the newest.
        count: How many keys there are.
        examples: Some of them, for messages.
    """

    first: int
    last: int
    count: int
    examples: tuple[str, ...]


def check(check_input: CheckInput, results: CheckResults) -> None:
    """Check that no key occurs more than once, if all key columns are expected in the environment of the data."""
    expected = [
        feature.expected_in(check_input.environment)
        for feature in check_input.schema.features
        if feature.name in check_input.schema.key
    ]
    if check_input.schema.key and all(expected):
        if len(check_input.targets) == 1:
            span = check_input.targets[0]
            table = span.table()
            _add_anomalies([_View(span.name, span.title, "span", table.columns)], table.rows, check_input.schema.key, results)
        else:
            check_unique([(span.name, span.files()) for span in check_input.targets], check_input.schema.key, results)


def check_unique(spans: Sequence[tuple[str, Sequence[Path]]], key: tuple[str, ...], results: CheckResults) -> None:
    """Check that no key occurs more than once: within a span, or in two spans.

    Rows with a null in the key are left to the presence check. A missing key column is an anomaly, unless `results` already has
    it as a missing column.

    Args:
        spans: Label and files of each span, oldest first.
        key: The key columns.
        results: Where to add the anomalies.
    """
    data_name = "the spans " + ", ".join(label for label, _ in spans)
    with connect() as connection:
        views = []
        for number, (label, paths) in enumerate(spans):
            view = f"span{number}"
            views.append(_View(label, f"span {label}", view, add_view(connection, view, paths, f"span {label}")))
        _add_anomalies(views, lambda query: run(connection, query, data_name), key, results)


def _add_anomalies(views: Sequence[_View], rows_of: _RowsOf, key: tuple[str, ...], results: CheckResults) -> None:
    parts = []
    for number, view in enumerate(views):
        columns = {column.name: column for column in view.columns}
        absent = [part for part in key if part not in columns]
        if absent:
            _add_not_checked(view, key, absent, results)
        else:
            parts.append(_keys_query(number, view.sql, [columns[part] for part in key]))
    repeated = _repeated_keys(rows_of, parts, len(key)) if parts else []
    for index, view in enumerate(views):
        results.add(
            *[_duplicate_key_anomaly(view, view, key, found) for found in repeated if found.first == found.last == index]
        )
        if index:
            results.add(
                *[
                    _duplicate_key_anomaly(view, views[found.first], key, found)
                    for found in repeated
                    if found.first < index == found.last
                ]
            )


def _keys_query(number: int, view: str, columns: list[Column]) -> str:
    """The query for the keys of a span: in a form that compares, and as messages show them."""
    texts = ", ".join(f"{key_text(column)} AS k{at}" for at, column in enumerate(columns))
    shown = " || ', ' || ".join(f"{column.sql}::VARCHAR" for column in columns)
    present = " AND ".join(f"k{at} IS NOT NULL" for at in range(len(columns)))
    listing = f"{number} AS span_number, {texts}, left({shown}, {_KEY_CHARACTERS}) AS shown"
    return f"SELECT * FROM (SELECT {listing} FROM {view}) WHERE {present}"


def _repeated_keys(rows_of: _RowsOf, parts: list[str], width: int) -> list[_RepeatedKeys]:
    """The keys that occur more than once, grouped by the first and the last span that has them."""
    names = ", ".join(f"k{at}" for at in range(width))
    every = " UNION ALL ".join(parts)
    rows_of(
        f"""CREATE TEMP TABLE repeated AS SELECT {names}, min(span_number) AS first, max(span_number) AS last FROM ({every})
        GROUP BY {names} HAVING count(*) > 1"""
    )
    pairs = rows_of("SELECT first, last, count(*) FROM repeated GROUP BY ALL ORDER BY last, first")
    found = []
    for first, last, count in pairs:
        few = f"SELECT {names} FROM repeated WHERE first = {first} AND last = {last} ORDER BY {names} LIMIT {SHOWN_VALUES}"
        listing = f"SELECT min(shown) FROM ({every}) JOIN ({few}) USING ({names}) GROUP BY {names} ORDER BY {names}"
        examples = tuple(str(row[0]) for row in rows_of(listing))
        found.append(_RepeatedKeys(int(first), int(last), int(count), examples))
    return found


def _add_not_checked(view: _View, key: tuple[str, ...], absent: list[str], results: CheckResults) -> None:
    message = f"the key {', '.join(key)} cannot be checked in {view.title}: it has no column {', '.join(absent)}"
    known = {anomaly.column for anomaly in results.anomalies if anomaly.kind == "missing_column" and anomaly.span == view.label}
    if known.issuperset(absent):
        results.add_note(message)
        return
    results.add(
        Anomaly(
            kind="duplicate_key",
            span=view.label,
            column=", ".join(key),
            severity=Severity.ERROR,
            observed=f"no column {', '.join(absent)}",
            expected="each key once",
            message=f"{message}.",
        )
    )


def _duplicate_key_anomaly(view: _View, other: _View, key: tuple[str, ...], found: _RepeatedKeys) -> Anomaly:
    count, examples = found.count, found.examples
    name = ", ".join(key)
    keys = counted(count, "key")
    if view == other:
        message = f"{keys} of {name} {'are' if count > 1 else 'is'} in more than one row of {view.title}"
    else:
        message = f"{keys} of {name} in {view.title} {'are' if count > 1 else 'is'} also in {other.title}: a model may be evaluated on rows that it was trained on (leakage)"
    return Anomaly(
        kind="duplicate_key",
        span=view.label,
        column=name,
        severity=Severity.ERROR,
        observed=f"{keys} more than once",
        expected="each key once",
        message=f"{message}, such as {listed(examples, count)}.",
        examples=examples,
    )
