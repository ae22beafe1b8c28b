"""The PostgreSQL server of an embedded stack."""
