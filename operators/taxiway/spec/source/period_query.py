"""SQL in a pipeline file: a query for the rows of one period, with {begin} and {end}."""

from typing import Annotated, Any

from pydantic import BeforeValidator

BOUNDS = ("{begin}", "{end}")
_EXAMPLE = "SELECT * FROM flights WHERE departed >= {begin} AND departed < {end}"


def _check_bounds(value: Any) -> Any:
    """Check that a query has both {begin} and {end}, outside of quotes."""
    if not isinstance(value, str):
        return value
    missing = [bound for bound in BOUNDS if bound not in value]
    if missing:
        raise ValueError(f"it has no {' and no '.join(missing)}; allowed: a query for one period, such as {_EXAMPLE}")
    quoted = [bound for bound in BOUNDS if f"'{bound}" in value or f"{bound}'" in value]
    if quoted:
        raise ValueError(f"{quoted[0]} is in quotes; remove them: it is bound as a time parameter")
    return value


PeriodQuery = Annotated[str, BeforeValidator(_check_bounds)]
