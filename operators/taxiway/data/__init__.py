"""Ingest and data validation: from a pattern of paths to a Snapshot, its Profiles and the DataReport about them.

What the model makes of the rows is not here: that begins in `features`.
"""
