"""The commands about what is served, and about predictions: the gateway, its callers and its log, and batches."""
