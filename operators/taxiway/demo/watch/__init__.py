"""The watched demonstration: half a year of flights is served, labels come late, and monitoring decides when to train again."""
