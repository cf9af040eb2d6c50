"""The page of a run, from its files alone: what it shows, judges and says."""
