"""Tuning: a sweep over parameters on the training window, before a candidate is trained. It never reads the evaluation rows."""
