"""What starts a challenger outside of the gateway."""
