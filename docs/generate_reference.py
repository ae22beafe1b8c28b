"""Writes docs/reference/ from the models of `taxiway.spec` and `taxiway.data.schema`; a test checks that the pages are up to date.

What a key does and what uses it cannot be read from the models, so it is described here; a key without a description is an error.
"""

import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from enum import StrEnum
from math import isfinite
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from taxiway.data.schema.constraints import Counts, Drift, FeatureSkew, Range, Rule
from taxiway.data.schema.model import Feature, Schema
from taxiway.data.schema.watch import MetricMonitor
from taxiway.evaluation.metrics.by_name import FUNCTIONS
from taxiway.records import Waiver
from taxiway.spec.gate import AgainstChampion, Gate, Slices
from taxiway.spec.metrics import METRIC_FACTS, GateMetricName, MetricName
from taxiway.spec.model.command import FILES
from taxiway.spec.model.section import EarlyStopping, Model
from taxiway.spec.model.threshold import ChosenThreshold
from taxiway.spec.own_metric import OwnMetric
from taxiway.spec.pipeline import Features, Pipeline
from taxiway.spec.shadow import Shadow
from taxiway.spec.source import KINDS, SourceKeys
from taxiway.spec.source.csv_options import CsvOptions
from taxiway.spec.source.join import Join
from taxiway.spec.source.selection import FixedWindow, Sample, Split
from taxiway.spec.sweep import Between, Sweep
from taxiway.spec.team import Notification, Team, TeamGate, TeamShadow

REFERENCE = Path(__file__).parent / "reference"
Sections = tuple[tuple[str, type[BaseModel]], ...]

PIPELINE_SECTIONS: Sections = (
    ("", Pipeline),
    ("source", SourceKeys),
    *(("source", kind) for kind in KINDS),
    ("source.csv", CsvOptions),
    ("source.window", FixedWindow),
    ("source.join.NAME", Join),
    ("source.sample", Sample),
    ("source.split", Split),
    ("features", Features),
    ("model", Model),
    ("model.early_stopping", EarlyStopping),
    ("model.threshold", ChosenThreshold),
    ("sweep", Sweep),
    ("gate", Gate),
    ("gate.against_champion", AgainstChampion),
    ("gate.slices", Slices),
    ("gate.metrics.NAME", OwnMetric),
    ("shadow", Shadow),
)

TEAM_SECTIONS: Sections = (
    ("", Team),
    ("notification", Notification),
    ("gate", TeamGate),
    ("shadow", TeamShadow),
)

SCHEMA_SECTIONS: Sections = (
    ("", Schema),
    ("rows_ratio", Range),
    ("features.NAME", Feature),
    ("features.NAME.range", Range),
    ("features.NAME.valency", Counts),
    ("features.NAME.distinct", Counts),
    ("features.NAME.drift", Drift),
    ("features.NAME.skew", Drift),
    ("rules.NAME", Rule),
    ("metric_checks", MetricMonitor),
    ("feature_skew", FeatureSkew),
    ("waivers", Waiver),
)

# The type and default of keys that have another form in the file than in the record.
WRITTEN = {
    "key": ("name or list of names", "empty"),
    "environments": ("list of names", "`[TRAINING, SERVING]`"),
    "features": ("mapping of column to keys below", "required"),
    "rules": ("mapping of name to keys below", "empty"),
    "features.NAME.presence": ("`required`, `optional` or `{min_fraction: F}`", "`required`"),
    "features.NAME.domain": ("`open` or list of values", "`open`"),
    "rules.NAME.sql": ("text", "required"),
}

PIPELINE_WRITTEN = {
    "source.csv.thousands": ("`,` or `.` or `'` or `_` or a blank", "none"),
    "source.csv.null": ("text or list of texts", "empty"),
    "model.command": ("list of texts, entries: at least 1", "none"),
}

PIPELINE_USED_BY = {
    "pipeline": "the loader: the DAG and the registered model are called `team.pipeline`",
    "team": "the loader: owner and tag of the DAG, and the first half of its name; the MLflow experiment is `team/pipeline`",
    "template": "the loader: `continuous_training`, or a Python file in the same folder with a function `template(pipeline, team)` "
    "that returns the DAG",
    "schedule": "Airflow: a cron expression or preset such as `@monthly`; `new_span` starts the DAG when a new span is due; "
    "`null`: started by hand. A scheduled DAG is paused when Airflow first sees it",
    "source": "`ingest`; see below",
    "schema": "`validate_data`, `transform`: the name of the schema file in the same folder",
    "suite": "`validate_data`: the name of a Great Expectations suite in the same folder (requires the extra `gx`)",
    "on_invalid_data": "`validate_data`: if the data does not pass, `fail` stops the run; `continue` trains anyway, to see the effect, "
    "and `validate_model` rejects the model in any case",
    "features": "`transform`; see below",
    "model": "`train`; see below",
    "sweep": "`plan_sweep`, `trials`, `train`; see below. `null`: no parameters are searched",
    "gate": "`validate_model`; see below",
    "gateway": "`shadow`, `push`, `close_run`: the Airflow connection of the model gateway. Without it there is no shadow, and "
    "`push` does not wait until the new version is served",
    "shadow": "`shadow`; see below. `null` or `off`: no shadow. Requires `gateway`",
    "source.spans": "`ingest`: a pattern of files on any fsspec URL: Parquet, CSV or JSON lines. `{YYYY}` with `{MM}`, `{DD}`, `{HH}`, `{Q}` "
    "or `{WW}`, or `{SPAN}`, name the span; with `{VERSION}` the highest version of a span is read; `*` in the name of the file matches the parts "
    "of a span; `{data}` is `[taxiway] data`",
    "source.format": "`ingest`: the format of the files, if their names do not end in `.parquet`, `.pq`, `.csv`, `.tsv`, `.jsonl`, `.ndjson` or "
    "`.json`",
    "source.csv": "`ingest`: how CSV files are written, where that is not detected or is in doubt; see below. Commands that read files have "
    "the option `--csv KEY=VALUE` instead",
    "source.csv.delimiter": "`ingest`: the character between fields, or `tab`. None: comma, semicolon, tab or bar, by the header and the "
    "first rows",
    "source.csv.header": "`ingest`: whether the first line has the names of the columns; with `false` they are `column_1`, `column_2` and so "
    "on. None: it does, and the log has a warning if it looks like values",
    "source.csv.decimal": "`ingest`: the decimal sign of numbers",
    "source.csv.thousands": "`ingest`: the sign between groups of three digits",
    "source.csv.dayfirst": "`ingest`: whether dates such as `03/04/2024` begin with the day. None: they stay text",
    "source.csv.encoding": "`ingest`: the encoding, such as `latin-1`. None: UTF-8, or what a byte order mark declares",
    "source.csv.skip": "`ingest`: the number of lines before the header",
    "source.csv.null": "`ingest`: texts that are missing values in every column",
    "source.file": "`ingest`, the watcher of `new_span`: one table, as in `spans` without placeholders; its rows are divided into spans by `time`",
    "source.time": "`ingest`: a column of dates or times; a span is a period that has ended and of which the table has rows. Rows without a "
    "value are in no span",
    "source.sql": "`ingest`: a query for the rows of one period, with `{begin}` and `{end}`, which are bound as timestamps",
    "source.connection": "`ingest`: the Airflow connection of the database for `sql`",
    "source.version": "`ingest`: a query that returns one integer for `{begin}` and `{end}`; if the integer changes, the period is "
    "processed again. None: a period is processed once",
    "source.function": "`ingest`: `FILE.py:function` in the same folder, or `package.module:function`; called with `begin` and `end`, it "
    "returns a DataFrame, a pyarrow Table, or an iterator of them",
    "source.every": "`ingest`, the watcher of `new_span`: the length of each span's period",
    "source.first": "`ingest`, the watcher of `new_span`: the name of the first period: `2013`, `2013-04`, `2013-W14`, `2013-04-01` or "
    "`2013-04-01T05`",
    "source.delay": "`ingest`, the watcher of `new_span`: how long after the end of a period its rows are available",
    "source.window": "`ingest`: the number of spans to train on, before the one to evaluate on (with a split of the rows: the number of "
    "spans to read); or `{from: SPAN, to: SPAN}`: the same training spans in every run, which evaluates on the newest span after them",
    "source.exclude": "`ingest`: names of spans that are never read, such as `[2013-04]`; the log lists them",
    "source.rows": "`ingest`: a condition in DuckDB's SQL on the columns of the source; only rows for which it is true are read. None: "
    "all rows",
    "source.join": "`ingest`: other tables, under names of your choice, whose columns are added to the rows; see below",
    "source.sample": "`ingest`; see below. None: all rows are read",
    "source.split": "`ingest`: `newest`: evaluate on the whole newest span; or split the rows of each span, see below",
    "source.window.from": "`ingest`: the first span of a fixed window",
    "source.window.to": "`ingest`: the last span of a fixed window",
    "source.join.NAME.spans": "`ingest`: a pattern with the placeholders of `source.spans`, or with those that name the periods of `sql` "
    "or `function`; a span is joined to the file of the same name, and is not read until it exists. Either this or `file`",
    "source.join.NAME.file": "`ingest`: one table that is joined to every span. Either this or `spans`",
    "source.join.NAME.format": "`ingest`: the format of the files, as in `source.format`",
    "source.join.NAME.csv": "`ingest`: how CSV files are written, as in `source.csv`",
    "source.join.NAME.on": "`ingest`: columns of the spans, each with the column of the table that must be equal",
    "source.join.NAME.as_of": "`ingest`: one column of the spans with one of the table, both dates, times or integers: of the rows with the "
    "same key, the match is the newest one at or before the row's own value; if several are equal, the last in the file",
    "source.join.NAME.within": "`ingest`: how much older than the row its match may be: `90s`, `30m`, `12h`, `1d`; only with `as_of`",
    "source.join.NAME.recode": "`ingest`: how values of the columns in `on` are converted before they are compared: `{FROM: TO}`, or a list "
    "of steps: `text`, `strip`, `upper`, `lower`, `{pad: DIGITS}` (leading zeros), `{remove_prefix: TEXT}`, `{values: {FROM: TO}}`",
    "source.join.NAME.recode_right": "`ingest`: the same for the columns of the table",
    "source.join.NAME.columns": "`ingest`: the columns of the table to add; a name that the rows already have is an error",
    "source.join.NAME.prefix": "`ingest`: a prefix for the names of these columns",
    "source.join.NAME.min_match_rate": "`validate_data`: the minimum fraction of each span's rows with a match; a lower match rate is an "
    "anomaly `join_match`, which blocks",
    "source.sample.fraction": "`ingest`: the fraction to read: with 0.1, about every tenth value of `by`",
    "source.sample.by": "`ingest`: the column whose values are sampled; the same values are chosen in every span and run, and in every "
    "pipeline that samples by them",
    "source.sample.stratify": "`ingest`: a column, such as the label; each of its values keeps at least its fraction of a span's rows, "
    "and at least one row",
    "source.split.by": "`ingest`: the column whose values are held out; all rows of a value are on the same side, in every span and run",
    "source.split.stratify": "`ingest`: a column, such as the label; each of its values keeps its share of a span's rows among those held "
    "out at random, and at least one row on each side if it has two or more different ones",
    "source.split.by_time": "`ingest`: a column of dates, times or numbers that every row has; the newest rows by it are held out, and rows "
    "of the same time stay together. Only with `window: 1`",
    "source.split.evaluation": "`ingest`: the fraction to hold out: of the rows, at random by a hash of all their values, so that equal rows "
    "are on the same side; with `by` of its values; with `by_time` of the newest rows",
    "source.label": "`transform`, `train`, `validate_model`: the column to predict: one with 2 to 1,000 classes, which are texts, whole "
    "numbers or booleans; or a number if the gate's metrics are for a regression",
    "source.unlabelled": "`ingest`, `transform`, `validate_model`: what to do about rows whose label is missing: `fail` with an error, "
    "`drop` them, or `wait` until no label of the span is missing",
    "features.numeric": "`transform`: numeric columns; `auto`: the schema's integers and numbers, without label and key",
    "features.categorical": "`transform`: categorical columns; `auto`: the schema's strings and booleans, without label and key",
    "features.text": "`transform`: columns of free text, which become up to 30 numbers each; `auto`: those of `categorical: auto` with "
    "more than 255 different values of three words or more on average",
    "features.dates": "`transform`: columns of dates and times, of which the model gets parts such as the weekday; `auto`: the schema's, without "
    "label and key",
    "features.lists": "`transform`: columns of lists of texts, integers, booleans or numbers, of which the model gets whether frequent values "
    "are in them, or their numbers; `auto`: the schema's, without label and key",
    "features.build": "`transform`: `FILE.py:function` in the same folder, or `package.module:function`; called with the names of the "
    "columns by kind, it returns an unfitted scikit-learn transformer. None: Taxiway's own transform",
    "model.threshold": "`train`, and wherever a class is predicted: the probability from which on the second of two classes is predicted, or "
    "how to choose it; see below. None: 0.5",
    "model.threshold.by": "`train`: the metric to choose it by: `accuracy`, `balanced_accuracy`, `f1`, `f1_macro`, `f1_weighted`, "
    "`matthews_corrcoef`, or a name of `gate.metrics` with `costs` and without `times`",
    "model.threshold.fraction": "`train`: the fraction of the training rows that are held out for it; a `train` function or a `command` has "
    "held out a tenth already",
    "model.warm_start": "`train`: `champion`: train the champion's estimator further, for XGBoost, LightGBM, CatBoost and estimators with `partial_fit`; "
    "anew if there is none, or if it has other features, categories or classes. None: train anew",
    "features.drop": "`transform`: columns that the model does not use",
    "model.estimator": "`train`: the dotted path of a class of scikit-learn, XGBoost, LightGBM or CatBoost. Either this or `build`",
    "model.weight": "`transform`, `train`: a column with the weight of each training row, a number from 0, which is no feature; or a "
    "function, `FILE.py:function` in the same folder or `package.module:function`; called with the training rows, it returns a weight for "
    "each. None: all rows weigh alike. Evaluation rows are not weighted",
    "model.stop_on": "`train`: the rules that stop the training of XGBoost, LightGBM, CatBoost or a training function if they find a mistake in its "
    "history; see [the rules](../guides/verdicts.md#how-a-candidate-was-trained)",
    "model.early_stopping": "`train`: when to stop boosting; see below. None: all iterations",
    "model.early_stopping.rounds": "`train`: the number of iterations without an improvement on the rows that are held out",
    "model.early_stopping.fraction": "`train`: the fraction of the training rows that are held out for it, at random",
    "model.build": "`train`: `FILE.py:function` in the same folder, or `package.module:function`; called with the parameters as one "
    "dict, it returns an estimator. Either this or `estimator`",
    "model.train": "`train`: `FILE.py:function` in the same folder, or `package.module:function`; called with the training data, the "
    "parameters and, if it has this parameter, `previous`, the estimator of the champion; it returns a fitted estimator, an ONNX model or "
    "an object of a class of the team. "
    "Instead of `estimator` and `build`",
    "model.command": "`train`: a program in any language and its arguments, which writes an ONNX model; see [its arguments](#arguments-of-modelcommand). Instead of `estimator`, "
    "`build` and `train`",
    "model.params": "`train`: parameters of the estimator; a run's `model_params` override them",
    "sweep.search": "`plan_sweep`: every combination, or randomly drawn ones",
    "sweep.trials": "`plan_sweep`: the number of draws; only with `random`",
    "sweep.trials_per_task": "`trials`: the number of trials that one mapped task runs, one after another",
    "sweep.metric": "`trials`, `train`: the metric that selects the best trial; none: that of `gate.against_champion`",
    "sweep.space": "`plan_sweep`: for each parameter a list of values; with `random` also `{low: L, high: H}`, with `log: true` for a "
    "logarithmic scale; if both ends are integers, integers are drawn",
    "gate.min_rows": "`validate_model`: with fewer evaluation rows the verdict is UNDECIDED",
    "gate.thresholds": "`validate_model`: the minimum of each metric, or its maximum if lower is better. The metrics are listed below; "
    "those of a classification and those of a regression cannot be combined",
    "gate.against_champion": "`validate_model`; see below",
    "gate.metrics": "`validate_model`: metrics of the team's own, by name; see below",
    "gate.metrics.NAME.function": "`validate_model`: `FILE.py:function` in the same folder, or `package.module:function`; called with the "
    "true labels, the predicted ones, and the rows, which also have the columns `probability_CLASS`. It returns one number for each row, "
    "whose mean is the metric, or one number. Either this or `costs`",
    "gate.metrics.NAME.costs": "`validate_model`: `{LABEL: {PREDICTED: COST}}`, and 0 for what is not listed; a gain is a negative cost. The "
    "metric is the mean of the rows",
    "gate.metrics.NAME.times": "`validate_model`: a column that multiplies the cost of a row, such as an amount of money",
    "gate.metrics.NAME.better": "`validate_model`: whether higher or lower is better",
    "gate.metrics.NAME.problem": "`train`, `validate_model`: what the metric is for",
    "gate.group_by": "`validate_model`: a column whose values say which rows go wrong together, such as a customer or a day: intervals are "
    "then of whole groups, and at least 20 groups are needed. None: rows are independent",
    "gate.slices": "`validate_model`; see below. `null`: no slices are compared",
    "gate.confidence": "`validate_model`, `shadow`: the confidence of every interval that decides; slices share it",
    "gate.against_champion.metric": "`validate_model`: the metric to compare, on all rows and in slices",
    "gate.against_champion.min_improvement": "`validate_model`: the minimum improvement over the champion; a negative value is the "
    "allowed loss. If lower is better, a decrease is an improvement",
    "gate.slices.by": "`validate_model`: columns; every value of each column is a slice",
    "gate.slices.max_drop": "`validate_model`: how much worse than the champion a slice may be, in the unit of the metric",
    "gate.slices.min_rows": "`validate_model`: slices with fewer rows do not decide",
    "shadow.deployer": "`shadow`, `close_run`: where the challenger runs: `process`, in a process of the gateway, or `docker`, in a "
    "container that the Airflow worker starts; the installation sets the image and the network",
    "shadow.min_requests": "`shadow`: the minimum number of requests that both versions have answered",
    "shadow.max_wait": "`shadow`: how long to wait for these requests: `90s`, `30m`, `12h`, `1d`",
    "shadow.min_agreement": "`shadow`: the minimum fraction of rows with the same label, or with numbers at most `agree_within` apart",
    "shadow.agree_within": "`shadow`: how far apart two numbers may be and still agree, in the unit of the label; required if the "
    "model predicts a number, and not allowed otherwise",
    "shadow.max_error_rate": "`shadow`: the maximum fraction of failed requests among those that the champion answered",
    "shadow.max_p99_ratio": "`shadow`: the maximum 99th percentile of the challenger's predict calls, as a multiple of the champion's",
}

TEAM_USED_BY = {
    "team": "the loader: the `team` of every pipeline file in the same folder",
    "owner": "Airflow: shown as the owner of the DAGs; none: the team's name",
    "pool": "Airflow: the pool of all tasks; create it in Airflow, because a task with an unknown pool waits indefinitely",
    "notification": "`close_run`; see below",
    "gate": "the loader, `taxiway lint`: a pipeline with looser limits does not load; see below",
    "shadow": "the loader, `taxiway lint`; see below. None: pipelines do not need a shadow",
    "notification.notifier": "`close_run`: the dotted path of an Airflow notifier, such as "
    "`airflow.providers.smtp.notifications.smtp.SmtpNotifier`",
    "notification.params": "`close_run`: its parameters; the ones that are templates can use `taxiway`",
    "notification.events": "`close_run`: the outcomes, and ERROR, that send a notification",
    "gate.thresholds": "each pipeline has thresholds for at least these metrics, and they are not looser than these",
    "gate.min_improvement": "`against_champion.metric` is one of these, and its `min_improvement` is not below this value",
    "gate.max_drop": "there are `slices`, and their `max_drop` is not above this value",
    "gate.slices": "`gate.slices.by` has all of these columns",
    "gate.max_slice_min_rows": "`gate.slices.min_rows` is not above this value",
    "gate.min_rows": "`gate.min_rows` is not below this value",
    "gate.confidence": "`gate.confidence` is not below this value",
    "shadow.min_requests": "`shadow.min_requests` is not below this value",
    "shadow.min_agreement": "`shadow.min_agreement` is not below this value",
    "shadow.max_error_rate": "`shadow.max_error_rate` is not above this value",
    "shadow.max_p99_ratio": "`shadow.max_p99_ratio` is not above this value",
    "shadow.max_agree_within": "`shadow.agree_within` is not above this value",
}

_VALIDATES = "`validate_data`, `taxiway validate`"
SCHEMA_USED_BY = {
    "label": "`taxiway lint`, every task: the same as the pipeline's `source.label`; every row of training data needs a value, and there "
    "must be more than one distinct value. None: no model is trained on this data",
    "key": f"{_VALIDATES}: the values of these columns together are unique for every row, across the spans of a snapshot",
    "environments": f"{_VALIDATES}: the kinds of data, selected with `taxiway validate --environment`. Tasks use `TRAINING`",
    "min_rows": f"{_VALIDATES}: the minimum number of rows in a span",
    "max_rows": f"{_VALIDATES}: the maximum number of rows in a span",
    "rows_ratio": f"{_VALIDATES}: the number of rows of the newest span, divided by the mean of the earlier spans",
    "features": f"{_VALIDATES}: what is expected of each column; `transform`: the columns that a model may use",
    "rules": f"{_VALIDATES}: conditions over several columns",
    "metric_checks": f"{_VALIDATES}: metrics that are compared from span to span",
    "feature_skew": "`taxiway validate --serving`: training and serving rows with the same `key` are compared value by value; requires "
    "`key`",
    "waivers": f"{_VALIDATES}: anomalies that do not block until a date",
    "rows_ratio.min": "the minimum ratio",
    "rows_ratio.max": "the maximum ratio",
    "features.NAME.type": f"{_VALIDATES}: the type in the file; a column of floats that are all whole numbers matches `integer`; "
    "`transform`: integers and numbers are numeric features, strings and booleans categorical ones",
    "features.NAME.description": "`taxiway schema show`; `taxiway lint` lists columns without it: what the column means",
    "features.NAME.unit": "the same, and messages about ranges: the unit of a number",
    "features.NAME.missing_means": "the same, and messages about missing values: the meaning of a missing value",
    "features.NAME.collected": "the same: how the values are collected",
    "features.NAME.stage": f"{_VALIDATES}: the lifecycle stage. Anomalies in `planned`, `alpha` and `deprecated` features only warn, and "
    "`planned` and `deprecated` ones may be missing; a model that uses a `planned` or `alpha` feature fails. `transform`: `auto` leaves "
    "these out. `taxiway schema promote` changes it",
    "features.NAME.owner": "messages about the lifecycle stage, `taxiway schema show`: who is responsible for the column",
    "features.NAME.since": "the same: the date on which the feature entered its stage; written by `taxiway schema promote`",
    "features.NAME.presence": f"{_VALIDATES}: the minimum fraction of rows with a value; NaN is not a value. `optional`: the column may be "
    "missing",
    "features.NAME.valency": f"{_VALIDATES}: the number of items in a list",
    "features.NAME.unique": f"{_VALIDATES}: no two rows have the same value, counted exactly",
    "features.NAME.distinct": f"{_VALIDATES}: the number of distinct values in a span",
    "features.NAME.domain": f"{_VALIDATES}: the allowed values; for strings and integers",
    "features.NAME.min_in_domain": f"{_VALIDATES}: the minimum fraction of the rows with a value whose value is in the domain",
    "features.NAME.pattern": f"{_VALIDATES}: a regular expression of DuckDB that must match the whole text",
    "features.NAME.semantic": f"{_VALIDATES}: what each text is, checked with a pattern of Taxiway",
    "features.NAME.range": f"{_VALIDATES}: the allowed numbers",
    "features.NAME.drift": f"{_VALIDATES} (with `--previous`): the allowed distance of the newest span from the training spans",
    "features.NAME.skew": "`taxiway validate --serving`: the allowed distance of serving data from training data",
    "features.NAME.environments": f"{_VALIDATES}: where the column is expected; none: everywhere. `transform`: a model uses only columns "
    "that are expected in `SERVING`",
    "features.NAME.severity": f"{_VALIDATES}: of every anomaly in the column except drift and skew, unless the lifecycle stage lowers it",
    "features.NAME.range.min": "the minimum",
    "features.NAME.range.max": "the maximum",
    "features.NAME.valency.min": "the minimum number of items",
    "features.NAME.valency.max": "the maximum number of items",
    "features.NAME.distinct.min": "the minimum number of distinct values",
    "features.NAME.distinct.max": "the maximum number of distinct values",
    "features.NAME.drift.limit": "a distance above this limit is an anomaly, unless chance alone explains it",
    "features.NAME.drift.severity": "of that anomaly, unless the lifecycle stage lowers it",
    "features.NAME.drift.distance": "the distance measure, in [0, 1]. For strings and booleans `l_infinity` (the largest change of one "
    "value's share of the rows with a value; the default) or `normalized_difference` (the largest change of one value's number of rows, as a share "
    "of all rows of both); for numbers `jensen_shannon` (the divergence, base 2)",
    "features.NAME.skew.limit": "as in `drift`",
    "features.NAME.skew.severity": "as in `drift`",
    "features.NAME.skew.distance": "as in `drift`",
    "rules.NAME.sql": "a condition in DuckDB's SQL with the names of the columns",
    "rules.NAME.description": "the meaning of the condition, shown with the anomaly",
    "rules.NAME.min_fraction": "the minimum fraction of the rows that fulfil it; rows for which it is null do not count",
    "rules.NAME.severity": "of the anomaly",
    "metric_checks.metric": "the metric: `rows`, or a statistic of `column`",
    "metric_checks.column": "the column; none for `rows`",
    "metric_checks.strategy": "how the metric is checked",
    "metric_checks.min": "`bounds`: the minimum",
    "metric_checks.max": "`bounds`: the maximum",
    "metric_checks.max_decrease": "`change`: the maximum decrease from the previous span",
    "metric_checks.max_increase": "`change`: the maximum increase from the previous span",
    "metric_checks.min_ratio": "`ratio`: the minimum ratio to the previous span",
    "metric_checks.max_ratio": "`ratio`: the maximum ratio to the previous span",
    "metric_checks.deviations": "`normal`: the allowed number of standard deviations from the mean of the earlier spans",
    "metric_checks.min_spans": "`normal`: with fewer earlier spans the metric is not checked",
    "metric_checks.severity": "of the anomaly",
    "feature_skew.max_fraction": "the maximum fraction of rows with the same key in which a column may differ",
    "feature_skew.digits": "decimal places to which numbers are rounded before the comparison; none: not rounded",
    "feature_skew.severity": "of the anomaly",
    "waivers.kind": "the kind of the anomaly, as in the report: `range`, `drift`, or `gx:` and the type of an expectation",
    "waivers.column": "its column or its rule; empty for an anomaly of the whole table",
    "waivers.owner": "who is responsible for the waiver",
    "waivers.reason": "why the anomaly is accepted",
    "waivers.until": "the last day of the waiver",
}

PIPELINE_HEAD = """\
# The pipeline file

Generated by `docs/generate_reference.py` from the models in `operators/taxiway/spec/`; do not edit it by hand.

A pipeline file is called `NAME.pipeline.yaml`, and its stub in the same folder `NAME.py`. An unknown key is an error that gives
the line, the allowed keys and the nearest valid name. How to write one: [your first pipeline](../guides/first-pipeline.md). In
the last column, names in `code` before a colon are tasks of the DAG, unless they begin with `taxiway`.
"""

COMMAND_HEAD = """
## Arguments of `model.command`

The program is run without a shell, in an empty temporary folder. An argument that is the path of a file, relative to the folder
of the pipeline file, becomes its absolute path, and these words in braces are replaced, also within an argument; all other text
is passed as it is. One of the first two is required, and the model. In tables, the first column is `label`: the position of the
class from 0, or a number; then `weight`, with `model.weight`; then the transformed features, without missing values.

| argument | what it is |
|---|---|
"""

COMMAND_WORDS = {
    "train.parquet": "the file of the rows to learn from",
    "train.csv": "the same as CSV: UTF-8, a header, commas, texts in double quotes, numbers with all their digits",
    "validation.parquet": "the file of the tenth of the training rows that is held out at random",
    "validation.csv": "the same as CSV",
    "config.json": "a file with the keys `problem` (`classification` or `regression`), `classes`, `columns`, `seed` and `params`",
    "model.onnx": "the file that the program writes",
}

METRICS_HEAD = """
## Metrics

The names in `gate.thresholds`, `gate.against_champion.metric` and `sweep.metric`. `class=NAME` gives the metric of one class
against all others; without it, `f1`, `precision` and `recall` are those of the second of two classes, and `roc_auc` and
`average_precision` are the same, or the mean over the classes if there are more. The second of two classes is predicted from
a probability of 0.5 on, and `threshold=P` gives the metric of another threshold. Intervals are from a paired bootstrap of 400
replicates (standard intervals, Efron 1979), of whole groups with `gate.group_by`, and end at the range. A class that the
model has not learned has the probability 0. A metric that is not a number, as the ROC AUC of one class, gives UNDECIDED.

"""

TEAM_HEAD = """\
# The team file

Generated by `docs/generate_reference.py` from the models in `operators/taxiway/spec/team.py`; do not edit it by hand.

`team.yaml` is in the folder of a team's pipelines and applies to all of them. It is optional. How to use it: [settings and
templates for teams](../guides/teams.md).
"""


SCHEMA_HEAD = """\
# The schema file

Generated by `docs/generate_reference.py` from the models in `operators/taxiway/data/schema/`; do not edit it by hand.

`NAME.schema.yaml` is in the same folder as the pipeline file that names it. An unknown key is an error that gives the line, the
allowed keys and the nearest valid name. How to work with it: [schemas](../guides/schemas.md). In a key, `NAME` stands for the
name of a column or a rule.
"""


def pages() -> dict[Path, str]:
    """The pages of the reference by their paths."""
    return {
        REFERENCE / "pipeline-file.md": _page(PIPELINE_HEAD, PIPELINE_SECTIONS, PIPELINE_USED_BY, PIPELINE_WRITTEN)
        + COMMAND_HEAD
        + _command()
        + METRICS_HEAD
        + _metrics(),
        REFERENCE / "team-file.md": _page(TEAM_HEAD, TEAM_SECTIONS, TEAM_USED_BY),
        REFERENCE / "schema-file.md": _page(SCHEMA_HEAD, SCHEMA_SECTIONS, SCHEMA_USED_BY, WRITTEN),
    }


def _command() -> str:
    if tuple(COMMAND_WORDS) != FILES:
        raise SystemExit(f"the files of model.command are {', '.join(FILES)}: describe them in {__file__}")
    words = {
        **COMMAND_WORDS,
        "params.NAME": "the value of a parameter: a text as it is, any other value in JSON",
        "seed": "a number for random generators, the same in every run",
    }
    return "".join(f"| `{{{name}}}` | {about} |\n" for name, about in words.items())


def _metrics() -> str:
    rows = ["| metric | problem | better | range | what it is |", "|---|---|---|---|---|"]
    for name, facts in METRIC_FACTS.items():
        better = "higher" if facts.direction > 0 else "lower"
        low, high = f"{facts.low:g}", f"{facts.high:g}"
        reach = (
            f"{low} or more"
            if not isfinite(facts.high)
            else f"{high} or less"
            if not isfinite(facts.low)
            else f"{low} to {high}"
        )
        parameters = ", ".join(f"`{name}({parameter}=...)`" for parameter in facts.parameters)
        written = parameters if facts.example else f"`{name}`{f', {parameters}' if parameters else ''}"
        about = (
            " ".join((inspect.getdoc(FUNCTIONS[name]) or "").split("\n\n")[0].split())
            .removesuffix(" See `precision`.")
            .replace("|", r"\|")
        )
        rows.append(f"| {written} | {facts.problem} | {better} | {reach} | {about} |")
    return "\n".join(rows) + "\n"


def _page(head: str, sections: Sections, used_by: Mapping[str, str], written: Mapping[str, tuple[str, str]] = {}) -> str:
    parts = [head]
    for path, model in sections:
        table = "\n".join(_table(path, model, used_by, written))
        parts.append(f"## {_heading(path, model)}\n\n{_about(model)}\n\n{table}\n")
    unknown = set(used_by) - {f"{path}.{key}".lstrip(".") for path, model in sections for key, _ in _fields(model)}
    if unknown:
        raise SystemExit(f"no such key in {head.splitlines()[0]}: {', '.join(sorted(unknown))}; remove it from {__file__}")
    return "\n".join(parts)


def _heading(path: str, model: type[BaseModel]) -> str:
    if issubclass(model, SourceKeys) and model is not SourceKeys:
        return f"`{path}` with `{model.key}`"
    return f"`{path}`" if path else "The file"


def _about(model: type[BaseModel]) -> str:
    # The keys are described in the table, so the section of attributes is left out.
    text = " ".join(re.split(r"\n\s*Attributes:\n", model.__doc__ or "")[0].split())
    return textwrap.fill(
        re.sub(r"(?<![`\w])(\{[A-Za-z]+\})", r"`\1`", text), 126, break_long_words=False, break_on_hyphens=False
    )


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        if name == "name" and model in (Feature, Rule):
            continue  # the key above
        if issubclass(model, SourceKeys) and model is not SourceKeys and name in SourceKeys.model_fields:
            continue  # in the section of the keys that all sources have
        yield field.alias or name, field


def _table(
    path: str, model: type[BaseModel], used_by: Mapping[str, str], written: Mapping[str, tuple[str, str]]
) -> Iterator[str]:
    yield "| key | type | default | used by |"
    yield "|---|---|---|---|"
    for key, field in _fields(model):
        whole = f"{path}.{key}".lstrip(".")
        if whole not in used_by:
            raise SystemExit(f"{whole} is a new key: describe it in {__file__}")
        kind, default = written.get(whole) or (_type(field), _default(field))
        yield f"| `{key}` | {kind} | {default} | {used_by[whole]} |"


def _type(field: FieldInfo) -> str:
    limits = [word for entry in field.metadata for word in _limit(entry)]
    return ", ".join([_name(field.annotation), *limits])


def _limit(entry: Any) -> Iterator[str]:
    words = {"ge": "at least", "le": "at most", "gt": "above", "lt": "below", "min_length": "entries: at least"}
    for name, word in words.items():
        if getattr(entry, name, None) is not None:
            yield f"{word} {getattr(entry, name):g}"
    if getattr(entry, "pattern", None):
        yield f"`{entry.pattern}`"


def _name(annotation: Any) -> str:
    plain = {
        str: "text",
        int: "integer",
        float: "number",
        timedelta: "duration",
        Any: "any value",
        bool: "`true` or `false`",
        date: "date",
    }
    if annotation in plain:
        return plain[annotation]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel | StrEnum):
        return "keys below" if issubclass(annotation, BaseModel) else _name(Literal[tuple(annotation)])
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in args)
    if origin is Annotated:
        return _name(args[0])
    if Between in (annotation, *get_args(annotation)):
        return "list of values or `{low, high, log}`"
    if origin in (Union, UnionType):
        names = dict.fromkeys(_name(arg) for arg in args if arg is not NoneType)
        return " or ".join(name for name in names if not (name == "integer" and "number" in names))
    if origin is tuple:
        return _list(args[0])
    if origin is not None and issubclass(origin, Mapping):
        return f"mapping of {'metric' if args[0] in (MetricName, GateMetricName) else 'name'} to {_name(args[1])}"
    raise SystemExit(f"no text for the type {annotation}; add one to {__file__}")


def _list(entry: Any) -> str:
    if get_origin(entry) is Literal or (isinstance(entry, type) and issubclass(entry, BaseModel)):
        return f"list of {_name(entry)}"
    if Mapping in map(get_origin, get_args(entry)):
        return "mapping of values, or list of steps"
    return "list of values" if entry is Any else "list of names"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "the defaults below"
    if isinstance(value, timedelta):
        return f"`{value.days}d`"
    if value is None or value is PydanticUndefined:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if value in ("", (), {}):
        return "empty"
    return f"`{value}`"


if __name__ == "__main__":
    for file, text in pages().items():
        file.write_text(text)
