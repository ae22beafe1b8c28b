"""Reads pipeline, scoring and team files."""
