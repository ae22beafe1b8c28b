"""Monitor: the performance of a served version over time, from the gateway's request log."""
