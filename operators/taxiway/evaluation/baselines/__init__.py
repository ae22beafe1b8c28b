"""Simple models that a candidate is compared with: a linear model and a dummy model, their scores and their costs."""
