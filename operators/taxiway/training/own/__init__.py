"""Training by a function or a program of a team: what it is given, and what it may return."""
