"""YAML files with the line of each key: read safely, and errors that name key, line and value."""
