"""Suggest constraints for a schema, with evidence.

The rules are those of Deequ's constraint suggestion (Schelter et al., VLDB 2018), without those that fit only the given data, such
as its mean or maximum. Lower bounds are Wilson's, because Wald's are useless if nearly all rows agree. Each rule is checked by
tenfold cross-validation: it is learned on nine tenths of the rows and checked on the held-out tenth.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import floor, sqrt
from pathlib import Path

from pydantic import JsonValue

from taxiway.data.engine.duckdb_table import Column, Table
from taxiway.data.formats.open_data import open_data
from taxiway.data.profiling.profile import TEXT_KEPT, ColumnProfile, Profile
from taxiway.data.schema.constraints import SEMANTICS
from taxiway.data.schema.feature import NUMERIC_TYPES
from taxiway.errors import ConfigError, allowed_values
from taxiway.messages import number_text, percent, share
from taxiway.records import Record, SchemaChange

FOLDS = 10
_FOLD = f"hash(row_number) % {FOLDS}"
_LISTED_VALUES = 120
_ONCE_AT_MOST = 0.1
_ONCE_AT_MAX_OF_FREQUENT = 0.4
_FREQUENT_COVER = 0.9
_MIN_PRESENT = 0.2
_NEARLY_UNIQUE = 0.08
KEY_TYPES = ("string", "integer", "date", "datetime")
_Z = 1.959963984540054  # for a 95% interval of the normal distribution


class Suggestion(Record):
    """A suggested constraint on a column.

    Attributes:
        rule: The name of the Deequ rule.
        column: The column.
        changes: The changes of the schema.
        evidence: The counts that support it.
        pass_rate: The fraction of held-out rows that fulfil what was learned on the others.
        passed: The number of held-out parts that pass.
        folds: The number of held-out parts.
    """

    rule: str
    column: str
    changes: tuple[SchemaChange, ...]
    evidence: str
    pass_rate: float
    passed: int
    folds: int

    def describe(self) -> str:
        """`range: {min: 0} (NonNegative: the smallest of 334 numbers is 0; held out: 100.0% of the rows, 10 of 10 parts)`."""
        keys = ", ".join(change.describe().removeprefix(f"features.{self.column}.") for change in self.changes)
        return (
            f"{keys} ({self.rule}: {self.evidence}; held out: {percent(self.pass_rate)} of the rows, "
            f"{self.passed} of {self.folds} parts)"
        )


@dataclass(frozen=True)
class _Part:
    """A held-out tenth of the rows: how many pass, how many were checked, and the fraction that must pass."""

    passed: int
    checked: int
    needed: float = 1.0


def suggest(data: Path | str, label: str | None = None) -> tuple[Suggestion, ...]:
    """Suggest constraints for the schema of `data`.

    Args:
        data: A file, a pattern whose files are one table, or a URL.
        label: The label, for which no presence or uniqueness is suggested.

    Raises:
        DataError: The data cannot be read or has no rows.
        ConfigError: There is no column `label`.
    """
    from taxiway.data.profiling.profiler import profile_table

    with open_data(data) as table:
        return suggest_table(table, profile_table(table), label)


def suggest_table(table: Table, profile: Profile, label: str | None = None) -> tuple[Suggestion, ...]:
    """As `suggest`, for a table and its profile."""
    names = [column.name for column in table.columns]
    if label is not None and label not in names:
        raise ConfigError(f'the label "{label}" is not a column\n    {allowed_values(label, names)}')
    present = _present_by_part(table)
    found: list[Suggestion] = []
    for column in table.columns:
        statistics = profile.column(column.name)
        if column.type == "other" or statistics is None or not statistics.present:
            continue
        parts = present[column.sql]
        if column.name != label:  # the label is required in any case
            found += _presence(statistics, parts)
        found += _categories(table, column, statistics)
        found += _non_negative(statistics, parts)
        if column.name != label:
            found += _unique(table, column, statistics, parts)
        found += _semantic(table, column, statistics, parts)
    return tuple(found)


def lower_bound(passed: int, checked: int) -> float:
    """The lower end of Wilson's 95% interval of `passed` out of `checked` rows, rounded down to two decimals."""
    rate, by = passed / checked, _Z**2 / checked
    return floor(100 * (rate + by / 2 - _Z * sqrt(rate * (1 - rate) / checked + by / (4 * checked))) / (1 + by)) / 100


def _suggestion(
    rule: str, column: ColumnProfile, evidence: str, parts: Sequence[_Part], **keys: JsonValue
) -> Iterator[Suggestion]:
    """One suggestion, with the new values of the column's keys."""
    checked = [part for part in parts if part.checked]
    yield Suggestion(
        rule=rule,
        column=column.name,
        changes=tuple(SchemaChange(path=("features", column.name, key), value=value) for key, value in keys.items()),
        evidence=evidence,
        pass_rate=sum(part.passed for part in checked) / sum(part.checked for part in checked),
        passed=sum(part.passed / part.checked >= part.needed for part in checked),
        folds=len(checked),
    )


def _present_by_part(table: Table) -> dict[str, list[tuple[int, int]]]:
    """For each column, by its name in the view: the rows with a value and all rows, for each part."""
    known = [column for column in table.columns if column.type != "other"]
    counts = [f"count_if({c.sql} IS NOT NULL{f' AND NOT isnan({c.sql}::DOUBLE)' if c.type == 'number' else ''})" for c in known]
    found = table.rows(f"SELECT {', '.join(['count(*)', *counts])} FROM numbered GROUP BY {_FOLD}")
    return {column.sql: [(int(row[at]), int(row[0])) for row in found] for at, column in enumerate(known, start=1)}


def _presence(column: ColumnProfile, present: list[tuple[int, int]]) -> Iterator[Suggestion]:
    if column.present == column.rows:
        parts = [_Part(*counts) for counts in present]
        yield from _suggestion(
            "CompleteIfComplete", column, f"all {column.rows:,} rows have a value", parts, presence="required"
        )
    elif column.present_fraction > _MIN_PRESENT and (bound := lower_bound(column.present, column.rows)) > 0:
        parts = [
            _Part(with_value, rows, lower_bound(column.present - with_value, column.rows - rows))
            for with_value, rows in present
            if column.rows > rows
        ]
        if parts:
            evidence = f"{share(column.present, column.rows)} have a value"
            yield from _suggestion("RetainCompleteness", column, evidence, parts, presence={"min_fraction": bound})


def _categories(table: Table, column: Column, statistics: ColumnProfile) -> Iterator[Suggestion]:
    values = {item.value: item.rows for item in statistics.values}
    listed = statistics.values_complete and column.type in ("string", "integer") and len(values) <= _LISTED_VALUES
    if not listed or not values or any(len(value) >= TEXT_KEPT for value in values):
        return
    once = sum(count == 1 for count in values.values())
    if once <= _ONCE_AT_MOST * len(values):
        evidence = f"{len(values):,} values in {statistics.present:,} rows, {once or 'none'} of them only once"
        parts = [_Part(sum(part[v] for v in part if v in others), sum(part.values())) for part, others in _split(table, column)]
        yield from _suggestion("CategoricalRange", statistics, evidence, parts, domain=_domain(values, column))
    elif once <= _ONCE_AT_MAX_OF_FREQUENT * len(values):
        kept = _frequent(values)
        if len(kept) == len(values):
            return
        rows = sum(values[value] for value in kept)
        evidence = f"the {len(kept):,} most frequent of {len(values):,} values are in {share(rows, statistics.present)}"
        parts = []
        for part, others in _split(table, column):
            if others:
                learned = set(_frequent(others))
                needed = lower_bound(sum(others[value] for value in learned), sum(others.values()))
                parts.append(_Part(sum(part[v] for v in part if v in learned), sum(part.values()), needed))
        keys: dict[str, JsonValue] = {
            "domain": _domain(kept, column),
            "min_in_domain": lower_bound(rows, statistics.present),
        }
        if parts and keys["min_in_domain"]:
            yield from _suggestion("FractionalCategoricalRange", statistics, evidence, parts, **keys)


def _domain(values: Iterable[str], column: Column) -> list[JsonValue]:
    return [*sorted(map(int, values))] if column.type == "integer" else [*sorted(values)]


def _split(table: Table, column: Column) -> Iterator[tuple[dict[str, int], dict[str, int]]]:
    """For each part: the rows of each value in it, and in all other parts."""
    found = table.rows(
        f"SELECT {_FOLD} AS part, {column.sql}::VARCHAR, count(*) FROM numbered WHERE {column.sql} IS NOT NULL GROUP BY ALL"
    )
    parts: dict[int, dict[str, int]] = {}
    for number, value, count in found:
        parts.setdefault(int(number), {})[str(value)] = int(count)
    for number, part in sorted(parts.items()):
        others: dict[str, int] = {}
        for other, counts in parts.items():
            for value, count in counts.items() if other != number else ():
                others[value] = others.get(value, 0) + count
        yield part, others


def _frequent(counts: dict[str, int]) -> list[str]:
    """The most frequent values that together cover nine tenths of the rows."""
    kept, covered, total = [], 0, sum(counts.values())
    for value, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if covered >= _FREQUENT_COVER * total:
            break
        kept.append(value)
        covered += count
    return kept


def _non_negative(column: ColumnProfile, present: list[tuple[int, int]]) -> Iterator[Suggestion]:
    if column.type in NUMERIC_TYPES and column.minimum is not None and column.minimum >= 0 and not column.below:
        evidence = f"the smallest of {column.present:,} numbers is {number_text(column.minimum)}"
        yield from _suggestion("NonNegative", column, evidence, _all_hold(present), range={"min": 0})


def _unique(table: Table, column: Column, statistics: ColumnProfile, present: list[tuple[int, int]]) -> Iterator[Suggestion]:
    rows = statistics.rows
    likely = column.type in KEY_TYPES and statistics.present == rows > 1
    if not likely or abs(1 - statistics.distinct.value / rows) > _NEARLY_UNIQUE:
        return
    if int(table.rows(f"SELECT count(DISTINCT {column.sql}) FROM span")[0][0]) == rows:
        evidence = f"{rows:,} rows with {rows:,} values, counted exactly"
        yield from _suggestion("UniqueIfApproxUnique", statistics, evidence, _all_hold(present), unique=True)


def _semantic(table: Table, column: Column, statistics: ColumnProfile, present: list[tuple[int, int]]) -> Iterator[Suggestion]:
    if column.type != "string":
        return
    places = range(1, len(SEMANTICS) + 1)
    fits = ", ".join(f"bool_and(regexp_full_match({column.sql}::VARCHAR, ${at}))" for at in places)
    found = table.rows(f"SELECT {fits} FROM span WHERE {column.sql} IS NOT NULL", list(SEMANTICS.values()))[0]
    for name, all_match in zip(SEMANTICS, found, strict=True):
        if all_match:
            evidence = f"all {statistics.present:,} texts have this form"
            yield from _suggestion("SemanticIfAllMatch", statistics, evidence, _all_hold(present), semantic=name)
            return


def _all_hold(present: list[tuple[int, int]]) -> list[_Part]:
    """The parts of a rule that is only suggested if every row with a value fulfils it."""
    return [_Part(with_value, with_value) for with_value, _ in present]
