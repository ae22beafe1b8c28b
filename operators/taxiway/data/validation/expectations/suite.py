"""Run a team's Great Expectations suite on the rows of the newest span.

Each failed expectation becomes an anomaly of kind `gx:TYPE`, where TYPE is the expectation's type. The engines are in `engines`.
"""

import json
import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxiway.data.validation.expectations.engines import (
    IN_SQL,
    duckdb_batch,
    import_gx,
    in_utc,
    new_context,
    on_duckdb,
    pandas_batch,
)
from taxiway.data.validation.inputs import CheckInput, CheckTarget
from taxiway.data.validation.results import CheckResults
from taxiway.errors import ConfigError, allowed_values, similar_files
from taxiway.messages import SHOWN_VALUES, quoted, share
from taxiway.records import Anomaly, Severity

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_COLUMN_KEYS = ("column", "column_A", "column_B")
_LIST_KEYS = ("column_list", "column_set")
_SEVERITIES = {"critical": Severity.ERROR, "error": Severity.ERROR, "warning": Severity.WARNING, "info": Severity.WARNING}
_OF_TYPES = ("expect_column_values_to_be_of_type", "expect_column_values_to_be_in_type_list")
# SQLAlchemy puts DuckDB's exception before its message, and the query behind it.
_SQL_ERROR = re.compile(r"^\(_?duckdb\.\w+\) (?P<message>.*?)(\n\nLINE .*|\n\[SQL: .*)?$", re.DOTALL)
_NOT_ARGUMENTS = {"batch_id", *_COLUMN_KEYS, *_LIST_KEYS}


def check(check_input: CheckInput, results: CheckResults) -> None:
    """Run the suite on the newest span, if the pipeline has a suite."""
    if check_input.suite is not None:
        run_expectations(check_input.suite, check_input.newest, results, docs=check_input.suite_docs)


def run_expectations(path: Path, span: CheckTarget, results: CheckResults, docs: Path | None = None) -> None:
    """Run a suite on a span.

    Expectations run on DuckDB if they give the same result there, the others on pandas with only the columns that they need. An
    expectation's severity is its `meta.severity` (error or warning), else its `severity` (critical, warning or info), else error.
    An expectation that cannot be computed fails, for example if its column is missing. A note in the results says how many ran on
    which engine.

    Args:
        path: The JSON file of the suite.
        span: The data.
        results: Where to add the anomalies.
        docs: The HTML file to write the results to, as Great Expectations' Data Docs.

    Raises:
        ConfigError: The file is not a suite, or has an expectation that Great Expectations does not know; or two columns differ only
            in case.
    """
    expectations = _read(path)
    if not expectations:
        raise ConfigError(
            f"{path} has no expectations, so any data would pass; add some, or remove suite from the pipeline file"
        )
    span.require_distinct_names("expectations")
    gx = import_gx(path)
    with redirect_stdout(StringIO()) as printed:  # Great Expectations prints some warnings, many times
        outcomes, slow = _run(path, expectations, span, gx)
    for line in dict.fromkeys(printed.getvalue().splitlines()):
        results.add_note(f"{path.name}: {line}")
    for expectation, result in zip(expectations, outcomes, strict=True):
        results.add(None if result["success"] else _anomaly(expectation, result, span, path))
    on_pandas = f"; {len(slow)} of them on pandas: {', '.join(sorted(set(slow)))}" if slow else ""
    results.add_note(f"{path.name}: {len(expectations)} expectations{on_pandas}")
    if docs is not None:
        write_docs(path, outcomes, docs)


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"the suite {path} does not exist; {similar_files(path.parent, path.name, '.json')}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not JSON: {error}") from None
    expectations = content.get("expectations") if isinstance(content, dict) else None
    if not isinstance(expectations, list):
        raise ConfigError(f'{path} is not a Great Expectations 1.x suite: it needs a list "expectations"')
    for index, expectation in enumerate(expectations):
        if not (
            isinstance(expectation, dict)
            and isinstance(expectation.get("type"), str)
            and isinstance(expectation.get("kwargs"), dict)
        ):
            raise ConfigError(
                f'{path}: expectations[{index}] needs "type" (text) and "kwargs" (a mapping), as Great Expectations 1.x writes them'
            )
        _severity(expectation, f"{path}: expectations[{index}]")
    return expectations


def _severity(expectation: dict[str, Any], where: str) -> Severity:
    name = (expectation.get("meta") or {}).get("severity") or expectation.get("severity") or "error"
    if name not in _SEVERITIES:
        raise ConfigError(f'{where}.severity is "{name}"; {allowed_values(str(name), _SEVERITIES)}')
    return _SEVERITIES[name]


def _columns(expectation: dict[str, Any]) -> list[str]:
    kwargs = expectation["kwargs"]
    return [str(kwargs[key]) for key in _COLUMN_KEYS if key in kwargs] + [
        str(c) for key in _LIST_KEYS for c in kwargs.get(key) or ()
    ]


def _rows(span: CheckTarget, expectations: list[dict[str, Any]]) -> "pd.DataFrame":
    """The span's rows with the columns that the expectations name, or with all columns if one may read any."""
    import pyarrow
    import pyarrow.parquet

    any_column = any(
        "row_condition" in expectation["kwargs"] or expectation["type"].startswith("expect_table_column")
        for expectation in expectations
    )
    named = {name for expectation in expectations for name in _columns(expectation)}
    all_rows = span.table()
    columns = [column.name for column in all_rows.columns if any_column or column.name in named]
    if all_rows.one_file:
        table = pyarrow.parquet.ParquetFile(all_rows.paths[0]).read(columns=columns)
    else:
        table = all_rows.in_order(columns)
    rows = _with_whole_numbers(table.to_pandas(ignore_metadata=True), table)
    if not columns:
        rows = rows.reindex(range(span.profile.rows))
    return rows


def _with_whole_numbers(rows: "pd.DataFrame", table: "pa.Table") -> "pd.DataFrame":
    """The rows with integer columns of integers even if they have nulls: as floats, 3 would read 3.0, and 2**53 + 1 be 2**53."""
    import pandas as pd
    import pyarrow

    for name, column in zip(table.column_names, table.columns, strict=True):
        if column.null_count and pyarrow.types.is_integer(column.type):
            dtype = pd.api.types.pandas_dtype(str(column.type).replace("int", "Int").replace("u", "U"))
            rows[name] = column.to_pandas(types_mapper={column.type: dtype}.get)
    return rows


def _without_gaps(rows: "pd.DataFrame") -> "pd.DataFrame":
    """The rows with NumPy's integer types for integer columns, which expectations about types compare with."""
    extended = {name: str(dtype).lower() for name, dtype in rows.dtypes.items() if str(dtype).lstrip("U").startswith("Int")}
    return rows.fillna(dict.fromkeys(extended, 0)).astype(extended)


def _run(path: Path, expectations: list[dict[str, Any]], span: CheckTarget, gx: Any) -> tuple[list[dict[str, Any]], list[str]]:
    """The results of all expectations, in their order, as plain values, and the types of those that ran on pandas."""
    objects = [_expectation(in_utc(expectation, span.table()), at, path) for at, expectation in enumerate(expectations)]
    context = new_context(gx)
    found: dict[int, dict[str, Any]] = {}
    fast = [at for at, expectation in enumerate(expectations) if on_duckdb(expectation, _columns(expectation), span.table())]
    # One by one: a whole suite skips unknown expectations, merges equal ones, and reorders the results.
    if fast:
        with duckdb_batch(context, span) as batch:
            found = {at: _validate(batch, objects[at]) for at in fast}
    # What DuckDB could not compute runs on pandas, unless it is SQL: then the error of DuckDB is the reason.
    kinds = [expectation["type"] for expectation in expectations]
    rest = [at for at, kind in enumerate(kinds) if at not in found or (_exception_messages(found[at]) and kind not in IN_SQL)]
    if rest:
        rows = _rows(span, [expectations[at] for at in rest])
        for typed in (False, True):
            of_this_frame = [at for at in rest if (kinds[at] in _OF_TYPES) is typed]
            if of_this_frame:
                batch = pandas_batch(context, _without_gaps(rows) if typed else rows)
                found |= {at: _validate(batch, objects[at]) for at in of_this_frame}
    return [found[at] for at in range(len(expectations))], [kinds[at] for at in rest]


def _validate(batch: Any, expectation: Any) -> dict[str, Any]:
    """The result of an expectation as plain values; an exception of Great Expectations is a result too, as those that it catches."""
    try:
        result: dict[str, Any] = batch.validate(expectation).to_json_dict()
    except Exception as error:  # of many types, such as for a parameter without a value
        raised = {"raised_exception": True, "exception_message": str(error), "exception_traceback": ""}
        config = expectation.configuration.to_json_dict()
        result = {"success": False, "expectation_config": config, "result": {}, "meta": {}, "exception_info": raised}
    return result


def _expectation(expectation: dict[str, Any], index: int, path: Path) -> Any:
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    try:
        return ExpectationConfiguration(type=expectation["type"], kwargs=expectation["kwargs"]).to_domain_obj()
    except Exception as error:  # pydantic's, or one of several of Great Expectations' own
        raise ConfigError(f"{path}: expectations[{index}] ({expectation['type']}) is not valid: {error}") from error


def _anomaly(expectation: dict[str, Any], result: dict[str, Any], span: CheckTarget, path: Path) -> Anomaly:
    column = ", ".join(_columns(expectation))
    arguments = {key: value for key, value in expectation["kwargs"].items() if key not in _NOT_ARGUMENTS}
    expected = ", ".join(f"{key} {value}" for key, value in sorted(arguments.items())) or "see the type"
    observed, examples = _observed_text(result)
    such_as = f", such as {', '.join(examples)}" if examples else ""
    why = f" ({expectation['description']})" if expectation.get("description") else ""
    return Anomaly(
        kind=f"gx:{expectation['type']}",
        span=span.name,
        column=column or None,
        severity=_severity(expectation, str(path)),
        observed=observed,
        expected=expected,
        message=f"{column or 'the table'} in {span.title} fails {expectation['type']} ({expected}){why}: {observed}{such_as}.",
        examples=tuple(examples),
        proposal=f"change {expectation['type']} of {column or 'the table'} in {path.name}",
    )


def _observed_text(result: dict[str, Any]) -> tuple[str, list[str]]:
    """What the data has, and up to three example values."""
    messages = _exception_messages(result)
    if messages:
        return f"could not be computed: {messages[0]}", []
    detail = result["result"]
    values = list(dict.fromkeys(quoted(value) for value in detail.get("partial_unexpected_list") or []))[:SHOWN_VALUES]
    if "unexpected_count" in detail:
        return f"{share(int(detail['unexpected_count']), int(detail['element_count']))} do not meet it", values
    return f"observed {quoted(detail.get('observed_value'))}", values


def _exception_messages(result: dict[str, Any]) -> list[str]:
    """The messages of the exceptions raised while an expectation was computed."""
    raised = result.get("exception_info") or {}
    # One exception is a mapping of its own; several are a mapping of mappings, by metric.
    several = [raised] if "raised_exception" in raised else list(raised.values())
    raising = (info for info in several if isinstance(info, dict) and info.get("raised_exception"))
    return [_SQL_ERROR.sub(r"\g<message>", str(info["exception_message"])) for info in raising]


def write_docs(path: Path, results: list[dict[str, Any]], docs: Path) -> None:
    """Write the results as Great Expectations' Data Docs, in one HTML file."""
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
