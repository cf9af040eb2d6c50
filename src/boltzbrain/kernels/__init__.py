"""The hot loops: a plain reference that specifies each, and fast versions of it."""
