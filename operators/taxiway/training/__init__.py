"""Training: build the estimator of a pipeline file and fit it on the rows of a feature set."""
