"""Groups of evaluation rows that go wrong together, such as the hours of a day or the rows of a customer."""

from typing import TYPE_CHECKING

from taxiway.data.engine.read_rows import arrow_types
from taxiway.errors import DataError, allowed_values
from taxiway.records import Span
from taxiway.spec.gate import Gate
from taxiway.store import Store

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


def require_single_values(rows: "pd.DataFrame", column: str, key: str) -> None:
    """Check that rows can be grouped by a column.

    Args:
        rows: The rows.
        column: The column.
        key: The key of the pipeline file that names it.

    Raises:
        DataError: It has lists or structs, which have no equal values to group by.
    """
    values = rows[column]
    if values.dtype == object and any(isinstance(value, list | dict) or hasattr(value, "tolist") for value in values):
        raise _not_single(column, key)


def check_group_columns(gate: Gate, spans: tuple[Span, ...], store: Store) -> None:
    """Check in the files of spans, before a training, that rows can be grouped by the columns that the gate names.

    Raises:
        DataError: A column of `gate.group_by` or `gate.slices.by` has lists or structs.
    """
    from pyarrow import types

    named = {} if gate.group_by is None else {gate.group_by: "gate.group_by"}
    named |= dict.fromkeys(gate.slices.by if gate.slices is not None else (), "gate.slices.by")
    for column, kinds in arrow_types(spans, store, named).items():
        if any(types.is_nested(kind) for kind in kinds):
            raise _not_single(column, named[column])


def _not_single(column: str, key: str) -> DataError:
    return DataError(
        f'{key} has the column "{column}", whose values are lists or structs; allowed: a column of texts, numbers, booleans, dates or '
        "times. Name another column, or add one to the source",
        key=key,
        got=column,
    )


def row_groups(rows: "pd.DataFrame", column: str) -> "NDArray[np.intp]":
    """The number of each row's group, from 0: rows with the same value of a column. Rows without a value are one group.

    Raises:
        DataError: The rows do not have the column, or it has lists or structs.
    """
    import numpy as np
    import pandas as pd

    if column not in rows:
        raise DataError(
            f'gate.group_by is "{column}", missing in the evaluation rows; {allowed_values(column, rows.columns)}',
            key="gate.group_by",
        )
    require_single_values(rows, column, "gate.group_by")
    found: NDArray[np.intp] = pd.factorize(rows[column], use_na_sentinel=False)[0].astype(np.intp)
    return found
