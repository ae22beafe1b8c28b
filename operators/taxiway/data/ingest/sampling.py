"""Which rows are drawn and which are held out, as SQL: by a hash of a column's value, so that it is the same in every run.

A value's hash knows nothing of other rows: as data grow, what was drawn stays drawn, and what was held out stays held out.
"""

from collections.abc import Callable

from taxiway.data.engine.duckdb_table import Column
from taxiway.data.engine.keys_sql import hash_sql, threshold
from taxiway.records import SampleRule, SplitRule

# Finds a column of the joined rows by its name: the view that has it, and the column.
Find = Callable[[str], tuple[str, Column]]
LEFT_OUT, TRAINING, EVALUATION = -1, 0, 1


def drawn_columns(sample: SampleRule | None, split: SplitRule | None, find: Find, purpose: str) -> tuple[str, ...]:
    """What `side_sql` needs of each row, as columns with names of our own. `purpose` says what the split is for."""
    columns = []
    if sample is not None:
        view, column = find(sample.by)
        columns.append(f"{hash_sql(column, view, 'sample')} AS drawn")
        if sample.stratify:
            view, column = find(sample.stratify)
            columns.append(f"{view}.{column.sql} AS stratum")
    if split is not None:
        view, column = find(split.by)
        columns.append(f"{hash_sql(column, view, purpose)} AS held")
    return tuple(columns)


def side_sql(sample: SampleRule | None, split: SplitRule | None) -> str:
    """LEFT_OUT, TRAINING or EVALUATION for each row; without a split, all rows that are drawn are TRAINING.

    In a stratum at least its fraction of the rows is drawn, and at least one: those with the smallest hashes are added.
    """
    kept = "true"
    if sample is not None:
        kept = f"drawn < {threshold(sample.fraction)}"
        if sample.stratify:
            least = f"ceil({sample.fraction!r} * count(*) OVER (PARTITION BY stratum) - 1e-9)"
            kept += f" OR rank() OVER (PARTITION BY stratum ORDER BY drawn) <= {least}"
    held = f"held < {threshold(split.evaluation)}" if split is not None else "false"
    return f"CASE WHEN NOT ({kept}) THEN {LEFT_OUT} WHEN {held} THEN {EVALUATION} ELSE {TRAINING} END"
