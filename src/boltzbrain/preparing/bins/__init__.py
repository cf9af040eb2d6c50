"""Where bins lie, and states in them."""
