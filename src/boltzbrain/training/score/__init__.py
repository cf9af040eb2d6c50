"""The held-out likelihood along a training, and what it decides."""
