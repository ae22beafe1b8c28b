"""The SQL of a pipeline file: a query of one period's rows, with {begin} and {end}."""

from typing import Annotated, Any

from pydantic import BeforeValidator

BOUNDS = ("{begin}", "{end}")
_EXAMPLE = "SELECT * FROM flights WHERE departed >= {begin} AND departed < {end}"


def _bounded(value: Any) -> Any:
    """A query that names both ends of a period, outside of quotes."""
    if not isinstance(value, str):
        return value
    missing = [bound for bound in BOUNDS if bound not in value]
    if missing:
        raise ValueError(f"it has no {' and no '.join(missing)}; allowed: a query of one period's rows, such as {_EXAMPLE}")
    quoted = [bound for bound in BOUNDS if f"'{bound}" in value or f"{bound}'" in value]
    if quoted:
        raise ValueError(f"{quoted[0]} stands in quotes; allowed: without them, since it is bound as a time, not pasted")
    return value


PeriodQuery = Annotated[str, BeforeValidator(_bounded)]
