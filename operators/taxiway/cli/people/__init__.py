"""The commands with which people decide, review and look after an installation."""
