"""Annealing on the CPU: chains of binary visible units carried along many rungs in one call."""
