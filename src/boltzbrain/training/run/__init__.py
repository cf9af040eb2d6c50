"""The run folder: how it is begun, written and opened."""
