"""Pipeline: the declarative description of one model, from data to production. `pipeline_file` reads it from YAML."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails

from taxiway.messages import number_text
from taxiway.records.digests import digest_of_bytes
from taxiway.spec.approval import Approval, read_approval
from taxiway.spec.base import (
    CONTINUOUS_TRAINING,
    NEW_SPAN,
    RETRAIN,
    Columns,
    Name,
    Schedule,
    Section,
    Template,
    mistake,
    off_is_none,
)
from taxiway.spec.gate import Gate
from taxiway.spec.metrics import METRIC_FACTS, MetricName, facts_of, metrics_of, unknown_metric
from taxiway.spec.model.command import parameters_in
from taxiway.spec.model.section import Model
from taxiway.spec.model.threshold import ChosenThreshold, unknown_choice
from taxiway.spec.monitor import NOT_MONITORED, Monitor, default_metric, not_monitored_text
from taxiway.spec.monitor.action import actions_that_do_not_fit
from taxiway.spec.own_metric import OwnMetric
from taxiway.spec.purpose import Purpose
from taxiway.spec.shadow import Shadow
from taxiway.spec.source import Source
from taxiway.spec.sweep import Sweep


class Features(Section):
    """The columns that the model uses.

    Attributes:
        numeric: The numeric columns; `auto` for all integer and number columns of the schema, except `drop` and the label.
        categorical: The categorical columns; `auto` for all string and boolean columns, with the same exceptions.
        text: The columns of free text; `auto` for those of `categorical: auto` that hold it in the training rows.
        dates: The columns of dates and times; `auto` for all of them in the schema, with the same exceptions.
        lists: The columns of lists; `auto` for all of them in the schema, with the same exceptions, whose items are texts, integers,
            booleans or numbers.
        drop: Columns to leave out.
        build: A function that takes the columns by kind and returns an unfitted scikit-learn transformer: `FILE.py:function` with a
            Python file in the folder of the pipeline file, or `package.module:function`. None for Taxiway's own transform.
    """

    numeric: Columns = "auto"
    categorical: Columns = "auto"
    text: Columns = "auto"
    dates: Columns = "auto"
    lists: Columns = "auto"
    drop: tuple[str, ...] = ()
    build: str | None = None


class Pipeline(Section):
    """The pipeline of one model. Files are named relative to the folder of the pipeline file.

    Attributes:
        pipeline: The name of the pipeline.
        team: The name of the team.
        purpose: What the model is for, for people; None if nobody has said.
        template: The DAG template: `continuous_training`, or a Python file with a custom one.
        schedule: What starts a run: `new_span`, `retrain` for when monitoring says so, an asset, a cron preset or expression, or several
            of these; empty for manual runs. With `retrain`, each run decides the newest span.
        source: Where the rows come from.
        schema_file: The schema file (key `schema`).
        suite: The file of a Great Expectations suite; None for none.
        on_invalid_data: What a run does if the data did not pass: `fail`, or `continue` with training. The model gate rejects
            the resulting model in any case.
        features: The columns that the model uses.
        model: The estimator.
        sweep: The parameter search; None for none.
        gate: The requirements for promotion.
        gateway: The Airflow connection of the model gateway; None to promote without deployment and shadow.
        shadow: The comparison on live requests; None for none.
        approval: Whether a person has to approve a version before it is pushed: `required`, or a section; None for none.
        monitor: How the champion is monitored while it answers requests; None for not at all.
    """

    pipeline: Name
    team: Name
    purpose: Purpose | None = None
    template: Template = CONTINUOUS_TRAINING
    schedule: Schedule = ()
    source: Source
    schema_file: str = Field(alias="schema")
    suite: str | None = None
    on_invalid_data: Literal["fail", "continue"] = "fail"
    features: Features = Features()
    model: Model
    sweep: Annotated[Sweep | None, BeforeValidator(off_is_none)] = None
    gate: Gate
    gateway: str | None = None
    shadow: Annotated[Shadow | None, BeforeValidator(off_is_none)] = None
    approval: Annotated[Approval | None, BeforeValidator(read_approval)] = None
    monitor: Annotated[Monitor | None, BeforeValidator(off_is_none)] = None

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @property
    def digest(self) -> str:
        """The digest of the settings that are not defaults; the folder of the pipeline file does not count."""
        text = json.dumps(self.model_dump(mode="json", exclude_defaults=True), sort_keys=True)
        return digest_of_bytes(text.replace(f"{Path(self.schema_file).parent}/", "").encode())

    @property
    def may_ask(self) -> bool:
        """Whether a run may have to wait for the approval of a person."""
        return self.approval is not None or self.gate.champion_unscorable == "approval"

    @model_validator(mode="after")
    def _sections_fit_together(self) -> "Pipeline":
        mistakes = [
            *self._weight(),
            *self._threshold(),
            *self._shadow(),
            *self._parameters_of_the_command(),
            *self._sweep(),
            *self._goal(),
            *self._monitor(),
            *self._actions(),
        ]
        if mistakes:
            raise ValidationError.from_exception_data("Pipeline", mistakes)
        return self

    def _weight(self) -> Iterator[InitErrorDetails]:
        if self.model.weight == self.source.label:
            yield mistake("it is the label; allowed: another column, with numbers from 0", self.model.weight, "model", "weight")

    def _shadow(self) -> Iterator[InitErrorDetails]:
        if self.shadow is None:
            return
        if self.gateway is None:
            yield mistake("shadow needs gateway: the Airflow connection of the model gateway, such as taxiway_gateway", self)
        if self.shadow.replay is not None and self.monitor is None:
            yield mistake(
                "shadow.replay needs monitor.log: the folder of the request log that is replayed",
                self.shadow.replay,
                "shadow",
                "replay",
            )
        if self.shadow.replay is not None and self.source.named_by is None:
            yield mistake(
                "shadow.replay needs spans that are periods, because requests of the days that a challenger was trained on are left out; "
                "allowed: source.every, or a pattern with {YYYY} (and {MM}, {DD}, {HH}, {WW} or {Q}) in source.spans",
                self.shadow.replay,
                "shadow",
                "replay",
            )
        if self.gate.problem == "regression" and self.shadow.agree_within is None:
            yield mistake(
                f"shadow needs agree_within: the largest difference of two predictions of {self.source.label} that counts as agreement",
                self,
            )
        if self.gate.problem == "classification" and self.shadow.agree_within is not None:
            yield mistake("shadow.agree_within is for regression; remove it: classes agree if they are equal", self)

    def _parameters_of_the_command(self) -> Iterator[InitErrorDetails]:
        known = {*self.model.params, *(self.sweep.space if self.sweep else ())}
        for name in dict.fromkeys(parameters_in(self.model.command or ())):
            if name not in known:
                yield mistake(
                    f"model.command has {{params.{name}}}, but {name} is neither in model.params nor in sweep.space; add it to one of them",
                    self,
                )

    def _sweep(self) -> Iterator[InitErrorDetails]:
        if self.sweep is None:
            return
        if self.source.holds_out_newest and self.source.window == 1:
            yield mistake(
                "sweep needs a source.window of 2 or more: trials train on the older spans of the window and are scored on the newest",
                self,
            )
        if self.model.warm_start is not None:
            yield mistake(
                "sweep cannot be combined with model.warm_start, because trials are trained anew; remove one of them", self
            )
        both = sorted(set(self.sweep.space) & set(self.model.params))
        if both:
            yield mistake(f"{', '.join(both)} is in model.params and in sweep.space; remove it from one of them", self)
        if self.tuning_metric in self.gate.metrics:
            yield mistake(f"sweep needs metric: {self.tuning_metric} is of gate.metrics, which do not score trials", self)
        elif facts_of(self.tuning_metric).problem != self.gate.problem:
            yield mistake(f"sweep.metric is {self.tuning_metric}, but the metrics of gate are for {self.gate.problem}", self)

    def _goal(self) -> Iterator[InitErrorDetails]:
        goal = self.purpose.goal if self.purpose is not None else None
        if goal is None:
            return
        if goal.metric.partition("(")[0] not in METRIC_FACTS and goal.metric not in self.gate.metrics:
            yield unknown_metric(goal.metric, self.gate.metrics, "purpose", "goal", "metric")
        elif self.gate.facts(goal.metric).problem != self.gate.problem:
            message = f"the metrics of gate are for {self.gate.problem}; allowed: {', '.join(metrics_of(self.gate.problem))}"
            yield mistake(message, goal.metric, "purpose", "goal", "metric")

    def _monitor(self) -> Iterator[InitErrorDetails]:
        if RETRAIN in self.schedule and (self.monitor is None or self.monitor.retrain is None):
            yield mistake("it needs the section monitor with retrain, which says when to train again", RETRAIN, "schedule")
        if {RETRAIN, NEW_SPAN} <= set(self.schedule):
            message = "each new span is trained on, so there is nothing to train again for; allowed: one of the two"
            yield mistake(message, f"{NEW_SPAN} and {RETRAIN}", "schedule")
        metric = self.monitor.metric if self.monitor is not None else None
        if metric == NOT_MONITORED:
            yield mistake(not_monitored_text(self.gate.problem), metric, "monitor", "metric")
        elif metric is not None and facts_of(metric).problem != self.gate.problem:
            message = f"the metrics of gate are for {self.gate.problem}; allowed: {', '.join(metrics_of(self.gate.problem))}"
            yield mistake(message, metric, "monitor", "metric")
        else:
            yield from self._in_unit_of(metric)

    def _in_unit_of(self, metric: str | None) -> Iterator[InitErrorDetails]:
        """Mistakes in values of the section `monitor` that are in the unit of its metric."""
        section = self.monitor
        if section is None:
            return
        facts = facts_of(metric or ("mae" if self.gate.problem == "regression" else "roc_auc"))
        low, high, most = number_text(facts.low), number_text(facts.high), number_text(facts.high - facts.low)
        changes = {
            ("retrain", "costs" if section.retrain and section.retrain.costs else "min_gain"): section.retrain.least_gain
            if section.retrain is not None
            else 0.0,
            ("audit", "tolerance"): section.audit.tolerance if section.audit is not None else 0.0,
            ("rollback", "max_drop"): section.rollback.max_drop if section.rollback is not None else 0.0,
        }
        for key, value in changes.items():
            if value >= facts.high - facts.low:
                of = "this is the gain that is worth its cost; " if key[-1] == "costs" else ""
                message = f"{of}the metric cannot change by so much; allowed: less than {most}, in its unit"
                yield mistake(message, value, "monitor", *key)
        if section.audit is not None and not facts.low <= section.audit.target <= facts.high:
            yield mistake(
                f"allowed: {low} to {high}, the values of the metric", section.audit.target, "monitor", "audit", "target"
            )

    def _actions(self) -> Iterator[InitErrorDetails]:
        retrain = self.monitor.retrain if self.monitor is not None else None
        if retrain is not None and retrain.learning_curve and self.model.warm_start is not None:
            message = "the models of the curve are trained anew, and those of model.warm_start are not; remove one of the two"
            yield mistake(message, retrain.learning_curve, "monitor", "retrain", "learning_curve")
        actions = self.monitor.actions if self.monitor is not None else ()
        metric = (self.monitor and self.monitor.metric) or default_metric(2 if self.gate.problem == "classification" else 0)
        after_window = self.source.holds_out_newest and isinstance(self.source.window, int)
        for problem in actions_that_do_not_fit(
            actions, self.model, metric, after_window=after_window, sweep=self.sweep is not None
        ):
            yield mistake(problem, [action.action for action in actions], "monitor", "retrain", "actions")

    @property
    def threshold_costs(self) -> OwnMetric | None:
        """The costs by which the decision threshold is chosen; None if it is not."""
        threshold = self.model.threshold
        return self.gate.metrics[threshold.by] if isinstance(threshold, ChosenThreshold) and threshold.metric is None else None

    def _threshold(self) -> Iterator[InitErrorDetails]:
        threshold = self.model.threshold
        own = [name for name, metric in self.gate.metrics.items() if metric.costs and metric.times is None]
        if threshold is not None and self.gate.problem == "regression":
            yield mistake("model.threshold is for classifications of two classes; remove it", self)
        elif isinstance(threshold, ChosenThreshold) and threshold.metric is None and threshold.by not in own:
            yield mistake(unknown_choice(threshold.by, own), self)

    @property
    def used_features(self) -> Features:
        """The `features` section, without the column of weights."""
        column = self.model.weight_column
        if column is None or column in self.features.drop:
            return self.features
        return self.features.model_copy(update={"drop": (*self.features.drop, column)})

    @property
    def tuning_metric(self) -> MetricName:
        """The metric that scores the trials of a sweep."""
        return (self.sweep.metric if self.sweep else None) or self.gate.comparison_metric

    @property
    def name(self) -> str:
        """`team.pipeline`: the id of its DAG and the name of its registered model."""
        return f"{self.team}.{self.pipeline}"

    @property
    def experiment(self) -> str:
        """`team/pipeline`: its MLflow experiment."""
        return f"{self.team}/{self.pipeline}"
