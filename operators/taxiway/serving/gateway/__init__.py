"""The gateway's process: it answers requests, mirrors them to a challenger, and logs both."""
