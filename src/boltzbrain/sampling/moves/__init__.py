"""Moves that switch hidden units with all their neurons: proposals, the move, samples by it."""
