"""Batch prediction: which version scores, how rows are scored, and the folder of the predictions."""
