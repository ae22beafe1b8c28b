"""The registry: which version is champion, and the append-only ledger of how it came to be, with the way back."""
