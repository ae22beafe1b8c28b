"""The shadow gate: the decision about a challenger by its answers to live requests."""
