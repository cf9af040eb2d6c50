"""Drawing from models: Gibbs chains, ladders of models, log-partition functions."""
