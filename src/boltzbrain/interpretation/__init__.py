"""Reading a trained model: effective couplings, assemblies, regions, experiments in silico."""
