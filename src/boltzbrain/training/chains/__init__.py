"""What moves the persistent chains between updates: sweeps, moves, exchange along the training."""
