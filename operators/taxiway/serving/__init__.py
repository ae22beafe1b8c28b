"""Serving: the model gateway and its request log, worker processes, and challengers in containers."""
