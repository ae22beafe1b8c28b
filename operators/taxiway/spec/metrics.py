"""The names of the metrics, with the problem, direction, range and parameters of each.

A metric is written as `NAME` or, with a parameter, as `NAME(PARAMETER=VALUE)`: `roc_auc`, `recall(class=Gentoo)`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf, log
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import InitErrorDetails, PydanticCustomError

from taxiway.errors import ConfigError, allowed_values
from taxiway.records.digests import digest_of_bytes

Problem = Literal["classification", "regression"]


class MetricFacts(NamedTuple):
    """Facts about a metric.

    Attributes:
        problem: Classification or regression.
        direction: 1 if higher is better, -1 if lower is better.
        low: The smallest possible value.
        high: The largest possible value.
        parameters: The names of its parameters, of which at most one can be given.
        example: A value of its parameter, if it cannot be without one.
        of_one_class: Whether it is a metric of one class: of the second of two, or of the one in its parameter `class`.
    """

    problem: Problem
    direction: int
    low: float
    high: float
    parameters: tuple[str, ...] = ()
    example: str | None = None
    of_one_class: bool = False


_CLASSES: Problem = "classification"
_NUMBERS: Problem = "regression"
MIN_PROBABILITY = 0.01
"""The least probability that `clipped_log_loss` counts, so that a row has a limit."""
METRIC_FACTS = {
    "accuracy": MetricFacts(_CLASSES, 1, 0.0, 1.0),
    "average_precision": MetricFacts(_CLASSES, 1, 0.0, 1.0, ("class",)),
    "balanced_accuracy": MetricFacts(_CLASSES, 1, 0.0, 1.0),
    "brier": MetricFacts(_CLASSES, -1, 0.0, 2.0),
    "clipped_log_loss": MetricFacts(_CLASSES, -1, 0.0, log(1 / MIN_PROBABILITY)),
    "expected_calibration_error": MetricFacts(_CLASSES, -1, 0.0, 1.0),
    "f1": MetricFacts(_CLASSES, 1, 0.0, 1.0, ("class", "threshold"), of_one_class=True),
    "f1_macro": MetricFacts(_CLASSES, 1, 0.0, 1.0),
    "f1_weighted": MetricFacts(_CLASSES, 1, 0.0, 1.0),
    "log_loss": MetricFacts(_CLASSES, -1, 0.0, inf),
    "mae": MetricFacts(_NUMBERS, -1, 0.0, inf),
    "mape": MetricFacts(_NUMBERS, -1, 0.0, inf),
    "matthews_corrcoef": MetricFacts(_CLASSES, 1, -1.0, 1.0),
    "pinball_loss": MetricFacts(_NUMBERS, -1, 0.0, inf, ("quantile",), "0.9"),
    "precision": MetricFacts(_CLASSES, 1, 0.0, 1.0, ("class", "threshold"), of_one_class=True),
    "r2": MetricFacts(_NUMBERS, 1, -inf, 1.0),
    "recall": MetricFacts(_CLASSES, 1, 0.0, 1.0, ("class", "threshold"), of_one_class=True),
    "rmse": MetricFacts(_NUMBERS, -1, 0.0, inf),
    "roc_auc": MetricFacts(_CLASSES, 1, 0.0, 1.0, ("class",)),
    "smape": MetricFacts(_NUMBERS, -1, 0.0, 2.0),
    "top_k_accuracy": MetricFacts(_CLASSES, 1, 0.0, 1.0, ("k",), "3"),
}
_FORM = re.compile(r"\s*(?P<name>\w+)\s*(?:\(\s*(?P<parameter>\w+)\s*=\s*(?P<value>.+?)\s*\)\s*)?", re.DOTALL)


@dataclass(frozen=True)
class ParsedMetric:
    """A metric with its parameter.

    Attributes:
        name: The name of the metric.
        parameter: The name of the parameter; None without one.
        value: The value of the parameter, as text.
    """

    name: str
    parameter: str | None = None
    value: str = ""

    def __str__(self) -> str:
        return self.name if self.parameter is None else f"{self.name}({self.parameter}={self.value})"

    @property
    def facts(self) -> MetricFacts:
        """The facts about the metric."""
        return METRIC_FACTS[self.name]

    @property
    def one_class(self) -> str | None:
        """The class that it is a metric of; None if it does not name one."""
        return self.value if self.parameter == "class" else None


def parse_metric(text: str) -> ParsedMetric:
    """Parse the name of a metric.

    Raises:
        ValueError: There is no such metric, or it does not have this parameter or value.
    """
    match = _FORM.fullmatch(text)
    name = match["name"] if match else text
    if match is None or name not in METRIC_FACTS:
        raise ValueError(allowed_values(name, METRIC_FACTS))
    facts, parameter = METRIC_FACTS[name], match["parameter"]
    if parameter is None:
        if facts.example is not None:
            raise ValueError(f"{name} needs a parameter, such as {name}({facts.parameters[0]}={facts.example})")
        return ParsedMetric(name)
    if parameter not in facts.parameters:
        raise ValueError(f'{name} has no parameter "{parameter}"; {allowed_values(parameter, facts.parameters or ("none",))}')
    return ParsedMetric(name, parameter, _value(parameter, match["value"]))


def facts_of(metric: str) -> MetricFacts:
    """The facts about a metric that was parsed before."""
    return parse_metric(metric).facts


def metrics_of(problem: Problem) -> tuple[str, ...]:
    """The names of all metrics of a problem."""
    return tuple(name for name, facts in METRIC_FACTS.items() if facts.problem == problem)


def require_classes(metrics: Iterable[str], classes: Sequence[str]) -> None:
    """Check that metrics can be computed for the classes of a label.

    Args:
        metrics: The names of the metrics.
        classes: The classes; empty for a regression.

    Raises:
        ConfigError: A metric is of a class that the label does not have, or of one class of more than two without saying of which.
    """
    for parsed in map(parse_metric, metrics):
        name = str(parsed)
        if parsed.one_class is not None and parsed.one_class not in classes:
            raise ConfigError(
                f"the metric {name} is of a class that the label does not have in the training rows; "
                f"{allowed_values(parsed.one_class, classes)}",
                key=name,
                allowed=tuple(classes),
            )
        if parsed.facts.of_one_class and parsed.one_class is None and len(classes) > 2:
            averages = [f"{parsed.name}_{kind}" for kind in ("macro", "weighted") if f"{parsed.name}_{kind}" in METRIC_FACTS]
            raise ConfigError(
                f"the metric {name} is of one of two classes, but the label has {len(classes):,}; allowed: "
                f"{', '.join([*averages, f'{parsed.name}(class={classes[0]})'])}",
                key=name,
            )


def metric_key(metric: str) -> str:
    """The name of a metric in MLflow, which allows no parentheses: `recall.class.Gentoo`."""
    name, _, rest = metric.partition("(")
    if not rest:
        return name
    parsed = parse_metric(metric)
    allowed = re.sub(r"[^\w.\- ]", "_", parsed.value)
    if allowed != parsed.value:  # two classes could become one
        allowed += f"_{digest_of_bytes(parsed.value.encode())[:6]}"
    return f"{parsed.name}.{parsed.parameter}.{allowed}"


def _value(parameter: str, text: str) -> str:
    """The value of a parameter in its only form.

    Raises:
        ValueError: The value is not allowed.
    """
    if parameter == "class":
        return text
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if parameter == "k":
        if number < 1 or not number.is_integer():
            raise ValueError(f"k is {text}; allowed: a whole number from 1")
        return str(int(number))
    if not 0 < number < 1:
        raise ValueError(f"{parameter} is {text}; allowed: a number above 0 and below 1")
    return repr(number)


def _metric_name(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    match = _FORM.fullmatch(value)
    if match is None or match["name"] not in METRIC_FACTS:
        raise PydanticCustomError("enum", "allowed: {expected}", {"expected": ", ".join(METRIC_FACTS)})
    return str(parse_metric(value))


def metric_text(name: Any) -> Any:
    """The usual form of the name of a metric, `recall(class=a)` for `recall( class = a )`; what is no metric stays as it is."""
    try:
        return str(parse_metric(name))
    except (TypeError, ValueError):
        return name


def _gate_metric_name(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"[a-z][a-z0-9_]*", value) and value not in METRIC_FACTS:
        return value  # of gate.metrics, or an error there
    return _metric_name(value)


def unknown_metric(value: str, known: Iterable[str], *key: str) -> InitErrorDetails:
    """The details that pydantic reports for a metric that does not exist; `key` is its path relative to the model."""
    wanted = ", ".join([*METRIC_FACTS, *known])
    return InitErrorDetails(type=PydanticCustomError("enum", "allowed: {expected}", {"expected": wanted}), loc=key, input=value)


_SCHEMA = {"type": "string", "pattern": rf"^({'|'.join(METRIC_FACTS)})(\(.+\))?$", "examples": list(METRIC_FACTS)}
MetricName = Annotated[str, BeforeValidator(_metric_name), WithJsonSchema(_SCHEMA)]
"""The type of the name of one of Taxiway's metrics."""
GateMetricName = Annotated[str, BeforeValidator(_gate_metric_name), WithJsonSchema({"type": "string"})]
"""The type of the name of one of Taxiway's metrics, or of one of `gate.metrics`."""
