"""Conditions of the team's own on each row, over several columns: DuckDB's SQL with the names of the columns."""

from taxiway.data.engine.duckdb_table import Table
from taxiway.data.schema.constraints import Rule
from taxiway.data.schema.model import Feature
from taxiway.data.validation.inputs import CheckInput, CheckTarget
from taxiway.data.validation.results import CheckResults, at_rows
from taxiway.errors import ConfigError
from taxiway.messages import SHOWN_VALUES, listed, percent, share
from taxiway.records import Anomaly

_NULLS = {
    "boolean": "BOOLEAN", "date": "DATE", "datetime": "TIMESTAMP", "integer": "BIGINT", "list": "VARCHAR[]", "number": "DOUBLE",
    "string": "VARCHAR",
}  # fmt: skip


def check(given: CheckInput, results: CheckResults) -> None:
    """Check every rule of the schema on the rows of each span. A column of the schema that the data lack is null in all of them.

    Raises ConfigError where DuckDB does not understand a rule, or it is no condition, or names of columns differ by case only,
    which they do not in DuckDB's SQL.
    """
    if not given.schema.rules:
        return
    for span in given.targets:
        _refuse_like_names(span)
        absent = [feature for feature in given.schema.features if span.profile.column(feature.name) is None]
        for rule in given.schema.rules:
            results.add(_broken(span, rule, absent))


def _refuse_like_names(span: CheckTarget) -> None:
    first: dict[str, str] = {}
    for column in span.table().columns:
        other = first.setdefault(column.name.casefold(), column.name)
        if other != column.name:
            raise ConfigError(
                f'{span.name} has the columns "{other}" and "{column.name}", which rules cannot tell apart; have the source give '
                "one another name, or remove the rules from the schema"
            )


def _broken(span: CheckTarget, rule: Rule, absent: list[Feature]) -> Anomaly | None:
    import duckdb

    table = span.table()
    place = _unused(table, absent)
    # The line ends before the parenthesis: a comment at the end of the rule would take it in.
    source = f"(SELECT ({rule.sql}\n) AS held, {place} AS place FROM {_named(table, absent, place)})"
    try:
        if len(table.rows_as_asked(f"DESCRIBE SELECT * FROM {source}")) != 2:
            raise ConfigError(f"the rule {rule.name} is not one condition but several: {rule.sql}; join them with AND")
        counts = table.rows_as_asked(f"SELECT count(held::BOOLEAN), count_if(NOT held::BOOLEAN) FROM {source}")
        asked, wrong = (int(count or 0) for count in counts[0])
        if not wrong or wrong / asked <= 1 - rule.min_fraction + 1e-12:
            return None
        query = f"SELECT place FROM {source} WHERE NOT held::BOOLEAN ORDER BY place LIMIT {SHOWN_VALUES}"
        rows = tuple(int(row[0]) + 1 for row in table.rows_as_asked(query)) if table.one_file else ()
    except duckdb.Error as error:
        names = listed([column.name for column in table.columns])
        raise ConfigError(
            f"the rule {rule.name} is not understood: {rule.sql}\n    {str(error).splitlines()[0]}\n"
            f"    allowed: a condition of DuckDB's SQL over the columns of {span.name}: {names}"
        ) from None
    wanted = "all rows" if rule.min_fraction == 1 else f"at least {percent(rule.min_fraction)} of the rows"
    what = f"{rule.description} ({rule.sql})" if rule.description else rule.sql
    return Anomaly(
        kind="rule",
        span=span.name,
        column=rule.name,
        severity=rule.severity,
        observed=f"not so in {share(wrong, asked)}",
        expected=f"{rule.sql} in {wanted}",
        message=f"{rule.name} in {span.name}: {what} should hold in {wanted}, and does not in {share(wrong, asked)}{at_rows(rows)}.",
        rows=rows,
        proposal=f"rules.{rule.name}.min_fraction: {int((1 - wrong / asked) * 1000) / 1000:g}",
    )


def _unused(table: Table, absent: list[Feature]) -> str:
    """A name for the rows' numbers that no column has."""
    names = {column.name.casefold() for column in table.columns} | {feature.name.casefold() for feature in absent}
    place = "place_"
    while place in names:
        place += "_"
    return place


def _named(table: Table, absent: list[Feature], place: str) -> str:
    """The rows under the columns' own names, and their numbers under the name `place`, as a subquery."""
    there = {column.name.casefold() for column in table.columns}
    columns = [(column.sql, column.name) for column in table.columns]
    columns += [(f"NULL::{_NULLS[f.type]}", f.name) for f in absent if f.name.casefold() not in there]
    names = ", ".join('{} AS "{}"'.format(sql, name.replace('"', '""')) for sql, name in columns)
    return f"(SELECT {names}, place AS {place} FROM numbered)"
