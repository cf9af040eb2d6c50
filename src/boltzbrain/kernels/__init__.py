"""The hot loops: a plain reference that specifies each, fast versions, the choice; no models."""
