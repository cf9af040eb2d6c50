"""Several runs: repeats, animals, and structural matrices."""
