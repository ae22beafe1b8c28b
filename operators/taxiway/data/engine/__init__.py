"""DuckDB tables, Ibis expressions and keys in SQL: how rows are read and queried."""
