"""Fitting a model to activity: the plan, the updates, the checkpoints, the choice of the best."""
