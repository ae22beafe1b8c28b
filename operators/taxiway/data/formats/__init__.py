"""CSV, JSON lines and Parquet: how files become typed tables."""
