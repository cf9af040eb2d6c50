"""Dynamics: how activity forgets, in the recording and in the model's own Monte Carlo."""
