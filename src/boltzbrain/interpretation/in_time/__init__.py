"""What a model with a context says of time: which assemblies follow which, how long they last."""
