"""The seed of everything random: samples, splits, resampling and estimators. So a retry has the same result."""

SEED = 20130101
