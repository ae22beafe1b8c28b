"""The windows of a served version: its rows in the request log, how well it predicts them, and what changed in their inputs."""
