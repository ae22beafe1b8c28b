"""Weighted metrics of classification and regression, for estimates and for bootstrap replicates.

A metric is a function of predictions for n rows, their labels (n) and weights (replicates, n), and returns one value for each
replicate. In a classification, a label is the position of its class; in a regression, it is a number. Weights are the counts of rows
in a bootstrap replicate, or ones.
"""

from taxiway.evaluation.metrics.by_name import Metric, metric_of

__all__ = ["Metric", "metric_of"]
