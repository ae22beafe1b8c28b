"""Tuning: parameters tried on the rows of the training window, before a candidate is trained. The gate's rows are never read."""
