"""What a model is asked beside training: Jacobians, the chain of factors behind a gradient, their norms, a check of it.

Each module is loaded when it is first asked for: training starts without them.
"""

from typing import TYPE_CHECKING

from paperback.later import offer

if TYPE_CHECKING:
    from paperback.learn.studies import chain, check, forward, jacobian, norms

__all__ = ["chain", "check", "forward", "jacobian", "norms"]

__getattr__, __dir__ = offer(__name__, {}, modules=__all__)
