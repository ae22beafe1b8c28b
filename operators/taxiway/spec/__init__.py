"""What people write: pipeline, team and schema sections with their keys, and the YAML that they are read from."""
