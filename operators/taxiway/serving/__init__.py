"""Serving: the model gateway, its request log, and the shadow comparison of champion and challenger."""
