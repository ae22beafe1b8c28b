"""Check that enough rows have a match in each joined table."""

from collections.abc import Iterator

from taxiway.data.validation.inputs import CheckInput
from taxiway.data.validation.results import CheckResults
from taxiway.messages import counted, listed, percent_limit, share
from taxiway.records import Anomaly, JoinMatch, Severity


def check(check_input: CheckInput, results: CheckResults) -> None:
    """Check the match rate of each span with each joined table against its `min_match_rate`."""
    for joined in check_input.joins:
        results.add(_too_few(joined) if joined.match_rate < joined.min_match_rate else None)


def _too_few(joined: JoinMatch) -> Anomaly:
    unmatched = "; ".join(_unmatched_texts(joined))
    observed = share(joined.matched, joined.rows)
    return Anomaly(
        kind="join_match",
        span=joined.span,
        column=", ".join(joined.keys),
        severity=Severity.ERROR,
        observed=observed,
        expected=f"at least {percent_limit(joined.min_match_rate)}",
        message=f"{joined.name} ({joined.table}) matches {observed} of {joined.span}; required: at least "
        f"{percent_limit(joined.min_match_rate)}. {unmatched}.",
        examples=joined.examples,
        proposal=f"source.join.{joined.name}: recode {', '.join(joined.keys)} if the two tables write keys differently, or lower min_match_rate",
    )


def _unmatched_texts(joined: JoinMatch) -> Iterator[str]:
    if joined.examples:
        keys = counted(joined.unmatched_keys, "key")
        yield f"No match for {keys} of {', '.join(joined.keys)}, such as {listed(joined.examples, joined.unmatched_keys)}"
    if joined.without_key:
        yield f"{counted(joined.without_key, 'row')} with a null in the join key"
