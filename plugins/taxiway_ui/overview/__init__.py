"""The first page: its rows, how they are filtered and ordered, and what has changed."""
