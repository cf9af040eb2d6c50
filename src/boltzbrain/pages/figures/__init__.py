"""Every figure of the page by itself: each function draws one and returns its axes."""

from boltzbrain.pages.figures.baselines import (
    baseline_scores,
    embedded_neurons,
    occupied_regions,
    weight_tails,
)
from boltzbrain.pages.figures.couplings import (
    coupling_histogram,
    coupling_norms,
    embedding_curve,
    matched_assemblies,
    neuron_colours,
    region_assemblies,
    region_histograms,
    region_map,
)
from boltzbrain.pages.figures.distributions import population_count, principal_components
from boltzbrain.pages.figures.dynamics import (
    active_units,
    autocorrelation,
    hidden_correlations,
    hidden_states,
    hidden_traces,
    hidden_variance,
    relaxation,
    time_constants,
)
from boltzbrain.pages.figures.in_time import (
    state_profiles,
    state_ribbon,
    state_scores,
    state_transitions,
    time_gains,
)
from boltzbrain.pages.figures.model import (
    activation_curve,
    energies,
    reconstruction,
    strong_weights,
    strongest_weights,
    weights,
)
from boltzbrain.pages.figures.motifs import motif_animals, motif_course, motif_matrix
from boltzbrain.pages.figures.rasters import raster
from boltzbrain.pages.figures.statistics import (
    covariances,
    hidden_covariances,
    hidden_means,
    hidden_products,
    rates,
    triplets,
)
from boltzbrain.pages.figures.sweep import grid_map, sweep_curves, sweep_scores
from boltzbrain.pages.figures.training import training_curve

__all__ = [
    "activation_curve",
    "active_units",
    "autocorrelation",
    "baseline_scores",
    "coupling_histogram",
    "coupling_norms",
    "covariances",
    "embedded_neurons",
    "embedding_curve",
    "energies",
    "grid_map",
    "hidden_correlations",
    "hidden_covariances",
    "hidden_means",
    "hidden_products",
    "hidden_states",
    "hidden_traces",
    "hidden_variance",
    "matched_assemblies",
    "motif_animals",
    "motif_course",
    "motif_matrix",
    "neuron_colours",
    "occupied_regions",
    "population_count",
    "principal_components",
    "raster",
    "rates",
    "reconstruction",
    "region_assemblies",
    "region_histograms",
    "region_map",
    "relaxation",
    "state_profiles",
    "state_ribbon",
    "state_scores",
    "state_transitions",
    "strong_weights",
    "strongest_weights",
    "sweep_curves",
    "sweep_scores",
    "time_constants",
    "time_gains",
    "training_curve",
    "triplets",
    "weight_tails",
    "weights",
]
