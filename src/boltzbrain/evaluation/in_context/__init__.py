"""What a model is worth that is given a context: every bin under fields of its own."""
