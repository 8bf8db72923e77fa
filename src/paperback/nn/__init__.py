"""Networks: layers, losses, initialisers. A layer is a formula with parameters; a network is a page of formulas."""

from paperback.nn.init import Constant, GlorotUniform, HeNormal, HeUniform, Ones, Uniform, Zeros
from paperback.nn.layers import (
    AvgPool2d,
    BatchNorm,
    Conv1d,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    Layer,
    MaxPool2d,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    Softmax,
    Step,
    Tanh,
)
from paperback.nn.losses import Loss
from paperback.nn.network import Network, build

__all__ = [
    "AvgPool2d", "BatchNorm", "Constant", "Conv1d", "Conv2d", "Dense", "Dropout", "Flatten", "GlorotUniform",
    "HeNormal", "HeUniform", "Layer", "Loss", "MaxPool2d", "Network", "Ones", "ReLU", "Residual", "Sequential",
    "Sigmoid", "Softmax", "Step", "Tanh", "Uniform", "Zeros", "build",
]  # fmt: skip
