"""Tables of numbers as text: how one is written, and what it holds."""
