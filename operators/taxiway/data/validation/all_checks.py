"""All checks in order; they are in `checks`, one module each, and in `expectations`."""

from collections.abc import Callable

from taxiway.data.validation.checks import columns, drift, feature_skew, join_coverage, keys, lifecycle, metric_history, rules
from taxiway.data.validation.expectations import suite as expectations
from taxiway.data.validation.inputs import CheckInput
from taxiway.data.validation.results import CheckResults

CHECKS: tuple[Callable[[CheckInput, CheckResults], None], ...] = (
    lifecycle.check,
    join_coverage.check,
    columns.check,
    rules.check,
    expectations.check,
    keys.check,
    drift.check,
    metric_history.check,
    feature_skew.check,
)
"""Every check, in order. A check is skipped if its input was not given."""


def check_all(check_input: CheckInput) -> CheckResults:
    """The results of all checks."""
    results = CheckResults()
    for check in CHECKS:
        check(check_input, results)
    return results
