"""`taxiway new`: drafts a pipeline from existing data, as files that run as they are and that people then edit."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from taxiway.cli.lint import STUB, lint
from taxiway.cli.new_texts import WINDOW, Draft, pipeline_text, readme_text, schema_text
from taxiway.data.engine.duckdb_table import open_table
from taxiway.data.engine.read_rows import read_rows
from taxiway.data.formats.convert import ReadOptions, known_format
from taxiway.data.formats.open_data import AS_DETECTED
from taxiway.data.ingest.ingest import ingest
from taxiway.data.profiling.compute import profile_span
from taxiway.data.profiling.distance import RESOLUTION, jensen_shannon, jensen_shannon_null, l_infinity, l_infinity_null
from taxiway.data.profiling.merge import merge_profiles
from taxiway.data.profiling.profile import ColumnProfile, Profile
from taxiway.data.schema.constraints import Drift
from taxiway.data.schema.infer import infer_schema
from taxiway.data.schema.model import CATEGORICAL_TYPES, NUMERIC_TYPES, Feature, Schema
from taxiway.data.schema.remarks import PANDAS_INDEX, is_pandas_index, remarks_of
from taxiway.data.sources.files import find_spans
from taxiway.data.sources.read_file import common_types, read_file
from taxiway.data.sources.reader import Note, ignore
from taxiway.errors import ConfigError, DataError
from taxiway.features.labels import label_classes, label_numbers
from taxiway.messages import counted
from taxiway.records import Severity, Span
from taxiway.spec.base import Name
from taxiway.spec.metrics import Problem
from taxiway.spec.pipeline_file import SUFFIX, TEAM_FILE, read_team
from taxiway.spec.source.span_pattern import SpanPattern
from taxiway.store import Store, temp_folder

if TYPE_CHECKING:
    import pandas as pd

_MANY_VALUES = 500
_CLOSE = 0.9
# The patterns that file names are matched against, in this order.
_PATTERNS = ("{YYYY}-{MM}-{DD}", "{YYYY}-{MM}", "{YYYY}{MM}{DD}", "{SPAN}")


def new_pipeline(
    name: str,
    team: str,
    data: str,
    label: str,
    *,
    dags: Path,
    data_root: str,
    options: ReadOptions = AS_DETECTED,
    note: Note = ignore,
) -> tuple[list[Path], list[str]]:
    """Write the files of a new pipeline into `dags/team`.

    Args:
        name: The pipeline's name.
        team: The team's name.
        data: A span pattern, or a folder of Parquet files named by date or number.
        label: The column to predict.
        dags: The folder of DAG files.
        data_root: What `{data}` stands for; a path below it is written with `{data}`.
        options: How the files are read.
        note: Called with each note on what is doubtful about a file.

    Returns:
        The files, and the mistakes that `taxiway lint` finds in them.

    Raises:
        ConfigError: A file exists already, or the data cannot be read as spans.
        DataError: The label cannot be predicted.
    """
    for word, noun in ((name, "pipeline"), (team, "team")):
        _check_name(word, noun)
    folder = dags / team
    known = read_team(folder)
    if known is not None and known.team != team:
        raise ConfigError(
            f'{folder / TEAM_FILE} belongs to the team "{known.team}"; give another folder, or --team {known.team}'
        )
    texts = {f"{name}{SUFFIX}": "", f"{name}.schema.yaml": "", f"{name}.py": STUB, f"{name}.md": ""}
    existing = [file for file in texts if (folder / file).exists()]
    if existing:
        raise ConfigError(
            f"{folder} already has {', '.join(existing)}, and nothing is overwritten; give the pipeline another name"
        )
    draft = draft_pipeline(span_pattern(data.replace("{data}", data_root.rstrip("/"))), label, options, note)
    for column, why in {**draft.unread, **draft.remarks}.items():
        note(f"{column}: {why}")
    texts[f"{name}{SUFFIX}"] = pipeline_text(name, team, draft, data_root)
    texts[f"{name}.schema.yaml"] = schema_text(draft)
    texts[f"{name}.md"] = readme_text(name, team, draft, folder)
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")
    return [folder / file for file in texts], lint([folder / f"{name}{SUFFIX}"])


def _check_name(word: str, noun: str) -> None:
    try:
        TypeAdapter(Name).validate_python(word)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(f'the name of the {noun} is "{word}"; {reason}') from None


def span_pattern(data: str) -> str:
    """The pattern of the names of a folder's Parquet files; a pattern is returned as it is.

    Raises:
        ConfigError: The folder has no Parquet files, or they are not named by date or number.
    """
    if "{" in data:
        return data
    folder = Path(data)
    names = sorted(path.stem for path in folder.glob("*.parquet")) if folder.is_dir() else []
    for pattern in _PATTERNS:
        expression = SpanPattern.parse(pattern).expression
        if names and all(expression.fullmatch(name) for name in names):
            return str(folder.resolve() / f"{pattern}.parquet")
    if names:
        got = f"a folder with the files {', '.join(names[:5])}"
    elif folder.is_dir():
        got = "a folder without Parquet files"
    else:
        got = "a file" if folder.exists() else "nothing"
    raise ConfigError(
        f"--from {data}: expected a folder of dated Parquet files or a pattern, got {got}; allowed: a folder with one file for each "
        "span, such as 2026-01.parquet, 2026-01-31.parquet or 7.parquet, or a pattern such as sales/{YYYY}-{MM}.parquet"
    )


def draft_pipeline(pattern: str, label: str, options: ReadOptions = AS_DETECTED, note: Note = ignore) -> Draft:
    """Read all spans of a pattern, and draft a schema and the keys of a pipeline from their profiles.

    Args:
        pattern: The pattern.
        label: The column to predict.
        options: How the files are read. Text files are read twice, because their types are those of all spans together.
        note: Called with each note on what is doubtful about a file.

    Raises:
        ConfigError: The pattern matches fewer than two files.
        DataError: The label cannot be predicted.
    """
    found = find_spans(pattern)
    if len(found) < 2:
        raise ConfigError(
            f"{pattern} matches {counted(len(found), 'file')}; required: at least 2, because a pipeline "
            "trains on one span and evaluates on the next"
        )
    with temp_folder("new") as folder:
        store = Store(str(folder))
        if (options.format or known_format(pattern)) != "parquet":
            options = replace(options, types=common_types(found, options))
        read = partial(read_file, options=options, note=note)
        spans = ingest(found, pipeline="new", source=pattern, store=store, read=read).spans
        profiles = [profile_span(span, store) for span in spans]
        unread = {c.name: _why_unread(c) for c in merge_profiles(profiles).columns if c.type == "other"}
        schema = infer_schema(spans, store, label, without=[name for name in unread if name != label])
        labels = read_rows(spans, store, [label])[label]
        problem = _problem(labels, schema)
        key = _key(merge_profiles(profiles), spans, store, schema)
        infinite = {c.name for c in merge_profiles(profiles).columns if c.above or c.below}
        features = tuple(
            _with_drift(feature, profiles, {label, *key, *infinite}).model_copy(
                update={"severity": Severity.WARNING} if feature.name in infinite else {}
            )
            for feature in schema.features
        )
        return Draft(
            pattern=pattern,
            spans=spans,
            schema=schema.model_copy(update={"key": key, "features": features}),
            label=label,
            problem=problem,
            label_std=float(labels.std()) if problem == "regression" else 0.0,
            suspects=_suspects(read_rows(spans[-1:], store), label, schema),
            unread=unread,
            remarks=_remarks(spans[-1], profiles[-1], schema, store),
            options=options,
            drop=_to_drop(merge_profiles(profiles), {label, *key}, schema),
        )


def _why_unread(column: ColumnProfile) -> str:
    types = column.storage.split(" or ")
    if len(types) > 1:
        return f"the spans have different types of it: {', '.join(types)}; write it with one type at the source"
    return f"type {column.storage}, for which there are no statistics"


def _remarks(span: Span, profile: Profile, schema: Schema, store: Store) -> dict[str, str]:
    """What to look at in the columns of the newest span."""
    with store.local_file(span.content) as path, open_table(path, f"span {span.label}") as table:
        found = remarks_of(table, profile)
    return {feature.name: found[feature.name] for feature in schema.features if feature.name in found}


def _problem(labels: "pd.Series[Any]", schema: Schema) -> Problem:
    feature = schema.feature(str(labels.name))
    assert feature is not None
    if labels.isna().any():
        raise DataError(f"the label {labels.name} is missing in {int(labels.isna().sum()):,} rows; every row must have a label")
    if feature.type in NUMERIC_TYPES:
        label_numbers(labels)
    if labels.nunique() == 2:
        return "classification"
    if feature.type in NUMERIC_TYPES and labels.nunique() > 2:
        return "regression"
    raise DataError(
        f"the label {labels.name} has the type {feature.type} and the values {', '.join(label_classes(labels)[:5])}; allowed: a label with "
        "two values, or a number"
    )


def _key(profile: Profile, spans: tuple[Span, ...], store: Store, schema: Schema) -> tuple[str, ...]:
    """The first column, in the order of the files, that is unique for every row."""
    columns = {column.name: column for column in profile.columns}
    for feature in schema.features:
        column = columns[feature.name]
        # `distinct` may be an estimate, so it only spares reading most columns.
        likely = feature.type in ("integer", "string") and column.present == column.rows and feature.name != schema.label
        if (
            likely
            and column.distinct.value >= 0.9 * column.rows
            and not read_rows(spans, store, [feature.name]).duplicated().any()
        ):
            return (feature.name,)
    return ()


def _to_drop(profile: Profile, roles: set[str], schema: Schema) -> dict[str, str]:
    """Columns that the draft leaves out of the model, and why."""
    found = {}
    usable = {f.name for f in schema.features if f.type in (*NUMERIC_TYPES, *CATEGORICAL_TYPES)} - roles
    for column in profile.columns:
        if column.name not in usable:
            continue
        if is_pandas_index(column.name):
            found[column.name] = PANDAS_INDEX
        elif column.type == "string" and column.distinct.value > _MANY_VALUES:
            found[column.name] = f"about {column.distinct.value:,.0f} distinct values; the model would memorize them"
        elif column.above or column.below:
            found[column.name] = (
                f"infinite in {column.above + column.below:,} rows; fix the source, then set its severity to error"
            )
        elif _is_constant(column):
            found[column.name] = "the same value in all rows"
    return found


def _suspects(rows: "pd.DataFrame", label: str, schema: Schema) -> dict[str, float]:
    """Numeric columns of the newest span that are highly correlated with the label, the strongest first."""
    codes = rows[label].rank(method="dense") if rows[label].nunique() == 2 else rows[label]
    # A column that has left the source is in the schema of all spans, but not in the newest.
    names = [f.name for f in schema.features if f.type in NUMERIC_TYPES and f.name != label and f.name in rows]
    numbers = rows[names].astype(float)
    finite = numbers.where(numbers.abs() != float("inf"))
    varied = finite.loc[:, finite.nunique() > 1]
    found = varied.corrwith(codes.astype(float)).dropna()
    return {
        str(name): float(value) for name, value in found.sort_values(key=abs, ascending=False).items() if abs(value) > _CLOSE
    }


def _is_constant(column: ColumnProfile) -> bool:
    if column.type in CATEGORICAL_TYPES:
        return column.values_complete and len(column.values) <= 1
    return column.minimum == column.maximum


def _with_drift(feature: Feature, profiles: Sequence[Profile], roles: set[str]) -> Feature:
    """Set the drift limit to twice the largest distance between a span and those before it, as a warning; none if it is not in 0 to 1."""
    if feature.name in roles or feature.type not in (*NUMERIC_TYPES, *CATEGORICAL_TYPES):
        return feature
    distances = []
    for at in range(1, len(profiles)):
        before = {c.name: c for c in merge_profiles(profiles[max(0, at - WINDOW) : at]).columns}.get(feature.name)
        now = {c.name: c for c in profiles[at].columns}.get(feature.name)
        if before is None or now is None or not (before.present and now.present):
            return feature
        if feature.type in NUMERIC_TYPES:
            distances.append(max(jensen_shannon(before, now), jensen_shannon_null(before, now), RESOLUTION))
        elif before.values_complete and now.values_complete:
            distances.append(max(l_infinity(before, now).distance, l_infinity_null(before, now)))
        else:
            return feature
    limit = float(f"{2 * max(distances):.2g}")
    return feature.model_copy(update={"drift": Drift(limit=limit, severity=Severity.WARNING)}) if 0 < limit < 1 else feature
