"""From spans to a snapshot: planning, joining, sampling, and the split into training and evaluation rows."""
