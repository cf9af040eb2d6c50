"""The unit kinds (layers) and the Restricted Boltzmann Machine built of them."""

from boltzbrain.model.context.contextual import ContextualRBM
from boltzbrain.model.layers.continuous import Gaussian
from boltzbrain.model.layers.discrete import Bernoulli, Ising
from boltzbrain.model.layers.layer import KINDS, Layer
from boltzbrain.model.layers.rectified import DReLU, ReLU
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM, Moments

__all__ = [
    "KINDS",
    "RBM",
    "Bernoulli",
    "ContextualRBM",
    "DReLU",
    "Gaussian",
    "Ising",
    "Layer",
    "Moments",
    "Offsets",
    "ReLU",
]
