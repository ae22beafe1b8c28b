"""`taxiway schema show`: a schema as people want to read it."""

from typing import TYPE_CHECKING

from taxiway.data.schema.diff import presence_text
from taxiway.messages import quoted

if TYPE_CHECKING:
    from taxiway.data.schema.model import Feature, Schema

_VALUES_SHOWN = 6


def show_schema(schema: "Schema") -> None:
    """Print the table of features; columns in which no feature says anything are left out."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    columns: dict[str, list[str]] = {
        "column": [_name(feature, schema) for feature in schema.features],
        "type": [feature.type for feature in schema.features],
        "stage": [f"{feature.stage}{f' since {feature.since}' if feature.since else ''}" for feature in schema.features],
        "owner": [feature.owner for feature in schema.features],
        "presence": [presence_text(feature.presence) for feature in schema.features],
        "values": [values_words(feature) for feature in schema.features],
        "drift": [drift_words(feature) for feature in schema.features],
        "environments": [", ".join(feature.environments or ()) for feature in schema.features],
        "meaning": [meaning_words(feature) for feature in schema.features],
    }
    shown = {title: cells for title, cells in columns.items() if any(cells)}
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in shown:
        table.add_column(title, overflow="fold", min_width=min(12, max(map(len, [title, *shown[title]]))))
    for row in zip(*shown.values(), strict=True):
        table.add_row(*map(escape, row))
    console = Console()
    console.print(table)
    for line in table_words(schema):
        console.print(escape(line), highlight=False)


def _name(feature: "Feature", schema: "Schema") -> str:
    roles = ["label"] * (feature.name == schema.label) + ["key"] * (feature.name in schema.key)
    return f"{feature.name} ({', '.join(roles)})" if roles else feature.name


def values_words(feature: "Feature") -> str:
    """What the values may be: `"a", "b"`, `0 to 75 mph`, `unique`."""
    parts = []
    if feature.domain is not None:
        more = len(feature.domain) - _VALUES_SHOWN
        listed = ", ".join(map(quoted, feature.domain[:_VALUES_SHOWN]))
        parts.append(f"{listed}{f' and {more} more' if more > 0 else ''}")
        if feature.min_in_domain < 1:
            parts.append(f"in {100 * feature.min_in_domain:g} % of the rows")
    if feature.range is not None:
        parts.append(feature.range.describe())
    if feature.valency is not None:
        parts.append(f"lists of {feature.valency.describe()}")
    if feature.distinct is not None:
        parts.append(f"{feature.distinct.describe()} distinct")
    parts += [f"like {feature.pattern}"] * (feature.pattern is not None) + ["unique"] * feature.unique
    parts += [feature.semantic] if feature.semantic else []
    return "; ".join(parts)


def drift_words(feature: "Feature") -> str:
    """`0.05`, `0.05 (warning)`, `skew 0.1`."""
    found = []
    for name, limit in (("", feature.drift), ("skew ", feature.skew)):
        if limit is not None:
            found.append(f"{name}{limit.limit:g}{' (warning)' if limit.severity == 'warning' else ''}")
    return ", ".join(found)


def meaning_words(feature: "Feature") -> str:
    """Description, unit, what a missing value means."""
    parts = [feature.description, f"in {feature.unit}" if feature.unit else ""]
    parts.append(f"missing: {feature.missing_means}" if feature.missing_means else "")
    return "; ".join(part for part in parts if part)


def table_words(schema: "Schema") -> list[str]:
    """What holds for the table as a whole, a line each."""
    most = f" to {schema.max_rows:,}" if schema.max_rows is not None else " or more"
    lines = [f"{schema.min_rows:,}{most} rows a span; environments {', '.join(schema.environments)}"]
    if schema.rows_ratio is not None:
        lines.append(f"rows: {schema.rows_ratio.describe()} times those of the spans before")
    lines += [f"rule {rule.name}: {rule.sql}" for rule in schema.rules]
    lines += [
        f"history: {watch.metric} {f'of {watch.column} ' if watch.column else ''}by {watch.strategy}"
        for watch in schema.metric_checks
    ]
    if schema.feature_skew is not None:
        lines.append(f"training and serving may differ in {100 * schema.feature_skew.max_fraction:g} % of the rows of a key")
    lines += [f"waived until {w.until} by {w.owner}: {w.kind} {w.column} ({w.reason})" for w in schema.waivers]
    return lines
