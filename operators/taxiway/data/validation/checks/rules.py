"""Check the schema's `rules`: SQL conditions on each row, over several columns."""

from taxiway.data.engine.conditions import named_rows, unused_name
from taxiway.data.schema.constraints import Rule
from taxiway.data.schema.feature import Feature
from taxiway.data.validation.inputs import CheckInput, CheckTarget
from taxiway.data.validation.results import CheckResults, places_of
from taxiway.errors import ConfigError
from taxiway.messages import SHOWN_VALUES, listed, percent_limit, share
from taxiway.records import Anomaly


def check(check_input: CheckInput, results: CheckResults) -> None:
    """Check every rule of the schema on the rows of each span. A column that the data lacks is null in all rows.

    Raises:
        ConfigError: A rule is not one valid condition, or two columns differ only in case, which DuckDB's SQL ignores.
    """
    if not check_input.schema.rules:
        return
    for span in check_input.targets:
        span.require_distinct_names("rules")
        absent = [feature for feature in check_input.schema.features if span.profile.column(feature.name) is None]
        for rule in check_input.schema.rules:
            results.add(_check_rule(span, rule, absent))


def _check_rule(span: CheckTarget, rule: Rule, absent: list[Feature]) -> Anomaly | None:
    import duckdb

    table = span.table()
    taken = [*(column.name for column in table.columns), *(feature.name for feature in absent)]
    row_number, file = unused_name("row_number_", taken), unused_name("file_", taken)
    types = {feature.name: feature.type for feature in absent}
    # The line ends before the parenthesis: a comment at the end of the rule would take it in.
    rows = named_rows(table.columns, types, f"row_number AS {row_number}", f"file AS {file}")
    source = f"(SELECT ({rule.sql}\n) AS held, {file} AS file, {row_number} AS row_number FROM {rows})"
    try:
        if len(table.rows_unchecked(f"DESCRIBE SELECT * FROM {source}")) != 3:
            raise ConfigError(f"the rule {rule.name} has several conditions: {rule.sql}; combine them with AND")
        counts = table.rows_unchecked(f"SELECT count(held::BOOLEAN), count_if(NOT held::BOOLEAN) FROM {source}")
        checked, wrong = (int(count or 0) for count in counts[0])
        if not wrong or wrong / checked <= 1 - rule.min_fraction + 1e-12:
            return None
        query = f"SELECT file, row_number FROM {source} WHERE NOT held::BOOLEAN ORDER BY ALL LIMIT {SHOWN_VALUES}"
        places = places_of(table, [(file, number) for file, number in table.rows_unchecked(query)])
    except duckdb.Error as error:
        names = listed([column.name for column in table.columns])
        raise ConfigError(
            f"the rule {rule.name} is not valid SQL: {rule.sql}\n    {str(error).splitlines()[0]}\n"
            f"    allowed: a condition in DuckDB's SQL over the columns of {span.title}: {names}"
        ) from None
    required = "all rows" if rule.min_fraction == 1 else f"at least {percent_limit(rule.min_fraction)} of the rows"
    condition = f"{rule.description} ({rule.sql})" if rule.description else rule.sql
    return Anomaly(
        kind="rule",
        span=span.name,
        column=rule.name,
        severity=rule.severity,
        observed=f"false in {share(wrong, checked)}",
        expected=f"{rule.sql} in {required}",
        message=f"{rule.name} in {span.title}: {condition} is false in {share(wrong, checked)}{places.text}; required: true in {required}.",
        rows=places.rows,
        proposal=f"rules.{rule.name}.min_fraction: {int((1 - wrong / checked) * 1000) / 1000:g}",
    )
