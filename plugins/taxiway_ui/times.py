"""The formats of times on the pages."""

from datetime import UTC, datetime


def time_text(moment: datetime | None) -> str:
    """Format a time in UTC, to the second; empty for None."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if moment else ""


def age_text(moment: datetime | None, now: datetime | None = None) -> str:
    """Format how long ago a time was, such as `3 d`; empty for None.

    Args:
        moment: The time.
        now: The time that it is now; None for that of the clock.
    """
    if moment is None:
        return ""
    minutes = max(0, int(((now or datetime.now(UTC)) - moment).total_seconds() // 60))
    for unit, size in (("d", 24 * 60), ("h", 60)):
        if minutes >= size:
            return f"{minutes // size:,} {unit}"
    return f"{minutes} min"


def day_text(moment: datetime | None) -> str:
    """Format the day of a time in UTC; empty for None."""
    return f"{moment.astimezone(UTC):%Y-%m-%d}" if moment else ""
