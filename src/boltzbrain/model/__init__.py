"""The unit kinds (layers) and the Restricted Boltzmann Machine built of them."""

from boltzbrain.model.continuous import DReLU, Gaussian, ReLU
from boltzbrain.model.layers import KINDS, Bernoulli, Ising, Layer
from boltzbrain.model.rbm import RBM, Moments

__all__ = [
    "KINDS",
    "RBM",
    "Bernoulli",
    "DReLU",
    "Gaussian",
    "Ising",
    "Layer",
    "Moments",
    "ReLU",
]
