"""Data simulated from known models of several animals."""
