"""Monitoring: how well a model performs on its requests, estimated before labels are known and computed afterwards."""
