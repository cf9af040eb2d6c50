"""How good a model is: held-out likelihood and the statistics of what it generates."""
