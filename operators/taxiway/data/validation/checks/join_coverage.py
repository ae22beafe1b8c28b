"""Whether enough rows found a partner in the tables that were joined."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from taxiway.data.validation.inputs import CheckInput
from taxiway.data.validation.results import CheckResults
from taxiway.messages import listed, percent, share
from taxiway.records import Anomaly, JoinMatch, Severity

if TYPE_CHECKING:
    pass


def check(given: CheckInput, results: CheckResults) -> None:
    """Check that enough rows of each span found a partner in each joined table."""
    for joined in given.joins:
        results.add(_too_few(joined) if joined.match_rate < joined.min_match_rate else None)


def _too_few(joined: JoinMatch) -> Anomaly:
    alone = "; ".join(_without_partner(joined))
    # A share that rounds to what is asked would look as if it were kept.
    observed = share(joined.matched, joined.rows)
    return Anomaly(
        kind="join_match",
        span=joined.span,
        column=", ".join(joined.keys),
        severity=Severity.ERROR,
        observed=observed,
        expected=f"at least {percent(joined.min_match_rate)}",
        message=f"{joined.name} ({joined.table}) has a partner for {observed} of {joined.span}; at least {percent(joined.min_match_rate)} is "
        f"asked. {alone}.",
        examples=joined.examples,
        proposal=f"source.join.{joined.name}: recode {', '.join(joined.keys)} where both sides write keys differently, or lower min_match_rate",
    )


def _without_partner(joined: JoinMatch) -> Iterator[str]:
    if joined.examples:
        yield f"Without one are {joined.unmatched_keys:,} keys of {', '.join(joined.keys)}, such as {listed(joined.examples, joined.unmatched_keys)}"
    if joined.without_key:
        yield f"{joined.without_key:,} rows have no whole key"
