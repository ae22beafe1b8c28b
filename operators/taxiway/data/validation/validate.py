"""Data validation: checks of rows against their schema, earlier spans, serving data and a Great Expectations suite."""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

from taxiway.data.engine.duckdb_table import Table
from taxiway.data.formats.convert import ReadOptions
from taxiway.data.formats.open_data import AS_DETECTED, files_of, open_data
from taxiway.data.profiling.merge import merge_profiles
from taxiway.data.profiling.profile import Profile
from taxiway.data.profiling.profiler import profile_with_optional_label
from taxiway.data.schema.file import load_schema
from taxiway.data.schema.model import SERVING, TRAINING, Schema
from taxiway.data.validation.all_checks import check_all
from taxiway.data.validation.checks import drift
from taxiway.data.validation.inputs import Baseline, CheckInput
from taxiway.data.validation.targets import checked_table, open_checked_data
from taxiway.errors import ConfigError, allowed_values
from taxiway.records import DataReport, JoinMatch


@dataclass(frozen=True)
class ValidationResult:
    """The report on data, with the profiles that it is based on.

    Attributes:
        report: The anomalies and the decision.
        profile: The profile of the data.
        previous: The merged profile of the earlier data; None without it.
        serving: The profile of the serving data; None without it.
    """

    report: DataReport
    profile: Profile
    previous: Profile | None = None
    serving: Profile | None = None


def validate(
    data: Path | str,
    schema: Schema | Path | str,
    *,
    previous: Path | str | None = None,
    serving: Path | str | None = None,
    environment: str = TRAINING,
    suite: Path | None = None,
    today: date | None = None,
) -> DataReport:
    """Check data against a schema.

    Args:
        data: A file, a pattern whose files are one table, or a URL.
        schema: The schema, or the path of its file.
        previous: Earlier data, for drift and metric checks; each file is one span, in the order of their names.
        serving: Serving data, for skew.
        environment: The environment of `data`, one of `schema.environments`.
        suite: The file of a Great Expectations suite.
        today: The day on which waivers must be valid; the current UTC day if None.

    Returns:
        The report: FAIL if an anomaly of severity error has no valid waiver, else PASS.

    Raises:
        DataError: The data cannot be read or has no rows.
        ConfigError: The schema, the environment, the suite or a rule is not valid.
    """
    if not isinstance(schema, Schema):
        schema = load_schema(schema)
    return validate_with_profiles(
        data, schema, previous=previous, serving=serving, environment=environment, suite=suite, today=today
    ).report


def validate_with_profiles(
    data: Path | str,
    schema: Schema,
    *,
    previous: Path | str | None = None,
    serving: Path | str | None = None,
    environment: str = TRAINING,
    suite: Path | None = None,
    suite_docs: Path | None = None,
    today: date | None = None,
    options: ReadOptions = AS_DETECTED,
) -> ValidationResult:
    """Check data as `validate` does, and return the profiles that an HTML report shows with the report.

    Args:
        data: As in `validate`.
        schema: The schema.
        previous: As in `validate`.
        serving: As in `validate`.
        environment: As in `validate`.
        suite: As in `validate`.
        suite_docs: The HTML file to write the suite's results to, as Great Expectations' Data Docs.
        today: As in `validate`.
        options: How all of the data is read. Types are those of the schema.
    """
    _require_environment(schema, environment)
    options = replace(options, types=schema.types)
    with ExitStack() as stack:
        target = open_checked_data(stack, Path(str(data)).name, data, schema, options)
        earlier = [_profile_of(file, schema, options) for file in (files_of(previous) if previous is not None else ())]
        baseline = Baseline(merge_profiles(earlier), "the previous data") if earlier else None
        serving_target = open_checked_data(stack, "serving", serving, schema, options) if serving is not None else None
        check_input = CheckInput(
            schema,
            (target,),
            environment,
            earlier=tuple(earlier),
            baseline=baseline,
            serving=serving_target,
            suite=suite,
            suite_docs=suite_docs,
        )
        results = check_all(check_input)
        for note in (*target.table().notes, *(serving_target.table().notes if serving_target is not None else ())):
            results.add_note(note)
        report = results.decide(target.table().digest, schema, today or datetime.now(UTC).date())
    return ValidationResult(
        report,
        target.profile,
        previous=baseline.profile if baseline is not None else None,
        serving=serving_target.profile if serving_target is not None else None,
    )


def validate_table(table: Table, name: str, schema: Schema, environment: str, joins: tuple[JoinMatch, ...] = ()) -> DataReport:
    """Check an open table against a schema.

    Args:
        table: The table, which was read with the types of the schema.
        name: Its name in messages.
        schema: The schema.
        environment: The environment of the schema that the rows belong to.
        joins: The match rates of the tables that were joined to its rows.

    Raises:
        ConfigError: The schema has no such environment.
    """
    _require_environment(schema, environment)
    results = check_all(CheckInput(schema, (checked_table(table, name, schema),), environment, joins=joins))
    return results.decide(table.digest, schema, datetime.now(UTC).date())


def validate_requests(
    table: Table, about: str, schema: Schema, training: Profile | None, before: Baseline | None = None
) -> ValidationResult:
    """Check the inputs of requests against a schema in the environment SERVING.

    They are compared with training data by its limits of skew, and with earlier requests by its limits of drift.

    Args:
        table: The inputs, which were read with the types of the schema.
        about: What they are called in messages, such as `the requests of flights.late_arrivals version 3`.
        schema: The schema of the columns that the requests have; see `Schema.of_columns`.
        training: The profile of the rows that the version was trained on; None for no comparison.
        before: Earlier requests; None for no comparison.

    Raises:
        ConfigError: The schema has no environment SERVING.
    """
    _require_environment(schema, SERVING)
    target = checked_table(table, about, schema)
    results = check_all(CheckInput(schema, (target,), SERVING, baseline=before))
    if training is not None:
        drift.check_skew(training, target.profile, schema, results)
    return ValidationResult(results.decide(table.digest, schema, datetime.now(UTC).date()), target.profile)


def _require_environment(schema: Schema, environment: str) -> None:
    if environment not in schema.environments:
        raise ConfigError(f'unknown environment "{environment}"\n    {allowed_values(environment, schema.environments)}')


def _profile_of(file: str, schema: Schema, options: ReadOptions) -> Profile:
    with open_data(file, options) as table:
        return profile_with_optional_label(table, schema.label)
