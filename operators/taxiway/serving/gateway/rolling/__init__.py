"""Writes the request log to Parquet files. The gateway's own process never imports it."""
