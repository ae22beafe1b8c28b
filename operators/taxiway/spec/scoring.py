"""Scoring: the declarative description of batches of predictions, in a file `NAME.scoring.yaml`. `scoring_file` reads it."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from taxiway.spec.base import RETRAIN, Name, Schedule, Section, mistake
from taxiway.spec.source import FileSource, Source
from taxiway.spec.source.span_pattern import pattern_in_file

ONE_FOLDER = ("{SPAN}", "{VERSION}")
"""The placeholders of an output folder, besides {data}."""
_FOR_TRAINING = ("window", "split", "sample", "label", "unlabelled", "label_wait")
# A run reads one span, with or without a label.
_ONE_SPAN = {"window": 1, "split": {"evaluation": 0.5}, "label": ""}


def rows_to_score(value: Any) -> Any:
    """A section `source` of rows to score, with the keys that a source of training rows needs.

    Raises:
        ValueError: It has a key that is for training only.
    """
    if not isinstance(value, dict):
        return value
    given = [key for key in _FOR_TRAINING if key in value]
    if given:
        raise ValueError(
            f"it has {', '.join(given)}, which is for training; allowed: the keys of one kind of source, and exclude, rename, rows and join"
        )
    return {**value, **_ONE_SPAN}


def fill_output(output: str, span: str, version: int) -> str:
    """The output folder of a span."""
    return output.replace("{SPAN}", span).replace("{VERSION}", str(version))


def index_name(task: str) -> str:
    """The name of the index of the spans that a task, `DAG.TASK`, has scored, beside those of pipelines."""
    return f"scored/{task}"


def _output(value: Any) -> Any:
    if isinstance(value, str) and value and "://" not in value:
        return value
    raise ValueError("allowed: a folder that the tasks and their readers mount, such as {data}/predictions/{SPAN}")


class Scoring(Section):
    """Batches of predictions. Files are named relative to the folder of the scoring file.

    Attributes:
        scoring: The name of the scoring.
        team: The name of the team.
        model: `MODEL` for its champion by the ledger, `MODEL@ALIAS`, or `MODEL/VERSION`.
        source: Where the rows come from; a run scores one span.
        schema_file: The schema file (key `schema`) that the rows are checked against in the environment SERVING; None for no check.
        on_invalid_data: What a run does if the rows did not pass: `fail`, or `continue` with scoring.
        keys: The columns that are copied to the predictions.
        output: The folder of the predictions; {data} is the installation's folder of data, {SPAN} the span, {VERSION} its version.
        rows_per_file: How many rows a Parquet file has.
        schedule: What starts a run: `new_span`, a cron preset or expression, an asset, or several of these; empty for manual runs.
    """

    scoring: Name
    team: Name
    model: str
    source: Annotated[Source, BeforeValidator(rows_to_score)]
    schema_file: str | None = Field(default=None, alias="schema")
    on_invalid_data: Literal["fail", "continue"] = "fail"
    keys: tuple[str, ...] = ()
    output: Annotated[str, BeforeValidator(_output)]
    rows_per_file: int = Field(default=100_000, ge=1, strict=True)
    schedule: Schedule = ()

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @model_validator(mode="after")
    def _no_training(self) -> "Scoring":
        if RETRAIN in self.schedule:
            message = "it is for training; allowed: new_span, a cron preset or expression, or an asset"
            raise ValidationError.from_exception_data("Scoring", [mistake(message, RETRAIN, "schedule")])
        return self

    @model_validator(mode="after")
    def _spans_have_folders(self) -> "Scoring":
        one_span = isinstance(self.source, FileSource) and pattern_in_file(self.source.spans).is_one_span
        if "{SPAN}" not in self.output and not one_span:
            message = "every span would replace the predictions of the one before; allowed: a folder with {SPAN} in its path"
            raise ValidationError.from_exception_data("Scoring", [mistake(message, self.output, "output")])
        return self

    @property
    def name(self) -> str:
        """`team.scoring`: the id of its DAG."""
        return f"{self.team}.{self.scoring}"

    @property
    def predictions(self) -> str:
        """The name of the asset of its predictions."""
        return f"{self.name}.predictions"
