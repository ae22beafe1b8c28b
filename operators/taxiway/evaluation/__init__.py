"""Evaluation: candidate and champion on the same rows by the same code, with intervals, on all rows and by slice."""
