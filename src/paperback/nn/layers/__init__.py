"""The layers: each is one formula in one short class."""

from paperback.nn.layers.activations import ReLU, Sigmoid, Step, Tanh
from paperback.nn.layers.batchnorm import BatchNorm
from paperback.nn.layers.combine import Residual, Sequential
from paperback.nn.layers.conv import Conv1d, Conv2d
from paperback.nn.layers.dense import Dense
from paperback.nn.layers.dropout import Dropout
from paperback.nn.layers.flatten import Flatten
from paperback.nn.layers.layer import Layer
from paperback.nn.layers.pool import AvgPool2d, MaxPool2d
from paperback.nn.layers.softmax import Softmax

__all__ = [
    "AvgPool2d", "BatchNorm", "Conv1d", "Conv2d", "Dense", "Dropout", "Flatten", "Layer", "MaxPool2d", "ReLU",
    "Residual", "Sequential", "Sigmoid", "Softmax", "Step", "Tanh",
]  # fmt: skip
