"""The store: content-addressed files and records on any fsspec URL, named refs, the cache of stages and the index of spans."""

from taxiway.store.cache import StageKey, keep, made_before
from taxiway.store.index import SpanIndex, SpanKey
from taxiway.store.store import LOST, Store
from taxiway.store.temp_folder import temp_folder

__all__ = ["LOST", "SpanIndex", "SpanKey", "StageKey", "Store", "keep", "made_before", "temp_folder"]
