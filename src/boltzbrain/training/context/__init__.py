"""Training with a context: its fit beforehand, chains of every bin, the score of every bin."""
