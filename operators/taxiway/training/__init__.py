"""Training: an estimator from its description, fitted on the rows of a feature set."""
