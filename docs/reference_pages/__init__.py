"""The pages of docs/reference/ that are generated: one module each, and how tables are written."""
