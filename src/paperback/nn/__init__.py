"""Networks: layers, losses, initialisers. A layer is a formula with parameters; a network is a page of formulas."""

from typing import NoReturn

from paperback.arguments import absent
from paperback.nn import layers
from paperback.nn.init import Constant, GlorotUniform, HeNormal, HeUniform, Normal, Ones, Uniform, Values, Zeros
from paperback.nn.layers import *  # noqa: F403
from paperback.nn.layouts import relayout
from paperback.nn.losses import Loss, huber, mean_squared_error, softmax_cross_entropy
from paperback.nn.network import Network, build

__all__ = [
    "Constant", "GlorotUniform", "HeNormal", "HeUniform", "Loss", "Network", "Normal", "Ones", "Uniform", "Values",
    "Zeros", "build", "huber", "mean_squared_error",
    "relayout", "softmax_cross_entropy",
]  # fmt: skip
__all__ += layers.__all__


def __getattr__(name: str) -> NoReturn:
    raise absent(__name__, name, __all__)
