"""SQL for sampling and splitting rows by a hash of a column's value.

The hash depends only on the value, so each value is sampled and split the same way in every run, also when the data grows.
"""

from collections.abc import Callable
from enum import IntEnum

from taxiway.data.engine.duckdb_table import Column
from taxiway.data.engine.keys_sql import hash_sql, threshold
from taxiway.records import SampleRule, SplitRule

# Returns the view and the column for a column name of the joined rows.
Find = Callable[[str], tuple[str, Column]]


class Subset(IntEnum):
    """What becomes of a row."""

    LEFT_OUT = -1
    TRAINING = 0
    EVALUATION = 1


def drawn_columns(
    sample: SampleRule | None, split: SplitRule | None, find: Find, salt: str, labelled: str = "true"
) -> tuple[str, ...]:
    """The columns that `subset_sql` needs, as SQL: `labelled`, `drawn`, `stratum` and `held`.

    Args:
        sample: The sample; None for all rows.
        split: The split; None for none.
        find: Returns the view and the column for a column name.
        salt: A text that makes this split independent of other splits by the same column.
        labelled: SQL that is true for the rows that are not left out for want of a label.
    """
    columns = [f"{labelled} AS labelled"]
    if sample is not None:
        view, column = find(sample.by)
        columns.append(f"{hash_sql(column, view, 'sample')} AS drawn")
        if sample.stratify:
            view, column = find(sample.stratify)
            columns.append(f"{view}.{column.sql} AS stratum")
    if split is not None:
        view, column = find(split.by)
        columns.append(f"{hash_sql(column, view, salt)} AS held")
    return tuple(columns)


def subset_sql(sample: SampleRule | None, split: SplitRule | None) -> str:
    """SQL that gives LEFT_OUT, TRAINING or EVALUATION for each row; without a split, all sampled rows are TRAINING.

    Rows that are not `labelled` are left out, and count for no stratum.

    Each stratum keeps at least its fraction of the rows, and at least one row: those with the smallest hashes are added.
    """
    kept = "true"
    if sample is not None:
        kept = f"drawn < {threshold(sample.fraction)}"
        if sample.stratify:
            least = f"ceil({sample.fraction!r} * count(*) OVER (PARTITION BY stratum, labelled) - 1e-9)"
            kept += f" OR rank() OVER (PARTITION BY stratum, labelled ORDER BY drawn) <= {least}"
    held = f"held < {threshold(split.evaluation)}" if split is not None else "false"
    return f"CASE WHEN NOT labelled OR NOT ({kept}) THEN {Subset.LEFT_OUT} WHEN {held} THEN {Subset.EVALUATION} ELSE {Subset.TRAINING} END"
