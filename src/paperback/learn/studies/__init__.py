"""What a model is asked beside training: Jacobians, the chain of factors behind a gradient, their norms, a check of it.

Each module is loaded when it is first asked for: training starts without them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from paperback.arguments import absent

if TYPE_CHECKING:
    from paperback.learn.studies import chain, check, forward, jacobian, norms

__all__ = ["chain", "check", "forward", "jacobian", "norms"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise absent(__name__, name, __all__)
    return import_module(f"{__name__}.{name}")
