"""Check that models use only features whose lifecycle stage allows it."""

from collections.abc import Mapping

from taxiway.data.schema.constraints import LifecycleStage
from taxiway.data.schema.feature import Feature
from taxiway.data.schema.model import Schema
from taxiway.data.validation.inputs import CheckInput
from taxiway.data.validation.results import CheckResults
from taxiway.records import Anomaly, Severity


def check(check_input: CheckInput, results: CheckResults) -> None:
    """Report features of the pipeline's model that are planned or alpha (error) or deprecated (warning)."""
    if check_input.pipeline is None:
        return
    for feature in check_input.schema.features:
        if feature.name in check_input.used_features:
            results.add(stage_anomaly(feature, [check_input.pipeline], check_input.newest.name))


def stage_anomaly(feature: Feature, users: list[str], span: str) -> Anomaly | None:
    """The anomaly of a feature whose lifecycle stage does not allow its use, or None.

    Args:
        feature: The feature.
        users: The pipelines whose models use it.
        span: The span that the anomaly is reported for.
    """
    owner = f" (owner: {feature.owner})" if feature.owner else ""
    since = f" since {feature.since}" if feature.since else ""
    named = " and ".join([", ".join(users[:-1]), users[-1]] if len(users) > 1 else users)
    uses = "uses" if len(users) == 1 else "use"
    if not feature.stage.usable:
        severity = Severity.ERROR
        message = (
            f"{feature.name}{owner} is {feature.stage}{since}, and {named} {uses} it; production models may only use features "
            "that are beta or production. Drop it (features.drop), promote it (taxiway schema promote), or add a waiver."
        )
    elif feature.stage is LifecycleStage.DEPRECATED:
        severity = Severity.WARNING
        message = f"{feature.name}{owner} is deprecated{since}, and {named} still {uses} it."
    else:
        return None
    return Anomaly(
        kind="stage",
        span=span,
        column=feature.name,
        severity=severity,
        observed=f"{feature.stage}, used by {named}",
        expected="beta or production",
        message=message,
        proposal="features.drop in the pipeline file",
    )


def missing_meaning(schema: Schema) -> Mapping[str, tuple[str, ...]]:
    """The documentation keys that each feature lacks: description, unit, missing_means and collected, if they apply to it."""
    found = {}
    for feature in schema.features:
        blank = [] if feature.description else ["description"]
        if feature.type in ("integer", "number") and not feature.unit:
            blank.append("unit")
        if feature.presence < 1 and not feature.missing_means:
            blank.append("missing_means")
        if not feature.collected:
            blank.append("collected")
        if blank:
            found[feature.name] = tuple(blank)
    return found
