"""Statistics that gates, shadow comparison and suggestions share."""
