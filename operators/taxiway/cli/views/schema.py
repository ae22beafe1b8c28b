"""The output of `taxiway schema show`: a table of the features, and the constraints of the whole table."""

from typing import TYPE_CHECKING

from taxiway.cli.views.console import stdout_console
from taxiway.data.schema.diff import presence_text
from taxiway.messages import number_text, quoted

if TYPE_CHECKING:
    from taxiway.data.schema.feature import Feature
    from taxiway.data.schema.model import Schema

_VALUES_SHOWN = 6


def show_schema(schema: "Schema") -> None:
    """Print a schema; columns of the table that are empty for every feature are left out."""
    from rich.markup import escape
    from rich.table import Table

    columns: dict[str, list[str]] = {
        "column": [_name(feature, schema) for feature in schema.features],
        "type": [feature.type for feature in schema.features],
        "stage": [f"{feature.stage}{f' since {feature.since}' if feature.since else ''}" for feature in schema.features],
        "owner": [feature.owner for feature in schema.features],
        "presence": [presence_text(feature.presence) for feature in schema.features],
        "values": [values_text(feature) for feature in schema.features],
        "drift": [drift_text(feature) for feature in schema.features],
        "environments": [", ".join(feature.environments or ()) for feature in schema.features],
        "meaning": [meaning_text(feature) for feature in schema.features],
    }
    shown = {title: cells for title, cells in columns.items() if any(cells)}
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in shown:
        table.add_column(title, overflow="fold", min_width=min(12, max(map(len, [title, *shown[title]]))))
    for row in zip(*shown.values(), strict=True):
        table.add_row(*map(escape, row))
    console = stdout_console()
    console.print(table)
    for line in table_texts(schema):
        console.print(escape(line), highlight=False)


def _name(feature: "Feature", schema: "Schema") -> str:
    roles = ["label"] * (feature.name == schema.label) + ["key"] * (feature.name in schema.key)
    return f"{feature.name} ({', '.join(roles)})" if roles else feature.name


def values_text(feature: "Feature") -> str:
    """The allowed values: `"a", "b"`, `0 to 75 mph`, `unique`."""
    parts = []
    if feature.domain is not None:
        more = len(feature.domain) - _VALUES_SHOWN
        listed = ", ".join(map(quoted, feature.domain[:_VALUES_SHOWN]))
        parts.append(f"{listed}{f' and {more} more' if more > 0 else ''}")
        if feature.min_in_domain < 1:
            parts.append(f"in {100 * feature.min_in_domain:g}% of the rows")
    if feature.range is not None:
        parts.append(feature.range.describe())
    if feature.valency is not None:
        parts.append(f"lists of {feature.valency.describe()}")
    if feature.distinct is not None:
        parts.append(f"{feature.distinct.describe()} distinct")
    parts += [f"like {feature.pattern}"] * (feature.pattern is not None) + ["unique"] * feature.unique
    parts += [feature.semantic] if feature.semantic else []
    return "; ".join(parts)


def drift_text(feature: "Feature") -> str:
    """The limits of drift and skew: `0.05`, `0.05 (warning)`, `skew 0.1`."""
    found = []
    for name, limit in (("", feature.drift), ("skew ", feature.skew)):
        if limit is not None:
            found.append(f"{name}{number_text(limit.limit)}{' (warning)' if limit.severity == 'warning' else ''}")
    return ", ".join(found)


def meaning_text(feature: "Feature") -> str:
    """The description, the unit, and the meaning of a missing value."""
    parts = [feature.description, f"in {feature.unit}" if feature.unit else ""]
    parts.append(f"missing: {feature.missing_means}" if feature.missing_means else "")
    return "; ".join(part for part in parts if part)


def table_texts(schema: "Schema") -> list[str]:
    """The constraints of the table as a whole, one per line."""
    most = f" to {schema.max_rows:,}" if schema.max_rows is not None else " or more"
    lines = [f"{schema.min_rows:,}{most} rows per span; environments {', '.join(schema.environments)}"]
    if schema.rows_ratio is not None:
        lines.append(f"rows: {schema.rows_ratio.describe()} times those of earlier spans")
    lines += [f"rule {rule.name}: {rule.sql}" for rule in schema.rules]
    lines += [
        f"metric check: {check.metric} {f'of {check.column} ' if check.column else ''}by {check.strategy}"
        for check in schema.metric_checks
    ]
    if schema.feature_skew is not None:
        lines.append(
            f"feature skew: training and serving rows with the same key may differ in {100 * schema.feature_skew.max_fraction:g}% of "
            "cases"
        )
    lines += [f"waived until {w.until} by {w.owner}: {w.kind} {w.column} ({w.reason})" for w in schema.waivers]
    return lines
