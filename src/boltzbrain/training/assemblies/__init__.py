"""Trainings of hidden units that are on or off: their start, their factors, their update."""
