"""Experiments on a model: hold units, and see what the others do."""
