"""The output of `taxiway profile`: a table of the columns and their statistics."""

from typing import TYPE_CHECKING

from taxiway.cli.views.console import stdout_console

if TYPE_CHECKING:
    from taxiway.data.profiling.profile import ColumnProfile, Profile


_BLOCKS = " ▁▂▃▄▅▆▇█"
_NAME_WIDTH = 18
_HISTOGRAM_WIDTH = 12
_TEXT_WIDTH = 16


def show_profile(found: "Profile") -> None:
    """Print the statistics of every column."""
    from rich.markup import escape
    from rich.table import Table

    from taxiway.data.validation.html_report import value_text
    from taxiway.messages import counted, one_line, percent

    table = Table(box=None, header_style="bold", pad_edge=False)
    widest = max(len(one_line(column.name)) for column in found.columns)
    table.add_column("column", overflow="fold", width=min(max(widest, len("column")), _NAME_WIDTH))
    for title in ("missing", "distinct", "minimum", "median", "maximum"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("values", no_wrap=True, overflow="ellipsis")
    for column in found.columns:
        median = column.quantiles[len(column.quantiles) // 2] if column.quantiles else None
        day = "date" if column.type == "datetime" else column.type
        numbers = [
            "" if value is None else value_text(value, day, digits=3) for value in (column.minimum, median, column.maximum)
        ]
        missing = percent(1 - column.present_fraction) if column.present_fraction < 1 else ""
        distinct = f"{'~' if column.distinct.error else ''}{round(column.distinct.value):,}"
        table.add_row(escape(one_line(column.name)), missing, distinct, *numbers, escape(one_line(_values_text(column))))
    console = stdout_console()
    console.print(table)
    for column in found.columns:
        if column.above or column.below:
            rows = column.above + column.below
            console.print(
                f"{one_line(column.name)}: {rows:,} of {found.rows:,} values are infinite or beyond 1e100 and are left out of the statistics",
                style="yellow",
                markup=False,
            )
    console.print(f"{counted(found.rows, 'row')}, {counted(len(found.columns), 'column')}", style="bold")


def _values_text(column: "ColumnProfile") -> str:
    """A histogram in one line, or the most frequent values."""
    from taxiway.data.validation.html_report import bars
    from taxiway.messages import percent

    drawn = bars(column, bins=_HISTOGRAM_WIDTH)
    if column.type in ("string", "boolean"):
        text = ", ".join(f"{bar.name} {percent(bar.share)}" for bar in drawn[:3])
        return text if len(text) <= _TEXT_WIDTH else f"{text[: _TEXT_WIDTH - 1]}…"
    top = max((bar.share for bar in drawn), default=0.0)
    return "".join(_BLOCKS[max(1, round(8 * bar.share / top)) if bar.share else 0] for bar in drawn) if top else ""
