"""Reads all pages of a search in MLflow."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


def all_pages(search: Callable[[str | None], Iterable[T]]) -> Iterator[T]:
    """Yield the results of all pages of a search; MLflow returns at most 1,000 at once.

    Args:
        search: Returns a page, given its token; None for the first page.
    """
    token: str | None = None
    while True:
        page: Any = search(token)
        yield from page
        token = page.token
        if not token:
            return
