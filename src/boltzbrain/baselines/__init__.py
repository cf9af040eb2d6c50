"""Simpler models on the same activity, folds and scores: what an RBM has to be better than."""
