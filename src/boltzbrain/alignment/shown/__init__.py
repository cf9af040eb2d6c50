"""What a study shows of itself: its page, and what it tells in Python."""
