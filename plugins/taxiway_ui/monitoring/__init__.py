"""What monitoring has found about all pipelines: their alerts and health, and the metrics for Prometheus."""
