"""What was asked about evaluation sets, and answered: a chain for each model, signed like the ledger, of which no link is left out.

A query is appended before the gate decides, which fixes its place among all queries about the model, even if two processes ask at
once. The answer is appended before anybody sees it. A retry after a crash is not counted twice. Queries about other models are found
by the rows: the smallest hashes of their rows are tags of the MLflow runs that hold them.
"""
