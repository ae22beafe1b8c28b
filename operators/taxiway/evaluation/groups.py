"""Groups of evaluation rows that go wrong together, such as the hours of a day or the rows of a customer."""

from typing import TYPE_CHECKING

from taxiway.errors import DataError, allowed_values

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


def row_groups(rows: "pd.DataFrame", column: str) -> "NDArray[np.intp]":
    """The number of each row's group, from 0: rows with the same value of a column. Rows without a value are one group.

    Raises:
        DataError: The rows do not have the column.
    """
    import numpy as np
    import pandas as pd

    if column not in rows:
        raise DataError(
            f'gate.group_by is "{column}", missing in the evaluation rows; {allowed_values(column, rows.columns)}',
            key="gate.group_by",
        )
    found: NDArray[np.intp] = pd.factorize(rows[column], use_na_sentinel=False)[0].astype(np.intp)
    return found
