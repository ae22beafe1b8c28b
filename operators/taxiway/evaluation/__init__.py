"""Evaluation: candidate and champion on the same rows, with confidence intervals, in total and by slice."""
