"""A profile against a schema: checks, expectations, the DataReport and its HTML page."""
