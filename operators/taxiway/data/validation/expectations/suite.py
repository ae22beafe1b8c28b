"""A Great Expectations suite, kept by a team beside its pipeline, on the rows of the newest span.

Each expectation that fails becomes an Anomaly of kind `gx:` and the expectation's type. What runs them is in `suite_engines`.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.data.validation.expectations.engines import duckdb_batch, import_gx, new_context, on_duckdb, pandas_batch
from taxiway.data.validation.inputs import CheckInput, CheckTarget
from taxiway.data.validation.results import CheckResults
from taxiway.errors import ConfigError, allowed_values
from taxiway.messages import SHOWN_VALUES, quoted, share
from taxiway.records import Anomaly, Severity

if TYPE_CHECKING:
    import pandas as pd

_COLUMN_KEYS = ("column", "column_A", "column_B")
_LIST_KEYS = ("column_list", "column_set")
_SEVERITIES = {"critical": Severity.ERROR, "error": Severity.ERROR, "warning": Severity.WARNING, "info": Severity.WARNING}
_NOT_ARGUMENTS = {"batch_id", *_COLUMN_KEYS, *_LIST_KEYS}


def check(given: CheckInput, results: CheckResults) -> None:
    """Run the team's suite on the newest span, if there is one; see `run_expectations`."""
    if given.suite is not None:
        run_expectations(given.suite, given.newest, results, docs=given.suite_docs)


def run_expectations(path: Path, span: CheckTarget, results: CheckResults, docs: Path | None = None) -> None:
    """Run the suite in the JSON file `path` on `span`: on DuckDB what gives the same verdict there, the rest on pandas with its columns.

    An expectation's severity is its `meta.severity` (error or warning), else its `severity` (critical, warning or info), else
    error. One that cannot be computed, for want of its column say, fails. A note of the report says how many ran where. `docs` is a
    file for the results as Great Expectations shows them.

    Raises ConfigError where the file is no suite, or holds an expectation that Great Expectations does not know.
    """
    expectations = _read(path)
    if not expectations:
        raise ConfigError(f"{path} holds no expectation, and would pass anything; add some, or leave the suite out")
    outcomes, slow = _run(path, expectations, span)
    for asked, result in zip(expectations, outcomes, strict=True):
        results.add(None if result["success"] else _anomaly(asked, result, span, path))
    on_pandas = f"; {len(slow)} of them on pandas: {', '.join(sorted(set(slow)))}" if slow else ""
    results.add_note(f"{path.name}: {len(expectations)} expectations{on_pandas}")
    if docs is not None:
        write_docs(path, outcomes, docs)


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        beside = sorted(file.name for file in path.parent.glob("*.json"))
        raise ConfigError(f"the suite {path} does not exist; JSON files there: {', '.join(beside) or 'none'}") from None
    except ValueError as error:
        raise ConfigError(f"{path} is not JSON: {error}") from None
    expectations = content.get("expectations") if isinstance(content, dict) else None
    if not isinstance(expectations, list):
        raise ConfigError(f'{path} is no suite of Great Expectations 1.x: it needs a list "expectations"')
    for at, asked in enumerate(expectations):
        if not (isinstance(asked, dict) and isinstance(asked.get("type"), str) and isinstance(asked.get("kwargs"), dict)):
            raise ConfigError(
                f'{path}: expectations[{at}] needs "type" (text) and "kwargs" (a mapping), as Great Expectations 1.x writes them'
            )
        _severity(asked, f"{path}: expectations[{at}]")
    return expectations


def _severity(asked: dict[str, Any], where: str) -> Severity:
    name = (asked.get("meta") or {}).get("severity") or asked.get("severity") or "error"
    if name not in _SEVERITIES:
        raise ConfigError(f'{where}.severity is "{name}"; {allowed_values(str(name), _SEVERITIES)}')
    return _SEVERITIES[name]


def _columns(asked: dict[str, Any]) -> list[str]:
    kwargs = asked["kwargs"]
    return [str(kwargs[key]) for key in _COLUMN_KEYS if key in kwargs] + [
        str(c) for key in _LIST_KEYS for c in kwargs.get(key) or ()
    ]


def _rows(span: CheckTarget, expectations: list[dict[str, Any]]) -> "pd.DataFrame":
    """The span's rows with the columns that the expectations name: all of them where one may look at any."""
    import pyarrow
    import pyarrow.parquet

    any_column = any(
        "row_condition" in asked["kwargs"] or asked["type"].startswith("expect_table_column") for asked in expectations
    )
    named = {name for asked in expectations for name in _columns(asked)}
    paths = span.table().paths
    there = pyarrow.parquet.read_schema(paths[0]).names
    columns = [name for name in there if any_column or name in named]
    table = pyarrow.concat_tables([pyarrow.parquet.ParquetFile(path).read(columns=columns) for path in paths])
    rows: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    if not columns:
        rows = rows.reindex(range(span.profile.rows))
    return rows


def _run(path: Path, expectations: list[dict[str, Any]], span: CheckTarget) -> tuple[list[dict[str, Any]], list[str]]:
    """The results of all expectations, in their order, as plain values, and the types of those that ran on pandas."""
    gx = import_gx(path)
    objects = [_expectation(asked, at, path) for at, asked in enumerate(expectations)]
    context = new_context(gx)
    found: dict[int, dict[str, Any]] = {}
    fast = [at for at, asked in enumerate(expectations) if on_duckdb(asked, _columns(asked), span.table())]
    # One by one: a whole suite leaves out what it does not understand, merges expectations that are alike, and reorders results.
    if fast:
        with duckdb_batch(context, span) as batch:
            found = {at: batch.validate(objects[at]).to_json_dict() for at in fast}
    # What DuckDB could not compute is left to pandas to judge.
    rest = [at for at in range(len(expectations)) if at not in found or _raised(found[at])]
    if rest:
        batch = pandas_batch(context, _rows(span, [expectations[at] for at in rest]))
        found |= {at: batch.validate(objects[at]).to_json_dict() for at in rest}
    return [found[at] for at in range(len(expectations))], [expectations[at]["type"] for at in rest]


def _expectation(asked: dict[str, Any], at: int, path: Path) -> Any:
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    try:
        return ExpectationConfiguration(type=asked["type"], kwargs=asked["kwargs"]).to_domain_obj()
    except Exception as error:  # pydantic's, or one of several of Great Expectations' own
        raise ConfigError(f"{path}: expectations[{at}] ({asked['type']}) is not understood: {error}") from error


def _anomaly(asked: dict[str, Any], result: dict[str, Any], span: CheckTarget, path: Path) -> Anomaly:
    column = ", ".join(_columns(asked))
    arguments = {key: value for key, value in asked["kwargs"].items() if key not in _NOT_ARGUMENTS}
    expected = ", ".join(f"{key} {value}" for key, value in sorted(arguments.items())) or "as its name says"
    observed, examples = _observed(result)
    such_as = f", such as {', '.join(examples)}" if examples else ""
    why = f" ({asked['description']})" if asked.get("description") else ""
    return Anomaly(
        kind=f"gx:{asked['type']}",
        span=span.name,
        column=column or None,
        severity=_severity(asked, str(path)),
        observed=observed,
        expected=expected,
        message=f"{column or 'the table'} in {span.name} fails {asked['type']} ({expected}){why}: {observed}{such_as}.",
        examples=tuple(examples),
        proposal=f"change {asked['type']} of {column or 'the table'} in {path.name}",
    )


def _observed(result: dict[str, Any]) -> tuple[str, list[str]]:
    """What was seen, and up to three example values."""
    messages = _raised(result)
    if messages:
        return f"it could not be computed: {messages[0]}", []
    detail = result["result"]
    values = list(dict.fromkeys(quoted(value) for value in detail.get("partial_unexpected_list") or []))[:SHOWN_VALUES]
    if "unexpected_count" in detail:
        return f"{share(int(detail['unexpected_count']), int(detail['element_count']))} are not so", values
    return f"observed {quoted(detail.get('observed_value'))}", values


def _raised(result: dict[str, Any]) -> list[str]:
    """The messages of what was raised while an expectation was computed."""
    raised = result.get("exception_info") or {}
    # One exception is a mapping of its own; several are a mapping of mappings, by metric.
    several = [raised] if "raised_exception" in raised else list(raised.values())
    return [str(info["exception_message"]) for info in several if isinstance(info, dict) and info.get("raised_exception")]


def write_docs(path: Path, results: list[dict[str, Any]], docs: Path) -> None:
    """Write the results as the page that Great Expectations makes of them (its Data Docs), in one file."""
    from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
    from great_expectations.render.view.view import DefaultJinjaPageView

    parts = [
        ExpectationValidationResult(
            success=result["success"],
            expectation_config=ExpectationConfiguration(
                **{key: result["expectation_config"][key] for key in ("type", "kwargs", "meta")}
            ),
            result=result["result"],
            meta=result["meta"],
            exception_info=result["exception_info"],
        )
        for result in results
    ]
    successful = sum(bool(result["success"]) for result in results)
    statistics = {
        "evaluated_expectations": len(results),
        "successful_expectations": successful,
        "unsuccessful_expectations": len(results) - successful,
        "success_percent": 100 * successful / len(results),
    }
    whole = ExpectationSuiteValidationResult(
        success=successful == len(results), results=parts, suite_name=path.stem, statistics=statistics, meta={}
    )
    page: str = DefaultJinjaPageView().render(  # type: ignore[no-untyped-call]
        ValidationResultsPageRenderer().render(whole)
    )
    docs.write_text(page, encoding="utf-8")
