"""SQL for sampling and splitting rows: by the hash of a column, by the hash of the whole row, or by time.

A hash depends only on the values, so a value or a row is sampled and split the same way in every run, even if the data grows.
Stratified samples and splits, and splits by time, also depend on the other rows of the file.
"""

from collections.abc import Callable, Sequence
from enum import IntEnum

from taxiway.data.engine.duckdb_table import Column
from taxiway.data.engine.keys_sql import hash_sql, row_hash_sql, threshold
from taxiway.errors import ConfigError
from taxiway.records import SampleRule, SplitRule

# Returns the view and the column for a column name of the joined rows.
Find = Callable[[str], tuple[str, Column]]
TIMES = ("date", "datetime", "integer", "number")
"""The types of columns that order rows by time."""


class Subset(IntEnum):
    """The subset that a row belongs to."""

    LEFT_OUT = -1
    TRAINING = 0
    EVALUATION = 1


def describe_split(split: SplitRule) -> str:
    """The keys of a split for errors: `source.split by customer with evaluation: 0.2`."""
    if split.by is not None:
        return f"source.split by {split.by} with evaluation: {split.evaluation:g}"
    columns = (("stratify", split.stratify), ("by_time", split.by_time))
    named = "".join(f"{key}: {name} and " for key, name in columns if name is not None)
    return f"source.split with {named}evaluation: {split.evaluation:g}"


def empty_split_hint(split: SplitRule) -> str:
    """What to split by if a split leaves no rows on one side."""
    if split.by is not None:
        return "split by a column with more values"
    if split.stratify is not None:
        return "stratify by a column of which each value has several different rows"
    return "split by a column with more values" if split.by_time is not None else "read more rows"


def sampling_columns(
    sample: SampleRule | None, split: SplitRule | None, find: Find, own: Sequence[Column], salt: str, labelled: str = "true"
) -> tuple[str, ...]:
    """The columns that `subset_query` needs, as SQL.

    * `labelled`: whether the row is not left out because its label is missing.
    * `drawn`, with a sample: the hash that decides whether the row is in the sample.
    * `stratum`, with a stratified sample: the value of its column.
    * `held`, with a split: the hash or the time that decides whether the row is held out for evaluation.
    * `part`, with a stratified split: the value of its column.

    Args:
        sample: The sample; None for all rows.
        split: The split; None for none.
        find: Returns the view and the column for a column name.
        own: The columns of the span itself, without those of joined tables.
        salt: A text that makes this split independent of other splits by the same values.
        labelled: SQL that is true for the rows that are not left out because their label is missing.

    Raises:
        ConfigError: A column that the rules name has a type that they do not allow.
    """
    columns = [f"{labelled} AS labelled"]
    if sample is not None:
        view, column = find(sample.by)
        columns.append(f"{hash_sql(column, view, 'sample')} AS drawn")
        if sample.stratify:
            view, column = find(sample.stratify)
            columns.append(f"{view}.{column.sql} AS stratum")
    if split is not None:
        columns += _split_columns(split, find, own, salt)
    return tuple(columns)


def _split_columns(split: SplitRule, find: Find, own: Sequence[Column], salt: str) -> list[str]:
    if split.by is not None:
        view, column = find(split.by)
        return [f"{hash_sql(column, view, salt)} AS held"]
    if split.by_time is not None:
        view, column = find(split.by_time)
        if column.type not in TIMES:
            raise ConfigError(
                f"source.split.by_time is {column.name}, which is {column.type}; allowed: a column of type {', '.join(TIMES)}"
            )
        name = f"{view}.{column.sql}"
        return [
            f"CASE WHEN NOT isnan({name}::DOUBLE) THEN {name} END AS held" if column.type == "number" else f"{name} AS held"
        ]
    columns = [f"{row_hash_sql(own, 'span', salt)} AS held"]
    if split.stratify is not None:
        view, column = find(split.stratify)
        columns.append(f"{view}.{column.sql} AS part")
    return columns


def kept_query(sample: SampleRule | None, drawn: str) -> str:
    """SQL that adds to a query with the columns of `sampling_columns` whether each row is `kept`: labelled, and in the sample.

    Rows that are not `labelled` count for no stratum. Each stratum keeps at least its fraction of the rows, and at least one row:
    those with the smallest hashes are added.
    """
    kept = "true"
    if sample is not None:
        kept = f"drawn < {threshold(sample.fraction)}"
        if sample.stratify:
            least = f"ceil({sample.fraction!r} * count(*) OVER (PARTITION BY stratum, labelled) - 1e-9)"
            kept += f" OR rank() OVER (PARTITION BY stratum, labelled ORDER BY drawn) <= {least}"
    return f"SELECT *, labelled AND ({kept}) AS kept FROM ({drawn})"


def subset_query(sample: SampleRule | None, split: SplitRule | None, drawn: str) -> str:
    """SQL that gives `row_number` and `subset`: LEFT_OUT, TRAINING or EVALUATION; without a split, all rows that are kept are TRAINING.

    Args:
        sample: The sample; None for all rows.
        split: The split; None for none.
        drawn: A query with `row_number` and the columns of `sampling_columns`.
    """
    rows = kept_query(sample, drawn)
    held = "false"
    if split is not None and (split.stratify is not None or split.by_time is not None):
        rows, held = _rank_query(split, rows)
    elif split is not None:
        held = f"held < {threshold(split.evaluation)}"
    case = f"CASE WHEN NOT kept THEN {Subset.LEFT_OUT} WHEN {held} THEN {Subset.EVALUATION} ELSE {Subset.TRAINING} END"
    return f"SELECT row_number, ({case})::TINYINT AS subset FROM ({rows})"


def _rank_query(split: SplitRule, kept: str) -> tuple[str, str]:
    """A query for the ranks of rows in their group, and SQL that is true for those to hold out.

    A group is a stratum, or all rows. Its rows are ordered by `held`: by their hash, or the newest first. `total` is the number
    of its rows, `ties` that of the rows with the same `held`, and `before` that of the rows that come before these. Rows with
    the same `held` stay together: they are held out if the middle of them is among the first rows that make up the fraction.
    Never all rows of a group are held out.
    """
    group, order = ("part, kept", "") if split.stratify is not None else ("kept", "DESC")
    rows = (
        f"SELECT *, count(*) OVER (PARTITION BY {group}) AS total, count(*) OVER (PARTITION BY {group}, held) AS ties, "
        f"rank() OVER (PARTITION BY {group} ORDER BY held {order}) - 1 AS before FROM ({kept})"
    )
    share = f"round({split.evaluation!r} * total)"
    if split.by_time is not None:
        return rows, f"before + ties < total AND (before + ties / 2 <= {share} OR before = 0)"
    # If the first rows of a stratum are too many equal ones, the fewest equal ones are held out instead of none.
    ranked = (
        f"SELECT *, rank() OVER (PARTITION BY {group} ORDER BY ties, held) AS fewest, "
        f"min(before + ties / 2) OVER (PARTITION BY {group}) AS first FROM ({rows})"
    )
    usual = f"before + ties < total AND before + ties / 2 <= {share}"
    return ranked, f"({usual}) OR (ties < total AND fewest = 1 AND first > {share})"
