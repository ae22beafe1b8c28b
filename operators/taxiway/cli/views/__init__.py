"""What commands print for people: lineage, schemas and profiles."""
