"""The schema: its model and file, how it is inferred, compared, edited, and how limits are suggested."""
