"""Every figure of the page by itself: each function draws one and returns its axes."""

from boltzbrain.presentation.figures.couplings import (
    coupling_histogram,
    coupling_norms,
    embedding_curve,
    neuron_colours,
    region_assemblies,
    region_histograms,
    region_map,
)
from boltzbrain.presentation.figures.distributions import (
    population_count,
    principal_components,
)
from boltzbrain.presentation.figures.model import (
    activation_curve,
    energies,
    reconstruction,
    strongest_weights,
    weights,
)
from boltzbrain.presentation.figures.rasters import raster
from boltzbrain.presentation.figures.statistics import (
    covariances,
    hidden_covariances,
    hidden_products,
    rates,
    triplets,
)
from boltzbrain.presentation.figures.training import training_curve

__all__ = [
    "activation_curve",
    "coupling_histogram",
    "coupling_norms",
    "covariances",
    "embedding_curve",
    "energies",
    "hidden_covariances",
    "hidden_products",
    "neuron_colours",
    "population_count",
    "principal_components",
    "raster",
    "rates",
    "reconstruction",
    "region_assemblies",
    "region_histograms",
    "region_map",
    "strongest_weights",
    "training_curve",
    "triplets",
    "weights",
]
