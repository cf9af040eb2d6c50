"""Commands of several animals, and what other commands do of every animal of a study."""
