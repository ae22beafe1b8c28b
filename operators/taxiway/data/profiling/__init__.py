"""Per-column statistics of a table, which can be merged over spans, and the distances between them."""
