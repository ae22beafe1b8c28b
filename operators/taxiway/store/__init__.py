"""The store: content-addressed files and records on any fsspec URL, and the few named pointers to them."""

from taxiway.store.store import Store

__all__ = ["Store"]
