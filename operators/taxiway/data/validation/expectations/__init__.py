"""Suites of Great Expectations: run as checks, or written from a schema."""
