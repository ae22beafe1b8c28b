"""Examples of rows that a check objects to."""

from dataclasses import dataclass

from taxiway.data.profiling.profile import TEXT_KEPT
from taxiway.data.schema.feature import Feature
from taxiway.data.validation.inputs import CheckTarget
from taxiway.data.validation.results import Places, places_of
from taxiway.messages import SHOWN_VALUES


@dataclass(frozen=True)
class Examples:
    """Rows that fulfil a condition.

    Attributes:
        values: Some of their values, as text.
        places: Where some of the rows are.
        total: The number of all such rows.
    """

    values: tuple[str, ...]
    places: Places
    total: int


def examples_where(span: CheckTarget, feature: Feature, where: str, parameters: list[object] | None = None) -> Examples:
    """The rows that fulfil a condition, with examples from the first of them.

    Args:
        span: The data.
        feature: The feature whose column is examined.
        where: An SQL condition on `value`; never text from the data or the schema.
        parameters: The values for its placeholders.
    """
    table = span.table()
    source = f"(SELECT {table.column(feature.name).sql} AS value, file, row_number FROM numbered) WHERE {where}"
    total = int(table.rows(f"SELECT count(*) FROM {source}", parameters)[0][0])
    found = table.rows(
        f"SELECT left(value::VARCHAR, {TEXT_KEPT}), file, row_number FROM {source} ORDER BY file, row_number LIMIT {SHOWN_VALUES}",
        parameters,
    )
    values = tuple(dict.fromkeys(str(value) for value, *_ in found if value is not None))
    return Examples(values, places_of(table, [(file, row_number) for _, file, row_number in found]), total)
