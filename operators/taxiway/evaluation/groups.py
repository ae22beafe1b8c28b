"""Groups of evaluation rows that go wrong together, such as the hours of a day or the rows of a customer."""

from typing import TYPE_CHECKING

from taxiway.errors import DataError, allowed_values

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
        raise DataError(
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
