"""What monitoring has found about all pipelines: their health, what has changed, and the metrics for Prometheus."""
