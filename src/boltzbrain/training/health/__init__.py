"""Whether a training goes well: symptoms, restarts, convergence."""
