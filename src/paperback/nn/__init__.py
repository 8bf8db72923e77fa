"""Networks: layers, losses, initialisers. A layer is a formula with parameters; a network is a page of formulas."""

from typing import TYPE_CHECKING

from paperback.later import offer
from paperback.nn import layers

if TYPE_CHECKING:
    from paperback.nn import init, layouts, losses, network, summary  # noqa: F401  # as `nn.losses`, and so on
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

_HOMES = {
    "Constant": "init", "GlorotUniform": "init", "HeNormal": "init", "HeUniform": "init", "Loss": "losses",
    "Network": "network", "Normal": "init", "Ones": "init", "Uniform": "init", "Values": "init", "Zeros": "init",
    "build": "network", "huber": "losses", "mean_squared_error": "losses", "relayout": "layouts",
    "softmax_cross_entropy": "losses", **dict.fromkeys(layers.__all__, "layers"),
}  # fmt: skip

__getattr__, __dir__ = offer(__name__, _HOMES, modules=("init", "layouts", "losses", "network", "summary"))
