"""The unit kinds (layers) and the Restricted Boltzmann Machine built of them."""

from boltzbrain.model.continuous import Gaussian
from boltzbrain.model.discrete import Bernoulli, Ising
from boltzbrain.model.layers import KINDS, Layer
from boltzbrain.model.rbm import RBM, Moments
from boltzbrain.model.rectified import DReLU, ReLU

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
