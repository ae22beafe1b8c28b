"""Writes the request log to Parquet files, in a process of its own: the gateway itself imports only `schedule` and `settings`."""
