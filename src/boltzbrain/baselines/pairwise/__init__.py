"""The pairwise and K-pairwise models, by pseudo-likelihood and by likelihood."""
