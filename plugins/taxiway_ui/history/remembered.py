"""The champions and promotions of the first page, which are read again only if the ledger has changed or some seconds have passed.

With a thousand pipelines, reading them takes most of the page's time. The newest entry is read each time; it changes with each promotion.
"""

import time
from collections.abc import Collection
from dataclasses import dataclass

from taxiway.ledger import promotions
from taxiway.ledger.chain import Ledger
from taxiway.ledger.entry import Entry
from taxiway.registry.champions import ChampionsAndPromotions, champions_and_promotions

SECONDS = 10.0
"""How late the page shows an alias that was moved outside of Taxiway, or the end of a promotion that began before the newest one."""
_MOST = 16
_Key = tuple[str, tuple[str, ...], frozenset[str]]


@dataclass(frozen=True)
class _Remembered:
    newest: tuple[Entry, ...]
    read_at: float
    found: ChampionsAndPromotions


_known: dict[_Key, _Remembered] = {}
"""What was read for the pipelines of a user, by the server and the keys: at most `_MOST`, the oldest first."""


def remembered_champions(ledger: Ledger, models: Collection[str]) -> ChampionsAndPromotions:
    """The champions of `models`, with the newest promotions: one request if nothing has changed for `SECONDS`, else four.

    Args:
        ledger: The ledger.
        models: The models that the user may see.
    """
    key: _Key = (ledger.client.tracking_uri, ledger.keys.keys, frozenset(models))
    newest, now = tuple(promotions.entries(ledger.client, limit=1)), time.monotonic()
    known = _known.get(key)
    if known is not None and known.newest == newest and now - known.read_at < SECONDS:
        return known.found
    found = champions_and_promotions(ledger, models)
    _known.pop(key, None)
    _known[key] = _Remembered(newest, now, found)
    for oldest in list(_known)[:-_MOST]:
        _known.pop(oldest, None)
    return found
