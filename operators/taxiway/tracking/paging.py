"""Searches in MLflow that come in pages: every one of them is read, or those up to a limit."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


def all_pages(search: Callable[[str | None], Iterable[T]]) -> Iterator[T]:
    """What all pages of a search hold; `search` is called with the token of each page, None for the first.

    MLflow answers with at most 1,000 entries, and says by a token that there are more.
    """
    token: str | None = None
    while True:
        page: Any = search(token)
        yield from page
        token = page.token
        if not token:
            return
