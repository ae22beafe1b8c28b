"""Pipeline and team files: their sections and keys, and reading them from YAML."""
