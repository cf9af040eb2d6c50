"""The data card: what a recording holds and what to mind, in figures and in words."""
